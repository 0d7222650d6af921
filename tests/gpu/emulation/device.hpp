// The emulated GPUs: which one a thread works on, what it may reach, and how it breaks.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace emulation {

int current_device();                  // of this thread
cudaError_t device_error(int device);  // once it is broken
bool device_hangs(int device);
bool driver_blocks(int device);    // a call for it never returns
bool sms_hang(int device);         // while its copy engines go on
void after_operation(int device);  // counts, breaks what a fault says is due
bool peer_enabled(int device, int peer);
bool enable_peer(int device, int peer);  // false: it was already
std::string uuid_of(int device);         // "GPU-..."
std::string pci_of(int device);          // as CUDA writes it

}  // namespace emulation
