// The shape of a collective: its arithmetic, what each rank's buffers hold, and the call. A new collective is
// one file and one line in all.cpp; its subcommand, help and JSON name come from the table.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/backends/communicator.hpp"

namespace mlc {

enum class Placement { out_of_place, in_place };

constexpr std::string_view to_string(Placement placement) {
  return placement == Placement::in_place ? "in_place" : "out_of_place";
}

struct Shape {
  int rank = 0, ranks = 1, root = 0;
  std::uint64_t count = 0;  // as in Call
};

// A stretch of a receive buffer, in elements, and what it must hold.
struct Segment {
  std::uint64_t offset = 0, count = 0;
  bool reduced = false;      // the reduction over all ranks, else a copy of
  std::uint32_t source = 0;  // this rank's data,
  std::uint64_t index = 0;   // from this index of the stream on
};

// Elements of a rank's buffers, and where they lie in one buffer when in place.
struct Layout {
  std::uint64_t send = 0, recv = 0;                   // elements; 0 where this rank sends or receives nothing
  std::uint64_t send_at = 0, recv_at = 0, whole = 0;  // in place: offsets in a buffer of `whole` elements
};

struct Collective {
  std::string_view name;  // subcommand and JSON name
  std::string_view summary;
  std::string_view formula;  // of busbw, for `explain`
  bool reduces = false;      // takes a redop
  bool rooted = false;       // takes a root
  // Sizes are split into one chunk a rank, a multiple of 16 bytes (as nccl-tests rounds). Chunks need not be
  // equal: layout and received say what each rank sends and gets, `count` is then the mean.
  bool chunked = false;
  bool in_place = true;  // the operation has an in-place form
  // Why it does not go with so many ranks: "needs a power of two". Null: it goes with any number.
  std::string (*refuses)(int ranks) = nullptr;
  double (*bus_factor)(int ranks) = nullptr;  // busbw = algbw x factor (nccl-tests doc/PERFORMANCE.md)
  Layout (*layout)(const Shape& shape) = nullptr;
  std::vector<Segment> (*received)(const Shape& shape) = nullptr;
  void (*run)(Communicator& communicator, const Call& call) = nullptr;
};

// The count to hand to the operation for a message of `bytes`, rounded down: to whole elements, and for
// chunked collectives to chunks of a multiple of 16 bytes per rank. May be 0.
std::uint64_t count_of(const Collective& collective, std::uint64_t bytes, int ranks, int width);

// The message size of that count: the bytes that algbw divides by.
std::uint64_t bytes_of(const Collective& collective, std::uint64_t count, int ranks, int width);

const std::vector<const Collective*>& all_collectives();
const Collective* find_collective(std::string_view name);

}  // namespace mlc
