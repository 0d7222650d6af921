#include "bench/backends/nccl.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "bench/backends/cuda_memory.hpp"
#include "bench/backends/nccl_comm.hpp"
#include "bench/backends/nccl_features.hpp"
#include "bench/backends/nccl_library.hpp"
#include "bench/backends/nccl_log.hpp"
#include "bench/handles/cuda.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc {

namespace {

// The first call into the driver, which may never return: of a GPU that hangs. With eight GPUs and without
// persistence mode it takes up to half a minute.
constexpr std::chrono::seconds driver_may_take{90};

struct DeviceCount {
  cudaError_t error = cudaSuccess;
  int count = 0;
};

// Nothing: the driver does not answer.
std::optional<DeviceCount> count_devices() {
  static std::atomic<bool> hangs = false;
  if (hangs) return std::nullopt;
  const auto told = std::make_shared<std::promise<DeviceCount>>();
  auto answer = told->get_future();
  std::thread([told] {
    DeviceCount found;
    found.error = cudaGetDeviceCount(&found.count);
    told->set_value(found);
  }).detach();
  if (answer.wait_for(driver_may_take) == std::future_status::ready) return answer.get();
  hangs = true;
  return std::nullopt;
}

int devices_or_error(std::string* why) {
  const auto found = count_devices();
  std::string lacks;
  if (!found)
    lacks =
        "the driver does not answer (cudaGetDeviceCount, " + std::to_string(driver_may_take.count()) + " s)";
  else if (found->error != cudaSuccess)
    lacks = std::string("no usable GPU: ") + cudaGetErrorString(found->error);
  else if (found->count == 0)
    lacks = "no GPU is visible to this process";
  if (why != nullptr) *why = lacks;
  return lacks.empty() ? found->count : 0;
}

}  // namespace

const NcclLibrary& nccl() {
  static const NcclLibrary one;
  return one;
}

std::string nccl_absent() {
  std::string why = nccl().absent, no_gpu;
  (void)devices_or_error(&no_gpu);
  return why + (why.empty() || no_gpu.empty() ? "" : "; ") + no_gpu;
}

bool nccl_built_in() { return true; }

std::string nccl_version() {
  const int version = nccl().version();
  return version > 0 ? nccl_version_text(version) : std::string();
}

int gpu_count() { return devices_or_error(nullptr); }

namespace {

std::vector<Gpu> chosen_gpus;

ncclDataType_t datatype_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::int8:
      return ncclInt8;
    case Dtype::uint8:
      return ncclUint8;
    case Dtype::int32:
      return ncclInt32;
    case Dtype::uint32:
      return ncclUint32;
    case Dtype::int64:
      return ncclInt64;
    case Dtype::uint64:
      return ncclUint64;
    case Dtype::half:
      return ncclFloat16;
    case Dtype::bfloat16:
      return ncclBfloat16;
    case Dtype::float32:
      return ncclFloat32;
    case Dtype::float64:
      return ncclFloat64;
    case Dtype::fp8_e4m3:
      return ncclFloat8e4m3;
    case Dtype::fp8_e5m2:
      return ncclFloat8e5m2;
  }
  return ncclFloat32;
}

ncclRedOp_t reduction_of(Redop redop) {
  switch (redop) {
    case Redop::sum:
      return ncclSum;
    case Redop::prod:
      return ncclProd;
    case Redop::min:
      return ncclMin;
    case Redop::max:
      return ncclMax;
    case Redop::avg:
      return ncclAvg;
  }
  return ncclSum;
}

Gpu describe_gpu(int device) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device));
  std::array<char, 32> pci{};
  check_cuda(cudaDeviceGetPCIBusId(pci.data(), pci.size(), device));
  std::ranges::transform(pci, pci.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  int driver = 0;
  check_cuda(cudaDriverGetVersion(&driver));
  return {.index = device,
          .name = properties.name,
          .uuid = uuid_text(properties.uuid),
          .pci = pci.data(),
          .driver = "CUDA " + std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10)};
}

