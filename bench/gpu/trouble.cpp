#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "bench/gpu/device.hpp"

namespace mlc {

namespace {

std::atomic<bool> one_hangs = false;

}  // namespace

void note_hang() { one_hangs = true; }
bool one_gpu_hangs() { return one_hangs; }

GpuTrouble trouble_of(std::string_view cuda_error_name) {
  static constexpr std::array<std::pair<std::string_view, GpuTrouble>, 14> known{
      {{"cudaErrorECCUncorrectable", GpuTrouble::uncorrectable},
       {"cudaErrorMemoryAllocation", GpuTrouble::memory},
       {"cudaErrorNvlinkUncorrectable", GpuTrouble::fabric},
       {"cudaErrorContained", GpuTrouble::uncorrectable},
       {"cudaErrorSystemNotReady", GpuTrouble::fabric},
       {"cudaErrorLaunchTimeout", GpuTrouble::hung},
       {"cudaErrorTimeout", GpuTrouble::hung},
       // What the driver says of a GPU that has gone: there is no code of its own for it.
       {"cudaErrorUnknown", GpuTrouble::lost},
       {"cudaErrorNoDevice", GpuTrouble::lost},
       {"cudaErrorInvalidDevice", GpuTrouble::lost},
       {"cudaErrorDeviceUninitialized", GpuTrouble::lost},
       {"cudaErrorHardwareStackError", GpuTrouble::lost},
       {"cudaErrorExternalDevice", GpuTrouble::lost},
       {"cudaErrorDevicesUnavailable", GpuTrouble::taken}}};
  const auto found =
      std::ranges::find(known, cuda_error_name, &std::pair<std::string_view, GpuTrouble>::first);
  return found == known.end() ? GpuTrouble::other : found->second;
}

}  // namespace mlc
