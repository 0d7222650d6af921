#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "bench/gpu/check_gpu.hpp"
#include "bench/gpu/cublaslt.hpp"
#include "bench/gpu/gpu_handles.hpp"
#include "bench/gpu/pinned_memory.hpp"
#include "bench/gpu/sizes.hpp"
#include "bench/handles/cuda.hpp"
#include "kernels/burnin.hpp"
#include "kernels/gemm_data.hpp"

namespace mlc {

namespace {

using SteadyTime = std::chrono::steady_clock;

using sizes::large_piece, sizes::small_piece, sizes::reserve, sizes::workspace;
constexpr std::uint64_t probed_bytes = 4096;
constexpr std::uint64_t fetched_most = 4 << 20;  // of one answer: the digests of 100,000 products

// What copies between host and GPUs carry.
DataSpec copied_data(std::uint64_t seed) {
  return {.dtype = Dtype::uint64,
          .op = pattern::Op::copy,
          .recipe = {.seed = seed, .iteration = 0, .ranks = 1},
          .source = 0};
}

class CudaDevice final : public GpuDevice {
 public:
  CudaDevice(const GpuIdentity& identity, double timeout_s) : identity_(identity), timeout_s_(timeout_s) {
    use();
    check_gpu(cudaFree(nullptr));  // makes the context, here where its failure is understood
    stream_ = gpu_stream(), second_ = gpu_stream();
    // Of the host's memory all that is asked for here: to allocate it may wait for a GPU that hangs.
    tally_ = shared_memory<DeviceTally>(sizeof(DeviceTally));
    sent_ = shared_memory<DeviceTally>(sizeof(DeviceTally));
    fetched_ = shared_memory<std::byte>(fetched_most);
    probed_ = device_memory<std::byte>(probed_bytes);
    probed_here_ = shared_memory<std::byte>(probed_bytes);
    sink_ = device_memory<std::uint64_t>(sizeof(std::uint64_t));
    counters_ = device_memory<atomics::Counters>(sizeof(atomics::Counters));
    log_ = shared_memory<memory::ErrorLog>(sizeof(memory::ErrorLog));
    new (log_.get()) memory::ErrorLog{};
    check_gpu(
        cudaDeviceGetAttribute(&shared_bytes_, cudaDevAttrMaxSharedMemoryPerBlockOptin, identity_.index));
  }

  ~CudaDevice() override {
    if (!one_gpu_hangs()) return;
    for (auto& product : products_)
      (void)product.computes.release();
  }

  const GpuIdentity& identity() const override { return identity_; }
  const std::vector<Stretch>& memory() const override { return stretches_; }
  const memory::ErrorLog& errors() const override { return *log_; }

  std::uint64_t free_bytes() override {
    use();
    std::size_t free = 0, total = 0;
    check_gpu(cudaMemGetInfo(&free, &total));
    return free;
  }

  void take_memory(std::uint64_t most) override {
    use();
    std::uint64_t taken = 0;
    for (const std::uint64_t piece : {large_piece, small_piece})
      while (taken + piece <= most && free_bytes() >= piece + reserve) {
        void* at = nullptr;
        if (const cudaError_t error = cudaMalloc(&at, piece); error == cudaErrorMemoryAllocation) {
          (void)cudaGetLastError();  // not an error here: there is no piece of this size any more
          break;
        } else {
          check_gpu(error);
        }
        pieces_.emplace_back(static_cast<std::byte*>(at));
        stretches_.push_back({pieces_.back().get(), piece, taken / 8});
        taken += piece;
      }
    if (stretches_.empty() || stretches_.front().bytes < large_piece)
      throw GpuError(GpuTrouble::memory, "less than 1 GiB could be allocated");
  }

  std::vector<double> hbm(hbm::Operation operation, std::span<const Stretch> regions, int passes) override {
    return timed(passes, [&] {
      for (const auto& region : regions)
        if (const cudaError_t error =
                launch_hbm(operation, region.at, region.bytes, identity_.sms, sink_.get(), stream_.get());
            error != cudaSuccess)
          return error;
      return cudaSuccess;
    });
  }