// The device of this rank: its place among the ranks of its node, unless the launcher showed it only its own
// GPU.
int choose_device(Control& control, bool share, int first) {
  const int count = gpu_count();
  if (const auto why = nccl_absent(); !why.empty()) throw BackendError("nccl: " + why);
  std::array<char, 256> host{};
  (void)::gethostname(host.data(), host.size() - 1);
  const auto hosts = gather_text(control, host.data());
  const auto mine = static_cast<std::size_t>(control.rank());
  const auto before = static_cast<int>(
      std::count(hosts.begin(), hosts.begin() + static_cast<std::ptrdiff_t>(mine), hosts[mine]));
  if (first >= count)
    throw BackendError("nccl: NCCL_TESTS_DEVICE=" + std::to_string(first) + ", but GPUs 0 to " +
                       std::to_string(count - 1) + " are visible here");
  const int device = first + before % (count - first);
  if (share) return device;
  const auto uuids = gather_text(control, hosts[mine] + " " + describe_gpu(device).uuid);
  for (std::size_t other = 0; other < uuids.size(); ++other)
    if (other != mine && uuids[other] == uuids[mine])
      throw BackendError("nccl: ranks " + std::to_string(std::min(mine, other)) + " and " +
                         std::to_string(std::max(mine, other)) + " would share one GPU (" + uuids[mine] +
                         "); start one rank per GPU: " + std::to_string(count) +
                         (count == 1 ? " is" : " are") + " visible here");
  return device;
}

// NCCL refuses two ranks on one GPU of one host. With host ids of their own they are on different ones; what
// they share must then not be used, and few channels leave room for all ranks' kernels at once.
void pretend_hosts(int rank) {
  const auto set = [](const char* name, const std::string& value) { ::setenv(name, value.c_str(), 0); };
  set("NCCL_HOSTID", "mlc-bench-rank-" + std::to_string(rank));
  set("NCCL_P2P_DISABLE", "1"), set("NCCL_SHM_DISABLE", "1"), set("NCCL_IB_DISABLE", "1");
  set("NCCL_NET", "Socket"), set("NCCL_SOCKET_IFNAME", "lo"), set("NCCL_MAX_CTAS", "2");
}

// NCCL's own words, into a file of this process: its warnings always, how it carries an operation where that
// is asked for. A user who has NCCL_DEBUG set gets what that says, and nothing is read here.
class NcclLog {
 public:
  NcclLog() {
    if (::getenv("NCCL_DEBUG") != nullptr || ::getenv("NCCL_DEBUG_FILE") != nullptr) return;
    std::string path = (std::filesystem::temp_directory_path() / "mlc-bench-nccl-XXXXXX").string();
    if (!FileDescriptor(::mkstemp(path.data()))) return;
    path_ = path;
    ::setenv("NCCL_DEBUG_FILE", path_.c_str(), 1);
    ::setenv("NCCL_DEBUG", "WARN", 1);
  }
  NcclLog(const NcclLog&) = delete;
  ~NcclLog() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  // NCCL reads its variables anew after this call, which it may lose one day: then nothing is known. It also
  // opens, and empties, its file anew.
  bool speak(bool tuning) {
    if (path_.empty() || nccl().reset_debug == nullptr) return false;
    collect();
    ::setenv("NCCL_DEBUG", tuning ? "INFO" : "WARN", 1);
    if (tuning)
      ::setenv("NCCL_DEBUG_SUBSYS", "TUNING", 1);
    else
      ::unsetenv("NCCL_DEBUG_SUBSYS");
    nccl().reset_debug();
    return true;
  }

  std::string text() const {
    std::ifstream stream(path_, std::ios::binary);
    std::stringstream content;
    content << stream.rdbuf();
    return content.str();
  }

