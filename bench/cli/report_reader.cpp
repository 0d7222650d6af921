#include "bench/cli/report_reader.hpp"

#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "bench/engine/sweep.hpp"
#include "reports/history/history_files.hpp"
#include "reports/history/launches.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string standard_input() {
  std::string text;
  std::array<char, 1 << 16> part{};
  while (std::cin.read(part.data(), part.size()), std::cin.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > largest_report_bytes)
      throw std::runtime_error("larger than " + bytes_text(largest_report_bytes) + ": no report of ours");
  }
  return text;
}

}  // namespace

Report read_report(const std::string& path) {
  std::error_code error;
  if (path != "-" && !std::filesystem::exists(path, error))
    throw UsageError("there is no file " + printable(path));
  try {
    return report_from_json(path == "-" ? standard_input() : read_report_file(path));
  } catch (const std::exception& problem) {
    throw std::runtime_error(printable(path) + ": " + problem.what());
  }
}

Report read_runs_together(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return read_report(path);
  std::vector<std::string> left_out;
  std::vector<Report> runs;
  for (const auto& file : report_files({path}, left_out))
    runs.push_back(read_report(file.string()));
  if (!left_out.empty()) throw std::runtime_error(printable(left_out.front()));
  if (runs.empty()) throw UsageError("there is no report (*.json) in " + printable(path));
  return together(std::move(runs));
}

}  // namespace mlc
