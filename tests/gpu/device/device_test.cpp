// On a real GPU: the kernels against the host's own functions, bit for bit, and planted corruption at its
// exact place. Skipped where there is none. MLC_GPU_SMALL=1 takes sizes that compute-sanitizer gets through.
#include "bench/gpu/device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <random>

#include "bench/backends/cuda_memory.hpp"
#include "bench/gpu/judge_tiles.hpp"
#include "bench/gpu/sizes.hpp"
#include "bench/handles/cuda.hpp"
#include "kernels/burnin.hpp"

namespace mlc {
namespace {

bool small() { return std::getenv("MLC_GPU_SMALL") != nullptr; }

class OnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto inventory = find_gpus();
    if (!inventory.absent.empty()) GTEST_SKIP() << inventory.absent;
    gpu = inventory.gpus.front();
    check_cuda(cudaSetDevice(gpu.index));
    stream = make_stream();
    memory = make_cuda_memory(stream.get(), [](std::uint64_t bytes) {
      void* at = nullptr;
      check_cuda(cudaMalloc(&at, bytes));
      return std::shared_ptr<std::byte>(static_cast<std::byte*>(at), [](std::byte* p) { (void)cudaFree(p); });
    });
  }
  std::unique_ptr<GpuDevice> device() {
    auto opened = open_gpu(gpu, 60);
    opened->take_memory(std::uint64_t{1} << 30);
    return opened;
  }
  GpuIdentity gpu;
  Stream stream;
  std::unique_ptr<Memory> memory;
  std::mt19937_64 random{20261123};
};

std::vector<DataSpec> specs(std::mt19937_64& random) {
  std::vector<DataSpec> all;
  for (const auto& dtype : dtype_names)
    for (const auto op : {pattern::Op::copy, pattern::Op::sum, pattern::Op::prod, pattern::Op::min,
                          pattern::Op::max, pattern::Op::avg})
      all.push_back({.dtype = dtype.dtype,
                     .op = op,
                     .recipe = {random(), static_cast<std::uint32_t>(random()),
                                static_cast<std::uint32_t>(random() % 1024 + 1)},
                     .source = 0,
                     .index = random() % (std::uint64_t{1} << 40)});
  for (auto& spec : all)
    spec.source = static_cast<std::uint32_t>(random() % spec.recipe.ranks);
  return all;
}

TEST_F(OnGpu, FillsAreTheHostsForEveryFormatOperatorAndCount) {
  const std::uint64_t most = small() ? 5'000 : 1'000'000;
  const auto buffer = memory->allocate(most * 8 + 64);
  std::vector<std::byte> here(most * 8), there(most * 8);
  for (auto spec : specs(random)) {
    // Half of them go by slices of 16 bytes; their counts leave a tail.
    if (random() % 2 == 0) spec.index -= spec.index % 16;
    const std::uint64_t count = random() % most + 1;
    const auto width = static_cast<std::uint64_t>(width_of(spec.dtype));
    for (const std::uint64_t offset : {std::uint64_t{0}, width}) {  // aligned to 16 bytes, and not
      memory->set(buffer.get(), most * 8 + 64, 0x5a);
      memory->fill(buffer.get() + offset, count, spec);
      check_cuda(cudaMemcpy(here.data(), buffer.get() + offset, count * width, cudaMemcpyDeviceToHost));
      fill(there.data(), count, spec);
      std::array<std::byte, 16> behind{};
      check_cuda(cudaMemcpy(behind.data(), buffer.get() + offset + count * width, behind.size(),
                            cudaMemcpyDeviceToHost));
      ASSERT_THAT(behind, ::testing::Each(std::byte{0x5a})) << to_string(spec.dtype) << " count " << count;
      ASSERT_EQ(std::memcmp(here.data(), there.data(), count * width), 0)
          << to_string(spec.dtype) << " op " << static_cast<int>(spec.op) << " count " << count << " offset "
          << offset;
    }
  }
}