  std::uint64_t copy_differs(const Stretch& region) override {
    use();
    const std::uint64_t part = hbm::part_bytes(hbm::Operation::copy, region.bytes);
    check_gpu(launch_sweep({{memory::Pattern::random, region.first_word, false}, memory::Step::write, false},
                           reinterpret_cast<std::uint64_t*>(region.at), part / 8, region.first_word, 0,
                           log_.get(), stream_.get()));
    check_gpu(cudaMemsetAsync(region.at + part, 0, part, stream_.get()));
    check_gpu(
        launch_hbm(hbm::Operation::copy, region.at, region.bytes, identity_.sms, sink_.get(), stream_.get()));
    return counted(stream_.get(), tally_.get(), [&] {
      return launch_compare(region.at, region.at + part, part, identity_.sms, tally_.get(), stream_.get());
    });
  }

  double sweep(const memory::Sweep& sweep, std::uint32_t round) override {
    use();
    last_ = sweep;
    const auto each = [&](const Stretch& stretch) {
      check_gpu(launch_sweep(sweep, reinterpret_cast<std::uint64_t*>(stretch.at), stretch.bytes / 8,
                             stretch.first_word, round, log_.get(), stream_.get()));
    };
    return timed_once([&] {
      if (sweep.down)
        std::for_each(stretches_.rbegin(), stretches_.rend(), each);
      else
        std::for_each(stretches_.begin(), stretches_.end(), each);
    });
  }

  void look_again() override {
    use();
    const unsigned kept = std::min<unsigned>(log_->kept, memory::most_errors);
    for (int attempt = 0; attempt < 3; ++attempt) {
      // A gibibyte at either end of the memory leaves nothing of the errors' lines in 50 MB of cache.
      for (const Stretch* far : {&stretches_.front(), &stretches_.back()})
        check_gpu(
            launch_hbm(hbm::Operation::read, far->at, far->bytes, identity_.sms, sink_.get(), stream_.get()));
      for (const auto& stretch : stretches_)
        check_gpu(launch_reread(reinterpret_cast<const std::uint64_t*>(stretch.at), stretch.bytes / 8,
                                stretch.first_word, attempt, log_.get(), stream_.get()));
    }
    wait(stream_.get());
    for (; looked_ < kept && last_.step == memory::Step::check_and_invert; ++looked_) {
      const memory::Error& error = log_->error[looked_];
      write_word(error.index, ~error.expected);
    }
    looked_ = kept;
  }

  void flip_bit(std::uint64_t word, int bit) override {
    use();
    std::uint64_t value = 0;
    check_gpu(cudaMemcpyAsync(&value, word_at(word), sizeof value, cudaMemcpyDeviceToHost, stream_.get()));
    wait(stream_.get());
    write_word(word, value ^ std::uint64_t{1} << bit);
  }

  // Past what this GPU sends, which may wait for another one with all SMs full of it: by a copy engine.
  void probe(double seconds) override {
    use();
    check_gpu(cudaMemcpyAsync(probed_here_.get(), probed_.get(), probed_bytes, cudaMemcpyDeviceToHost,
                              second_.get()));
    wait(second_.get(), std::min(seconds, timeout_s_));
  }

  void rest(double seconds) override {
    use();
    wait(stream_.get());
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }

  std::vector<tile::Result> tiles(tile::Engine engine, const tile::Spec& spec, int repeats) override {
    use();
    if (engine == tile::Engine::product) return product_tiles(spec, repeats);
    const std::size_t count = static_cast<std::size_t>(repeats) * static_cast<std::size_t>(identity_.sms);
    tile::Result* const results = tile_results(count);
    check_gpu(launch_tiles(engine, spec, repeats, identity_.sms, shared_bytes_, results, stream_.get()));
    wait(stream_.get());
    return {results, results + count};
  }

  std::string gemm_absent(GemmType type) override { return matrix_product_absent(type, identity_); }

