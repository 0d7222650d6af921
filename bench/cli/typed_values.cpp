#include "bench/cli/typed_values.hpp"

namespace mlc {

namespace {

constexpr std::string_view longest = "168h";  // as a stage of a burn-in

}  // namespace

std::uint64_t size_from(const std::string& flag, const std::string& text) {
  const auto bytes = parse_bytes(text);
  if (!bytes)
    throw UsageError(flag + " '" + printable(text) + "' is no size",
                     "write bytes or a binary unit: 4096, 4K, 1M, 2GiB");
  return *bytes;
}

std::optional<std::uint64_t> size_if(const std::string& flag, const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(size_from(flag, text));
}

double seconds_from(const std::string& flag, const std::string& text, const std::string& least) {
  const auto seconds = parse_seconds(text);
  if (!seconds || *seconds <= 0)
    throw UsageError(flag + " '" + printable(text) + "' is no time above zero",
                     "write digits and a unit, up to " + std::string(longest) + ": 60, 60s, 500ms, 2m");
  if (*seconds < parse_seconds(least)) throw UsageError(flag + " must be at least " + least);
  if (*seconds > parse_seconds(longest))
    throw UsageError(flag + " '" + printable(text) + "' is longer than " + std::string(longest));
  return *seconds;
}

double fraction_from(const std::string& flag, const std::string& text) {
  std::string_view digits = text;
  const bool percent = digits.ends_with('%');
  if (percent) digits.remove_suffix(1);
  while (percent && digits.ends_with(' '))
    digits.remove_suffix(1);
  double value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
  if (percent) value /= 100;
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      !(value >= 0 && value < 1))
    throw UsageError(flag + " '" + printable(text) + "' is no share between 0 and 1", "write 2% or 0.02");
  return value;
}

double share_from(const std::string& flag, const std::string& text) {
  return text == "100%" || text == "1" ? 1 : fraction_from(flag, text);
}

}  // namespace mlc
