// Where results go and in which face: the options that commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "reports/record/report.hpp"
#include "reports/record/style.hpp"

namespace mlc {

enum class Format { text, json, csv, prometheus, html, markdown, junit };

struct OutputOptions {
  // That the command has.
  std::vector<std::string> formats{"text", "json", "csv", "prometheus", "html", "markdown", "junit"};
  std::string format;        // as typed; empty: by the ending of --output, else text
  std::string output = "-";  // file, or - for stdout
  bool quiet = false;        // nothing but the result
  std::string progress = "auto", color = "auto";

  void add_to(CLI::App& command);
  // Throws UsageError: an unknown format, or an output that cannot be written (tried now, before anything is
  // measured).
  void check() const;
  Format chosen() const;
  bool to_file() const { return output != "-"; }
  // After --color, --progress, NO_COLOR and whether stdout or stderr is a terminal. Ranks write into a
  // launcher's pipes (mpirun even makes them look like terminals): for those that we launched, our own
  // terminal counts, for others none.
  Style style() const;
  Style error_style() const;
  bool live() const;
  std::string terminal() const;  // for the ranks that this process launches

 private:
  bool coloured(int fd, std::string_view word) const;
};

std::string render(const Report& report, Format format, const Style& style);

// The whole result of a command that does not print as it goes: to --output, or to stdout.
void publish(const OutputOptions& options, const std::string& content);

}  // namespace mlc
