// What a lane sends and what has to arrive.
#include <algorithm>

#include "bench/engine/mismatch.hpp"
#include "bench/rdma/lane.hpp"

namespace mlc::rdma {

std::byte* Lane::sink(std::size_t pair, std::uint64_t slot) const {
  return memory_.sink() + (pair * static_cast<std::uint64_t>(layout_.slots) + slot) * layout_.stride;
}

const std::byte* Lane::source(std::size_t pair, std::uint64_t slot) const {
  return memory_.source() + (pair * static_cast<std::uint64_t>(layout_.slots) + slot) * layout_.stride;
}

// Words where they fit, which say more of what is wrong with them; else bytes. The last byte of a write that
// is waited for in memory counts the iterations.
std::uint64_t Lane::element_count() const {
  if (s_.plan.mode == Mode::latency) return s_.plan.verb == Verb::write ? s_.bytes - 1 : s_.bytes;
  return s_.bytes % 8 == 0 ? s_.bytes / 8 : s_.bytes;
}

DataSpec Lane::data_of(std::uint32_t source_end, std::size_t pair, std::uint64_t slot) const {
  const bool words = s_.plan.mode != Mode::latency && s_.bytes % 8 == 0;
  return {.dtype = words ? Dtype::uint64 : Dtype::uint8,
          .op = pattern::Op::copy,
          .recipe = {.seed = s_.plan.seed, .iteration = 1, .ranks = 2},
          .source = source_end,
          .index = (pair * static_cast<std::uint64_t>(layout_.slots) + slot) * element_count()};
}

void Lane::prepare_data(std::uint32_t source_end) {
  Memory& access = memory_.access();
  const std::uint64_t used = layout_.bytes(static_cast<int>(pairs_.size()));
  for (std::size_t pair = 0; pair < pairs_.size(); ++pair)
    for (int slot = 0; slot < layout_.slots; ++slot)
      access.fill(const_cast<std::byte*>(source(pair, static_cast<std::uint64_t>(slot))), element_count(),
                  data_of(source_end, pair, static_cast<std::uint64_t>(slot)));
  access.set(memory_.sink(), used, s_.plan.mode == Mode::latency ? 0 : poison_byte);
  if (s_.plan.mode == Mode::latency && s_.plan.verb == Verb::write)
    access.set(memory_.source() + s_.bytes - 1, 1, 0);
}

LaneCheck Lane::verify(std::uint32_t source_end) {
  LaneCheck check;
  // Reads are received by the end that initiates; writes and sends by the other.
  const bool reads = s_.plan.verb == Verb::read;
  const bool has_data = reads ? s_.initiates : s_.receives || s_.plan.mode == Mode::latency;
  if (!has_data || !s_.plan.check || !failure_.empty()) return check;
  Memory& access = memory_.access();
  if (s_.fault && s_.fault->kind == Fault::Kind::flip && s_.fault->index < s_.bytes) {
    access.flip_bit(sink(0, 0), s_.fault->index * 8 + static_cast<std::uint64_t>(s_.fault->bit));
    s_.fault_record->planted = true;
  }
  check.wrong = 0;
  for (std::size_t pair = 0; pair < pairs_.size(); ++pair) {
    // Slots that no message was sent to say nothing.
    const std::uint64_t messages = reads                          ? pairs_[pair].completed
                                   : pair < expected_each_.size() ? expected_each_[pair]
                                                                  : 0;
    const auto slots = std::min(messages, static_cast<std::uint64_t>(layout_.slots));
    for (std::uint64_t slot = 0; slot < slots; ++slot) {
      const DataSpec spec = data_of(source_end, pair, slot);
      const VerifyResult found = access.verify(sink(pair, slot), element_count(), spec);
      if (found.wrong == 0) continue;
      if (*check.wrong == 0) {
        DataSpec at = spec;
        at.index += found.first;
        check.first_wrong = "queue pair " + std::to_string(pair) + ", message slot " + std::to_string(slot) +
                            ", byte " +
                            std::to_string(found.first * static_cast<std::uint64_t>(width_of(spec.dtype))) +
                            ": expected " + value_and_bits(spec.dtype, found.expected) + ", got " +
                            value_and_bits(spec.dtype, found.actual) + ": " +
                            likely_kind({.spec = at,
                                         .expected = found.expected,
                                         .actual = found.actual,
                                         .wrong_in_stretch = found.wrong});
      }
      *check.wrong += found.wrong;
    }
  }
  return check;
}

}  // namespace mlc::rdma
