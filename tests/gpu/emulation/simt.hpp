// A grid of threads on one CPU thread: a fiber for each that has to wait, switched only at barriers and
// shuffles, as late as possible, so that a missing barrier shows. The order of blocks and threads follows a
// seed. One grid at a time: callers hold the runtime's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>

namespace emulation {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
extern Index thread_index, block_index, block_size, grid_size;

// `broken_sm`: the streaming multiprocessor that computes wrongly; -1: none does.
struct Grid {
  unsigned blocks = 1, threads = 1;
  std::size_t shared_bytes = 0;
  int sms = 1, broken_sm = -1;
  std::uint64_t seed = 0;  // 0: in order
};

// Runs `body` once a thread. Fails by name: "barrier after threads left", "barriers differ", "shuffle after
// lanes left", "partial warp", "deadlock".
void run_grid(const Grid& grid, const std::function<void()>& body);

// Of the thread that is running.
void barrier(std::source_location at);
// Every lane gives a value; the 32 of them, valid until this warp's next exchange.
const std::uint64_t* exchange(unsigned mask, std::uint64_t value);
unsigned sm();
bool sm_is_broken();
unsigned char* dynamic_shared();

}  // namespace emulation
