// libnccl of the emulation: NCCL's calls over memory that the ranks' processes share. A non-blocking
// communicator does nothing but when it is asked how it is; a call that the real one would refuse, or not
// survive, is a failure by name.
#include <nccl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "tests/gpu/emulation/device.hpp"
#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/nccl_work.hpp"
#include "tests/gpu/emulation/runtime.hpp"
#include "tests/gpu/emulation/settings.hpp"

using namespace emulation;

struct ncclComm {
  std::shared_ptr<Membership> member;
  int device = 0;
  bool blocking = true, finalized = false;
  const char* gone = nullptr;  // "abort" or "destroy"
  enum class Doing { nothing, joining, calling, finalizing } doing = Doing::joining;
  int polls = 0, taken = 0;
  std::vector<Part> parts;  // of the call that is being taken
  std::set<const void*> registered;
  std::string last_error;
};

namespace {

// Never freed: that one is used after its end is what shall be seen.
std::vector<ncclComm*>& communicators() {
  static auto* const all = new std::vector<ncclComm*>;
  return *all;
}

struct AtExit {
  ~AtExit() {
    for (const ncclComm* one : communicators())
      if (one->gone == nullptr) fail("leak", "a communicator was neither destroyed nor aborted");
  }
} at_exit;

thread_local int depth = 0;
thread_local std::vector<std::pair<ncclComm*, Part>> grouped;

ncclComm& usable(ncclComm_t comm, const char* call) {
  if (comm == nullptr) fail("invalid argument", std::string(call) + " without a communicator");
  if (comm->gone != nullptr) fail(std::string("call after ") + comm->gone, call);
  return *comm;
}

// For all but asking how it is and ending it.
ncclComm& ready(ncclComm_t comm, const char* call) {
  ncclComm& one = usable(comm, call);
  if (one.member->state == ncclInProgress)
    fail("call while in progress", std::string(call) + " before the call before it was taken");
  if (one.finalized) fail("call after finalize", call);
  return one;
}

void put_on_streams(ncclComm& comm) {
  if (comm.parts.empty()) return;
  CUstream_st& stream = stream_of(comm.parts.front().stream);
  if (stream.device != comm.device) fail("wrong stream", "NCCL was given a stream of another GPU");
  for (const Part& part : comm.parts)
    if (part.stream != comm.parts.front().stream) fail("wrong stream", "a group on several streams");
  enqueue(stream, operation_of(comm.parts, comm.member));
  comm.parts.clear();
}

// What the threads of the real library do by themselves.
void progress(ncclComm& comm) {
  constexpr int polls_of_a_call = 2;
  Membership& member = *comm.member;
  if (member.state != ncclInProgress) return;
  ++comm.polls;
  if (comm.doing == ncclComm::Doing::joining) {
    const std::uint32_t heard = member.ranks.heard();
    if (member.ranks.all_joined()) {
      member.state = ncclSuccess;
    } else if (const int dead = member.ranks.dead(); dead >= 0) {
      comm.last_error = "rank " + std::to_string(dead) + " closed its connection";
      member.state = ncclRemoteError;
    } else {
      member.ranks.doze(heard);
    }
  } else if (comm.polls >= polls_of_a_call) {
    put_on_streams(comm);
    member.state = ncclSuccess;
  }
}

ncclResult_t begin(ncclComm& comm, ncclComm::Doing doing) {
  comm.doing = doing, comm.polls = 0;
  comm.member->state = ncclInProgress;
  if (!comm.blocking) return ncclInProgress;
  while (comm.member->state == ncclInProgress) {
    {
      const std::lock_guard lock(runtime_lock());
      progress(comm);
    }
    if (comm.member->state == ncclInProgress) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  return comm.member->state;
}

void say_how(const Part& part, std::size_t bytes) {
  const char* const file = std::getenv("NCCL_DEBUG_FILE");
  const char* const subsystems = std::getenv("NCCL_DEBUG_SUBSYS");
  if (file == nullptr || subsystems == nullptr || std::strcmp(subsystems, "TUNING") != 0) return;
  if (std::FILE* const to = std::fopen(file, "a")) {
    std::fprintf(
        to, "emulated:%d:%d [0] NCCL INFO %s: %zu Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..%d}\n",
        ::getpid(), ::getpid(), part.kind == Kind::all_reduce ? "AllReduce" : "Other", bytes, 3);
    std::fclose(to);
  }
}

void warn(int rank) {
  const char* const file = std::getenv("NCCL_DEBUG_FILE");
  if (file == nullptr || settings().fault("warns", "rank", rank) == nullptr) return;
  if (std::FILE* const to = std::fopen(file, "a")) {
    std::fprintf(to, "\n[2026-11-29 08:00:00] emulated:%d:%d [0] init.cc:1 NCCL WARN a warning of rank %d\n",
                 ::getpid(), ::getpid(), rank);
    std::fclose(to);
  }
}

bool is_over(const ncclComm& comm, const char* kind) {
  const Fault* const fault = settings().fault(kind, "rank", comm.member->ranks.rank());
  return fault != nullptr && comm.taken > fault->number("after");
}

ncclResult_t take(ncclComm& comm, std::vector<Part> parts) {
  for (const Part& part : parts) {
    (void)ranges_of(part, comm.member->ranks);
    say_how(part, part.count * width_of(part.type));
  }
  comm.parts = std::move(parts);
  ++comm.taken;
  if (is_over(comm, "fails")) return ncclSystemError;
  return begin(comm, ncclComm::Doing::calling);
}

ncclResult_t call(ncclComm_t comm, const Part& part, const char* name) {
  std::unique_lock lock(runtime_lock());
  ncclComm& one = ready(comm, name);
  if (current_device() != one.device) fail("wrong GPU", std::string(name) + " while another GPU is set");
  if (part.root < 0 || part.root >= one.member->ranks.size()) return ncclInvalidArgument;
  if (depth > 0) {
    grouped.emplace_back(&one, part);
    return ncclSuccess;
  }
  lock.unlock();
  return take(one, {part});
}

void break_in_init(int rank) {
  if (settings().fault("init-dies", "rank", rank) != nullptr) ::kill(::getpid(), SIGKILL);
}

ncclResult_t make(ncclComm_t* to, const std::string& place, int ranks, int rank, const ncclConfig_t* config) {
  if (config != nullptr && config->magic != 0xcafebeef) return ncclInvalidArgument;
  auto* const comm = new ncclComm;
  {
    const std::lock_guard lock(runtime_lock());
    comm->member = std::make_shared<Membership>(place, ranks, rank);
    comm->device = current_device();
    comm->blocking = config == nullptr || config->blocking != 0;
    communicators().push_back(comm);
  }
  *to = comm;
  break_in_init(rank);
  warn(rank);
  if (settings().fault("init-hangs", "rank", rank) == nullptr) comm->member->ranks.join();
  return begin(*comm, ncclComm::Doing::joining);
}

}  // namespace

extern "C" void ncclResetDebugInit();
void ncclResetDebugInit() {
  if (const char* const file = std::getenv("NCCL_DEBUG_FILE"))
    if (std::FILE* const emptied = std::fopen(file, "w")) std::fclose(emptied);
}

ncclResult_t ncclGetVersion(int* version) {
  const Fault* const old = settings().fault("old-nccl", "rank", 0);
  *version = old != nullptr ? static_cast<int>(old->number("version")) : NCCL_VERSION_CODE;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
  }
  return "unknown result code";
}
const char* ncclGetLastError(ncclComm_t comm) { return comm == nullptr ? "" : comm->last_error.c_str(); }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "%s", Ranks::make_place().c_str());
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  return make(comm, id.internal, ranks, rank, config);
}
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  return make(comm, id.internal, ranks, rank, nullptr);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  const std::lock_guard lock(runtime_lock());
  ncclComm& one = usable(comm, "ncclCommGetAsyncError");
  progress(one);
  if (one.member->state == ncclSuccess && is_over(one, "breaks")) {
    one.last_error = "socketProgress: Connection closed by remote peer";
    one.member->state = ncclRemoteError;
  }
  *state = one.member->state;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  ncclComm& one = ready(comm, "ncclCommFinalize");
  one.finalized = true;
  return begin(one, ncclComm::Doing::finalizing);
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const std::lock_guard lock(runtime_lock());
  ncclComm& one = usable(comm, "ncclCommDestroy");
  if (one.member->state == ncclInProgress) fail("call while in progress", "ncclCommDestroy");
  if (!one.registered.empty())
    fail("leak", "a communicator is destroyed while buffers are registered with it");
  one.gone = "destroy", one.member->over = true;
  one.member->ranks.leave();
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  {
    const std::lock_guard lock(runtime_lock());
    ncclComm& one = usable(comm, "ncclCommAbort");
    one.gone = "abort", one.member->over = true;
  }
  while (settings().fault("abort-hangs", "rank", comm->member->ranks.rank()) != nullptr)
    std::this_thread::sleep_for(std::chrono::seconds(1));
  return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int* count) {
  *count = usable(comm, "ncclCommCount").member->ranks.size();
  return ncclSuccess;
}
ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
  *rank = usable(comm, "ncclCommUserRank").member->ranks.rank();
  return ncclSuccess;
}
ncclResult_t ncclCommCuDevice(const ncclComm_t comm, int* device) {
  *device = usable(comm, "ncclCommCuDevice").device;
  return ncclSuccess;
}

