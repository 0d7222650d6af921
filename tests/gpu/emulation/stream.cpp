#include "tests/gpu/emulation/stream.hpp"

#include <algorithm>

#include "tests/gpu/emulation/device.hpp"
#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/settings.hpp"

namespace emulation {

namespace {

std::map<std::uint64_t, CUstream_st*>& streams() {
  static auto* const all = new std::map<std::uint64_t, CUstream_st*>;
  return *all;
}

std::map<int, CUstream_st>& legacy_streams() {
  static auto* const all = new std::map<int, CUstream_st>;
  return *all;
}

std::uint64_t next_id() {
  static std::uint64_t last = 0;
  return ++last;
}

bool overlap(const Range& a, const Range& b) { return a.begin < b.end && b.begin < a.end; }

bool disturb(const CUstream_st::Trace& earlier, const Operation& operation) {
  for (const Range& a : earlier.ranges)
    for (const Range& b : operation.ranges) {
      if (!a.written && !b.written) continue;
      // Where a kernel's stretch ends is not known. Threads of the host share out memory among them by what
      // they tell kernels: there only what is certain counts.
      const bool certain = earlier.exact && operation.exact;
      if (certain || earlier.by == std::this_thread::get_id() ? overlap(a, b) : a.begin == b.begin)
        return true;
    }
  return false;
}

void check_order(const CUstream_st& stream, const Operation& operation) {
  for (const auto& [id, other] : streams()) {
    if (other == &stream) continue;
    const auto behind = stream.behind.find(id);
    const std::uint64_t ordered = behind == stream.behind.end() ? 0 : behind->second;
    for (const auto& trace : other->traces)
      if (trace.number > ordered && disturb(trace, operation))
        fail("unordered streams",
             operation.name + " touches memory that " + trace.name +
                 " on another stream may still be at: no event, and no wait, is between");
  }
}

// Whether the head of the queue is done.
bool advance(CUstream_st& stream) {
  auto& head = stream.queue.front();
  if (head.operation.on_sms && sms_hang(stream.device)) return false;
  if (!head.step) head.step = head.operation.begin();
  memory_map().open(head.operation.ranges);
  set_running(head.operation.name);
  const bool done = head.step();
  set_running("");
  memory_map().close(head.operation.ranges);
  if (!done) return false;
  stream.clock_s += head.operation.seconds;
  memory_map().end(head.operation.ranges);
  stream.queue.pop_front();
  after_operation(stream.device);
  return true;
}

}  // namespace

std::recursive_mutex& runtime_lock() {
  static auto* const one = new std::recursive_mutex;
  return *one;
}

CUstream_st& stream_of(cudaStream_t stream) {
  if (stream != nullptr) {
    if (std::ranges::none_of(streams(), [&](const auto& one) { return one.second == stream; }))
      fail("stream after its end", "a stream is used that was destroyed, or never made");
    return *stream;
  }
  const auto [entry, added] = legacy_streams().try_emplace(current_device());
  if (added) {
    entry->second.id = next_id(), entry->second.device = entry->first;
    streams()[entry->second.id] = &entry->second;
  }
  return entry->second;
}

CUstream_st* stream_by_id(std::uint64_t id) {
  const auto found = streams().find(id);
  return found == streams().end() ? nullptr : found->second;
}

cudaStream_t make_stream(int device) {
  auto* const stream = new CUstream_st;
  stream->id = next_id(), stream->device = device;
  streams()[stream->id] = stream;
  return stream;
}

void forget_stream(cudaStream_t stream) {
  (void)drain(*stream);
  for (const auto& queued : stream->queue)
    memory_map().end(queued.operation.ranges);
  streams().erase(stream->id);
  delete stream;
}

std::size_t live_streams() { return streams().size() - legacy_streams().size(); }

void enqueue(CUstream_st& stream, Operation operation) {
  if (stream.capturing) {
    stream.captured.push_back(std::move(operation));
    return;
  }
  check_order(stream, operation);
  memory_map().begin(operation.ranges);
  stream.traces.push_back(
      {++stream.last, operation.name, operation.ranges, operation.exact, std::this_thread::get_id()});
  stream.queue.push_back({std::move(operation), stream.last, {}});
  stream.looks = 0;
}

bool drain(CUstream_st& stream) {
  while (!stream.queue.empty()) {
    if (device_error(stream.device) != cudaSuccess || device_hangs(stream.device)) return false;
    if (!advance(stream)) return false;
  }
  return true;
}

void observe(std::uint64_t id, std::uint64_t number, const Behind& behind) {
  for (const auto& [other, reached] : behind)
    if (other != id) observe(other, reached, {});
  CUstream_st* const stream = stream_by_id(id);
  if (stream == nullptr) return;
  stream->observed = std::max(stream->observed, number);
  while (!stream->traces.empty() && stream->traces.front().number <= stream->observed)
    stream->traces.pop_front();
}

void observe(CUstream_st& stream) { observe(stream.id, stream.last, stream.behind); }

void drop_all(int device) {
  for (auto& [id, stream] : streams()) {
    if (stream->device != device) continue;
    for (const auto& queued : stream->queue)
      memory_map().end(queued.operation.ranges);
    stream->queue.clear(), stream->traces.clear();
  }
}

}  // namespace emulation