  std::vector<std::string> new_warnings() {
    if (path_.empty()) return {};
    collect();
    std::vector<std::string> fresh;
    for (const auto& warning : collected_)
      if (std::ranges::find(said_, warning) == said_.end())
        fresh.push_back(warning), said_.push_back(warning);
    collected_.clear();
    return fresh;
  }

 private:
  void collect() {
    for (auto& warning : all_warnings(text()))
      collected_.push_back(std::move(warning));
  }
  std::string path_;
  std::vector<std::string> collected_, said_;
};

class Nccl final : public Communicator {
 public:
  Nccl(std::unique_ptr<Control> control, const NcclOptions& options)
      : options_(options), control_(std::move(control)), comm_(options.timeout_s, options.last_words) {
    if (options.share_gpu) pretend_hosts(control_->rank());
    device_ = choose_device(*control_, options.share_gpu, options.first_device);
    check_cuda(cudaSetDevice(device_));
    chosen_gpus = {describe_gpu(device_)};
    cudaDeviceProp properties{};
    check_cuda(cudaGetDeviceProperties(&properties, device_));
    // Every rank must refuse the same dtypes: the oldest GPU and the oldest library decide.
    oldest_gpu_ = std::ranges::min(mlc::gather(*control_, properties.major));
    oldest_nccl_ = std::ranges::min(mlc::gather(*control_, nccl().version()));
    chunk_collectives_ = everywhere(nccl().has_chunk_collectives());
    if (options.registration == 2 && !everywhere(nccl().has_windows()))
      refuse("-R 2", nccl_first_with::windows);
    set_cta_policy();
    stream_ = make_stream();
    {
      // All ranks meet once with a deadline; those that came are there for one without.
      NcclComm roll_call(options.timeout_s, options.last_words);
      roll_call.initialise(control_->size(), control_->rank(), new_id(), false);
    }
    comm_.initialise(control_->size(), control_->rank(), new_id(), true, stream_.get());
    memory_ = make_cuda_memory(stream_.get(), [this](std::uint64_t bytes) { return allocate(bytes); });
  }

  std::string_view backend() const override { return "nccl"; }
  Control& control() override { return *control_; }
  Memory& memory() override { return *memory_; }

  std::string unsupported(Dtype dtype, Redop) const override {
    if (dtype != Dtype::fp8_e4m3 && dtype != Dtype::fp8_e5m2) return "";
    const std::string needs = std::string(to_string(dtype)) + " needs ";
    if (oldest_gpu_ < 9)
      return needs + "GPUs of compute capability 9.0 or newer; the oldest here is " +
             std::to_string(oldest_gpu_) + ".x";
    if (oldest_nccl_ < nccl_first_with::fp8)
      return needs + nccl_version_text(nccl_first_with::fp8) + " or newer; the oldest here is " +
             nccl_version_text(oldest_nccl_);
    return "";
  }

  void all_reduce(const Call& c) override {
    run(nccl().all_reduce(c.send, c.recv, c.count, datatype_of(c.dtype), reduction_of(c.redop), comm_.get(),
                          stream_.get()),
        "ncclAllReduce");
  }
  void reduce(const Call& c) override {
    run(nccl().reduce(c.send, c.recv, c.count, datatype_of(c.dtype), reduction_of(c.redop), c.root,
                      comm_.get(), stream_.get()),
        "ncclReduce");
  }
  void broadcast(const Call& c) override {
    run(nccl().broadcast(c.send, c.recv, c.count, datatype_of(c.dtype), c.root, comm_.get(), stream_.get()),
        "ncclBroadcast");
  }
  void all_gather(const Call& c) override {
    run(nccl().all_gather(c.send, c.recv, c.count, datatype_of(c.dtype), comm_.get(), stream_.get()),
        "ncclAllGather");
  }
  void reduce_scatter(const Call& c) override {
    run(nccl().reduce_scatter(c.send, c.recv, c.count, datatype_of(c.dtype), reduction_of(c.redop),
                              comm_.get(), stream_.get()),
        "ncclReduceScatter");
  }

