// The CUDA runtime's streams, events and graphs.
#include <cuda_runtime_api.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/gpu/emulation/device.hpp"
#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/runtime.hpp"
#include "tests/gpu/emulation/stream.hpp"

using namespace emulation;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const std::lock_guard lock(runtime_lock());
  if (const auto error = device_error(current_device()); error != cudaSuccess) return noted(error);
  *stream = make_stream(current_device());
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard lock(runtime_lock());
  forget_stream(&stream_of(stream));
  return cudaSuccess;
}

// The first look always finds it at work.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  std::unique_lock lock(runtime_lock());
  CUstream_st& on = stream_of(stream);
  if (driver_blocks(on.device)) {
    lock.unlock();  // of the other GPUs' calls those go on
    for (;;)
      ::pause();
  }
  if (const auto error = device_error(on.device); error != cudaSuccess) return noted(error);
  if (!on.queue.empty() && on.looks++ == 0) return cudaErrorNotReady;
  const bool empty = drain(on);
  if (const auto error = device_error(on.device); error != cudaSuccess) return noted(error);
  if (!empty) return cudaErrorNotReady;
  observe(on);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(runtime_lock());
  return finish(stream_of(stream));
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(runtime_lock());
  CUstream_st& on = stream_of(stream);
  if (!event->recorded) return cudaSuccess;  // as CUDA has it: nothing to wait for
  const auto raise = [&](std::uint64_t id, std::uint64_t number) {
    on.behind[id] = std::max(on.behind[id], number);
  };
  raise(event->stream, event->number);
  for (const auto& [id, number] : event->behind)
    raise(id, number);
  Operation operation{.name = "a wait for an event", .seconds = 0};
  operation.begin = [&on, event] {
    return [&on, event] {
      if (CUstream_st* const other = stream_by_id(event->stream); !event->done && other != nullptr)
        (void)drain(*other);
      on.clock_s = std::max(on.clock_s, event->time_s);
      return event->done;
    };
  };
  return put(stream, std::move(operation));
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const std::lock_guard lock(runtime_lock());
  CUstream_st& on = stream_of(stream);
  if (on.capturing) return noted(cudaErrorStreamCaptureUnsupported);
  on.capturing = true;
  return device_error(on.device);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(runtime_lock());
  CUstream_st& on = stream_of(stream);
  if (!on.capturing) return noted(cudaErrorStreamCaptureUnsupported);
  on.capturing = false;
  *graph = new CUgraph_st{std::exchange(on.captured, {})};
  live("graph").insert(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* instance, cudaGraph_t graph, unsigned long long) {
  const std::lock_guard lock(runtime_lock());
  *instance = new CUgraphExec_st{graph->operations};
  live("instance of a graph").insert(*instance);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t instance, cudaStream_t stream) {
  const std::lock_guard lock(runtime_lock());
  for (const Operation& operation : instance->operations)
    if (const auto error = put(stream, operation); error != cudaSuccess) return error;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const std::lock_guard lock(runtime_lock());
  if (live("graph").erase(graph) == 0) fail("free", "a graph is destroyed twice");
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t instance) {
  const std::lock_guard lock(runtime_lock());
  if (live("instance of a graph").erase(instance) == 0) fail("free", "a graph's instance is destroyed twice");
  delete instance;
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  const std::lock_guard lock(runtime_lock());
  if (const auto error = device_error(current_device()); error != cudaSuccess) return noted(error);
  *event = new CUevent_st;
  live("event").insert(*event);
  return cudaSuccess;
}

// An operation that still waits for it keeps what it needs: events are only forgotten here.
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(runtime_lock());
  if (live("event").erase(event) == 0) fail("free", "an event is destroyed twice");
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(runtime_lock());
  CUstream_st& on = stream_of(stream);
  Operation operation{.name = "an event", .seconds = 0};
  operation.begin = [&on, event] {
    return [&on, event] { return event->time_s = on.clock_s, event->done = true; };
  };
  if (const auto error = put(stream, std::move(operation)); error != cudaSuccess) return error;
  event->recorded = true, event->done = false;
  event->stream = on.id, event->number = on.last, event->behind = on.behind;
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(runtime_lock());
  if (CUstream_st* const on = stream_by_id(event->stream)) (void)drain(*on);
  if (!event->done) return cudaErrorNotReady;
  observe(event->stream, event->number, event->behind);
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  for (;;) {
    const cudaError_t state = cudaEventQuery(event);
    if (state != cudaErrorNotReady) return state;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  const std::lock_guard lock(runtime_lock());
  if (!begin->recorded || !end->recorded) return noted(cudaErrorInvalidResourceHandle);
  if (!begin->done || !end->done) return noted(cudaErrorNotReady), cudaErrorNotReady;
  *milliseconds = static_cast<float>((end->time_s - begin->time_s) * 1e3);
  return cudaSuccess;
}
