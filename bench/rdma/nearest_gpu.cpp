#include "bench/rdma/nearest_gpu.hpp"

#include <stdexcept>

namespace mlc::rdma {

namespace {

// Whole parts of the path in common: "0000:6" of two different bridges is nothing.
int common_parts(const std::string& a, const std::string& b) {
  int parts = 0;
  for (std::size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i)
    if (a[i] == '/') ++parts;
  return parts;
}

}  // namespace

int nearest_gpu(const std::string& nic, const std::vector<std::string>& gpus) {
  if (gpus.empty()) throw std::invalid_argument("there is no GPU");
  std::size_t best = 0;
  for (std::size_t i = 1; i < gpus.size(); ++i)
    if (common_parts(nic, gpus[i]) > common_parts(nic, gpus[best])) best = i;
  return static_cast<int>(best);
}

}  // namespace mlc::rdma