  void all_to_all(const Call& c) override {
    if (!chunk_collectives_) return Communicator::all_to_all(c);
    run(nccl().all_to_all(c.send, c.recv, c.count, datatype_of(c.dtype), comm_.get(), stream_.get()),
        "ncclAlltoAll");
  }
  void gather(const Call& c) override {
    if (!chunk_collectives_) return Communicator::gather(c);
    run(nccl().gather(c.send, c.recv, c.count, datatype_of(c.dtype), c.root, comm_.get(), stream_.get()),
        "ncclGather");
  }
  void scatter(const Call& c) override {
    if (!chunk_collectives_) return Communicator::scatter(c);
    run(nccl().scatter(c.send, c.recv, c.count, datatype_of(c.dtype), c.root, comm_.get(), stream_.get()),
        "ncclScatter");
  }

  void group(Dtype dtype, std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    if (nccl().group_start() != ncclSuccess) throw BackendError("nccl: ncclGroupStart failed");
    // Results of calls inside a group come with ncclGroupEnd.
    for (const auto& [at, count, peer] : sends)
      (void)nccl().send(at, count, datatype_of(dtype), peer, comm_.get(), stream_.get());
    for (const auto& [at, count, peer] : receives)
      (void)nccl().receive(at, count, datatype_of(dtype), peer, comm_.get(), stream_.get());
    run(nccl().group_end(), "ncclGroupEnd");
  }

  // One operation beyond those that are timed, so that its log line costs none of them anything.
  std::optional<Tuning> carried(const std::function<void()>& operation) override {
    const bool speaks = log_.speak(true);
    operation();
    if (!speaks) return std::nullopt;
    auto tuning = last_tuning(log_.text());
    (void)log_.speak(false);
    return tuning;
  }

  std::vector<std::string> warnings() override { return log_.new_warnings(); }

