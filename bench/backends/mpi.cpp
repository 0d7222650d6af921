#include "bench/backends/mpi.hpp"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>

#include "bench/handles/mpi.hpp"

namespace mlc {

std::string mpi_absent() { return {}; }
std::string mpi_launcher() { return MLC_MPIRUN; }

std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string version(text.data(), static_cast<std::size_t>(length));
  return version.substr(0, version.find(','));
}

namespace {

struct CommFree {
  void operator()(MPI_Comm* communicator) const noexcept {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized == 0 && std::uncaught_exceptions() == 0) MPI_Comm_free(communicator);
    delete communicator;
  }
};
using OwnedComm = std::unique_ptr<MPI_Comm, CommFree>;

// A communicator of one's own, so that control messages never meet measured ones.
OwnedComm duplicate_world() {
  OwnedComm communicator(new MPI_Comm(MPI_COMM_NULL));
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, communicator.get()));
  check_mpi(MPI_Comm_set_errhandler(*communicator, MPI_ERRORS_RETURN));
  return communicator;
}

int int_count(std::uint64_t count) {
  if (count > INT_MAX)
    throw BackendError("mpi: " + std::to_string(count) +
                       " elements in one chunk; MPI 3 counts end at 2147483647");
  return static_cast<int>(count);
}

class MpiControl final : public Control {
 public:
  MpiControl() : communicator_(duplicate_world()) {
    check_mpi(MPI_Comm_rank(*communicator_, &rank_));
    check_mpi(MPI_Comm_size(*communicator_, &size_));
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void barrier() override { check_mpi(MPI_Barrier(*communicator_)); }
  void broadcast(std::span<std::byte> bytes, int root) override {
    check_mpi(MPI_Bcast(bytes.data(), int_count(bytes.size()), MPI_BYTE, root, *communicator_));
  }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    const int bytes = int_count(mine.size());
    check_mpi(MPI_Allgather(mine.data(), bytes, MPI_BYTE, all.data(), bytes, MPI_BYTE, *communicator_));
  }
  void maximum(std::span<double> values) override {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data(), int_count(values.size()), MPI_DOUBLE, MPI_MAX,
                            *communicator_));
  }

 private:
  OwnedComm communicator_;
  int rank_ = 0, size_ = 1;
};

MPI_Datatype datatype_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::int8:
      return MPI_INT8_T;
    case Dtype::uint8:
      return MPI_UINT8_T;
    case Dtype::int32:
      return MPI_INT32_T;
    case Dtype::uint32:
      return MPI_UINT32_T;
    case Dtype::int64:
      return MPI_INT64_T;
    case Dtype::uint64:
      return MPI_UINT64_T;
    case Dtype::half:
    case Dtype::bfloat16:
      return MPI_UINT16_T;  // MPI 3 has neither: carried as words, combined by operators of our own
    case Dtype::float32:
      return MPI_FLOAT;
    case Dtype::float64:
      return MPI_DOUBLE;
    case Dtype::fp8_e4m3:
    case Dtype::fp8_e5m2:
      return MPI_UINT8_T;
  }
  return MPI_BYTE;
}

bool native_to_mpi(Dtype dtype) {
  return dtype != Dtype::half && dtype != Dtype::bfloat16 && dtype != Dtype::fp8_e4m3 &&
         dtype != Dtype::fp8_e5m2;
}

MPI_Op native_op(Redop redop) {
  switch (redop) {
    case Redop::prod:
      return MPI_PROD;
    case Redop::min:
      return MPI_MIN;
    case Redop::max:
      return MPI_MAX;
    case Redop::sum:
    case Redop::avg:
      return MPI_SUM;
  }
  return MPI_SUM;
}

// MPI hands an operator no context, so each (dtype, redop) is a function of its own.
template <Dtype dtype, Redop redop>
void combine_words(void* in, void* inout, int* count, MPI_Datatype*) {
  reduce_into(inout, in, static_cast<std::uint64_t>(*count), dtype, redop);
}

