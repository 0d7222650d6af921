// Faults planted on purpose, so that tests can see them found. Never planted unless asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mlc {

struct Fault {
  enum class Kind { flip, delay, hang, die } kind = Kind::flip;
  int rank = 0;             // or rail, where rails are measured
  std::uint64_t index = 0;  // flip: element of the receive buffer
  int bit = 0;              // flip
  double delay_us = 0;      // delay: added to every operation of that rank
  std::uint64_t after = 0;  // hang, die: operations to let pass first
};

// "flip:rank=1,index=1000,bit=3", "delay:rank=2,us=500", "hang:rank=1,after=20", "die:rank=1,after=20".
// Empty if it does not parse.
std::optional<Fault> parse_fault(std::string_view text);

}  // namespace mlc
