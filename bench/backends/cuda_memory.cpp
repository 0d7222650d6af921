#include "bench/backends/cuda_memory.hpp"

#include "kernels/kernels.hpp"

namespace mlc {

namespace {

using DeviceTallyMemory = Handle<DeviceTally, &cudaFree>;

class CudaMemory final : public Memory {
 public:
  CudaMemory(cudaStream_t stream, std::function<std::shared_ptr<std::byte>(std::uint64_t)> allocator)
      : stream_(stream), allocator_(std::move(allocator)) {
    DeviceTally* tally = nullptr;
    check_cuda(cudaMalloc(reinterpret_cast<void**>(&tally), sizeof *tally));
    tally_.reset(tally);
  }

  std::shared_ptr<std::byte> allocate(std::uint64_t bytes) override { return allocator_(bytes); }

  void fill(void* at, std::uint64_t count, const DataSpec& spec) override {
    check_cuda(launch_fill(at, count, spec, stream_));
    check_cuda(cudaStreamSynchronize(stream_));
  }

  VerifyResult verify(const void* at, std::uint64_t count, const DataSpec& spec) override {
    const DeviceTally tally = counted([&] { return launch_verify(at, count, spec, tally_.get(), stream_); });
    VerifyResult result{.wrong = tally.wrong};
    if (tally.wrong == 0) return result;
    // The one wrong element is looked at on the host, by the same functions.
    result.first = tally.first;
    with_format_and_op(spec.dtype, spec.op, [&]<class F, pattern::Op op>() {
      typename F::Bits actual{};
      check_cuda(cudaMemcpy(&actual, static_cast<const typename F::Bits*>(at) + tally.first, sizeof actual,
                            cudaMemcpyDeviceToHost));
      result.actual = actual;
      result.expected = pattern::expectation_at<F, op>(spec.recipe, spec.source, spec.index + tally.first);
    });
    return result;
  }

  void set(void* at, std::uint64_t bytes, std::uint8_t value) override {
    check_cuda(cudaMemsetAsync(at, value, bytes, stream_));
    check_cuda(cudaStreamSynchronize(stream_));
  }

  std::uint64_t count_other_than(const void* at, std::uint64_t bytes, std::uint8_t value) override {
    return counted([&] { return launch_count_other_than(at, bytes, value, tally_.get(), stream_); }).wrong;
  }

  void flip_bit(void* at, std::uint64_t bit) override {
    auto* byte = static_cast<std::uint8_t*>(at) + bit / 8;
    std::uint8_t value = 0;
    check_cuda(cudaMemcpyAsync(&value, byte, 1, cudaMemcpyDeviceToHost, stream_));
    check_cuda(cudaStreamSynchronize(stream_));
    value ^= static_cast<std::uint8_t>(1u << (bit % 8));
    // cudaMemcpy would be on another stream, and come back when the byte is staged: the next kernel need not
    // see it.
    check_cuda(cudaMemcpyAsync(byte, &value, 1, cudaMemcpyHostToDevice, stream_));
    check_cuda(cudaStreamSynchronize(stream_));
  }

 private:
  template <class Launch>
  DeviceTally counted(Launch&& launch) {
    DeviceTally tally{0, ~0ull};
    check_cuda(cudaMemcpyAsync(tally_.get(), &tally, sizeof tally, cudaMemcpyHostToDevice, stream_));
    check_cuda(launch());
    check_cuda(cudaMemcpyAsync(&tally, tally_.get(), sizeof tally, cudaMemcpyDeviceToHost, stream_));
    check_cuda(cudaStreamSynchronize(stream_));
    return tally;
  }

  cudaStream_t stream_;
  std::function<std::shared_ptr<std::byte>(std::uint64_t)> allocator_;
  DeviceTallyMemory tally_;
};

}  // namespace

std::unique_ptr<Memory> make_cuda_memory(cudaStream_t stream,
                                         std::function<std::shared_ptr<std::byte>(std::uint64_t)> allocator) {
  return std::make_unique<CudaMemory>(stream, std::move(allocator));
}

}  // namespace mlc