  GemmRun gemm(GemmType type, int repeats, std::uint64_t seed) override {
    use();
    constexpr std::uint64_t elements = static_cast<std::uint64_t>(gemm_size) * gemm_size;
    const int width = type == GemmType::bf16 ? 2 : 1;
    auto& product = products_[type == GemmType::bf16 ? 0 : 1];
    if (!product.computes) {
      product.workspace = device_memory<std::byte>(workspace);
      product.computes = make_matrix_product(type, gemm_size, product.workspace.get(), workspace);
    }
    std::byte* const a = piece(3 * elements * 2);
    std::byte* const b = a + elements * 2;
    std::byte* const d = b + elements * 2;
    check_gpu(launch_gemm_input(a, elements, width, seed, stream_.get()));
    check_gpu(launch_gemm_input(b, elements, width, seed + 1, stream_.get()));
    // Digests stay on the GPU until the end: a copy in between would let it rest.
    const auto digests =
        device_memory<tile::Digest>(sizeof(tile::Digest) * static_cast<std::size_t>(repeats));
    check_gpu(cudaMemsetAsync(digests.get(), 0, sizeof(tile::Digest) * static_cast<std::size_t>(repeats),
                              stream_.get()));
    std::vector<GpuEvent> begin, end;
    for (int i = 0; i < repeats; ++i) {
      begin.push_back(gpu_event()), end.push_back(gpu_event());
      check_gpu(cudaEventRecord(begin.back().get(), stream_.get()));
      product.computes->run(a, b, d, stream_.get());
      check_gpu(cudaEventRecord(end.back().get(), stream_.get()));
      check_gpu(launch_digest(reinterpret_cast<const std::uint64_t*>(d), elements / 4, digests.get() + i,
                              stream_.get()));
    }
    wait(stream_.get());
    GemmRun run;
    run.digests = fetched(digests.get(), static_cast<std::size_t>(repeats));
    for (int i = 0; i < repeats; ++i)
      run.seconds.push_back(between(begin[static_cast<std::size_t>(i)], end[static_cast<std::size_t>(i)]));
    return run;
  }

  CopyRun copy(CopyKind kind, std::uint64_t bytes, int repeats) override {
    use();
    std::byte* const arriving = piece(2 * bytes);
    std::byte* const leaving = arriving + bytes;
    if (!host_) {
      host_ = pinned_memory(2 * bytes, identity_.numa_node);
      fill(host_.get(), bytes / 8, copied_data(1));
    }
    std::byte* const sent = host_.get();
    std::byte* const received = host_.get() + bytes;
    const bool down = kind != CopyKind::to_host, up = kind != CopyKind::to_device;
    if (up) {
      check_gpu(launch_fill(leaving, bytes / 8, copied_data(2), stream_.get()));
      std::memset(received, 0xff, bytes);
    }
    if (down) check_gpu(cudaMemsetAsync(arriving, 0xff, bytes, stream_.get()));
    wait(stream_.get());
    CopyRun run;
    for (int i = 0; i < repeats; ++i) {
      const GpuEvent begin = gpu_event(), end = gpu_event(), joined = gpu_event();
      check_gpu(cudaEventRecord(begin.get(), stream_.get()));
      check_gpu(cudaStreamWaitEvent(second_.get(), begin.get(), 0));
      if (down) check_gpu(cudaMemcpyAsync(arriving, sent, bytes, cudaMemcpyHostToDevice, stream_.get()));
      if (up) check_gpu(cudaMemcpyAsync(received, leaving, bytes, cudaMemcpyDeviceToHost, second_.get()));
      // Both directions count as done when the later one is.
      check_gpu(cudaEventRecord(joined.get(), second_.get()));
      check_gpu(cudaStreamWaitEvent(stream_.get(), joined.get(), 0));
      check_gpu(cudaEventRecord(end.get(), stream_.get()));
      wait(stream_.get());
      run.seconds.push_back(between(begin, end));
    }
    if (down)
      run.wrong += 8 * counted(stream_.get(), tally_.get(), [&] {
                     return launch_verify(arriving, bytes / 8, copied_data(1), tally_.get(), stream_.get());
                   });
    if (up) run.wrong += 8 * verify(received, bytes / 8, copied_data(2)).wrong;
    return run;
  }