ncclResult_t ncclMemAlloc(void** at, std::size_t bytes) {
  const std::lock_guard lock(runtime_lock());
  if (device_error(current_device()) != cudaSuccess) return ncclUnhandledCudaError;
  constexpr std::size_t alignment = 4096;
  *at = allocate(bytes, alignment);
  return *at == nullptr ? ncclUnhandledCudaError : ncclSuccess;
}
ncclResult_t ncclMemFree(void* at) {
  return cudaFree(at) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}

ncclResult_t ncclCommRegister(const ncclComm_t comm, void* at, std::size_t bytes, void** handle) {
  const std::lock_guard lock(runtime_lock());
  ncclComm& one = ready(comm, "ncclCommRegister");
  const Allocation* const allocation = memory_map().of(at);
  if (allocation == nullptr || static_cast<std::byte*>(at) + bytes > allocation->end())
    return ncclInvalidArgument;
  one.registered.insert(at);
  *handle = at;
  return ncclSuccess;
}
ncclResult_t ncclCommDeregister(const ncclComm_t comm, void* handle) {
  const std::lock_guard lock(runtime_lock());
  ncclComm& one = usable(comm, "ncclCommDeregister");
  if (one.member->state == ncclInProgress) fail("call while in progress", "ncclCommDeregister");
  if (one.registered.erase(handle) == 0) fail("free", "a buffer is deregistered that is not registered");
  return ncclSuccess;
}
ncclResult_t ncclCommWindowRegister(ncclComm_t comm, void* at, std::size_t bytes, ncclWindow_t* window, int) {
  void* handle = nullptr;
  const ncclResult_t result = ncclCommRegister(comm, at, bytes, &handle);
  *window = static_cast<ncclWindow_t>(handle);
  if (result == ncclSuccess) ready(comm, "ncclCommWindowRegister").member->ranks.add_window(bytes);
  return result;
}
ncclResult_t ncclCommWindowDeregister(ncclComm_t comm, ncclWindow_t window) {
  return ncclCommDeregister(comm, window);
}

