// Runs every collective, dtype, redop and placement on a communicator and verifies every byte; shared by the
// loopback test and the MPI test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/collectives/collective.hpp"

namespace mlc {

// Counts that divide nothing: not blocks of the generator, not ranks, not vector widths.
inline const std::vector<std::uint64_t> odd_counts{1, 3, 37, 1021};

inline std::string verify_one(Communicator& communicator, const Collective& collective, std::uint64_t count,
                              Dtype dtype, Redop redop, int root, bool in_place, std::uint32_t iteration) {
  Control& control = communicator.control();
  Memory& memory = communicator.memory();
  const Shape shape{control.rank(), control.size(), root, count};
  const Layout layout = collective.layout(shape);
  const auto width = static_cast<std::uint64_t>(width_of(dtype));
  const auto send = memory.allocate(std::max<std::uint64_t>(layout.send, 1) * width);
  const auto recv = memory.allocate(std::max({layout.recv, layout.whole, std::uint64_t{1}}) * width);
  memory.set(recv.get(), std::max(layout.recv, layout.whole) * width, 0xff);
  std::byte* const from = in_place ? recv.get() + layout.send_at * width : send.get();
  std::byte* const to = in_place ? recv.get() + layout.recv_at * width : recv.get();
  DataSpec spec{.dtype = dtype,
                .op = collective.reduces ? op_of(redop) : pattern::Op::copy,
                .recipe = {99, iteration, static_cast<std::uint32_t>(control.size())},
                .source = static_cast<std::uint32_t>(control.rank())};
  if (layout.send > 0) memory.fill(from, layout.send, spec);
  control.barrier();
  collective.run(communicator, {.send = from,
                                .recv = to,
                                .count = count,
                                .dtype = dtype,
                                .redop = redop,
                                .root = root,
                                .in_place = in_place});
  for (const Segment& segment : collective.received(shape)) {
    spec.op = segment.reduced ? op_of(redop) : pattern::Op::copy;
    spec.source = segment.source, spec.index = segment.index;
    const auto result = memory.verify(to + segment.offset * width, segment.count, spec);
    if (result.wrong > 0)
      return std::string(collective.name) + " " + std::string(to_string(dtype)) + " " +
             std::string(to_string(redop)) + " count " + std::to_string(count) +
             (in_place ? " in place" : "") + ": " + std::to_string(result.wrong) + " wrong, first " +
             std::to_string(result.first);
  }
  return {};
}

// What went wrong, one line each; empty if nothing did. `checked` counts verified operations.
inline std::vector<std::string> verify_everything(Communicator& communicator, std::uint64_t& checked) {
  std::vector<std::string> failures;
  std::uint32_t iteration = 0;
  for (const Collective* collective : all_collectives()) {
    if (collective->refuses != nullptr && !collective->refuses(communicator.control().size()).empty())
      continue;
    for (const auto& dtype : dtype_names)
      for (const auto& [redop, name] : redop_names) {
        if (!collective->reduces && redop != Redop::sum) continue;
        for (std::uint64_t count : odd_counts)
          for (const bool in_place : {false, true}) {
            if (in_place && !collective->in_place) continue;
            const int root =
                collective->rooted ? static_cast<int>(iteration) % communicator.control().size() : 0;
            const auto failure =
                verify_one(communicator, *collective, count, dtype.dtype, redop, root, in_place, ++iteration);
            if (!failure.empty())
              failures.push_back("rank " + std::to_string(communicator.control().rank()) + ": " + failure);
            ++checked;
          }
      }
  }
  return failures;
}

}  // namespace mlc
