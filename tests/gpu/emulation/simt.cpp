// _longjmp goes from one stack to another, which _FORTIFY_SOURCE would take for an attack.
#undef _FORTIFY_SOURCE

#include "tests/gpu/emulation/simt.hpp"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/gpu/emulation/failure.hpp"

namespace emulation {

Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr std::size_t stack_bytes = 256 << 10;
constexpr unsigned warp_size = 32;

struct Lane;

struct Fiber {
  jmp_buf at;
  ucontext_t start;
  bool started = false;
  Lane* lane = nullptr;
};

struct Lane {
  enum class State { unstarted, ready, at_barrier, in_exchange, left };
  State state = State::unstarted;
  unsigned thread = 0;
  Fiber* fiber = nullptr;
  std::uint64_t given = 0;
  unsigned line = 0;  // of the barrier
};

// i -> (first + i x step) mod n, each once: step and n have no common divisor.
struct Order {
  Order(std::uint64_t count, std::uint64_t seed) : n(count) {
    if (seed == 0 || n < 2) return;
    first = seed % n, step = seed / n % n | 1;
    while (std::gcd(step, n) != 1)
      step += 2;
  }
  std::uint64_t at(std::uint64_t i) const { return (first + i * step) % n; }
  std::uint64_t n, first = 0, step = 1;
};

std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 33, x *= 0xff51afd7ed558ccdu, x ^= x >> 33;
  return x;
}

jmp_buf scheduler;
Fiber* current = nullptr;
std::vector<std::unique_ptr<Fiber>> all_fibers;
std::vector<Fiber*> idle;
std::vector<Lane> lanes;
std::vector<std::array<std::uint64_t, warp_size>> exchanged;  // of each warp
std::uint64_t next_start = 0;
Order order(1, 0);
const std::function<void()>* work = nullptr;
Grid running;
std::vector<unsigned char> shared;
unsigned char* shared_begin = nullptr;

__attribute__((noinline)) void suspend() {
  if (_setjmp(current->at) == 0) _longjmp(scheduler, 1);
}

__attribute__((noinline)) void resume(Fiber& fiber) {
  current = &fiber;
  if (fiber.lane != nullptr) thread_index = {fiber.lane->thread, 0, 0};
  if (_setjmp(scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.at, 1);
  fiber.started = true;
  ::setcontext(&fiber.start);
}

// Takes threads that have not begun until one of them has to wait: those that never wait share one fiber.
void fiber_main() {
  for (;;) {
    while (next_start < lanes.size()) {
      Lane& lane = lanes[order.at(next_start++)];
      lane.fiber = current, current->lane = &lane;
      thread_index = {lane.thread, 0, 0};
      (*work)();
      lane.state = Lane::State::left;
    }
    current->lane = nullptr;
    idle.push_back(current);
    suspend();
  }
}

Fiber& idle_fiber() {
  if (idle.empty()) {
    auto fiber = std::make_unique<Fiber>();
    void* const stack = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) fail("out of host memory", "no stack for a thread");
    ::getcontext(&fiber->start);
    fiber->start.uc_stack.ss_sp = stack;
    fiber->start.uc_stack.ss_size = stack_bytes;
    fiber->start.uc_link = nullptr;
    ::makecontext(&fiber->start, fiber_main, 0);
    idle.push_back(fiber.get());
    all_fibers.push_back(std::move(fiber));
  }
  Fiber& fiber = *idle.back();
  idle.pop_back();
  return fiber;
}

unsigned count(Lane::State state, std::size_t first, std::size_t end) {
  unsigned found = 0;
  for (std::size_t i = first; i < end; ++i)
    found += lanes[i].state == state;
  return found;
}

// Warps all of whose lanes have come to an exchange go on.
bool release_warps() {
  bool released = false;
  for (std::size_t first = 0; first < lanes.size(); first += warp_size) {
    const std::size_t end = std::min<std::size_t>(first + warp_size, lanes.size());
    const unsigned waiting = count(Lane::State::in_exchange, first, end);
    if (waiting == 0) continue;
    const unsigned left = count(Lane::State::left, first, end);
    if (left > 0)
      fail("shuffle after lanes left", std::to_string(left) + " lanes of a warp have returned, and " +
                                           std::to_string(waiting) + " name them in the mask");
    if (waiting < warp_size) continue;
    for (std::size_t i = first; i < end; ++i) {
      exchanged[first / warp_size][i - first] = lanes[i].given;
      lanes[i].state = Lane::State::ready;
    }
    released = true;
  }
  return released;
}