TEST_F(OnGpu, PlantedCorruptionIsFoundAtItsExactOffset) {
  const std::uint64_t most = small() ? 5'000 : 1'000'000;
  const auto buffer = memory->allocate(most * 8);
  for (auto spec : specs(random)) {
    if (spec.op != pattern::Op::copy) continue;
    const std::uint64_t count = random() % most + 1, wrong = random() % count;
    const auto width = static_cast<std::uint64_t>(width_of(spec.dtype));
    memory->fill(buffer.get(), count, spec);
    EXPECT_EQ(memory->verify(buffer.get(), count, spec).wrong, 0u) << to_string(spec.dtype);
    memory->flip_bit(buffer.get() + wrong * width, random() % (8 * width));
    const VerifyResult result = memory->verify(buffer.get(), count, spec);
    EXPECT_EQ(result.wrong, 1u) << to_string(spec.dtype);
    EXPECT_EQ(result.first, wrong) << to_string(spec.dtype);
  }
}

TEST_F(OnGpu, CorruptionBehindTheLastWholeSliceIsFoundAtItsOffset) {
  const auto buffer = memory->allocate(16'384);
  for (auto spec : specs(random)) {
    const auto width = static_cast<std::uint64_t>(width_of(spec.dtype)), slice = 16 / width;
    if (spec.op != pattern::Op::copy || slice == 1) continue;
    for (const std::uint64_t tail : {std::uint64_t{1}, slice - 1}) {
      const std::uint64_t count = 100 * slice + tail;
      spec.index = random() % 1000 * 16;  // what is before the tail goes by slices
      memory->fill(buffer.get(), count, spec);
      memory->flip_bit(buffer.get() + (count - 1) * width, 1);
      const VerifyResult result = memory->verify(buffer.get(), count, spec);
      EXPECT_EQ(result.wrong, 1u) << to_string(spec.dtype);
      EXPECT_EQ(result.first, count - 1) << to_string(spec.dtype);
    }
  }
}

TEST_F(OnGpu, EveryBitOfASliceCounts) {
  const auto buffer = memory->allocate(32);
  for (unsigned bit = 0; bit < 128; ++bit) {
    memory->set(buffer.get(), 32, 0xa5);
    memory->flip_bit(buffer.get() + 16 + bit / 8, bit % 8);
    EXPECT_EQ(memory->count_other_than(buffer.get(), 32, 0xa5), 1u) << bit;
  }
}

TEST_F(OnGpu, BytesOtherThanThePoisonAreCounted) {
  const auto buffer = memory->allocate(10'000);
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{16}})
    for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{15}, std::uint64_t{16},
                                      std::uint64_t{6144}, std::uint64_t{9'999 - 16}}) {
      memory->set(buffer.get(), 10'000, 0xa5);
      EXPECT_EQ(memory->count_other_than(buffer.get() + offset, bytes, 0xa5), 0u);
      memory->set(buffer.get() + offset + bytes - 1, 1, 0xa4);
      EXPECT_EQ(memory->count_other_than(buffer.get() + offset, bytes, 0xa5), 1u) << offset << " " << bytes;
      EXPECT_EQ(memory->count_other_than(buffer.get() + offset, bytes, 0x00), bytes);
    }
}

TEST_F(OnGpu, SweepsWriteTheHostsWordsAndFindTheFlippedOne) {
  const auto opened = device();
  const Stretch& stretch = opened->memory().front();
  const std::uint64_t words = small() ? 4096 : 1 << 20;
  std::vector<std::uint64_t> here(words);
  for (const auto& [pattern, name] : memory::pattern_names) {
    const memory::Spec spec{pattern, random(), false};
    (void)opened->sweep({spec, memory::Step::write}, 0);
    check_cuda(cudaMemcpy(here.data(), stretch.at, words * 8, cudaMemcpyDeviceToHost));
    for (std::uint64_t i = 0; i < words; ++i)
      ASSERT_EQ(here[i], memory::word(spec, stretch.first_word + i)) << name << " word " << i;
    const std::uint64_t before = opened->errors().wrong;
    (void)opened->sweep({spec, memory::Step::check_and_invert}, 0);
    (void)opened->sweep({spec.inverse(), memory::Step::check, true}, 0);
    EXPECT_EQ(opened->errors().wrong, before) << name;
  }
  const memory::Spec spec{memory::Pattern::random, 7, false};
  (void)opened->sweep({spec, memory::Step::write}, 1);
  opened->flip_bit(98'765, 42);
  (void)opened->sweep({spec, memory::Step::check_and_invert}, 1);
  opened->look_again();
  ASSERT_EQ(opened->errors().wrong, 1u);
  const memory::Error& error = opened->errors().error[0];
  EXPECT_EQ(error.index, 98'765u);
  EXPECT_EQ(error.expected ^ error.got, std::uint64_t{1} << 42);
  EXPECT_TRUE(error.reread);
  EXPECT_EQ(error.again[2], error.got);
  (void)opened->sweep({spec.inverse(), memory::Step::check, true}, 1);
  EXPECT_EQ(opened->errors().wrong, 1u) << "what the sweep would have written was not written";
}

TEST_F(OnGpu, WordsAreNumberedThroughAllPieces) {
  const auto opened = device();
  std::uint64_t words = 0;
  for (const Stretch& stretch : opened->memory()) {
    EXPECT_EQ(stretch.first_word, words);
    words += stretch.bytes / 8;
  }
}

TEST_F(OnGpu, AGpuIsLookedAtAgainWhileAnotherIsSet) {
  std::vector<std::unique_ptr<GpuDevice>> all;
  const memory::Spec spec{memory::Pattern::random, 7, false};
  for (const auto& one : find_gpus().gpus) {
    all.push_back(open_gpu(one, 60));
    all.back()->take_memory(std::uint64_t{1} << 30);
    (void)all.back()->sweep({spec, memory::Step::write}, 0);
    all.back()->flip_bit(4321, 7);
    (void)all.back()->sweep({spec, memory::Step::check}, 0);
  }
  for (const auto& opened : all) {
    opened->look_again();
    ASSERT_EQ(opened->errors().wrong, 1u);
    EXPECT_EQ(opened->errors().error[0].index, 4321u);
    EXPECT_TRUE(opened->errors().error[0].reread);
  }
}

TEST_F(OnGpu, EverySmComputesTheHostsTiles) {
  const auto opened = device();
  for (const auto& [engine, name] : tile::engine_names) {
    if (engine == tile::Engine::fp8 && !computes_fp8(gpu)) continue;
    const tile::Spec spec{random(), 3, sizes::dealt};
    const TileTable table{"GPU", gpu.sms, opened->tiles(engine, spec, small() ? 2 : 16)};
    const auto findings = judge_tiles(engine, spec, std::vector{table});
    EXPECT_EQ(findings.at(0).status, Status::pass) << name << ": " << findings.at(0).observed;
  }
}

TEST_F(OnGpu, AtomicSumsAreTheHosts) {
  const auto opened = device();
  for (const auto& [spread, name] : atomics::spread_names) {
    atomics::Counters expected{};
    const std::uint64_t threads = small() ? 4096 : 1 << 20;
    atomics::expected(spread, threads, expected);
    const AtomicsRun run = opened->atomic_adds(spread, threads);
    EXPECT_EQ(atomics::differing(run.counters, expected), 0) << name;
  }
}

TEST_F(OnGpu, CopiesArriveAsTheyWereSent) {
  const auto opened = device();
  for (const auto kind : {CopyKind::to_device, CopyKind::to_host, CopyKind::both_ways})
    EXPECT_EQ(opened->copy(kind, small() ? 1 << 20 : 64 << 20, 2).wrong, 0u);
  EXPECT_EQ(opened->copy_differs(opened->memory().front()), 0u);
}

TEST_F(OnGpu, ProductsOfEqualInputsAreEqual) {
  const auto opened = device();
  for (const auto type : {GemmType::bf16, GemmType::fp8}) {
    if (const auto why = opened->gemm_absent(type); !why.empty()) GTEST_SKIP() << why;
    const GemmRun run = opened->gemm(type, small() ? 2 : 20, 1);
    for (const auto& digest : run.digests)
      EXPECT_EQ(digest, run.digests.front());
  }
}

}  // namespace
}  // namespace mlc
