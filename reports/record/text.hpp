// The only formatting of numbers, units and untrusted text for people.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mlc {

std::string fixed(double value, int decimals);  // "363.40"; "nan" and "inf" as such
std::string shortest(double value);             // the shortest text that reads back the same: "0.1", "1e-05"
std::string bytes_text(
    std::uint64_t bytes);  // "1 KiB", "256 MiB", "1000 B": exact, binary units only when whole
std::string time_text(double microseconds);         // "28.1 µs", "44.32 ms", "1.20 s"
std::string percent_text(double fraction);          // 0.018 -> "1.8 %"
std::string rank_list(std::span<const int> ranks);  // "0-3, 7"

// Untrusted text made safe for a terminal or one line of a log: control characters and broken UTF-8 become
// escapes, length is bounded.
std::string printable(std::string_view text, std::size_t most = 200);

// Columns a UTF-8 text takes on a terminal (one per code point; this project prints no wide characters).
std::size_t columns(std::string_view text);
std::string pad_left(std::string_view text, std::size_t width);
std::string pad_right(std::string_view text, std::size_t width);

// "4K", "1M", "64MiB", "1g", "1000", "1.5G" -> bytes; units are binary as in nccl-tests. Empty if it does not
// parse.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

// "60", "60s", "500ms", "2m" -> seconds. Empty if it does not parse or is negative.
std::optional<double> parse_seconds(std::string_view text);

// The known word nearest to `word` by edit distance, if near enough to be worth suggesting.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known);

std::string join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string> split_words(std::string_view text);  // at runs of blanks

}  // namespace mlc