bool release_barrier() {
  const unsigned waiting = count(Lane::State::at_barrier, 0, lanes.size());
  if (waiting == 0) return false;
  const unsigned left = count(Lane::State::left, 0, lanes.size());
  if (left > 0 && waiting + left == lanes.size())
    fail("barrier after threads left", std::to_string(left) + " threads of " + std::to_string(lanes.size()) +
                                           " have returned, the others wait in line " +
                                           std::to_string(lanes[0].line));
  if (waiting < lanes.size()) return false;
  for (auto& lane : lanes) {
    if (lane.line != lanes[0].line)
      fail("barriers differ", "threads of one block wait in lines " + std::to_string(lanes[0].line) +
                                  " and " + std::to_string(lane.line));
    lane.state = Lane::State::ready;
  }
  return true;
}

void run_block(std::uint64_t seed) {
  order = Order(running.threads, seed);
  next_start = 0;
  for (unsigned i = 0; i < running.threads; ++i)
    lanes[i] = {.thread = i};
  while (next_start < lanes.size())
    resume(idle_fiber());
  while (count(Lane::State::left, 0, lanes.size()) < lanes.size()) {
    if (!release_warps() && !release_barrier())
      fail("deadlock", "no thread of block " + std::to_string(block_index.x) + " can go on");
    for (std::uint64_t i = 0; i < lanes.size(); ++i)
      if (Lane& lane = lanes[order.at(i)]; lane.state == Lane::State::ready) resume(*lane.fiber);
  }
}

}  // namespace

void run_grid(const Grid& grid, const std::function<void()>& body) {
  running = grid, work = &body;
  block_size = {grid.threads, 1, 1}, grid_size = {grid.blocks, 1, 1};
  lanes.assign(grid.threads, {});
  exchanged.assign((grid.threads + warp_size - 1) / warp_size, {});
  // 128 bytes: the largest alignment that kernels ask for. Behind it, what a write beyond the end would hit.
  constexpr std::size_t alignment = 128, fence = 256;
  shared.assign(grid.shared_bytes + alignment + fence, 0xcd);
  void* begin = shared.data();
  std::size_t room = shared.size();
  shared_begin = static_cast<unsigned char*>(std::align(alignment, grid.shared_bytes + fence, begin, room));
  const Order blocks(grid.blocks, grid.seed == 0 ? 0 : mixed(grid.seed));
  for (unsigned i = 0; i < grid.blocks; ++i) {
    const auto block = static_cast<unsigned>(blocks.at(i));
    block_index = {block, 0, 0};
    std::memset(shared_begin, 0xcd, grid.shared_bytes + fence);  // left over from nobody
    run_block(grid.seed == 0 ? 0 : mixed(grid.seed + i + 1));
    for (std::size_t k = 0; k < fence; ++k)
      if (shared_begin[grid.shared_bytes + k] != 0xcd)
        fail("out of bounds", "block " + std::to_string(block) + " wrote behind its shared memory of " +
                                  std::to_string(grid.shared_bytes) + " bytes");
  }
}

void barrier(std::source_location at) {
  current->lane->line = at.line();
  current->lane->state = Lane::State::at_barrier;
  suspend();
}

const std::uint64_t* exchange(unsigned mask, std::uint64_t value) {
  if (mask != 0xffffffffu) fail("partial warp", "only full warps exchange values here");
  current->lane->given = value;
  current->lane->state = Lane::State::in_exchange;
  suspend();
  return exchanged[thread_index.x / warp_size].data();
}

// As hardware gives the first blocks out: one to each.
unsigned sm() { return block_index.x % static_cast<unsigned>(running.sms); }
bool sm_is_broken() { return static_cast<int>(sm()) == running.broken_sm; }
unsigned char* dynamic_shared() { return shared_begin; }

}  // namespace emulation
