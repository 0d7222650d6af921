#include "bench/fleet/localisation/hostlist.hpp"

#include <charconv>

#include "bench/fleet/localisation/topology.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t most_names = 100'000;

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw TopologyError("hostlist '" + printable(text, 80) + "': " + why);
}

long number_in(std::string_view text, std::string_view digits) {
  long value = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value < 0)
    refuse(text, "'" + printable(digits, 20) + "' is no number");
  return value;
}

// The part between commas that are in no bracket.
std::string_view next_part(std::string_view& rest, std::string_view whole) {
  int depth = 0;
  std::size_t at = 0;
  for (; at < rest.size() && (rest[at] != ',' || depth > 0); ++at) {
    depth += rest[at] == '[' ? 1 : rest[at] == ']' ? -1 : 0;
    if (depth < 0 || depth > 1) refuse(whole, "its brackets do not match");
  }
  if (depth != 0) refuse(whole, "a bracket is left open");
  const auto part = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return part;
}

// "08-11,14" behind each of the names so far.
std::vector<std::string> with_ranges(const std::vector<std::string>& heads, std::string_view ranges,
                                     std::string_view whole) {
  std::vector<std::string> numbers;
  while (!ranges.empty()) {
    const auto comma = std::min(ranges.find(','), ranges.size());
    const auto range = ranges.substr(0, comma);
    ranges.remove_prefix(std::min(comma + 1, ranges.size()));
    const auto dash = std::min(range.find('-'), range.size());
    const auto first = range.substr(0, dash);
    const long least = number_in(whole, first);
    const long most = dash < range.size() ? number_in(whole, range.substr(dash + 1)) : least;
    if (most < least) refuse(whole, "'" + printable(range, 40) + "' runs backwards");
    if (const long more = most - least; static_cast<std::size_t>(more) >= most_names)
      refuse(whole, "too many names");
    for (long number = least; number <= most; ++number) {
      std::string digits = std::to_string(number);
      if (digits.size() < first.size()) digits.insert(0, first.size() - digits.size(), '0');
      numbers.push_back(std::move(digits));
    }
    if (numbers.size() * heads.size() > most_names) refuse(whole, "too many names");
  }
  if (numbers.empty()) refuse(whole, "a bracket is empty");
  std::vector<std::string> names;
  names.reserve(heads.size() * numbers.size());
  for (const auto& head : heads)
    for (const auto& number : numbers)
      names.push_back(head + number);
  return names;
}

}  // namespace

std::vector<std::string> hostlist(std::string_view text) {
  std::vector<std::string> all;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view part = next_part(rest, text);
    if (part.empty()) continue;
    std::vector<std::string> names{""};
    while (!part.empty()) {
      const auto open = std::min(part.find('['), part.size());
      for (auto& name : names)
        name += part.substr(0, open);
      part.remove_prefix(open);
      if (part.empty()) break;
      const auto close = part.find(']');
      names = with_ranges(names, part.substr(1, close - 1), text);
      part.remove_prefix(close + 1);
    }
    if (all.size() + names.size() > most_names) refuse(text, "too many names");
    all.insert(all.end(), names.begin(), names.end());
  }
  return all;
}

}  // namespace mlc::fleet
