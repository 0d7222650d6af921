// Which GPUs this process may use, and what they are.
#include <algorithm>
#include <array>
#include <cctype>

#include "bench/gpu/check_gpu.hpp"
#include "bench/gpu/device.hpp"
#include "bench/handles/cuda.hpp"
#include "validators/host/numa.hpp"

namespace mlc {

namespace {

std::string version_text(int version) {  // 13000 is 13.0
  return "CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

GpuIdentity identify(int index) {
  cudaDeviceProp properties{};
  check_gpu(cudaGetDeviceProperties(&properties, index));
  GpuIdentity gpu{.index = index,
                  .name = properties.name,
                  .uuid = uuid_text(properties.uuid),
                  .major = properties.major,
                  .minor = properties.minor,
                  .sms = properties.multiProcessorCount,
                  .memory_bytes = properties.totalGlobalMem,
                  .l2_bytes = static_cast<std::uint64_t>(properties.l2CacheSize),
                  .bus_width_bits = properties.memoryBusWidth};
  std::array<char, 32> pci{};
  check_gpu(cudaDeviceGetPCIBusId(pci.data(), pci.size(), index));
  gpu.pci = pci.data();
  std::ranges::transform(gpu.pci, gpu.pci.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  gpu.numa_node = numa_node_of(gpu.pci);
  int kilohertz = 0;
  check_gpu(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrMemoryClockRate, index));
  gpu.memory_clock_hz = kilohertz * 1e3;
  return gpu;
}

}  // namespace

GpuInventory find_gpus() {
  GpuInventory inventory;
  int driver = 0, runtime = 0, count = 0;
  (void)cudaRuntimeGetVersion(&runtime);
  (void)cudaDriverGetVersion(&driver);
  inventory.runtime = version_text(runtime);
  if (driver > 0) inventory.driver = version_text(driver);
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (driver == 0)
    inventory.absent = "there is no NVIDIA driver on this machine (or not in this container)";
  else if (error == cudaErrorInsufficientDriver)
    inventory.absent = "the driver is too old: it supports " + inventory.driver +
                       ", this program was built with " + inventory.runtime + "; update the driver";
  else if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
    inventory.absent = "no GPU is visible to this process (lspci -d 10de:; CUDA_VISIBLE_DEVICES)";
  else if (error != cudaSuccess)
    inventory.absent =
        std::string("no usable GPU: ") + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")";
  for (int i = 0; inventory.absent.empty() && i < count; ++i)
    inventory.gpus.push_back(identify(i));
  return inventory;
}

}  // namespace mlc
