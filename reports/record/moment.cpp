#include "reports/record/moment.hpp"

#include <array>

namespace mlc {

namespace {

std::string formatted(std::time_t moment, const char* format) {
  std::tm utc{};
  ::gmtime_r(&moment, &utc);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &utc)};
}

}  // namespace

std::string rfc3339(std::time_t moment) { return formatted(moment, "%Y-%m-%dT%H:%M:%SZ"); }
std::string rfc3339_micro(std::time_t moment) { return formatted(moment, "%Y-%m-%dT%H:%M:%S.000000Z"); }

std::optional<std::time_t> parse_rfc3339(const std::string& text) {
  std::tm utc{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&utc);
}

}  // namespace mlc
