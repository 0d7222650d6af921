#include "bench/backends/nccl.hpp"

namespace mlc {

std::string nccl_absent() { return MLC_WHY_NO_NCCL; }
bool nccl_built_in() { return false; }
std::string nccl_version() { return {}; }
int gpu_count() { return 0; }
std::unique_ptr<Communicator> make_nccl(std::unique_ptr<Control>, const NcclOptions&) {
  throw BackendError("nccl: " + nccl_absent());
}
std::vector<Gpu> nccl_gpus() { return {}; }

}  // namespace mlc
