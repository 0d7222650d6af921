// The CUDA runtime over streams, memory and devices of the emulation.
#include "tests/gpu/emulation/runtime.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "tests/gpu/emulation/device.hpp"
#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/launch.hpp"
#include "tests/gpu/emulation/memory.hpp"
#include "tests/gpu/emulation/settings.hpp"
#include "tests/gpu/emulation/simt.hpp"
#include "tests/gpu/emulation/stream.hpp"

namespace emulation {

namespace {

thread_local cudaError_t last_error = cudaSuccess;

std::map<const void*, int>& shared_limits() {
  static auto* const all = new std::map<const void*, int>;
  return *all;
}

// Looked at after every destructor of the program.
struct AtExit {
  ~AtExit() {
    auto leaks = memory_map().leaks();
    if (live_streams() > 0) leaks.push_back(std::to_string(live_streams()) + " streams");
    for (const char* kind : {"event", "graph", "instance of a graph"})
      if (!live(kind).empty()) leaks.push_back(std::to_string(live(kind).size()) + " of kind " + kind);
    if (!leaks.empty()) fail("leak", leaks.front() + " left at the end, of " + std::to_string(leaks.size()));
  }
} at_exit;

// The stretch of a copy: inside one allocation, or all of it pageable.
Range copied(const void* at, std::size_t bytes, bool written) {
  const Allocation* const allocation = memory_map().of(at);
  const auto* const begin = static_cast<const std::byte*>(at);
  if (allocation == nullptr) return {};
  if (begin + bytes > allocation->end())
    fail("out of bounds",
         "a copy of " + std::to_string(bytes) + " bytes runs beyond the end of " + allocation->text());
  return {begin, begin + bytes, written};
}

bool on_device(const void* at) {
  const Allocation* const allocation = memory_map().of(at);
  return allocation != nullptr && allocation->device != host;
}

bool direction_is_right(const void* to, const void* from, cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !on_device(to) && !on_device(from);
    case cudaMemcpyHostToDevice:
      return on_device(to) && !on_device(from);
    case cudaMemcpyDeviceToHost:
      return !on_device(to) && on_device(from);
    case cudaMemcpyDeviceToDevice:
      return on_device(to) && on_device(from);
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

constexpr double copy_bytes_per_s = 50e9, other_operation_s = 2e-6, thread_s = 1e-10;

Operation copy_operation(void* to, const void* from, std::size_t bytes, const char* name) {
  Operation operation{.name = name,
                      .seconds = other_operation_s + static_cast<double>(bytes) / copy_bytes_per_s};
  const Range target = copied(to, bytes, true), source = copied(from, bytes, false);
  for (const Range& range : {target, source})
    if (range.begin != nullptr) operation.ranges.push_back(range);
  if (source.begin == nullptr) {
    // From pageable memory: staged by the call, in its place later.
    const auto* const begin = static_cast<const std::byte*>(from);
    auto staged = std::make_shared<const std::vector<std::byte>>(begin, begin + bytes);
    operation.begin = [=] { return [=] { return std::memcpy(to, staged->data(), bytes), true; }; };
    return operation;
  }
  // To pageable memory: what is there before the wait is nothing to rely on.
  if (target.begin == nullptr) std::memset(to, 0xd7, bytes);
  operation.begin = [=] { return [=] { return std::memmove(to, from, bytes), true; }; };
  return operation;
}

Operation kernel_operation(const std::string& name, const Grid& grid, const std::vector<GivenPointer>& given,
                           std::function<void()> body, int device) {
  Operation operation{
      .name = "kernel " + name,
      .exact = false,
      .seconds = other_operation_s + thread_s * static_cast<double>(grid.blocks) * grid.threads,
      .on_sms = true};
  for (const auto& [at, written] : given) {
    const Allocation* const allocation = memory_map().of(at);
    if (allocation == nullptr)
      fail("host memory in a kernel", operation.name + " was given a pointer that no GPU can follow");
    if (allocation->device != host && allocation->device != device &&
        !peer_enabled(device, allocation->device))
      fail("no peer access", operation.name + " on GPU " + std::to_string(device) + " was given " +
                                 allocation->text() + " without cudaDeviceEnablePeerAccess");
    operation.ranges.push_back({static_cast<const std::byte*>(at), allocation->end(), written});
  }
  operation.begin = [grid, body = std::move(body)] {
    return [grid, body] { return run_grid(grid, body), true; };
  };
  return operation;
}

}  // namespace

cudaError_t noted(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

std::set<const void*>& live(const char* kind) {
  static auto* const all = new std::map<std::string, std::set<const void*>>;
  return (*all)[kind];
}

cudaError_t put(cudaStream_t stream, Operation operation) {
  CUstream_st& on = stream_of(stream);
  if (const auto error = device_error(on.device); error != cudaSuccess) return noted(error);
  enqueue(on, std::move(operation));
  return cudaSuccess;
}

cudaError_t finish(CUstream_st& stream) {
  while (!drain(stream)) {
    if (const auto error = device_error(stream.device); error != cudaSuccess) return noted(error);
    runtime_lock().unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    runtime_lock().lock();
  }
  if (const auto error = device_error(stream.device); error != cudaSuccess) return noted(error);
  observe(stream);
  return cudaSuccess;
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  const int device = current_device();
  if (memory_map().used(device) + bytes > settings().memory_bytes) return nullptr;
  return memory_map().allocate(bytes, device, alignment);
}

void Launch::submit(const std::string& name, const void* kernel, const std::vector<GivenPointer>& given,
                    std::function<void()> body) const {
  const std::lock_guard lock(runtime_lock());
  static std::uint64_t launches = 0;
  constexpr std::uint64_t most_blocks = 2'147'483'647, most_threads = 1024, most_shared = 232'448;
  constexpr int shared_unasked = 48 << 10;
  const int device = current_device();
  if (const auto error = device_error(device); error != cudaSuccess) return (void)noted(error);
  if (blocks_ == 0 || blocks_ > most_blocks || threads_ == 0 || threads_ > most_threads)
    return (void)noted(cudaErrorInvalidConfiguration);
  const auto limit = shared_limits().find(kernel);
  if (shared_bytes_ > most_shared ||
      shared_bytes_ >
          static_cast<std::uint64_t>(limit == shared_limits().end() ? shared_unasked : limit->second))
    return (void)noted(cudaErrorInvalidValue);
  CUstream_st& stream = stream_of(stream_);
  if (stream.device != device)
    fail("wrong stream", "kernel " + name + " is launched on a stream of GPU " +
                             std::to_string(stream.device) + " while GPU " + std::to_string(device) +
                             " is set");
  const Fault* const broken = settings().fault("sm", "gpu", device);
  const Grid grid{.blocks = static_cast<unsigned>(blocks_),
                  .threads = static_cast<unsigned>(threads_),
                  .shared_bytes = shared_bytes_,
                  .sms = settings().sms,
                  .broken_sm = broken == nullptr ? -1 : static_cast<int>(broken->number("sm")),
                  .seed = settings().seed == 0 ? 0 : settings().seed * 0x9e3779b97f4a7c15u + ++launches};
  enqueue(stream, kernel_operation(name, grid, given, std::move(body), device));
}

}  // namespace emulation

using namespace emulation;

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

namespace {
constexpr std::array<std::pair<cudaError_t, std::pair<const char*, const char*>>, 16> error_names{{
    {cudaSuccess, {"cudaSuccess", "no error"}},
    {cudaErrorInvalidValue, {"cudaErrorInvalidValue", "invalid argument"}},
    {cudaErrorMemoryAllocation, {"cudaErrorMemoryAllocation", "out of memory"}},
    {cudaErrorInvalidConfiguration, {"cudaErrorInvalidConfiguration", "invalid configuration argument"}},
    {cudaErrorInsufficientDriver, {"cudaErrorInsufficientDriver", "CUDA driver version is insufficient"}},
    {cudaErrorNoDevice, {"cudaErrorNoDevice", "no CUDA-capable device is detected"}},
    {cudaErrorInvalidDevice, {"cudaErrorInvalidDevice", "invalid device ordinal"}},
    {cudaErrorDevicesUnavailable, {"cudaErrorDevicesUnavailable", "CUDA-capable device(s) is/are busy"}},
    {cudaErrorECCUncorrectable, {"cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"}},
    {cudaErrorInvalidResourceHandle, {"cudaErrorInvalidResourceHandle", "invalid resource handle"}},
    {cudaErrorNotReady, {"cudaErrorNotReady", "device not ready"}},
    {cudaErrorIllegalAddress, {"cudaErrorIllegalAddress", "an illegal memory access was encountered"}},
    {cudaErrorPeerAccessAlreadyEnabled,
     {"cudaErrorPeerAccessAlreadyEnabled", "peer access is already enabled"}},
    {cudaErrorHostMemoryNotRegistered,
     {"cudaErrorHostMemoryNotRegistered", "memory has not been registered"}},
    {cudaErrorStreamCaptureUnsupported,
     {"cudaErrorStreamCaptureUnsupported", "not permitted when capturing"}},
    {cudaErrorUnknown, {"cudaErrorUnknown", "unknown error"}},
}};
const std::pair<const char*, const char*>& words_of(cudaError_t error) {
  for (const auto& [code, words] : error_names)
    if (code == error) return words;
  return error_names.back().second;
}
}  // namespace

const char* cudaGetErrorName(cudaError_t error) { return words_of(error).first; }
const char* cudaGetErrorString(cudaError_t error) { return words_of(error).second; }

cudaError_t cudaDeviceSynchronize() {
  const std::lock_guard lock(runtime_lock());
  return finish(stream_of(nullptr));
}

cudaError_t cudaMalloc(void** at, std::size_t bytes) {
  const std::lock_guard lock(runtime_lock());
  if (const auto error = device_error(current_device()); error != cudaSuccess) return noted(error);
  constexpr std::size_t alignment = 256;
  *at = allocate(bytes, alignment);
  return *at == nullptr ? noted(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFree(void* at) {
  const std::lock_guard lock(runtime_lock());
  if (at == nullptr) return device_error(current_device());
  const Allocation* const allocation = memory_map().of(at);
  if (allocation == nullptr || allocation->at != at || allocation->device == host)
    fail("free", "cudaFree of what cudaMalloc did not give, or gave back before");
  if (allocation->pending > 0 && !device_hangs(allocation->device))
    fail("free", allocation->text() + " is freed while a stream still has to do with it");
  memory_map().release(static_cast<std::byte*>(at));
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** at, std::size_t bytes, unsigned) {
  const std::lock_guard lock(runtime_lock());
  if (const auto error = device_error(current_device()); error != cudaSuccess) return noted(error);
  *at = memory_map().allocate(bytes, host, 256);
  return *at == nullptr ? noted(cudaErrorMemoryAllocation) : cudaSuccess;
}

cudaError_t cudaFreeHost(void* at) {
  const std::lock_guard lock(runtime_lock());
  const Allocation* const allocation = memory_map().of(at);
  if (allocation == nullptr || allocation->at != at || allocation->device != host || allocation->registered)
    fail("free", "cudaFreeHost of what cudaHostAlloc did not give, or gave back before");
  memory_map().release(static_cast<std::byte*>(at));
  return cudaSuccess;
}

cudaError_t cudaHostRegister(void* at, std::size_t bytes, unsigned) {
  const std::lock_guard lock(runtime_lock());
  if (const auto error = device_error(current_device()); error != cudaSuccess) return noted(error);
  if (memory_map().of(at) != nullptr) return noted(cudaErrorHostMemoryAlreadyRegistered);
  memory_map().enroll(static_cast<std::byte*>(at), bytes);
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* at) {
  const std::lock_guard lock(runtime_lock());
  return memory_map().strike(static_cast<std::byte*>(at)) ? cudaSuccess
                                                          : noted(cudaErrorHostMemoryNotRegistered);
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const std::lock_guard lock(runtime_lock());
  *total = settings().memory_bytes, *free = *total - memory_map().used(current_device());
  return device_error(current_device());
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const std::lock_guard lock(runtime_lock());
  if (!direction_is_right(to, from, kind)) return noted(cudaErrorInvalidValue);
  return put(stream, copy_operation(to, from, bytes, "a copy"));
}

// Comes back from a copy out of pageable memory when that is staged; the GPU may have it later.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const std::lock_guard lock(runtime_lock());
  const bool staged = memory_map().of(from) == nullptr;
  if (const auto error = cudaMemcpyAsync(to, from, bytes, kind, nullptr); error != cudaSuccess) return error;
  return staged ? cudaSuccess : finish(stream_of(nullptr));
}

cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int source, std::size_t bytes,
                                cudaStream_t stream) {
  const std::lock_guard lock(runtime_lock());
  if (!direction_is_right(to, from, cudaMemcpyDeviceToDevice)) return noted(cudaErrorInvalidValue);
  auto operation = copy_operation(to, from, bytes, "a copy between GPUs");
  if (settings().fault("link", "gpu", source) != nullptr)
    operation.begin = [=, begin = operation.begin] {
      return [=, step = begin()] { return step() && (static_cast<char*>(to)[bytes / 2] ^= 1, true); };
    };
  return put(stream, std::move(operation));
}

cudaError_t cudaMemsetAsync(void* at, int value, std::size_t bytes, cudaStream_t stream) {
  const std::lock_guard lock(runtime_lock());
  if (!on_device(at)) return noted(cudaErrorInvalidValue);
  Operation operation{.name = "a fill", .seconds = other_operation_s};
  operation.ranges.push_back(copied(at, bytes, true));
  operation.begin = [=] { return [=] { return std::memset(at, value, bytes), true; }; };
  return put(stream, std::move(operation));
}
cudaError_t cudaMemset(void* at, int value, std::size_t bytes) {
  return cudaMemsetAsync(at, value, bytes, nullptr);
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  const std::lock_guard lock(runtime_lock());
  constexpr int most = 232'448;
  if (value < 0 || value > most) return noted(cudaErrorInvalidValue);
  shared_limits()[kernel] = value;
  return cudaSuccess;
}
