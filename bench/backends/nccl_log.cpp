#include "bench/backends/nccl_log.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

// What follows `mark`, and the line cut off there.
std::optional<std::string_view> behind(std::string_view line, std::string_view mark) {
  const auto at = line.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  return line.substr(at + mark.size());
}

std::optional<int> leading_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

// NCCL has printed numbers, capitals and mixed case over the years.
std::string usual_name(std::string_view word) {
  static constexpr std::array<std::string_view, 7> names{
      "Tree", "Ring", "CollnetDirect", "CollnetChain", "NVLS", "NVLSTree", "PAT"};
  if (const auto number = leading_number(word);
      number && *number >= 0 && *number < static_cast<int>(names.size()))
    return std::string(names[static_cast<std::size_t>(*number)]);
  const auto letters = [](std::string_view text) {
    std::string result;
    for (const char c : text)
      if (c != '_') result += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    return result;
  };
  for (const auto name : names)
    if (letters(name) == letters(word)) return std::string(name);
  return printable(word, 40);
}

template <class Take>
void each_line(std::string_view log, Take&& take) {
  while (!log.empty()) {
    const auto end = std::min(log.find('\n'), log.size());
    take(log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
  }
}

}  // namespace

std::optional<Tuning> tuning_of_line(std::string_view line) {
  const auto algorithm = behind(line, " Bytes -> Algo ");
  if (!algorithm) return std::nullopt;
  const auto protocol = behind(*algorithm, " proto ");
  const auto channels = behind(*algorithm, " channel{Lo..Hi}={");
  if (!protocol || !channels) return std::nullopt;
  const auto low = leading_number(*channels);
  const auto rest = behind(*channels, "..");
  const auto high = rest ? leading_number(*rest) : std::nullopt;
  if (!low || !high || *low < 0 || *high < *low || *high > 1023) return std::nullopt;
  static constexpr std::array<std::string_view, 3> protocols{"LL", "LL128", "Simple"};
  std::string protocol_name(protocol->substr(0, protocol->find(' ')));
  if (protocol_name == "SIMPLE") protocol_name = "Simple";
  if (const auto number = leading_number(protocol_name);
      number && *number >= 0 && *number < static_cast<int>(protocols.size()))
    protocol_name = protocols[static_cast<std::size_t>(*number)];
  return Tuning{.algorithm = usual_name(algorithm->substr(0, algorithm->find(' '))),
                .protocol = printable(protocol_name, 40),
                .channels = *high - *low + 1,
                .wire_gb_s = {}};
}

std::optional<std::string> warning_of_line(std::string_view line) {
  const auto text = behind(line, "NCCL WARN ");
  return text && !text->empty() ? std::optional("NCCL: " + printable(*text, 400)) : std::nullopt;
}

std::optional<Tuning> last_tuning(std::string_view log) {
  std::optional<Tuning> last;
  each_line(log, [&](std::string_view line) {
    if (const auto tuning = tuning_of_line(line)) last = tuning;
  });
  return last;
}

std::vector<std::string> all_warnings(std::string_view log) {
  std::vector<std::string> warnings;
  each_line(log, [&](std::string_view line) {
    if (const auto warning = warning_of_line(line);
        warning && std::ranges::find(warnings, *warning) == warnings.end())
      warnings.push_back(*warning);
  });
  return warnings;
}

}  // namespace mlc