  bool reaches(const GpuDevice& peer) override {
    int can = 0;
    check_gpu(cudaDeviceCanAccessPeer(&can, identity_.index, peer.identity().index));
    return can != 0;
  }

  // Bytes go from this GPU to the peer, but for sm_read, where this GPU's SMs fetch them from the peer.
  CopyRun copy_to(GpuDevice& other, PeerKind kind, std::uint64_t bytes, int repeats) override {
    auto& peer = static_cast<CudaDevice&>(other);
    const bool fetch = kind == PeerKind::sm_read;
    CudaDevice &from = fetch ? peer : *this, &to = fetch ? *this : peer;
    std::byte* const source = from.piece(2 * bytes);
    std::byte* const target = to.piece(2 * bytes) + bytes;
    // Handles of this call's own on both GPUs: the other GPU's thread may be using its own at the same time.
    const auto seed = 100 + static_cast<std::uint64_t>(from.identity_.index);
    GpuStream filling, checking;
    from.alone([&] {
      filling = gpu_stream();
      check_gpu(launch_fill(source, bytes / 8, copied_data(seed), filling.get()));
      wait(filling.get());
    });
    to.alone([&] {
      checking = gpu_stream();
      check_gpu(cudaMemsetAsync(target, 0xff, bytes, checking.get()));
      wait(checking.get());
    });
    use();
    if (const cudaError_t error = cudaDeviceEnablePeerAccess(peer.identity_.index, 0);
        error != cudaErrorPeerAccessAlreadyEnabled)
      check_gpu(error);
    else
      (void)cudaGetLastError();
    CopyRun run;
    run.seconds = timed(repeats, [&] {
      return kind == PeerKind::copy_engine
                 ? cudaMemcpyPeerAsync(target, to.identity_.index, source, from.identity_.index, bytes,
                                       stream_.get())
                 : launch_sm_copy(target, source, bytes, identity_.sms, stream_.get());
    });
    to.alone([&] {
      run.wrong = 8 * counted(checking.get(), sent_.get(), [&] {
                    return launch_verify(target, bytes / 8, copied_data(seed), sent_.get(), checking.get());
                  });
    });
    return run;
  }

  std::vector<double> launches(LaunchKind kind, int repeats) override {
    use();
    constexpr int batch = 100;
    std::vector<double> seconds;
    if (kind == LaunchKind::latency) {
      for (int i = 0; i < repeats; ++i) {
        const auto start = SteadyTime::now();
        check_gpu(launch_nothing(stream_.get()));
        while (cudaStreamQuery(stream_.get()) == cudaErrorNotReady)
          if (std::chrono::duration<double>(SteadyTime::now() - start).count() > timeout_s_)
            wait(stream_.get());
        seconds.push_back(std::chrono::duration<double>(SteadyTime::now() - start).count());
      }
      check_gpu(cudaStreamQuery(stream_.get()));
      return seconds;
    }
    GpuGraphExecution replay;
    if (kind == LaunchKind::graph) {
      check_gpu(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal));
      for (int i = 0; i < batch; ++i)
        check_gpu(launch_nothing(stream_.get()));
      cudaGraph_t captured = nullptr;
      check_gpu(cudaStreamEndCapture(stream_.get(), &captured));
      const GpuGraph graph(captured);
      cudaGraphExec_t execution = nullptr;
      check_gpu(cudaGraphInstantiate(&execution, graph.get(), 0));
      replay.reset(execution);
    }
    for (double s : timed(std::max(1, repeats / batch), [&] {
           if (replay) return cudaGraphLaunch(replay.get(), stream_.get());
           for (int i = 1; i < batch; ++i)
             check_gpu(launch_nothing(stream_.get()));
           return launch_nothing(stream_.get());
         }))
      seconds.push_back(s / batch);
    return seconds;
  }

