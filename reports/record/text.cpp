#include "reports/record/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

namespace mlc {

std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 400> buffer{};
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, decimals);
  return error == std::errc{} ? std::string(buffer.data(), end) : std::string("overflow");
}

std::string shortest(double value) {
  std::array<char, 64> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc{} ? std::string(buffer.data(), end) : std::string("nan");
}

std::string bytes_text(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (unit + 1 < units.size() && bytes >= 1024 && bytes % 1024 == 0)
    bytes /= 1024, ++unit;
  return std::to_string(bytes) + " " + std::string(units[unit]);
}

std::string time_text(double microseconds) {
  if (!std::isfinite(microseconds)) return fixed(microseconds, 0);
  if (microseconds < 10) return fixed(microseconds, 2) + " µs";
  if (microseconds < 10'000) return fixed(microseconds, 1) + " µs";
  if (microseconds < 1'000'000) return fixed(microseconds / 1e3, 2) + " ms";
  return fixed(microseconds / 1e6, 2) + " s";
}

std::string percent_text(double fraction) { return fixed(fraction * 100, 1) + " %"; }

std::string rank_list(std::span<const int> ranks) {
  std::string text;
  for (std::size_t first = 0; first < ranks.size();) {
    std::size_t last = first;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1)
      ++last;
    if (!text.empty()) text += ", ";
    text += std::to_string(ranks[first]);
    if (last > first) text += (last == first + 1 ? ", " : "-") + std::to_string(ranks[last]);
    first = last + 1;
  }
  return text;
}

namespace {

// Length of the valid UTF-8 sequence at text[0], or 0. Overlong forms, surrogates and bidirectional control
// characters count as invalid: they could disguise what a terminal shows.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  std::uint32_t code = lead & (0xff >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  const bool control = code < 0xa0;
  const bool direction = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
                         code == 0x200e || code == 0x200f || code == 0x2028 || code == 0x2029;
  return overlong || surrogate || control || direction || code > 0x10ffff ? 0 : length;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string safe;
  while (!text.empty()) {
    if (safe.size() >= most) return safe + "…";
    const unsigned char c = static_cast<unsigned char>(text.front());
    const std::size_t length = c < 0x20 || c == 0x7f ? 0 : utf8_length(text);
    if (length > 0) {
      safe += text.substr(0, length);
      text.remove_prefix(length);
      continue;
    }
    std::array<char, 8> escape{};
    if (c == '\n')
      safe += "\\n";
    else if (c == '\t')
      safe += "\\t";
    else
      safe.append(escape.data(),
                  static_cast<std::size_t>(std::snprintf(escape.data(), escape.size(), "\\x%02x", c)));
    text.remove_prefix(1);
  }
  return safe;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string pad_left(std::string_view text, std::size_t width) {
  const std::size_t have = columns(text);
  return std::string(have < width ? width - have : 0, ' ') + std::string(text);
}

std::string pad_right(std::string_view text, std::size_t width) {
  const std::size_t have = columns(text);
  return std::string(text) + std::string(have < width ? width - have : 0, ' ');
}

namespace {

struct NumberAndUnit {
  double number;
  std::string unit;  // lower case, without surrounding blanks
};

std::optional<NumberAndUnit> split_number(std::string_view text) {
  const auto trim = [](std::string_view view) {
    while (!view.empty() && view.front() == ' ')
      view.remove_prefix(1);
    while (!view.empty() && view.back() == ' ')
      view.remove_suffix(1);
    return view;
  };
  text = trim(text);
  NumberAndUnit result{};
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), result.number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(result.number)) return std::nullopt;
  for (char c : trim(text.substr(static_cast<std::size_t>(end - text.data()))))
    result.unit += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts || parts->number < 0) return std::nullopt;
  double scale = 0;
  const std::string& unit = parts->unit;
  if (unit.empty() || unit == "b")
    scale = 1;
  else if (unit == "k" || unit == "kib")
    scale = 1024.0;
  else if (unit == "m" || unit == "mib")
    scale = 1024.0 * 1024;
  else if (unit == "g" || unit == "gib")
    scale = 1024.0 * 1024 * 1024;
  else if (unit == "t" || unit == "tib")
    scale = 1024.0 * 1024 * 1024 * 1024;
  else
    return std::nullopt;
  const double bytes = parts->number * scale;
  if (bytes != std::floor(bytes) || bytes > 9.0e15)
    return std::nullopt;  // above 2^53 a double is no longer exact
  return static_cast<std::uint64_t>(bytes);
}

std::optional<double> parse_seconds(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts || parts->number < 0) return std::nullopt;
  if (parts->unit.empty() || parts->unit == "s") return parts->number;
  if (parts->unit == "us" || parts->unit == "µs") return parts->number / 1e6;
  if (parts->unit == "ms") return parts->number / 1e3;
  if (parts->unit == "m" || parts->unit == "min") return parts->number * 60;
  if (parts->unit == "h") return parts->number * 3600;
  return std::nullopt;
}

namespace {

// Damerau-Levenshtein (adjacent transposition counts one): what people mistype.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known) {
  if (word.size() > 64) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : known) {
    const bool begins = word.size() >= 3 && candidate.starts_with(word);
    const std::size_t distance = begins ? 1 : edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) best = candidate, best_distance = distance;
  }
  return best;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace mlc
