#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "bench/backends/memory.hpp"

namespace mlc {

namespace {

class HostMemory final : public Memory {
 public:
  std::shared_ptr<std::byte> allocate(std::uint64_t bytes) override {
    const std::uint64_t rounded = (std::max<std::uint64_t>(bytes, 1) + 4095) / 4096 * 4096;
    void* at = std::aligned_alloc(4096, rounded);
    if (at == nullptr) throw std::bad_alloc();
    return {static_cast<std::byte*>(at), [](std::byte* p) { std::free(p); }};
  }
  void fill(void* at, std::uint64_t count, const DataSpec& spec) override { mlc::fill(at, count, spec); }
  VerifyResult verify(const void* at, std::uint64_t count, const DataSpec& spec) override {
    return mlc::verify(at, count, spec);
  }
  void set(void* at, std::uint64_t bytes, std::uint8_t value) override { std::memset(at, value, bytes); }
  std::uint64_t count_other_than(const void* at, std::uint64_t bytes, std::uint8_t value) override {
    const auto* first = static_cast<const std::uint8_t*>(at);
    return bytes - static_cast<std::uint64_t>(std::count(first, first + bytes, value));
  }
  void flip_bit(void* at, std::uint64_t bit) override {
    static_cast<std::uint8_t*>(at)[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
  }
};

}  // namespace

std::unique_ptr<Memory> make_host_memory() { return std::make_unique<HostMemory>(); }

}  // namespace mlc
