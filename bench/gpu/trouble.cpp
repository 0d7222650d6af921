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

TroubleText text_of(GpuTrouble trouble) {
  const std::string log = "dmesg | grep -i -e xid -e nvrm; ";
  switch (trouble) {
    case GpuTrouble::lost:
      return {.what = "fell off the bus or stopped answering",
              .remedy = log + "power-cycle (AC) the node; reseat the GPU; open an RMA if it comes back"};
    case GpuTrouble::uncorrectable:
      return {.what = "uncorrectable ECC error",
              .remedy =
                  log + "reset the GPU so that the row is remapped, run again; open an RMA if it comes back"};
    case GpuTrouble::fabric:
      return {.what = "NVLink or NVSwitch failed",
              .remedy =
                  log + "systemctl status nvidia-fabricmanager; nvidia-smi nvlink -s; power-cycle the node"};
    case GpuTrouble::hung:
      return {.what = "hung",
              .remedy = log + "power-cycle (AC) the node, run again; open an RMA if it comes back"};
    case GpuTrouble::held:
      return {.proves = false,
              .what = "waits for another GPU that hangs, and is not tested further",
              .remedy = log + "see what is said of the other GPU; run it again without that one"};
    case GpuTrouble::memory:
      return {.proves = false,
              .what = "not enough free memory",
              .remedy = "nvidia-smi shows who holds it; drain the node and run again"};
    case GpuTrouble::taken:
      return {.proves = false,
              .what = "another process holds it",
              .remedy = "nvidia-smi shows it; end it, or set compute mode Default, and run again"};
    case GpuTrouble::other:
      break;
  }
  return {.what = {}, .remedy = log + "run it again; if it comes back, take the GPU out of service"};
}

}  // namespace mlc
