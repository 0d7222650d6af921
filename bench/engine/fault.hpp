// Faults planted on purpose, so that tests can see them found. Never planted unless asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlc {

struct Cell;

struct Fault {
  enum class Kind { flip, delay, hang, die, memory, sm } kind = Kind::flip;
  int place = 0;            // the rank, rail or GPU that has it
  std::uint64_t index = 0;  // flip: element of the receive buffer, or byte of a rail's first message; memory:
                            // word of the memory under test; sm: the SM
  int bit = 0;              // flip, memory: of that element, byte or word
  double delay_us = 0;      // delay: added to every operation there
  std::uint64_t after = 0;  // hang, die: operations to let pass first
};

struct FaultKey {
  std::string_view name;
  std::uint64_t most = 0;
  std::uint64_t example = 0;  // for help and hints
  void (*set)(Fault&, std::uint64_t) = nullptr;
  std::uint64_t least = 0;
};

struct FaultKind {
  Fault::Kind kind;
  std::string_view name;
  std::vector<FaultKey> keys;  // each must be given, once, in any order
};
using FaultKinds = std::vector<FaultKind>;

const FaultKinds& rank_faults();  // of a collective's ranks
const FaultKinds& rail_faults();
const FaultKinds& gpu_faults();

std::string fault_forms(const FaultKinds& kinds);  // "flip:rank=1,index=7,bit=3 | delay:rank=1,us=500 | ..."

// "flip:rank=1,index=1000,bit=3". Throws UsageError that says what is wrong and what is allowed.
Fault fault_from(std::string_view text, const FaultKinds& kinds);

// A fault that the run has no place for would not be planted, and its test would pass for nothing. All throw
// UsageError.
void check_fault(const Fault& fault, const std::vector<Cell>& cells, int ranks);
void check_verified(const Fault& fault, int check);  // --check
void check_below(std::string_view key, std::uint64_t value, std::uint64_t bound, const std::string& of_what);
// What is to be said of a fault that was never planted in `operations` of its rank or messages of its rail.
std::string never_planted_text(const Fault& fault, std::uint64_t operations);
void check_among(std::string_view key, int value, const std::vector<int>& known);

}  // namespace mlc
