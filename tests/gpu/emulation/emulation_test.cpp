// The emulation itself: what is right works whatever the order, and what is wrong ends with its name.
#include <cuda_runtime_api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/kernels_of_tests.hpp"

namespace {

// Of a process of its own.
template <class Statement>
void ends_with(const char* words, Statement&& statement) {
  EXPECT_EXIT(statement(), ::testing::ExitedWithCode(emulation::failure_code), words);
}

template <class T>
T* on_gpu(std::size_t count) {
  T* at = nullptr;
  EXPECT_EQ(cudaMalloc(&at, count * sizeof(T)), cudaSuccess);
  return at;
}

cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  return stream;
}

class Emulation : public ::testing::Test {
 protected:
  void SetUp() override { ::testing::GTEST_FLAG(death_test_style) = "fast"; }
  void TearDown() override {
    (void)cudaStreamDestroy(stream);
    (void)cudaSetDevice(0);
  }
  void wait() { ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess); }
  std::vector<int> reversed(bool synchronises) {
    std::vector<int> values(256);
    for (int i = 0; i < 256; ++i)
      values[static_cast<std::size_t>(i)] = i;
    int* const data = on_gpu<int>(values.size());
    EXPECT_EQ(cudaMemcpyAsync(data, values.data(), 1024, cudaMemcpyHostToDevice, stream), cudaSuccess);
    launch_reverse(data, 256, synchronises, stream);
    EXPECT_EQ(cudaMemcpyAsync(values.data(), data, 1024, cudaMemcpyDeviceToHost, stream), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(cudaFree(data), cudaSuccess);
    return values;
  }
  cudaStream_t stream = new_stream();
};

TEST_F(Emulation, ABarrierOrdersThreadsAndWithoutItTheyAreWrong) {
  const auto right = reversed(true);
  for (int i = 0; i < 256; ++i)
    EXPECT_EQ(right[static_cast<std::size_t>(i)], 255 - i);
  EXPECT_NE(reversed(false), right);
}

