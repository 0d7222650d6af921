// The emulated NCCL itself: what the real one would refuse, or not survive, ends with its name. One rank is
// enough for that; collectives_test.py has more.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <nccl.h>

#include <cstdlib>
#include <vector>

#include "tests/gpu/emulation/failure.hpp"

namespace {

template <class Statement>
void ends_with(const char* words, Statement&& statement) {
  EXPECT_EXIT(statement(), ::testing::ExitedWithCode(emulation::failure_code), words);
}

class Nccl : public ::testing::Test {
 protected:
  void SetUp() override {
    ::testing::GTEST_FLAG(death_test_style) = "fast";
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(ncclMemAlloc(&data, bytes), ncclSuccess);
    ncclUniqueId id{};
    ASSERT_EQ(ncclGetUniqueId(&id), ncclSuccess);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ASSERT_EQ(ncclCommInitRankConfig(&comm, 1, id, 0, &config), ncclInProgress);
  }
  void TearDown() override {
    (void)ncclCommAbort(comm);
    (void)cudaStreamSynchronize(stream);
    (void)cudaStreamDestroy(stream);
    (void)ncclMemFree(data);
  }
  ncclResult_t settled() {
    ncclResult_t state = ncclInProgress;
    while (state == ncclInProgress)
      EXPECT_EQ(ncclCommGetAsyncError(comm, &state), ncclSuccess);
    return state;
  }
  ncclResult_t reduce(std::size_t count = 16) {
    return ncclAllReduce(data, data, count, ncclInt32, ncclSum, comm, stream);
  }
  static constexpr std::size_t bytes = 4096;
  cudaStream_t stream = nullptr;
  void* data = nullptr;
  ncclComm_t comm = nullptr;
};

TEST_F(Nccl, ACallWaitsForTheOneBefore) {
  ends_with("call while in progress: ncclAllReduce", [&] { (void)reduce(); });
  ASSERT_EQ(settled(), ncclSuccess);
  EXPECT_EQ(reduce(), ncclInProgress);
  ends_with("call while in progress: ncclAllReduce", [&] { (void)reduce(); });
  ends_with("call while in progress: ncclCommDestroy", [&] { (void)ncclCommDestroy(comm); });
  EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess) << "nothing is on the stream before it is settled";
  ASSERT_EQ(settled(), ncclSuccess);
  EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
}

TEST_F(Nccl, NothingIsCalledAfterTheEnd) {
  ASSERT_EQ(settled(), ncclSuccess);
  ends_with("call after abort: ncclAllReduce", [&] { (void)ncclCommAbort(comm), (void)reduce(); });
  ends_with("call after abort: ncclCommGetAsyncError", [&] { (void)ncclCommAbort(comm), (void)settled(); });
  ends_with("call after destroy: ncclCommAbort", [&] {
    (void)ncclCommFinalize(comm), (void)settled();
    (void)ncclCommDestroy(comm), (void)ncclCommAbort(comm);
  });
  ends_with("call after finalize: ncclAllReduce",
            [&] { (void)ncclCommFinalize(comm), (void)settled(), (void)reduce(); });
}

TEST_F(Nccl, WhatIsGivenMustBeTheGpusAndLargeEnough) {
  ASSERT_EQ(settled(), ncclSuccess);
  ends_with("out of bounds: NCCL was given 4100 bytes", [&] { (void)reduce(bytes / 4 + 1); });
  std::vector<int> here(16);
  ends_with("host memory in a kernel",
            [&] { (void)ncclAllReduce(here.data(), data, 16, ncclInt32, ncclSum, comm, stream); });
  ends_with("wrong GPU", [&] { (void)cudaSetDevice(1), (void)reduce(); });
  EXPECT_EQ(ncclBroadcast(data, data, 1, ncclInt32, 1, comm, stream), ncclInvalidArgument);
}

TEST_F(Nccl, SendsAndReceivesAreInPairs) {
  ASSERT_EQ(settled(), ncclSuccess);
  auto* const half = static_cast<char*>(data) + bytes / 2;
  const auto pair = [&](std::size_t sent, std::size_t received) {
    (void)ncclGroupStart();
    if (sent > 0) (void)ncclSend(data, sent, ncclInt8, 0, comm, stream);
    (void)ncclRecv(half, received, ncclInt8, 0, comm, stream);
    (void)ncclGroupEnd(), (void)settled(), (void)cudaStreamSynchronize(stream);
  };
  ends_with("receive without a send", [&] { pair(0, 5); });
  ends_with("ranks disagree: rank 0 sends 6 bytes, rank 0 receives 5", [&] { pair(6, 5); });
  ends_with("group: ncclGroupEnd", [&] { (void)ncclGroupEnd(); });
  pair(5, 5);
}

TEST_F(Nccl, WhatIsLeftIsNamed) {
  ASSERT_EQ(settled(), ncclSuccess);
  void* handle = nullptr;
  ASSERT_EQ(ncclCommRegister(comm, data, bytes, &handle), ncclSuccess);
  ends_with("leak: a communicator is destroyed while buffers are registered",
            [&] { (void)ncclCommFinalize(comm), (void)settled(), (void)ncclCommDestroy(comm); });
  ends_with("leak: a communicator was neither destroyed nor aborted", [&] { std::exit(0); });
  ASSERT_EQ(ncclCommDeregister(comm, handle), ncclSuccess);
}

}  // namespace
