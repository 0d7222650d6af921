// Memory of the GPU nearest to a rail, registered with its NIC through dmabuf (open kernel modules,
// CUDA 11.7) or, where that is not to be had, through nvidia-peermem.
#include <cuda.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "bench/backends/cuda_memory.hpp"
#include "bench/rdma/nearest_gpu.hpp"
#include "bench/rdma/rail_memory.hpp"
#include "validators/host/file_descriptor.hpp"
#include "validators/host/file_tree.hpp"
#include "validators/host/shared_library.hpp"

namespace mlc::rdma {

std::string gpu_memory_absent() {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess) return std::string("no GPU can be used: ") + cudaGetErrorString(code);
  return count > 0 ? "" : "there is no GPU";
}

namespace {

std::string pci_path(const std::string& device) {
  const auto path = FileTree().resolve(device);
  return path ? *path : std::string();
}

int nearest_gpu_to(const std::string& device_name) {
  int count = 0;
  check_cuda(cudaGetDeviceCount(&count));
  std::vector<std::string> paths;
  for (int gpu = 0; gpu < count; ++gpu) {
    std::array<char, 32> address{};
    check_cuda(cudaDeviceGetPCIBusId(address.data(), address.size(), gpu));
    std::string name = address.data();
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // CUDA writes the domain with eight digits, sysfs with four.
    if (name.size() > 12) name = name.substr(name.size() - 12);
    paths.push_back(pci_path("/sys/bus/pci/devices/" + name));
  }
  return nearest_gpu(pci_path("/sys/class/infiniband/" + device_name + "/device"), paths);
}

// Loaded, not linked: the program starts where there is no driver. Empty: this driver, or this GPU, does not
// do it.
FileDescriptor dmabuf_of(std::byte* at, std::uint64_t bytes) {
  static const SharedLibrary driver("libcuda.so.1");
  static const auto ask =
      driver.find<decltype(cuMemGetHandleForAddressRange)>("cuMemGetHandleForAddressRange");
  if (!ask) return {};
  int descriptor = -1;
  const CUresult result =
      ask(&descriptor, reinterpret_cast<CUdeviceptr>(at), bytes, CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0);
  return result == CUDA_SUCCESS ? FileDescriptor(descriptor) : FileDescriptor();
}

}  // namespace

std::unique_ptr<RailMemory> gpu_rail_memory(Device& device, const std::string& device_name,
                                            std::uint64_t bytes) {
  const int gpu = nearest_gpu_to(device_name);
  check_cuda(cudaSetDevice(gpu));
  // A dmabuf covers whole pages of the host, and cudaMalloc aligns to less than the largest of them: room for
  // both ends.
  const std::uint64_t page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t size = (2 * bytes + page - 1) / page * page;
  std::byte* raw = nullptr;
  check_cuda(cudaMalloc(reinterpret_cast<void**>(&raw), size + page));
  auto* aligned =
      reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(raw) + page - 1) / page * page);
  std::shared_ptr<std::byte> memory(aligned, [raw](std::byte*) { (void)cudaFree(raw); });
  auto stream = std::make_shared<Stream>(make_stream());
  auto access = make_cuda_memory(stream->get(), {});
  const std::string name = "GPU " + std::to_string(gpu);
  std::string why = "the driver gives no dmabuf";
  std::shared_ptr<std::byte> held(aligned,
                                  [memory, stream](std::byte*) {});  // the stream lives as long as the memory
  if (const FileDescriptor descriptor = dmabuf_of(aligned, size)) {
    try {
      auto region = device.register_dmabuf(descriptor.get(), 0, size, aligned);
      return std::make_unique<RailMemory>(held, bytes, std::move(region), std::move(access),
                                          name + " through dmabuf");
    } catch (const VerbsError& error) {
      why = error.what();
    }
  }
  try {
    auto region = device.register_memory(aligned, size);
    return std::make_unique<RailMemory>(held, bytes, std::move(region), std::move(access),
                                        name + " through nvidia-peermem");
  } catch (const VerbsError& error) {
    throw VerbsError(
        name + " cannot be registered: neither through dmabuf (" + why + ") nor through nvidia-peermem (" +
            error.what() +
            "); load nvidia-peermem, or use the open kernel modules: mlc-bench validate rdma.gpudirect",
        error.code);
  }
}

}  // namespace mlc::rdma
