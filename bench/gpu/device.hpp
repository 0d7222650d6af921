// One GPU as the burn-in's tests see it: what they do to it, not how. cuda_device.cpp does it on silicon; the
// tests' fake runs the same data and checks on host memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/gpu/sizes.hpp"
#include "kernels/atomics.hpp"
#include "kernels/hbm.hpp"
#include "kernels/memory_pattern.hpp"
#include "kernels/tile.hpp"

namespace mlc {

enum class GpuTrouble {
  lost,           // it does not answer any more
  uncorrectable,  // an ECC error that could not be corrected ended its context
  memory,         // an allocation failed
  taken,          // another process holds it exclusively
  fabric,         // NVLink or NVSwitch is not ready or failed
  hung,           // work did not end within the deadline
  held,           // its work waits for another GPU that hangs
  other,
};

// A GPU cannot go on. what() names the call and the driver's words.
struct GpuError : std::runtime_error {
  GpuError(GpuTrouble kind, const std::string& what) : std::runtime_error(what), trouble(kind) {}
  GpuTrouble trouble;
  // Where one that two GPUs took part in failed in the work of one of them alone: its index.
  std::optional<int> of_gpu;
};

// By the name of CUDA's error code ("cudaErrorECCUncorrectable").
GpuTrouble trouble_of(std::string_view cuda_error_name);

struct TroubleText {
  bool proves = true;  // that the GPU is at fault, and not who uses it
  std::string what;    // "uncorrectable ECC error"; empty: nothing is known but the driver's words
  std::string remedy;  // what to do next
};
TroubleText text_of(GpuTrouble trouble);

struct GpuIdentity {
  int index = 0;                // CUDA's, of this process
  std::string name, uuid, pci;  // pci as in sysfs: "0000:1b:00.0"
  int major = 0, minor = 0, sms = 0;
  std::uint64_t memory_bytes = 0, l2_bytes = 0;
  double memory_clock_hz = 0;
  int bus_width_bits = 0;
  int numa_node = -1;  // of the host, that its PCIe link is at; -1: not known
};

std::string gpu_text(const GpuIdentity& gpu);  // "GPU 3 (0000:1b:00.0)"

// Compute capability 8.9 (Ada) and up.
inline bool computes_fp8(const GpuIdentity& gpu) { return gpu.major * 10 + gpu.minor >= 89; }

// A piece of the memory under test. Its words are numbered through all pieces of the GPU.
struct Stretch {
  std::byte* at = nullptr;
  std::uint64_t bytes = 0;
  std::uint64_t first_word = 0;
};

enum class GemmType { bf16, fp8 };

struct GemmRun {
  std::vector<double> seconds;        // of each product
  std::vector<tile::Digest> digests;  // of each result
};

enum class CopyKind { to_device, to_host, both_ways };  // between host memory and the GPU
enum class PeerKind { copy_engine, sm_write, sm_read };

struct CopyRun {
  std::vector<double> seconds;
  std::uint64_t wrong = 0;  // bytes that did not arrive as they were sent
};

enum class LaunchKind {
  throughput,  // seconds a launch, many in a row
  latency,     // launch and wait
  graph,       // seconds a kernel of a graph of many
};

struct AtomicsRun {
  double seconds = 0;
  atomics::Counters counters{};
};

// Every call returns when the work is done and throws GpuError.
class GpuDevice {
 public:
  static constexpr int gemm_size = sizes::product;  // m, n and k

  virtual ~GpuDevice() = default;
  virtual const GpuIdentity& identity() const = 0;
  virtual std::uint64_t free_bytes() = 0;

  // Takes memory in pieces until `most` bytes or until no more is given. Called once; held as long as the
  // device is: freeing most of the memory makes the driver scrub it, which disturbs what is measured next.
  virtual void take_memory(std::uint64_t most) = 0;
  virtual const std::vector<Stretch>& memory() const = 0;

  // Seconds of each pass over all the regions, one after the other.
  virtual std::vector<double> hbm(hbm::Operation operation, std::span<const Stretch> regions, int passes) = 0;
  // Copies once more, random data, and compares: 16-byte slices of the target that differ from the source.
  virtual std::uint64_t copy_differs(const Stretch& region) = 0;

  virtual double sweep(const memory::Sweep& sweep, std::uint32_t round) = 0;  // over all memory(); seconds
  // Reads the words of new errors thrice more, the caches swept before each, and then writes what the sweep
  // would have written there.
  virtual void look_again() = 0;
  virtual const memory::ErrorLog& errors() const = 0;
  virtual void flip_bit(std::uint64_t word, int bit) = 0;  // a planted fault
  virtual void probe(double seconds) = 0;  // whether it reads a piece of its memory within this time
  virtual void rest(double seconds) = 0;   // leaves the memory alone: what leaks shows

  // So many tiles of every SM; of the matrix product all tiles so many times, dealt anew each time.
  virtual std::vector<tile::Result> tiles(tile::Engine engine, const tile::Spec& spec, int repeats) = 0;

  virtual std::string gemm_absent(GemmType type) = 0;  // why it cannot multiply; empty if it can
  virtual GemmRun gemm(GemmType type, int repeats, std::uint64_t seed) = 0;

  virtual CopyRun copy(CopyKind kind, std::uint64_t bytes, int repeats) = 0;
  virtual bool reaches(const GpuDevice& peer) = 0;
  virtual CopyRun copy_to(GpuDevice& peer, PeerKind kind, std::uint64_t bytes, int repeats) = 0;

  virtual std::vector<double> launches(LaunchKind kind, int repeats) = 0;
  virtual AtomicsRun atomic_adds(atomics::Spread spread, std::uint64_t threads) = 0;
};

// The GPUs that this process sees, or why there are none.
struct GpuInventory {
  std::vector<GpuIdentity> gpus;
  std::string absent;           // one sentence; empty where there are some
  bool built_in = true;         // else it is this program that lacks CUDA, and not the machine a GPU
  std::string runtime, driver;  // "CUDA 13.0"
};
GpuInventory find_gpus();

// `timeout_s`: for any one piece of work.
std::unique_ptr<GpuDevice> open_gpu(const GpuIdentity& gpu, double timeout_s);

// Whether one has been seen to hang. Then nothing of any GPU is given back any more, and the process has to
// be ended without the runtime's own end, which would wait for ever.
void note_hang();
bool one_gpu_hangs();

}  // namespace mlc