ncclResult_t ncclGroupStart() {
  ++depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  if (depth == 0) fail("group", "ncclGroupEnd without ncclGroupStart");
  if (--depth > 0) return ncclSuccess;
  ncclResult_t result = ncclSuccess;
  auto all = std::exchange(grouped, {});
  while (!all.empty()) {
    ncclComm* const comm = all.front().first;
    std::vector<Part> parts;
    for (const auto& [of, part] : all)
      if (of == comm) parts.push_back(part);
    std::erase_if(all, [&](const auto& one) { return one.first == comm; });
    if (const auto one = take(*comm, std::move(parts)); one != ncclSuccess) result = one;
  }
  return result;
}

ncclResult_t ncclAllReduce(const void* send, void* receive, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::all_reduce, send, receive, count, type, op, 0, stream}, "ncclAllReduce");
}
ncclResult_t ncclReduce(const void* send, void* receive, std::size_t count, ncclDataType_t type,
                        ncclRedOp_t op, int root, ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::reduce, send, receive, count, type, op, root, stream}, "ncclReduce");
}
ncclResult_t ncclBroadcast(const void* send, void* receive, std::size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::broadcast, send, receive, count, type, ncclSum, root, stream}, "ncclBroadcast");
}
ncclResult_t ncclAllGather(const void* send, void* receive, std::size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::all_gather, send, receive, count, type, ncclSum, 0, stream}, "ncclAllGather");
}
ncclResult_t ncclReduceScatter(const void* send, void* receive, std::size_t count, ncclDataType_t type,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::reduce_scatter, send, receive, count, type, op, 0, stream}, "ncclReduceScatter");
}
ncclResult_t ncclAlltoAll(const void* send, void* receive, std::size_t count, ncclDataType_t type,
                          ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::all_to_all, send, receive, count, type, ncclSum, 0, stream}, "ncclAlltoAll");
}
ncclResult_t ncclGather(const void* send, void* receive, std::size_t count, ncclDataType_t type, int root,
                        ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::gather, send, receive, count, type, ncclSum, root, stream}, "ncclGather");
}
ncclResult_t ncclScatter(const void* send, void* receive, std::size_t count, ncclDataType_t type, int root,
                         ncclComm_t comm, cudaStream_t stream) {
  return call(comm, {Kind::scatter, send, receive, count, type, ncclSum, root, stream}, "ncclScatter");
}
ncclResult_t ncclSend(const void* send, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return call(comm, {Kind::send, send, nullptr, count, type, ncclSum, peer, stream}, "ncclSend");
}
ncclResult_t ncclRecv(void* receive, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return call(comm, {Kind::receive, nullptr, receive, count, type, ncclSum, peer, stream}, "ncclRecv");
}
