// Each kernel against the host's own functions, on sizes with tails and grids that do not fit them.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <vector>

#include "bench/handles/cuda.hpp"
#include "kernels/burnin.hpp"
#include "kernels/gemm_data.hpp"

namespace mlc {
namespace {

// Memory of GPU 0 and what it shall hold; copies go over the kernels' own stream.
template <class T>
class OnGpu {
 public:
  OnGpu(std::size_t count, const Stream& stream) : count_(count), stream_(stream) {
    check_cuda(cudaMalloc(&at_, std::max<std::size_t>(count * sizeof(T), 1)));
  }
  OnGpu(const std::vector<T>& values, const Stream& stream) : OnGpu(values.size(), stream) { write(values); }
  OnGpu(const OnGpu&) = delete;
  ~OnGpu() { (void)cudaFree(at_); }
  T* get() const { return at_; }
  void write(const std::vector<T>& values) {
    check_cuda(
        cudaMemcpyAsync(at_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice, stream_.get()));
    check_cuda(cudaStreamSynchronize(stream_.get()));
  }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    check_cuda(
        cudaMemcpyAsync(values.data(), at_, count_ * sizeof(T), cudaMemcpyDeviceToHost, stream_.get()));
    check_cuda(cudaStreamSynchronize(stream_.get()));
    return values;
  }