  AtomicsRun atomic_adds(atomics::Spread spread, std::uint64_t threads) override {
    use();
    check_gpu(cudaMemsetAsync(counters_.get(), 0, sizeof(atomics::Counters), stream_.get()));
    // So short that the way of the launch to the GPU would be most of it: the stream has something to do
    // until then.
    const Stretch& ahead = stretches_.front();
    check_gpu(
        launch_hbm(hbm::Operation::read, ahead.at, ahead.bytes, identity_.sms, sink_.get(), stream_.get()));
    AtomicsRun run;
    run.seconds =
        timed_once([&] { check_gpu(launch_atomics(spread, threads, counters_.get(), stream_.get())); });
    run.counters = fetched(counters_.get(), 1).front();
    return run;
  }

 private:
  void use() const { check_gpu(cudaSetDevice(identity_.index)); }

  // Work of this GPU in what it does together with another.
  template <class Work>
  void alone(Work&& work) const try {
    use();
    work();
  } catch (GpuError& error) {
    error.of_gpu = identity_.index;
    throw;
  }

  std::vector<tile::Result> product_tiles(const tile::Spec& spec, int repeats) {
    const auto tiles =
        static_cast<std::size_t>(spec.product.side) * static_cast<std::size_t>(spec.product.side);
    const std::uint64_t bytes = std::uint64_t{2} * tile::rows *
                                static_cast<std::uint64_t>(spec.product.side) *
                                static_cast<std::uint64_t>(spec.product.depth);
    std::byte* const a = piece(2 * bytes);
    std::byte* const b = a + bytes;
    tile::Result* const results = tile_results(static_cast<std::size_t>(repeats) * tiles);
    check_gpu(launch_product_inputs(spec, a, b, stream_.get()));
    for (int i = 0; i < repeats; ++i)
      check_gpu(launch_product_tiles(spec.product, dealt_++, a, b,
                                     results + static_cast<std::size_t>(i) * tiles, stream_.get()));
    wait(stream_.get());
    return {results, results + static_cast<std::size_t>(repeats) * tiles};
  }

  // Zero, and seen by both sides.
  tile::Result* tile_results(std::size_t count) const {
    const std::uint64_t bytes = count * sizeof(tile::Result);
    expect_room(bytes);
    std::memset(fetched_.get(), 0, bytes);
    return reinterpret_cast<tile::Result*>(fetched_.get());
  }

  static void expect_room(std::uint64_t bytes) {
    if (bytes > fetched_most) throw GpuError(GpuTrouble::other, "too much at once for the host's buffer");
  }

