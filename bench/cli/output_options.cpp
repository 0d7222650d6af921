#include "bench/cli/output_options.hpp"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "bench/engine/sweep.hpp"
#include "bench/ranks/launched_as.hpp"
#include "bench/ranks/launcher.hpp"
#include "reports/faces/csv.hpp"
#include "reports/faces/face.hpp"
#include "reports/record/text.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

void one_of(const std::string& option, const std::string& value, const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), value) != words.end()) return;
  const auto near = nearest(value, words);
  throw UsageError(option + " '" + printable(value) + "' is none of " + join(words, ", "),
                   near ? "did you mean '" + *near + "'?" : "");
}

const std::string columns_word = "columns=";  // the last word of terminal()

bool is_terminal(int fd, std::string_view word) {
  if (const auto launcher = from_environment(terminal_variable))
    return launcher->find(word) != std::string::npos;
  if (launched_as(from_environment)) return false;
  const auto term = from_environment("TERM");
  return ::isatty(fd) == 1 && term && *term != "dumb";
}

std::vector<std::string> table_names() {
  std::vector<std::string> names;
  for (const auto& table : csv_tables())
    names.emplace_back(table.name);
  return names;
}

}  // namespace

OutputOptions::OutputOptions() {
  for (const Face* face : all_faces())
    formats.emplace_back(face->name);
}

bool OutputOptions::has_tables() const { return std::ranges::find(formats, "csv") != formats.end(); }

void OutputOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--format", format,
          join(formats, ", ") + " (default: by the ending of --output; text on the terminal" +
              (std::ranges::find(formats, "line") == formats.end() ? ")"
                                                                   : "; line: for node-problem-detector)"))
      ->group("Output")
      ->type_name(join(formats, "|"));
  if (has_tables())
    command
        .add_option(
            "--table", table,
            "of csv (default: series, or where there are none rails or findings; mlc-bench list tables)")
        ->group("Output")
        ->type_name(join(table_names(), "|"));
  command
      .add_option("--output", output,
                  "file to write, or - for stdout; with a file, the table still goes to stdout")
      ->group("Output")
      ->type_name("FILE");
  command.add_flag("-q,--quiet", quiet, "nothing but the result")->group("Output");
  command
      .add_option("--progress", progress,
                  "auto, plain or never: a live line on a terminal; or lines, also for a log")
      ->group("Output")
      ->type_name("auto|plain|never");
  command.add_option("--color", color, "auto, always or never; NO_COLOR is honoured")
      ->group("Output")
      ->type_name("auto|always|never");
}

void OutputOptions::check() const {
  if (!format.empty()) one_of("--format", format, formats);
  if (!table.empty()) {
    one_of("--table", table, table_names());
    if (chosen() != "csv") throw UsageError("--table belongs to --format csv, not to " + chosen());
  }
  one_of("--progress", progress, {"auto", "plain", "never"});
  one_of("--color", color, {"auto", "always", "never"});
  if (!to_file()) return;
  if (const Face* face = face_for(output); format.empty() && face != nullptr)
    one_of("--output " + printable(output) + ":", std::string(face->name), formats);
  if (output.empty()) throw UsageError("--output needs a file name, or - for stdout");
  if (std::filesystem::is_directory(output))
    throw UsageError("cannot write " + printable(output) + ": it is a directory");
  if (const std::string why = why_not_writable(output); !why.empty())
    throw UsageError("cannot write " + printable(output) + ": " + why,
                     "choose another --output; nothing has been done yet");
}

std::string OutputOptions::chosen() const {
  if (!format.empty()) return format;
  if (!to_file()) return "text";
  const Face* face = face_for(output);
  return face != nullptr && std::ranges::find(formats, face->name) != formats.end() ? std::string(face->name)
                                                                                    : "json";
}

bool OutputOptions::coloured(int fd, std::string_view word) const {
  if (color == "always") return true;
  const auto no_color = from_environment("NO_COLOR");
  if (color == "never" || (no_color && !no_color->empty())) return false;
  return is_terminal(fd, word);
}

Style OutputOptions::style() const { return {coloured(STDOUT_FILENO, "out-colour"), table}; }
Style OutputOptions::file_style() const { return {false, table}; }
Style OutputOptions::error_style() const { return {coloured(STDERR_FILENO, "error-colour"), {}}; }
ProgressAs OutputOptions::progress_as() const {
  if (quiet || progress == "never") return ProgressAs::nothing;
  if (progress == "plain") return ProgressAs::plain;
  return is_terminal(STDERR_FILENO, "live") ? ProgressAs::line : ProgressAs::nothing;
}

std::string OutputOptions::terminal() const {
  struct stat out {
  }, error{};
  const bool together = ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1 &&
                        ::fstat(STDOUT_FILENO, &out) == 0 && ::fstat(STDERR_FILENO, &error) == 0 &&
                        out.st_rdev == error.st_rdev;
  winsize size{};
  const bool sized = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return std::string("terminal") + (style().colour ? ",out-colour" : "") +
         (error_style().colour ? ",error-colour" : "") + (progress_as() == ProgressAs::line ? ",live" : "") +
         (together ? ",together" : "") + (sized ? "," + columns_word + std::to_string(size.ws_col) : "");
}

void adopt_terminal() {
  const auto launcher = from_environment(terminal_variable);
  if (!launcher) return;
  if (const auto at = launcher->find(columns_word); at != std::string::npos)
    ::setenv("COLUMNS", launcher->substr(at + columns_word.size()).c_str(), 1);
  if (launcher->find("together") != std::string::npos) {
    std::fflush(stdout);
    ::dup2(STDOUT_FILENO, STDERR_FILENO);
  }
}

std::string render(const Report& report, std::string_view format, const Style& style) {
  const Face* face = find_face(format);
  return (face != nullptr ? face : find_face("text"))->render(report, style);
}

void publish(const OutputOptions& options, const std::string& content) {
  if (options.to_file())
    write_whole(options.output, content);
  else
    write_all(STDOUT_FILENO, content, "stdout");
}

}  // namespace mlc