TEST_F(Emulation, AWarpSumsOverItsLanes) {
  unsigned* const sums = on_gpu<unsigned>(3);
  launch_sum_of_warp(sums, 96, 32, stream);
  std::vector<unsigned> here(3);
  ASSERT_EQ(cudaMemcpyAsync(here.data(), sums, 12, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  wait();
  EXPECT_THAT(here, ::testing::ElementsAre(496u, 496u + 1024u, 496u + 2048u));
  ASSERT_EQ(cudaFree(sums), cudaSuccess);
}

TEST_F(Emulation, ThreadsRunInAnotherOrderEveryTime) {
  constexpr unsigned blocks = 3, threads = 64 * blocks;
  unsigned* const order = on_gpu<unsigned>(threads);
  unsigned* const next = on_gpu<unsigned>(1);
  std::vector<std::vector<unsigned>> orders;
  for (int launch = 0; launch < 2; ++launch) {
    std::vector<unsigned> here(threads);
    ASSERT_EQ(cudaMemsetAsync(next, 0, sizeof *next, stream), cudaSuccess);
    launch_order_of_threads(order, next, blocks, stream);
    ASSERT_EQ(cudaMemcpyAsync(here.data(), order, threads * sizeof(unsigned), cudaMemcpyDeviceToHost, stream),
              cudaSuccess);
    wait();
    orders.push_back(here);
    std::ranges::sort(here);
    for (unsigned i = 0; i < threads; ++i)
      ASSERT_EQ(here[i], i);
  }
  EXPECT_NE(orders[0], orders[1]);
  ASSERT_EQ(cudaFree(order), cudaSuccess);
  ASSERT_EQ(cudaFree(next), cudaSuccess);
}

TEST_F(Emulation, ThreadsThatWaitForNobodyAreNamed) {
  ends_with("barrier after threads left", [&] { launch_leaves_before_the_barrier(stream), wait(); });
  ends_with("barriers differ", [&] { launch_waits_in_two_places(stream), wait(); });
  unsigned* const sums = on_gpu<unsigned>(3);
  ends_with("shuffle after lanes left", [&] { launch_sum_of_warp(sums, 64, 30, stream), wait(); });
  ASSERT_EQ(cudaFree(sums), cudaSuccess);
}

TEST_F(Emulation, WhatLiesOutsideAnAllocationIsNamed) {
  char* const data = on_gpu<char>(1000);
  char* const other = on_gpu<char>(4096);
  ends_with("out of bounds: kernel writes_at", [&] { launch_writes_at(data, 1024, stream), wait(); });
  ends_with("out of bounds: kernel reads_at", [&] { launch_reads_at(data, 5000, other, stream), wait(); });
  ends_with("out of bounds: something wrote just beside GPU 0's allocation of 1000 bytes", [&] {
    launch_writes_at(data, 1001, stream), wait();
    (void)cudaFree(data);
  });
  ends_with("memory that was not given", [&] { launch_writes_at(data, other - data, stream), wait(); });
  ends_with("behind its shared memory of 100 bytes",
            [&] { launch_writes_behind_shared(100, stream), wait(); });
  char here = 0;
  ends_with("out of bounds: a copy of 2 bytes",
            [&] { (void)cudaMemcpy(data + 999, &here, 2, cudaMemcpyHostToDevice); });
  ASSERT_EQ(cudaFree(data), cudaSuccess);
  ASSERT_EQ(cudaFree(other), cudaSuccess);
}

TEST_F(Emulation, TheHostDoesNotTouchAGpusMemory) {
  char* const data = on_gpu<char>(1000);
  ends_with("host access to device memory: GPU 0's allocation of 1000 bytes, 3 bytes", [&] { data[3] = 1; });
  char here = 0;
  ends_with("host memory in a kernel", [&] { launch_writes_at(&here, 0, stream); });
  EXPECT_EQ(cudaMemcpy(data, &here, 1, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  ASSERT_EQ(cudaFree(data), cudaSuccess);
}

TEST_F(Emulation, NothingIsThereBeforeTheWait) {
  char* const data = on_gpu<char>(64);
  std::vector<char> here(64, 5);
  ASSERT_EQ(cudaMemsetAsync(data, 7, 64, stream), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(here.data(), data, 64, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
  EXPECT_THAT(here, ::testing::Not(::testing::Contains(char{7})));
  wait();
  EXPECT_THAT(here, ::testing::Each(char{7}));
  void* pinned = nullptr;
  ASSERT_EQ(cudaHostAlloc(&pinned, 4096, 0), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(pinned, data, 64, cudaMemcpyDeviceToHost, stream), cudaSuccess);
  ends_with("unsynchronised memory: the host touched the pinned host memory",
            [&] { static_cast<char*>(pinned)[0] = 1; });
  wait();
  EXPECT_EQ(static_cast<char*>(pinned)[63], 7);
  ASSERT_EQ(cudaFreeHost(pinned), cudaSuccess);
  ASSERT_EQ(cudaFree(data), cudaSuccess);
}

TEST_F(Emulation, StreamsThatShareMemoryMustBeOrdered) {
  char* const data = on_gpu<char>(64);
  cudaStream_t other = new_stream();
  ASSERT_EQ(cudaMemsetAsync(data, 7, 64, stream), cudaSuccess);
  ends_with("unordered streams: kernel writes_at touches memory that a fill",
            [&] { launch_writes_at(data, 0, other); });
  ASSERT_EQ(cudaMemsetAsync(data, 0, 0, other), cudaSuccess);
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(event, stream), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(other, event), cudaSuccess);
  launch_writes_at(data, 0, other);
  ASSERT_EQ(cudaStreamSynchronize(other), cudaSuccess);
  char here[2] = {};
  ASSERT_EQ(cudaMemcpy(here, data, 2, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(here[0], 1);
  EXPECT_EQ(here[1], 7);
  // A copy out of pageable memory has been staged when the call returns, no more.
  ASSERT_EQ(cudaMemcpy(data, here, 2, cudaMemcpyHostToDevice), cudaSuccess);
  ends_with("unordered streams", [&] { launch_writes_at(data, 0, stream); });
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  ASSERT_EQ(cudaEventDestroy(event), cudaSuccess);
  ASSERT_EQ(cudaStreamDestroy(other), cudaSuccess);
  ASSERT_EQ(cudaFree(data), cudaSuccess);
}

TEST_F(Emulation, GpusAreApart) {
  char* const mine = on_gpu<char>(64);
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  ends_with("wrong stream: kernel writes_at", [&] { launch_writes_at(mine, 0, stream); });
  cudaStream_t there = new_stream();
  ends_with("no peer access", [&] { launch_writes_at(mine, 0, there); });
  ASSERT_EQ(cudaDeviceEnablePeerAccess(0, 0), cudaSuccess);
  EXPECT_EQ(cudaDeviceEnablePeerAccess(0, 0), cudaErrorPeerAccessAlreadyEnabled);
  launch_writes_at(mine, 5, there);
  ASSERT_EQ(cudaStreamSynchronize(there), cudaSuccess);
  char here = 0;
  ASSERT_EQ(cudaMemcpy(&here, mine + 5, 1, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(here, 1);
  ASSERT_EQ(cudaStreamDestroy(there), cudaSuccess);
  ASSERT_EQ(cudaFree(mine), cudaSuccess);
}

TEST_F(Emulation, WhatIsLeftAtTheEndIsNamed) {
  ends_with("leak: GPU 0's allocation of 77 bytes", [&] {
    (void)cudaStreamDestroy(stream);
    (void)on_gpu<char>(77);
    std::exit(0);
  });
  ends_with("leak: 1 streams", [&] { std::exit(0); });
}

TEST_F(Emulation, LaunchesThatHardwareRefusesAreRefused) {
  launch_of_shape(0, 32, 0, stream);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  launch_of_shape(1, 1025, 0, stream);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  launch_of_shape(1, 32, 64 << 10, stream);  // more than 48 KiB are asked for first
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

TEST_F(Emulation, MemoryIsBounded) {
  void* at = nullptr;
  EXPECT_EQ(cudaMalloc(&at, std::size_t{1} << 40), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
}

}  // namespace