template <Dtype dtype>
MPI_User_function* operator_for(Redop redop) {
  switch (redop) {
    case Redop::prod:
      return &combine_words<dtype, Redop::prod>;
    case Redop::min:
      return &combine_words<dtype, Redop::min>;
    case Redop::max:
      return &combine_words<dtype, Redop::max>;
    case Redop::sum:
    case Redop::avg:
      return &combine_words<dtype, Redop::sum>;
  }
  return nullptr;
}

MPI_User_function* operator_for(Dtype dtype, Redop redop) {
  switch (dtype) {
    case Dtype::half:
      return operator_for<Dtype::half>(redop);
    case Dtype::bfloat16:
      return operator_for<Dtype::bfloat16>(redop);
    case Dtype::fp8_e4m3:
      return operator_for<Dtype::fp8_e4m3>(redop);
    default:
      return operator_for<Dtype::fp8_e5m2>(redop);
  }
}

class Mpi final : public Communicator {
 public:
  Mpi() : communicator_(duplicate_world()), memory_(make_host_memory()) {}
  ~Mpi() override {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized == 0)
      for (auto& [key, op] : ops_)
        MPI_Op_free(&op);
  }
  std::string_view backend() const override { return "mpi"; }
  Control& control() override { return control_; }
  Memory& memory() override { return *memory_; }
  std::string unsupported(Dtype, Redop) const override { return {}; }

  void all_reduce(const Call& call) override {
    in_pieces(call, [&](const std::byte* send, std::byte* recv, int count) {
      return MPI_Allreduce(call.in_place ? MPI_IN_PLACE : send, recv, count, type(call), op(call),
                           *communicator_);
    });
    average(call, call.count, true);
  }

  void reduce(const Call& call) override {
    const bool root = control_.rank() == call.root;
    in_pieces(call, [&](const std::byte* send, std::byte* recv, int count) {
      return MPI_Reduce(root && call.in_place ? MPI_IN_PLACE : send, recv, count, type(call), op(call),
                        call.root, *communicator_);
    });
    average(call, call.count, root);
  }

  void group(Dtype dtype, std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    std::vector<MPI_Request> requests;
    const auto next = [&] { return &requests.emplace_back(MPI_REQUEST_NULL); };
    requests.reserve(sends.size() + receives.size());
    for (const auto& [at, count, peer] : receives)
      check_mpi(MPI_Irecv(at, int_count(count), datatype_of(dtype), peer, 0, *communicator_, next()));
    for (const auto& [at, count, peer] : sends)
      check_mpi(MPI_Isend(at, int_count(count), datatype_of(dtype), peer, 0, *communicator_, next()));
    check_mpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE));
  }

  // MPI broadcasts from and into one buffer; out of place, the root copies its data beside it as NCCL does.
  void broadcast(const Call& call) override {
    const bool root = control_.rank() == call.root;
    in_pieces(call, [&](const std::byte* send, std::byte* recv, int count) {
      return MPI_Bcast(root ? const_cast<std::byte*>(send) : recv, count, type(call), call.root,
                       *communicator_);
    });
    if (root && !call.in_place) std::memcpy(call.recv, call.send, bytes(call));
  }

  void send_recv(const Call& call) override {
    const int next = (control_.rank() + 1) % control_.size(),
              previous = (control_.rank() + control_.size() - 1) % control_.size();
    in_pieces(call, [&](const std::byte* send, std::byte* recv, int count) {
      return MPI_Sendrecv(send, count, type(call), next, 0, recv, count, type(call), previous, 0,
                          *communicator_, MPI_STATUS_IGNORE);
    });
  }

  void all_gather(const Call& call) override {
    const int count = int_count(call.count);
    check_mpi(MPI_Allgather(call.in_place ? MPI_IN_PLACE : call.send, count, type(call), call.recv, count,
                            type(call), *communicator_));
  }

  // In place, MPI leaves the result at the start of the buffer, NCCL at the rank's own chunk: moved there,
  // inside the timed operation, because a user of MPI who wants it there pays the same.
  void reduce_scatter(const Call& call) override {
    const int count = int_count(call.count);
    if (call.in_place) {
      auto* whole = const_cast<void*>(call.send);
      check_mpi(MPI_Reduce_scatter_block(MPI_IN_PLACE, whole, count, type(call), op(call), *communicator_));
      if (call.recv != whole) std::memcpy(call.recv, whole, bytes(call));
    } else {
      check_mpi(MPI_Reduce_scatter_block(call.send, call.recv, count, type(call), op(call), *communicator_));
    }
    average(call, call.count, true);
  }

  void all_to_all(const Call& call) override {
    const int count = int_count(call.count);
    check_mpi(MPI_Alltoall(call.send, count, type(call), call.recv, count, type(call), *communicator_));
  }

  void gather(const Call& call) override {
    const int count = int_count(call.count);
    const bool root = control_.rank() == call.root;
    check_mpi(MPI_Gather(root && call.in_place ? MPI_IN_PLACE : call.send, count, type(call), call.recv,
                         count, type(call), call.root, *communicator_));
  }

  void scatter(const Call& call) override {
    const int count = int_count(call.count);
    const bool root = control_.rank() == call.root;
    check_mpi(MPI_Scatter(call.send, count, type(call), root && call.in_place ? MPI_IN_PLACE : call.recv,
                          count, type(call), call.root, *communicator_));
  }

 private:
  static MPI_Datatype type(const Call& call) { return datatype_of(call.dtype); }
  static std::uint64_t bytes(const Call& call) {
    return call.count * static_cast<std::uint64_t>(width_of(call.dtype));
  }

  MPI_Op op(const Call& call) {
    if (native_to_mpi(call.dtype)) return native_op(call.redop);
    const auto [entry, added] = ops_.try_emplace({call.dtype, call.redop}, MPI_OP_NULL);
    if (added) check_mpi(MPI_Op_create(operator_for(call.dtype, call.redop), 1, &entry->second));
    return entry->second;
  }

  // MPI counts are ints: larger messages go in pieces of 2^30 elements.
  template <class Send>
  void in_pieces(const Call& call, Send&& piece) {
    constexpr std::uint64_t most = 1 << 30;
    const auto width = static_cast<std::uint64_t>(width_of(call.dtype));
    std::uint64_t done = 0;
    do {
      const std::uint64_t now = std::min(most, call.count - done);
      check_mpi(piece(static_cast<const std::byte*>(call.send) + done * width,
                      static_cast<std::byte*>(call.recv) + done * width, static_cast<int>(now)));
      done += now;
    } while (done < call.count);
  }

  // MPI has no average: a sum, then its second half where the result is.
  void average(const Call& call, std::uint64_t count, bool here) const {
    if (call.redop == Redop::avg && here) mlc::average(call.recv, count, call.dtype, control_.size());
  }

  OwnedComm communicator_;
  MpiControl control_;
  std::unique_ptr<Memory> memory_;
  std::map<std::pair<Dtype, Redop>, MPI_Op> ops_;
};

class MpiSession final : public Session {
 public:
  explicit MpiSession(const LaunchedAs& as) {
    // mpirun tells its ranks to yield where there are more of them than slots; srun does not, and then each
    // spins through its time slices while those it waits for have no core: 24 ms in place of 40 us for 1 KiB.
    const auto cpus = std::min<long>(as.node_cpus, ::sysconf(_SC_NPROCESSORS_ONLN));
    if (as.node_cpus > 0 && as.local_size > cpus) ::setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
    // Not MPI_Init_thread(FUNNELED), although the watch is a second thread (which never calls MPI): Open MPI
    // then takes its locks, and a 1 KiB allreduce measured 10 % slower than the program users run.
    check_mpi(MPI_Init(nullptr, nullptr));
    check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  }
  ~MpiSession() override {
    if (std::uncaught_exceptions() == 0) MPI_Finalize();
  }
  std::unique_ptr<Control> make_control() override { return std::make_unique<MpiControl>(); }
  std::unique_ptr<Communicator> make_communicator() override { return std::make_unique<Mpi>(); }
};

}  // namespace

std::unique_ptr<Session> start_mpi(const LaunchedAs& as) { return std::make_unique<MpiSession>(as); }

}  // namespace mlc