  // Never cudaStreamSynchronize: it does not come back from a GPU that hangs.
  void wait(cudaStream_t stream) const { wait(stream, timeout_s_); }
  static void wait(cudaStream_t stream, double most_s) {
    const auto start = SteadyTime::now();
    for (;;) {
      const cudaError_t state = cudaStreamQuery(stream);
      if (state == cudaSuccess) return;
      if (state != cudaErrorNotReady) check_gpu(state);
      if (std::chrono::duration<double>(SteadyTime::now() - start).count() > most_s) {
        note_hang();
        throw GpuError(GpuTrouble::hung,
                       "work did not end within " + std::to_string(static_cast<int>(most_s)) + " s");
      }
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  static double between(const GpuEvent& begin, const GpuEvent& end) {
    float milliseconds = 0;
    check_gpu(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()));
    return milliseconds / 1e3;
  }

  // Seconds of each of `repeats` launches, back to back. One more goes before them: the stream is then never
  // empty, and no launch's latency is measured.
  template <class Launch>
  std::vector<double> timed(int repeats, Launch&& launch) {
    use();
    check_gpu(launch());
    std::vector<GpuEvent> events;
    for (int i = 0; i <= repeats; ++i)
      events.push_back(gpu_event());
    check_gpu(cudaEventRecord(events.front().get(), stream_.get()));
    for (int i = 1; i <= repeats; ++i) {
      check_gpu(launch());
      check_gpu(cudaEventRecord(events[static_cast<std::size_t>(i)].get(), stream_.get()));
    }
    wait(stream_.get());
    std::vector<double> seconds;
    for (std::size_t i = 1; i < events.size(); ++i)
      seconds.push_back(between(events[i - 1], events[i]));
    return seconds;
  }

  template <class Work>
  double timed_once(Work&& work) {
    const GpuEvent begin = gpu_event(), end = gpu_event();
    check_gpu(cudaEventRecord(begin.get(), stream_.get()));
    work();
    check_gpu(cudaEventRecord(end.get(), stream_.get()));
    wait(stream_.get());
    return between(begin, end);
  }

  // `tally` is in memory that both sides see: a copy of it to the host's own would wait for a GPU that hangs.
  template <class Launch>
  std::uint64_t counted(cudaStream_t stream, DeviceTally* tally, Launch&& launch) const {
    *tally = {0, ~0ull};
    check_gpu(launch());
    wait(stream);
    return tally->wrong;
  }

  // Of the GPU's memory, once the stream has come there.
  template <class T>
  std::vector<T> fetched(const T* from, std::size_t count) const {
    const std::uint64_t bytes = count * sizeof(T);
    expect_room(bytes);
    check_gpu(cudaMemcpyAsync(fetched_.get(), from, bytes, cudaMemcpyDeviceToHost, stream_.get()));
    wait(stream_.get());
    std::vector<T> here(count);
    std::memcpy(here.data(), fetched_.get(), bytes);
    return here;
  }

  // cudaMemcpy would be on another stream, and come back when the word is staged: the next sweep need not see
  // it.
  void write_word(std::uint64_t word, std::uint64_t value) const {
    check_gpu(cudaMemcpyAsync(word_at(word), &value, sizeof value, cudaMemcpyHostToDevice, stream_.get()));
    wait(stream_.get());
  }

  std::byte* word_at(std::uint64_t word) const {
    for (const auto& stretch : stretches_)
      if (word >= stretch.first_word && word - stretch.first_word < stretch.bytes / 8)
        return stretch.at + (word - stretch.first_word) * 8;
    throw GpuError(GpuTrouble::other, "word " + std::to_string(word) + " is beyond the memory under test");
  }

  // Part of the memory under test, for tests that need less: it is not under test while they run.
  std::byte* piece(std::uint64_t bytes) const {
    if (stretches_.empty() || stretches_.front().bytes < bytes)
      throw GpuError(GpuTrouble::memory, std::to_string(bytes) + " bytes in one piece are needed");
    return stretches_.front().at;
  }

  struct Product {
    DeviceMemory<std::byte> workspace;
    std::unique_ptr<MatrixProduct> computes;
  };

  GpuIdentity identity_;
  double timeout_s_;
  GpuStream stream_, second_;
  PinnedMemory<DeviceTally> tally_, sent_;  // of what is on this GPU; of what this one sent to another
  PinnedMemory<std::byte> fetched_;
  DeviceMemory<std::byte> probed_;  // nothing else is done with either
  PinnedMemory<std::byte> probed_here_;
  DeviceMemory<std::uint64_t> sink_;
  DeviceMemory<atomics::Counters> counters_;
  PinnedMemory<memory::ErrorLog> log_;
  std::vector<DeviceMemory<std::byte>> pieces_;
  std::vector<Stretch> stretches_;
  memory::Sweep last_;
  unsigned looked_ = 0;
  int shared_bytes_ = 0;
  std::uint32_t dealt_ = 0;  // launches of the matrix product
  std::array<Product, 2> products_;
  std::shared_ptr<std::byte> host_;
};

}  // namespace

std::unique_ptr<GpuDevice> open_gpu(const GpuIdentity& gpu, double timeout_s) {
  return std::make_unique<CudaDevice>(gpu, timeout_s);
}

}  // namespace mlc