  // Back to back on the stream, each between two events: what a training step sees, without a host in
  // between.
  void measure(Clock&, const std::function<void()>& operation, std::span<double> seconds) override {
    while (events_.size() < seconds.size() + 1)
      events_.push_back(make_event());
    const GraphExecution graph = options_.graphs ? captured(operation) : GraphExecution();
    control_->barrier();
    measuring_ = true;
    check_cuda(cudaEventRecord(events_[0].get(), stream_.get()));
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      if (graph)
        check_cuda(cudaGraphLaunch(graph.get(), stream_.get()));
      else
        once(operation);
      check_cuda(cudaEventRecord(events_[i + 1].get(), stream_.get()));
    }
    measuring_ = false;
    wait("timed operations");
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      float milliseconds = 0;
      check_cuda(cudaEventElapsedTime(&milliseconds, events_[i].get(), events_[i + 1].get()));
      seconds[i] = milliseconds / 1e3 / options_.aggregate;
    }
  }

 private:
  ncclUniqueId new_id() {
    ncclUniqueId id{};
    if (control_->rank() == 0 && nccl().unique_id(&id) != ncclSuccess)
      throw BackendError(std::string("nccl: ncclGetUniqueId: ") + nccl().last_error(nullptr));
    return agree(*control_, id);
  }
  bool everywhere(bool here) { return std::ranges::min(mlc::gather(*control_, here ? 1 : 0)) == 1; }
  [[noreturn]] void refuse(const std::string& flag, int first_with) const {
    throw BackendError("nccl: " + flag + " needs " + nccl_version_text(first_with) +
                       " or newer on every rank; the oldest here is " + nccl_version_text(oldest_nccl_));
  }
  // By its variable, which wins over a communicator's configuration: the header's older ones have no member.
  void set_cta_policy() const {
    if (options_.cta_policy == 0) return;
    const int needs = options_.cta_policy == 2 ? nccl_first_with::zero_ctas : nccl_first_with::cta_policy;
    if (oldest_nccl_ < needs) refuse("-x " + std::to_string(options_.cta_policy), needs);
    ::setenv("NCCL_CTA_POLICY", std::to_string(options_.cta_policy).c_str(), 1);
  }

  // What is timed as one: so many of the operation in one call as --aggregate says.
  void once(const std::function<void()>& operation) {
    if (options_.aggregate == 1) return operation();
    if (nccl().group_start() != ncclSuccess) throw BackendError("nccl: ncclGroupStart failed");
    grouped_ = true;
    for (int i = 0; i < options_.aggregate; ++i)
      operation();
    grouped_ = false;
    run(nccl().group_end(), "ncclGroupEnd");
  }

  // The operation as a graph of its own: its launch costs the host less, as in a training step that was
  // captured. The data it works on is filled beforehand, so that replaying it verifies the same.
  GraphExecution captured(const std::function<void()>& operation) {
    measuring_ = true;
    // Relaxed: NCCL may allocate while it plans an operation.
    check_cuda(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeRelaxed));
    once(operation);
    cudaGraph_t graph = nullptr;
    check_cuda(cudaStreamEndCapture(stream_.get(), &graph));
    const Graph owned(graph);
    measuring_ = false;
    cudaGraphExec_t execution = nullptr;
    check_cuda(cudaGraphInstantiate(&execution, graph, 0));
    return GraphExecution(execution);
  }

  void run(ncclResult_t result, const char* call) {
    // Results of calls inside a group come with ncclGroupEnd.
    if (grouped_ && (result == ncclSuccess || result == ncclInProgress)) return;
    comm_.settle(result, call);
    if (!measuring_) wait(call);
  }

  // Never cudaStreamSynchronize: it would not see that a peer died.
  void wait(const char* call) {
    for (std::uint64_t polls = 0;; ++polls) {
      const cudaError_t state = cudaStreamQuery(stream_.get());
      if (state == cudaSuccess) return;
      if (state != cudaErrorNotReady) check_cuda(state);
      if (polls % 1024 == 0) comm_.check_async(call);
    }
  }

  // ncclMemAlloc's memory can be registered and mapped by NCCL; it is used always, so that --register changes
  // one thing. A symmetric window is as large on every rank.
  std::shared_ptr<std::byte> allocate(std::uint64_t bytes) {
    const bool window = options_.registration == 2;
    if (window) bytes = std::ranges::max(mlc::gather(*control_, bytes));
    void* at = nullptr;
    if (nccl().allocate(&at, std::max<std::uint64_t>(bytes, 1)) != ncclSuccess)
      throw BackendError("nccl: cannot allocate " + std::to_string(bytes) +
                         " bytes of GPU memory; take a smaller -e");
    void* handle = nullptr;
    if (window)
      comm_.settle(nccl().open_window(comm_.get(), at, bytes, &handle, symmetric), "ncclCommWindowRegister");
    else if (options_.registration == 1)
      comm_.settle(nccl().enroll(comm_.get(), at, bytes, &handle), "ncclCommRegister");
    return {static_cast<std::byte*>(at), [this, handle, window](std::byte* p) {
              const bool known = handle != nullptr && comm_.get() != nullptr;
              if (known && window) (void)nccl().close_window(comm_.get(), handle);
              if (known && !window) (void)nccl().withdraw(comm_.get(), handle);
              (void)nccl().free(p);
            }};
  }

  static constexpr int symmetric = 1;  // NCCL_WIN_COLL_SYMMETRIC, which older headers lack
  NcclOptions options_;
  NcclLog log_;  // before NCCL's first call
  std::unique_ptr<Control> control_;
  int device_ = 0, oldest_gpu_ = 0, oldest_nccl_ = 0;
  Stream stream_;
  NcclComm comm_;
  std::unique_ptr<Memory> memory_;
  std::vector<Event> events_;
  bool measuring_ = false, grouped_ = false, chunk_collectives_ = false;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl(std::unique_ptr<Control> control, const NcclOptions& options) {
  return std::make_unique<Nccl>(std::move(control), options);
}
std::vector<Gpu> nccl_gpus() { return chosen_gpus; }

}  // namespace mlc
