// Streams as queues that run only when the host looks, one operation after the other; what is not ordered by
// a stream, an event or the host must not touch the same memory.
#pragma once

#include <cuda_runtime_api.h>

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/gpu/emulation/memory.hpp"

namespace emulation {

// One lock over everything; a kernel runs under it.
std::recursive_mutex& runtime_lock();

using Step = std::function<bool()>;  // whether it is done; called again if not

struct Operation {
  std::string name;
  std::vector<Range> ranges;
  bool exact = true;            // a kernel's ranges are not: they go on to the end of the allocation
  std::function<Step()> begin;  // a graph begins it at every launch
  double seconds = 2e-6;        // that it takes on the emulated clock
  bool on_sms = false;          // a kernel
};

// Where an event or a stream stands behind others: the number of the last operation, by stream.
using Behind = std::map<std::uint64_t, std::uint64_t>;

}  // namespace emulation

struct CUstream_st {
  struct Queued {
    emulation::Operation operation;
    std::uint64_t number;
    emulation::Step step;
  };
  struct Trace {  // of what the host does not know to be done
    std::uint64_t number;
    std::string name;
    std::vector<emulation::Range> ranges;
    bool exact;
    std::thread::id by;
  };
  std::uint64_t id = 0;
  int device = 0;
  std::deque<Queued> queue;
  std::deque<Trace> traces;
  std::uint64_t last = 0, observed = 0;  // numbers of operations
  emulation::Behind behind;
  double clock_s = 0;
  int looks = 0;
  bool capturing = false;
  std::vector<emulation::Operation> captured;
};

struct CUevent_st {
  bool recorded = false, done = false;
  double time_s = 0;
  std::uint64_t stream = 0, number = 0;
  emulation::Behind behind;
};

struct CUgraph_st {
  std::vector<emulation::Operation> operations;
};
struct CUgraphExec_st {
  std::vector<emulation::Operation> operations;
};

namespace emulation {

// All with the lock held. A null stream is the legacy one of the current GPU.
CUstream_st& stream_of(cudaStream_t stream);
CUstream_st* stream_by_id(std::uint64_t id);
cudaStream_t make_stream(int device);
void forget_stream(cudaStream_t stream);
std::size_t live_streams();

// Fails by name ("unordered streams") where it touches what another stream may still be at.
void enqueue(CUstream_st& stream, Operation operation);
bool drain(CUstream_st& stream);    // as far as it goes; whether nothing is left
void observe(CUstream_st& stream);  // the host has seen that it is empty
void observe(std::uint64_t stream, std::uint64_t number, const Behind& behind);
void drop_all(int device);  // a GPU is gone, and its work with it

}  // namespace emulation
