#include "bench/engine/fault.hpp"

#include <charconv>

namespace mlc {

std::optional<Fault> parse_fault(std::string_view text) {
  Fault fault;
  const auto colon = text.find(':');
  const auto kind = text.substr(0, colon);
  if (kind == "flip")
    fault.kind = Fault::Kind::flip;
  else if (kind == "delay")
    fault.kind = Fault::Kind::delay;
  else if (kind == "hang")
    fault.kind = Fault::Kind::hang;
  else if (kind == "die")
    fault.kind = Fault::Kind::die;
  else
    return std::nullopt;
  text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    text.remove_prefix(part.size() < text.size() ? part.size() + 1 : part.size());
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto key = part.substr(0, equals), value = part.substr(equals + 1);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
    if (key == "rank" || key == "rail")
      fault.rank = static_cast<int>(number);
    else if (key == "index")
      fault.index = number;
    else if (key == "bit")
      fault.bit = static_cast<int>(number);
    else if (key == "us")
      fault.delay_us = static_cast<double>(number);
    else if (key == "after")
      fault.after = number;
    else
      return std::nullopt;
  }
  return fault;
}

}  // namespace mlc
