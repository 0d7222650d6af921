#include "bench/backends/local.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>

#include "bench/backends/exchange.hpp"

namespace mlc {

namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t box_bytes = 64 << 10;  // of one rank's control messages; longer ones go in pieces
constexpr std::uint64_t window_bytes = std::uint64_t{1}
                                       << 38;  // of one rank's buffers: address space, not memory
constexpr std::uint32_t magic = 0x6d6c6331;    // "mlc1"

// At the start of the segment; then a box for each rank, then a window for each.
struct Head {
  std::uint32_t magic;
  std::int32_t ranks;
  pthread_barrier_t barrier;
};

constexpr std::uint64_t pages(std::uint64_t bytes) { return (bytes + page - 1) / page * page; }

constexpr std::uint64_t boxes_at = pages(sizeof(Head));
std::uint64_t windows_at(int ranks) { return boxes_at + box_bytes * static_cast<std::uint64_t>(ranks); }
std::uint64_t segment_bytes(int ranks) {
  return windows_at(ranks) + window_bytes * static_cast<std::uint64_t>(ranks);
}

// The segment as one process sees it. What is touched becomes memory, the rest is a range of addresses.
class View {
 public:
  View(int descriptor, int rank, int ranks) : descriptor_(descriptor), rank_(rank), ranks_(ranks) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 ||
        static_cast<std::uint64_t>(status.st_size) != segment_bytes(ranks))
      throw BackendError("local: descriptor " + std::to_string(descriptor) + " is no segment of " +
                         std::to_string(ranks) + " ranks; such a rank is started by mlc-bench alone");
    void* at = ::mmap(nullptr, segment_bytes(ranks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                      descriptor, 0);
    if (at == MAP_FAILED)
      throw BackendError(std::string("local: the shared memory cannot be mapped: ") + std::strerror(errno) +
                         " (is there a limit on address space: ulimit -v?)");
    base_ = static_cast<std::byte*>(at);
    if (head().magic != magic || head().ranks != ranks || rank < 0 || rank >= ranks)
      throw BackendError("local: the shared memory is another job's");
  }
  View(const View&) = delete;
  ~View() {
    ::munmap(base_, segment_bytes(ranks_));
    ::close(descriptor_);
  }

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }
  void barrier() { (void)::pthread_barrier_wait(&head().barrier); }
  std::byte* box(int rank) { return base_ + boxes_at + box_bytes * static_cast<std::uint64_t>(rank); }
  std::byte* at(std::uint64_t offset) { return base_ + offset; }
  std::uint64_t offset_of(const void* pointer) const {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(pointer) - base_);
  }

  // From this rank's window, never used twice: it is addresses that are used up.
  std::shared_ptr<std::byte> allocate(std::uint64_t bytes, const std::shared_ptr<View>& self) {
    const std::uint64_t whole = pages(std::max<std::uint64_t>(bytes, 1));
    if (whole > window_bytes - used_) throw std::bad_alloc();
    const std::uint64_t offset =
        windows_at(ranks_) + window_bytes * static_cast<std::uint64_t>(rank_) + used_;
    // Now, as an error: touched for the first time in a full container, the pages would be a SIGBUS.
    if (const int error =
            ::posix_fallocate(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(whole));
        error != 0)
      throw std::bad_alloc();
    used_ += whole;
    return {base_ + offset, [self, offset, whole](std::byte*) {
              (void)::fallocate(self->descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(offset), static_cast<off_t>(whole));
            }};
  }

 private:
  Head& head() { return *reinterpret_cast<Head*>(base_); }
  int descriptor_, rank_, ranks_;
  std::byte* base_ = nullptr;
  std::uint64_t used_ = 0;
};

class LocalControl final : public Control {
 public:
  explicit LocalControl(std::shared_ptr<View> view) : view_(std::move(view)) {}
  int rank() const override { return view_->rank(); }
  int size() const override { return view_->ranks(); }
  void barrier() override { view_->barrier(); }

