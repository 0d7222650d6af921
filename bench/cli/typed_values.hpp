// What users type as option values, understood; each mistake is a UsageError that names the option.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/engine/sweep.hpp"
#include "reports/record/split.hpp"
#include "reports/record/text.hpp"

namespace mlc {

std::uint64_t size_from(const std::string& flag, const std::string& text);
std::optional<std::uint64_t> size_if(const std::string& flag, const std::string& text);
// Above zero, not below `least` ("100ms"), and no more than a week.
double seconds_from(const std::string& flag, const std::string& text, const std::string& least = "0");

// "2%", "2 %" or "0.02": below 1; a share may be all of it.
double fraction_from(const std::string& flag, const std::string& text);
double share_from(const std::string& flag, const std::string& text);

// `also`: what else may stand there: ", or auto".
template <class T>
T number_from(const std::string& flag, const std::string& text, T least, T most, const std::string& also) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    throw UsageError(flag + " '" + printable(text) + "' must be a number from " +
                     shortest(static_cast<double>(least)) + " to " + shortest(static_cast<double>(most)) +
                     also);
  return value;
}

}  // namespace mlc
