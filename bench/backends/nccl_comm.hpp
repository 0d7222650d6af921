// A communicator of NCCL's, from its making to its end: what may wait for a peer is waited for with a
// deadline.
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "bench/backends/nccl_library.hpp"
#include "bench/handles/error.hpp"

namespace mlc {

// Not blocking, every call may return ncclInProgress and is then polled, so that a peer that never comes ends
// in an error after the deadline and not in a hang. Blocking is what training has: without it, each operation
// costs a thread of NCCL's own. What hangs in a blocking call is the watch's to end.
class NcclComm {
 public:
  // `last_words`: what is wrong, where the abort that follows it does not come back; it ends the process.
  NcclComm(double timeout_s, std::function<void(const std::string&)> last_words)
      : timeout_s_(timeout_s), last_words_(std::move(last_words)) {}
  NcclComm(const NcclComm&) = delete;
  ~NcclComm() {
    if (comm_ == nullptr) return;
    // Finalising waits for the peers; while an error is being thrown they may be gone, and abort is the way
    // out.
    if (std::uncaught_exceptions() == 0 && nccl().finalize(comm_) != ncclSystemError) {
      ncclResult_t state = ncclInProgress;
      const auto start = std::chrono::steady_clock::now();
      while (nccl().async_error(comm_, &state) == ncclSuccess && state == ncclInProgress &&
             std::chrono::steady_clock::now() - start < std::chrono::seconds(10))
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      (void)nccl().destroy(comm_);
    } else {
      (void)aborted();
    }
  }

  // `work`: the stream of its operations.
  void initialise(int ranks, int rank, const ncclUniqueId& id, bool blocking, cudaStream_t work = nullptr) {
    work_ = work;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = blocking ? 1 : 0;
    settle(nccl().init(&comm_, ranks, id, rank, &config), "ncclCommInitRankConfig");
  }

  ncclComm_t get() const { return comm_; }  // null once it was aborted

  // Waits until the communicator has taken what was asked of it.
  void settle(ncclResult_t result, const char* call) {
    const auto start = std::chrono::steady_clock::now();
    while (result == ncclInProgress) {
      if (std::chrono::steady_clock::now() - start > std::chrono::duration<double>(timeout_s_))
        fail(ncclInProgress, call);
      if (nccl().async_error(comm_, &result) != ncclSuccess) fail(ncclInternalError, call);
    }
    if (result != ncclSuccess) fail(result, call);
  }

  // An error that a peer or the network caused after the call had returned.
  void check_async(const char* call) {
    ncclResult_t state = ncclSuccess;
    if (nccl().async_error(comm_, &state) != ncclSuccess || (state != ncclSuccess && state != ncclInProgress))
      fail(state, call);
  }

 private:
  // Whether it came back: NCCL may wait for what it cannot end.
  bool aborted() {
    std::packaged_task<void()> abort([comm = std::exchange(comm_, nullptr)] { (void)nccl().abort(comm); });
    auto done = abort.get_future();
    std::thread(std::move(abort)).detach();
    return done.wait_for(longest_wait()) == std::future_status::ready;
  }

  // Aborts: what waits for a peer on the stream never ends otherwise, and memory that it works on cannot be
  // freed before.
  [[noreturn]] void fail(ncclResult_t result, const char* call) {
    const char* last = nccl().last_error(comm_);
    const std::string what =
        std::string("nccl: ") + call + ": " +
        (result == ncclInProgress ? "no answer within the deadline" : nccl().error_string(result)) +
        (last != nullptr && *last != '\0' ? std::string("; ") + last : "");
    if (!aborted() && last_words_) last_words_(what + " (and ncclCommAbort does not come back)");
    if (!drained() && last_words_) last_words_(what + " (and the GPU does not come to the end of its work)");
    // What NCCL could not do, the GPU may have refused it.
    if (const cudaError_t state = work_ == nullptr ? cudaGetLastError() : cudaStreamQuery(work_);
        result == ncclUnhandledCudaError && state != cudaSuccess && state != cudaErrorNotReady)
      throw CudaError(cudaGetErrorName(state), what + ": " + cudaGetErrorString(state));
    throw BackendError(what, result == ncclInProgress ? not_answered : "");
  }

  // Whether nothing works on the buffers any more.
  bool drained() const {
    const auto start = std::chrono::steady_clock::now();
    while (work_ != nullptr && cudaStreamQuery(work_) == cudaErrorNotReady) {
      if (std::chrono::steady_clock::now() - start > longest_wait()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  // Well before the watch, which knows nothing of the cause, ends the process.
  std::chrono::duration<double> longest_wait() const {
    return std::chrono::duration<double>(std::min(longest_abort_s, timeout_s_ / 4));
  }
  static constexpr double longest_abort_s = 5;
  static constexpr auto not_answered =
      "all ranks wait here for each other, so that any of them, or the way to it, may be what does not "
      "answer: "
      "mlc-bench validate on each node; NCCL_DEBUG=INFO says how far each came";
  double timeout_s_;
  std::function<void(const std::string&)> last_words_;
  cudaStream_t work_ = nullptr;
  ncclComm_t comm_ = nullptr;
};

}  // namespace mlc
