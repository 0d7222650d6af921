#include "bench/cli/output_options.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "bench/engine/sweep.hpp"
#include "bench/ranks/launched_as.hpp"
#include "bench/ranks/launcher.hpp"
#include "reports/faces/face.hpp"
#include "reports/record/text.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc {

namespace {

void one_of(const std::string& option, const std::string& value, const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), value) != words.end()) return;
  const auto near = nearest(value, words);
  throw UsageError(option + " '" + printable(value) + "' is none of " + join(words, ", "),
                   near ? "did you mean '" + *near + "'?" : "");
}

bool is_terminal(int fd, std::string_view word) {
  if (const auto launcher = from_environment(terminal_variable))
    return launcher->find(word) != std::string::npos;
  if (launched_as(from_environment)) return false;
  const auto term = from_environment("TERM");
  return ::isatty(fd) == 1 && term && *term != "dumb";
}

// Devices, pipes and the like are written to as they are.
bool replaceable(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

[[noreturn]] void cannot_write(const std::string& path) {
  throw std::runtime_error("cannot write " + printable(path) + ": " + std::strerror(errno));
}

void write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t wrote = ::write(fd, content.data(), content.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) cannot_write(path);
    content.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

std::string partial_of(const std::string& path) { return path + ".partial." + std::to_string(::getpid()); }

}  // namespace

OutputOptions::OutputOptions() {
  for (const Face* face : all_faces())
    formats.emplace_back(face->name);
}

void OutputOptions::add_to(CLI::App& command) {
  command
      .add_option("--format", format,
                  join(formats, ", ") +
                      " (default: by the ending of --output, else text; line: for node-problem-detector)")
      ->group("Output");
  command
      .add_option("--output", output,
                  "file to write, or - for stdout; with a file, the table still goes to stdout")
      ->group("Output");
  command.add_flag("-q,--quiet", quiet, "nothing but the result")->group("Output");
  command.add_option("--progress", progress, "auto or never: a live line on a terminal")->group("Output");
  command.add_option("--color", color, "auto, always or never; NO_COLOR is honoured")->group("Output");
}

void OutputOptions::check() const {
  if (!format.empty()) one_of("--format", format, formats);
  one_of("--progress", progress, {"auto", "never"});
  one_of("--color", color, {"auto", "always", "never"});
  if (!to_file()) return;
  if (output.empty()) throw UsageError("--output needs a file name, or - for stdout");
  if (std::filesystem::is_directory(output))
    throw UsageError("cannot write " + printable(output) + ": it is a directory");
  const bool replace = replaceable(output);
  const std::string tried = replace ? partial_of(output) : output;
  const FileDescriptor fd(
      ::open(tried.c_str(), O_WRONLY | O_CLOEXEC | (replace ? O_CREAT | O_EXCL : 0), 0644));
  if (!fd)
    throw UsageError("cannot write " + printable(output) + ": " + std::strerror(errno),
                     "choose another --output; nothing has been measured yet");
  if (replace) ::unlink(tried.c_str());
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

Style OutputOptions::style() const { return {coloured(STDOUT_FILENO, "out-colour")}; }
Style OutputOptions::error_style() const { return {coloured(STDERR_FILENO, "error-colour")}; }
bool OutputOptions::live() const {
  return !quiet && progress != "never" && is_terminal(STDERR_FILENO, "live");
}

std::string OutputOptions::terminal() const {
  return std::string("terminal") + (style().colour ? ",out-colour" : "") +
         (error_style().colour ? ",error-colour" : "") + (live() ? ",live" : "");
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

void write_whole(const std::string& path, const std::string& content) {
  if (!replaceable(path)) {
    const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) cannot_write(path);
    write_all(fd.get(), content, path);
    return;
  }
  const std::string partial = partial_of(path);
  try {
    const FileDescriptor fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) cannot_write(path);
    write_all(fd.get(), content, path);
    if (::fsync(fd.get()) != 0 && errno != EINVAL) cannot_write(path);
    if (::rename(partial.c_str(), path.c_str()) != 0) cannot_write(path);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

}  // namespace mlc