 private:
  T* at_ = nullptr;
  std::size_t count_;
  const Stream& stream_;
};

std::vector<std::uint64_t> random_words(std::size_t count, std::uint64_t seed) {
  std::vector<std::uint64_t> words(count);
  for (std::size_t i = 0; i < count; ++i)
    words[i] = pattern::mix64(seed + i);
  return words;
}

class Kernels : public ::testing::Test {
 protected:
  Stream stream = make_stream();
  DeviceTally compared(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b, int sms) {
    const OnGpu<std::uint64_t> left(a, stream), right(b, stream);
    OnGpu<DeviceTally> tally(std::vector<DeviceTally>{{0, ~0ull}}, stream);
    check_cuda(launch_compare(left.get(), right.get(), a.size() * 8, sms, tally.get(), stream.get()));
    return tally.read().front();
  }
};

// 16 x 256 threads an SM: fewer slices than threads, several rounds with a tail, and a number that is odd.
constexpr std::array<std::size_t, 5> slice_counts{1, 255, 4097, 3 * 4096 * 4, 3 * 4096 * 5 + 77};

TEST_F(Kernels, CompareCountsEverySliceAndNamesTheFirst) {
  for (const std::size_t slices : slice_counts) {
    const auto words = random_words(2 * slices, 1);
    EXPECT_EQ(compared(words, words, 3).wrong, 0u);
    // Each of the four words of 32 bits of a slice.
    for (int word = 0; word < 4; ++word) {
      auto other = words;
      other[2 * (slices / 2) + static_cast<std::size_t>(word / 2)] ^= std::uint64_t{1} << (word % 2 * 32 + 7);
      other.back() ^= 1;
      const DeviceTally tally = compared(words, other, 3);
      EXPECT_EQ(tally.wrong, slices == 1 ? 1u : 2u) << slices << " " << word;
      EXPECT_EQ(tally.first, slices / 2) << slices << " " << word;
    }
  }
}

TEST_F(Kernels, CopiesAreWholeAndStopWhereTheyShould) {
  for (const std::size_t slices : slice_counts)
    for (const int sms : {1, 3}) {
      const auto words = random_words(2 * slices + 2, 2);
      const OnGpu<std::uint64_t> from(words, stream),
          to(std::vector<std::uint64_t>(2 * slices + 2, 5), stream);
      check_cuda(launch_sm_copy(to.get(), from.get(), slices * 16, sms, stream.get()));
      auto expected = words;
      expected[2 * slices] = expected[2 * slices + 1] = 5;
      EXPECT_EQ(to.read(), expected) << slices;
    }
}

TEST_F(Kernels, BandwidthPassesWriteWhatTheyClaim) {
  for (const std::uint64_t bytes : {std::uint64_t{4096 * 3}, std::uint64_t{4096 * 61 + 100}}) {
    const std::size_t words = bytes / 8 + 1;
    const OnGpu<std::uint64_t> region(random_words(words, 3), stream),
        sink(std::vector<std::uint64_t>{9}, stream);
    const auto pass = [&](hbm::Operation operation) {
      check_cuda(launch_hbm(operation, region.get(), bytes, 3, sink.get(), stream.get()));
      return region.read();
    };
    EXPECT_EQ(pass(hbm::Operation::read), random_words(words, 3));
    EXPECT_EQ(sink.read().front(), 9u);

    const auto copied = pass(hbm::Operation::copy);
    const std::size_t half = hbm::part_bytes(hbm::Operation::copy, bytes) / 8;
    for (std::size_t i = 0; i < words; ++i)
      ASSERT_EQ(copied[i], pattern::mix64(3 + (i >= half && i < 2 * half ? i - half : i))) << i;

    const auto written = pass(hbm::Operation::write);
    const std::size_t all = hbm::part_bytes(hbm::Operation::write, bytes) / 8;
    for (std::size_t i = 0; i < words; ++i)
      ASSERT_EQ(written[i], i >= all     ? copied[i]
                            : i % 2 == 0 ? 0x7f4a7c159e3779b9u
                                         : 0x1ce4e5b9bf58476du)
          << i;
  }
}

TEST_F(Kernels, TriadIsTheHosts) {
  constexpr std::uint64_t bytes = 4096 * 30;
  const std::size_t third = hbm::part_bytes(hbm::Operation::triad, bytes) / 8;
  std::vector<double> values(bytes / 8);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<double>(i) * 0.37;
  const OnGpu<double> region(values, stream);
  const OnGpu<std::uint64_t> sink(std::vector<std::uint64_t>{9}, stream);
  check_cuda(launch_hbm(hbm::Operation::triad, region.get(), bytes, 2, sink.get(), stream.get()));
  const auto got = region.read();
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(got[i], i < third ? hbm::triad(values[third + i], values[2 * third + i]) : values[i]) << i;
}

TEST_F(Kernels, ADigestCoversEveryWord) {
  for (const std::size_t words : {std::size_t{1}, std::size_t{257}, std::size_t{1024 * 256 + 33}}) {
    auto data = random_words(words, 4);
    for (const bool last_differs : {false, true}) {
      if (last_differs) data.back() ^= 1;
      const OnGpu<std::uint64_t> there(data, stream);
      const OnGpu<tile::Digest> digest(std::vector<tile::Digest>(1), stream);
      check_cuda(launch_digest(there.get(), words, digest.get(), stream.get()));
      tile::Digest expected;
      for (std::size_t i = 0; i < words; ++i)
        expected.add(i, data[i]);
      EXPECT_EQ(digest.read().front(), expected) << words;
    }
  }
}

template <class F>
void expect_inputs(const Stream& stream) {
  for (const std::size_t elements : {std::size_t{1}, std::size_t{5185}}) {
    const OnGpu<typename F::Bits> there(std::vector<typename F::Bits>(elements + 1, 3), stream);
    check_cuda(launch_gemm_input(there.get(), elements, F::width, 7, stream.get()));
    const auto got = there.read();
    for (std::size_t i = 0; i < elements; ++i)
      ASSERT_EQ(got[i], gemm::input<F>(7, i)) << i;
    ASSERT_EQ(got[elements], 3);
  }
}

TEST_F(Kernels, InputsOfProductsAreTheHosts) {
  expect_inputs<pattern::Bfloat16>(stream);
  expect_inputs<pattern::Fp8E4M3>(stream);
}

// One tile, and more than blocks of one wave; as deep as a tile and deeper.
TEST_F(Kernels, EachTileOfAProductIsTheHostsWhicheverBlockItGoesTo) {
  for (const auto& product :
       {tile::Product{.side = 1, .depth = 384}, tile::Product{.side = 8, .depth = 128}}) {
    const tile::Spec spec{9, 1, product};
    const auto side = static_cast<std::size_t>(product.side), depth = static_cast<std::size_t>(product.depth);
    const std::size_t tiles = side * side, elements = side * tile::rows * depth;
    const OnGpu<std::uint16_t> a(elements, stream), b(elements, stream);
    const OnGpu<tile::Result> results(std::vector<tile::Result>(tiles), stream);
    check_cuda(launch_product_inputs(spec, a.get(), b.get(), stream.get()));
    for (const std::uint32_t launch : {0u, 3u}) {
      check_cuda(launch_product_tiles(product, launch, a.get(), b.get(), results.get(), stream.get()));
      const auto got = results.read();
      for (std::size_t block = 0; block < tiles; ++block) {
        EXPECT_EQ(got[block].tile,
                  tile::product_tile(static_cast<std::uint32_t>(block), launch, product.side));
        const int kind = tile::kind_of(tile::Engine::product, spec, got[block].tile);
        EXPECT_EQ(got[block].digest, tile::golden(tile::Engine::product, spec, kind)) << block;
      }
    }
  }
}

TEST_F(Kernels, TheFirstOfManyWrongElementsIsNamedWhateverWarpFindsIt) {
  constexpr std::uint64_t count = 5001;
  for (const std::size_t offset : {std::size_t{0}, std::size_t{1}}) {  // in slices, and one by one
    DataSpec spec{.dtype = Dtype::bfloat16, .op = pattern::Op::sum, .recipe = {.seed = 5, .ranks = 1}};
    std::vector<std::uint16_t> data(count + 1);
    fill(data.data() + offset, count, spec);
    for (const std::size_t wrong : {std::size_t{1234}, std::size_t{1300}, std::size_t{4999}})
      data[offset + wrong] ^= 0x40;
    const OnGpu<std::uint16_t> there(data, stream);
    const OnGpu<DeviceTally> tally(std::vector<DeviceTally>{{0, ~0ull}}, stream);
    check_cuda(launch_verify(there.get() + offset, count, spec, tally.get(), stream.get()));
    EXPECT_EQ(tally.read().front().wrong, 3u);
    EXPECT_EQ(tally.read().front().first, 1234u);
  }
}

TEST_F(Kernels, SweepsReadAndWriteEveryWordBothWays) {
  constexpr std::uint64_t words = 5002, first = 1000;
  void* shared = nullptr;
  check_cuda(cudaHostAlloc(&shared, sizeof(memory::ErrorLog), 0));
  auto* const log = static_cast<memory::ErrorLog*>(shared);
  new (log) memory::ErrorLog{};
  for (const auto& [pattern, name] : memory::pattern_names)
    for (const bool down : {false, true}) {
      const memory::Spec spec{pattern, 11, false};
      const OnGpu<std::uint64_t> there(std::vector<std::uint64_t>(words, 1), stream);
      const auto sweep = [&](memory::Step step, const memory::Spec& what) {
        check_cuda(launch_sweep({what, step, down}, there.get(), words, first, 2, log, stream.get()));
        check_cuda(cudaStreamSynchronize(stream.get()));
      };
      sweep(memory::Step::write_marked, spec);
      auto got = there.read();
      for (std::uint64_t i = 0; i < words; ++i)
        ASSERT_EQ(got[i], memory::marked(spec, first + i) ? memory::word(spec, first + i) : 1) << name << i;
      sweep(memory::Step::write_unmarked, spec);
      got = there.read();
      for (std::uint64_t i = 0; i < words; ++i)
        ASSERT_EQ(got[i], memory::word(spec, first + i)) << name << i;
      got[words - 1] ^= 1ull << 63, got[0] ^= 1 << 5;
      OnGpu<std::uint64_t> broken(got, stream);
      new (log) memory::ErrorLog{};
      check_cuda(launch_sweep({spec, memory::Step::check_and_invert, down}, broken.get(), words, first, 2,
                              log, stream.get()));
      check_cuda(cudaStreamSynchronize(stream.get()));
      EXPECT_EQ(log->wrong, 2u);
      EXPECT_EQ(log->first, first);
      EXPECT_EQ(log->flipped[63], 1u);
      EXPECT_EQ(log->flipped[5], 1u);
      EXPECT_EQ(log->kept, 2u);
      EXPECT_EQ(log->address[0], ((first + words - 1) & 1) + (first & 1));
      const auto inverted = broken.read();
      for (std::uint64_t i = 1; i + 1 < words; ++i)
        ASSERT_EQ(inverted[i], ~memory::word(spec, first + i)) << name << i;
    }
  check_cuda(cudaFreeHost(shared));
}

// What is kept to be read again is not stored: a page that cannot be written would end this.
TEST_F(Kernels, SweepsStoreNoWordThatIsKept) {
  // Not whole pages, which the emulation protects as it sees fit.
  constexpr std::size_t page = 4096, in_page = page / sizeof(std::uint64_t), before = in_page - 2;
  constexpr std::size_t words = before + in_page + before;
  void* const pages = ::mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  auto* const data = static_cast<std::uint64_t*>(pages) + (in_page - before);
  void* shared = nullptr;
  check_cuda(cudaHostAlloc(&shared, sizeof(memory::ErrorLog), 0));
  auto* const log = new (shared) memory::ErrorLog{};
  const memory::Spec spec{memory::Pattern::random, 11, false};
  for (std::uint64_t i = 0; i < words; ++i) {
    const bool wrong = (i >= before && i < before + in_page) || i == 7;  // a page, and one of a pair
    data[i] = memory::word(spec, i) ^ (wrong ? 4 : 0);
  }
  check_cuda(cudaHostRegister(data, words * sizeof(std::uint64_t), 0));
  ASSERT_EQ(::mprotect(data + before, page, PROT_READ), 0);
  check_cuda(
      launch_sweep({spec, memory::Step::check_and_invert, false}, data, words, 0, 2, log, stream.get()));
  check_cuda(cudaStreamSynchronize(stream.get()));
  EXPECT_EQ(log->kept, in_page + 1);
  EXPECT_EQ(data[7], memory::word(spec, 7) ^ 4);
  for (const std::uint64_t i : {std::size_t{0}, std::size_t{6}, before - 1, before + in_page, words - 1})
    EXPECT_EQ(data[i], ~memory::word(spec, i)) << i;
  check_cuda(cudaHostUnregister(data));
  check_cuda(cudaFreeHost(shared));
  ::munmap(pages, 3 * page);
}

}  // namespace
}  // namespace mlc
