// The registered memory of one rail: a source that is sent from and a sink that is received into, in host
// memory on the NIC's NUMA node or in the memory of the GPU nearest to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bench/backends/memory.hpp"
#include "validators/host/verbs.hpp"

namespace mlc::rdma {

class RailMemory {
 public:
  // `bytes` each for source and sink.
  RailMemory(std::shared_ptr<std::byte> at, std::uint64_t bytes, std::unique_ptr<Region> region,
             std::unique_ptr<Memory> access, std::string kind)
      : at_(std::move(at)),
        bytes_(bytes),
        region_(std::move(region)),
        access_(std::move(access)),
        kind_(std::move(kind)) {}

  std::byte* source() const { return at_.get(); }
  std::byte* sink() const { return at_.get() + bytes_; }
  const Region& region() const { return *region_; }
  Memory& access() const { return *access_; }
  const std::string& kind() const {
    return kind_;
  }  // "host", "gpu 2 through dmabuf", "gpu 2 through nvidia-peermem"

 private:
  std::shared_ptr<std::byte> at_;  // outlives the registration
  std::uint64_t bytes_;
  std::unique_ptr<Region> region_;
  std::unique_ptr<Memory> access_;
  std::string kind_;
};

// Both throw VerbsError, BackendError or std::bad_alloc.
std::unique_ptr<RailMemory> host_rail_memory(Device& device, std::uint64_t bytes, int numa_node);
// `device_name` to find the nearest GPU by. gpu_memory.cpp, or gpu_memory_absent.cpp without CUDA.
std::unique_ptr<RailMemory> gpu_rail_memory(Device& device, const std::string& device_name,
                                            std::uint64_t bytes);
std::string gpu_memory_absent();  // why there is none in this program; empty if there is

}  // namespace mlc::rdma