  void broadcast(std::span<std::byte> bytes, int root) override {
    in_pieces(bytes.size(), [&](std::size_t at, std::size_t length) {
      if (rank() == root) std::memcpy(view_->box(root), bytes.data() + at, length);
      barrier();
      if (rank() != root) std::memcpy(bytes.data() + at, view_->box(root), length);
      barrier();
    });
  }

  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    in_pieces(mine.size(), [&](std::size_t at, std::size_t length) {
      std::memcpy(view_->box(rank()), mine.data() + at, length);
      barrier();
      for (int other = 0; other < size(); ++other)
        std::memcpy(all.data() + static_cast<std::size_t>(other) * mine.size() + at, view_->box(other),
                    length);
      barrier();
    });
  }

  void maximum(std::span<double> values) override {
    in_pieces(values.size_bytes(), [&](std::size_t at, std::size_t length) {
      double* const first = values.data() + at / sizeof(double);
      std::memcpy(view_->box(rank()), first, length);
      barrier();
      for (int other = 0; other < size(); ++other)
        for (std::size_t i = 0; i < length / sizeof(double); ++i) {
          double theirs;
          std::memcpy(&theirs, view_->box(other) + i * sizeof(double), sizeof theirs);
          first[i] = std::max(first[i], theirs);
        }
      barrier();
    });
  }

 private:
  template <class Piece>
  static void in_pieces(std::size_t bytes, Piece&& piece) {
    for (std::size_t at = 0; at < bytes; at += box_bytes)
      piece(at, std::min<std::size_t>(bytes - at, box_bytes));
  }
  std::shared_ptr<View> view_;
};

// Host memory that the other ranks can read.
class LocalMemory final : public Memory {
 public:
  explicit LocalMemory(std::shared_ptr<View> view) : view_(std::move(view)), host_(make_host_memory()) {}
  std::shared_ptr<std::byte> allocate(std::uint64_t bytes) override { return view_->allocate(bytes, view_); }
  void fill(void* at, std::uint64_t count, const DataSpec& spec) override { host_->fill(at, count, spec); }
  VerifyResult verify(const void* at, std::uint64_t count, const DataSpec& spec) override {
    return host_->verify(at, count, spec);
  }
  void set(void* at, std::uint64_t bytes, std::uint8_t value) override { host_->set(at, bytes, value); }
  std::uint64_t count_other_than(const void* at, std::uint64_t bytes, std::uint8_t value) override {
    return host_->count_other_than(at, bytes, value);
  }
  void flip_bit(void* at, std::uint64_t bit) override { host_->flip_bit(at, bit); }

 private:
  std::shared_ptr<View> view_;
  std::unique_ptr<Memory> host_;
};

class Segment final : public SharedMemory {
 public:
  explicit Segment(std::shared_ptr<View> view) : view_(std::move(view)) {}
  std::uint64_t place_of(const void* at) const override { return at == nullptr ? 0 : view_->offset_of(at); }
  const std::byte* at(std::uint64_t place) const override { return view_->at(place); }

 private:
  std::shared_ptr<View> view_;
};

class LocalSession final : public Session {
 public:
  explicit LocalSession(std::shared_ptr<View> view) : view_(std::move(view)) {}
  std::unique_ptr<Control> make_control() override { return std::make_unique<LocalControl>(view_); }
  std::unique_ptr<Communicator> make_communicator() override {
    return make_exchange("shm", make_control(), std::make_unique<LocalMemory>(view_),
                         std::make_unique<Segment>(view_));
  }

 private:
  std::shared_ptr<View> view_;
};

}  // namespace

LocalSegment::LocalSegment(int ranks) {
  const auto stop = [&](const char* what) {
    const int error = errno;
    if (fd_ >= 0) ::close(fd_);
    throw std::system_error(error, std::generic_category(), what);
  };
  fd_ = ::memfd_create("mlc-bench", 0);
  if (fd_ < 0) stop("cannot make shared memory (memfd_create)");
  if (::ftruncate(fd_, static_cast<off_t>(segment_bytes(ranks))) != 0) stop("cannot size the shared memory");
  void* at = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (at == MAP_FAILED) stop("cannot map the shared memory");
  auto* head = new (at) Head{.magic = magic, .ranks = ranks, .barrier = {}};
  pthread_barrierattr_t attributes;
  ::pthread_barrierattr_init(&attributes);
  ::pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_barrier_init(&head->barrier, &attributes, static_cast<unsigned>(ranks));
  ::pthread_barrierattr_destroy(&attributes);
  ::munmap(at, page);
}

LocalSegment::~LocalSegment() { ::close(fd_); }

std::unique_ptr<Session> join_local(int descriptor, int rank, int ranks) {
  return std::make_unique<LocalSession>(std::make_shared<View>(descriptor, rank, ranks));
}

}  // namespace mlc
