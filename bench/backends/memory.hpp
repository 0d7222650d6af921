// Where a communicator's bytes live, and the generator and verifier for them.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/host_pattern.hpp"

namespace mlc {

class Memory {
 public:
  virtual ~Memory() = default;
  // Aligned to at least 4096 bytes. Throws std::bad_alloc or a backend's error.
  virtual std::shared_ptr<std::byte> allocate(std::uint64_t bytes) = 0;
  virtual void fill(void* at, std::uint64_t count, const DataSpec& spec) = 0;
  virtual VerifyResult verify(const void* at, std::uint64_t count, const DataSpec& spec) = 0;
  virtual void set(void* at, std::uint64_t bytes, std::uint8_t value) = 0;
  virtual std::uint64_t count_other_than(const void* at, std::uint64_t bytes, std::uint8_t value) = 0;
  virtual void flip_bit(void* at, std::uint64_t bit) = 0;  // bit 0 is the lowest of the first byte
};

std::unique_ptr<Memory> make_host_memory();

}  // namespace mlc
