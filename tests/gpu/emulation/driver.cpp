// libcuda.so.1: dmabufs of the emulated GPUs' memory.
#include <cuda.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/gpu/emulation/dmabuf.hpp"
#include "tests/gpu/emulation/runtime.hpp"
#include "tests/gpu/emulation/settings.hpp"

using namespace emulation;

// As the driver's reference says: whole pages of the host, of one allocation.
CUresult cuMemGetHandleForAddressRange(void* handle, CUdeviceptr at, std::size_t bytes,
                                       CUmemRangeHandleType type, unsigned long long flags) {
  const std::lock_guard lock(runtime_lock());
  const auto* const begin = reinterpret_cast<const std::byte*>(at);
  const Allocation* const allocation = memory_map().of(begin);
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (type != CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD || flags != 0 || allocation == nullptr ||
      allocation->device == host || bytes == 0 || at % page != 0 || bytes % page != 0 ||
      begin + bytes > allocation->end())
    return CUDA_ERROR_INVALID_VALUE;
  if (settings().fault("no-dmabuf", "gpu", allocation->device) != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  const DmaBuf range{at, bytes};
  const int descriptor = ::memfd_create("dmabuf", MFD_CLOEXEC);
  if (descriptor < 0 || ::write(descriptor, &range, sizeof range) != static_cast<ssize_t>(sizeof range))
    return CUDA_ERROR_NOT_SUPPORTED;
  *static_cast<int*>(handle) = descriptor;
  return CUDA_SUCCESS;
}
