#include "bench/gpu/planted_fault.hpp"

#include <charconv>

namespace mlc {

std::optional<PlantedFault> parse_planted_fault(std::string_view text) {
  PlantedFault fault;
  const auto colon = text.find(':');
  if (text.substr(0, colon) == "memory")
    fault.kind = PlantedFault::Kind::memory;
  else if (text.substr(0, colon) == "sm")
    fault.kind = PlantedFault::Kind::sm;
  else
    return std::nullopt;
  text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    text.remove_prefix(part.size() < text.size() ? part.size() + 1 : part.size());
    const auto equals = std::min(part.find('='), part.size());
    const auto key = part.substr(0, equals), value = part.substr(std::min(equals + 1, part.size()));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
    const bool memory = fault.kind == PlantedFault::Kind::memory;
    if (key == "gpu" && number < 1024)
      fault.gpu = static_cast<int>(number);
    else if (key == "word" && memory)
      fault.word = number;
    else if (key == "bit" && memory && number < 64)
      fault.bit = static_cast<int>(number);
    else if (key == "sm" && !memory && number < 65536)
      fault.sm = static_cast<int>(number);
    else
      return std::nullopt;
  }
  return fault;
}

}  // namespace mlc
