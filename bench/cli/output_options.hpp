// Where results go and in which face: the options that commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "reports/faces/progress.hpp"
#include "reports/record/report.hpp"
#include "reports/record/style.hpp"

namespace mlc {

struct OutputOptions {
  OutputOptions();
  std::vector<std::string> formats;  // that the command has; all faces of a report, unless told
  std::string format;                // as typed; empty: by the ending of --output, else text
  std::string table;                 // of CSV; empty: what the run is about
  std::string output = "-";          // file, or - for stdout
  bool quiet = false;                // nothing but the result
  std::string progress = "auto", color = "auto";

  void add_to(CLI::App& command);
  // Throws UsageError: an unknown format, or an output that cannot be written (tried now, before anything is
  // measured).
  void check() const;
  std::string chosen() const;  // the format
  bool to_file() const { return output != "-"; }
  // After --color, --progress, NO_COLOR and whether stdout or stderr is a terminal. Ranks write into a
  // launcher's pipes (mpirun even makes them look like terminals): for those that we launched, our own
  // terminal counts, for others none.
  Style style() const;
  Style file_style() const;  // for --output and for faces that are no text
  Style error_style() const;
  ProgressAs progress_as() const;
  std::string terminal() const;  // for the ranks that this process launches

 private:
  bool has_tables() const;
  bool coloured(int fd, std::string_view word) const;
};

// In a rank that says what the run has to say, started by a process of this program: the launcher's terminal
// is as wide as it is, and where it shows both stdout and stderr, both go one way, so that none overtakes the
// other.
void adopt_terminal();

std::string render(const Report& report, std::string_view format, const Style& style);

// The whole result of a command that does not print as it goes: to --output, or to stdout.
void publish(const OutputOptions& options, const std::string& content);

}  // namespace mlc
