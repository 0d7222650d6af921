// Whole numbers that somebody else wrote: nlohmann converts what does not fit, or is no whole number, without
// a word, and a number beyond its type's range is undefined behaviour.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace mlc {

// Throws std::runtime_error.
template <class T>
T whole_number(const nlohmann::json& json) {
  const bool fits = json.is_number_unsigned()  ? std::in_range<T>(json.get<std::uint64_t>())
                    : json.is_number_integer() ? std::in_range<T>(json.get<std::int64_t>())
                                               : false;
  if (!fits) throw std::runtime_error("a number is not whole, or does not fit");
  return json.get<T>();
}

}  // namespace mlc
