#include "bench/gpu/device.hpp"

namespace mlc {

GpuInventory find_gpus() {
  return {.gpus = {}, .absent = MLC_WHY_NO_CUDA, .built_in = false, .runtime = {}, .driver = {}};
}

std::unique_ptr<GpuDevice> open_gpu(const GpuIdentity&, double) {
  throw GpuError(GpuTrouble::other, MLC_WHY_NO_CUDA);
}

}  // namespace mlc
