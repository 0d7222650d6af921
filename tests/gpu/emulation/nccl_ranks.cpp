#include "tests/gpu/emulation/nccl_ranks.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/gpu/emulation/failure.hpp"

namespace emulation {

namespace {

constexpr std::size_t bell_at = 8192 - 64, seats_bytes = 8192;
constexpr std::size_t whole(int ranks) { return seats_bytes + static_cast<std::size_t>(ranks) * room; }

// A lock on one byte, which the kernel takes away when its process ends, however it ends.
struct flock byte_of(int rank, short type) {
  struct flock lock {};
  lock.l_type = type, lock.l_whence = SEEK_SET, lock.l_start = rank, lock.l_len = 1;
  return lock;
}

}  // namespace

std::string Ranks::make_place() {
  const int descriptor = ::memfd_create("emulated-nccl", 0);
  if (descriptor < 0) fail("system", "no shared memory for a communicator");
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor);
}

Ranks::Ranks(const std::string& place, int ranks, int rank)
    : size_(ranks), rank_(rank), descriptor_(::open(place.c_str(), O_RDWR | O_CLOEXEC)) {
  static_assert(sizeof(Seat) * most_ranks <= bell_at);
  if (ranks < 1 || ranks > most_ranks) fail("settings", "1 to 64 ranks are emulated");
  // Rank 0 may be gone again.
  if (descriptor_ < 0) return;
  if (::ftruncate(descriptor_, static_cast<off_t>(whole(ranks))) != 0) fail("system", "no room for ranks");
  void* const at = ::mmap(nullptr, whole(ranks), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (at == MAP_FAILED) fail("system", "the ranks' memory cannot be mapped");
  memory_ = static_cast<std::byte*>(at);
}

Ranks::~Ranks() {
  if (memory_ != nullptr) ::munmap(memory_, whole(size_));
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Ranks::add_window(std::uint64_t bytes) {
  seat(rank_).windows = seat(rank_).windows * 0x9e3779b97f4a7c15u + bytes;
}
bool Ranks::windows_agree() const {
  for (int rank = 0; rank < size_; ++rank)
    if (seat(rank).windows != seat(rank_).windows) return false;
  return true;
}

Ranks::Seat& Ranks::seat(int rank) const { return reinterpret_cast<Seat*>(memory_)[rank]; }
std::atomic<std::uint32_t>& Ranks::bell() const {
  return *reinterpret_cast<std::atomic<std::uint32_t>*>(memory_ + bell_at);
}
std::byte* Ranks::shown_by(int rank) const {
  return memory_ + seats_bytes + static_cast<std::size_t>(rank) * room;
}

void Ranks::join() {
  if (memory_ == nullptr) return;
  struct flock lock = byte_of(rank_, F_WRLCK);
  if (::fcntl(descriptor_, F_OFD_SETLK, &lock) != 0)
    fail("rank twice", "two processes call themselves rank " + std::to_string(rank_));
  seat(rank_).joined = 1;
  ring();
}

bool Ranks::all_joined() const {
  for (int rank = 0; rank < size_ && memory_ != nullptr; ++rank)
    if (seat(rank).joined == 0) return false;
  return memory_ != nullptr;
}

void Ranks::leave() {
  if (memory_ != nullptr) seat(rank_).left = 1;
}

bool Ranks::all_done_with(std::uint64_t number) const {
  for (int rank = 0; rank < size_; ++rank)
    if (seat(rank).done < number) return false;
  return true;
}
void Ranks::show(std::uint64_t number) {
  seat(rank_).shown = number;
  ring();
}
bool Ranks::all_have_shown(std::uint64_t number) const {
  for (int rank = 0; rank < size_; ++rank)
    if (seat(rank).shown < number) return false;
  return true;
}
void Ranks::done_with(std::uint64_t number) {
  seat(rank_).done = number;
  ring();
}

std::uint32_t Ranks::heard() const { return memory_ == nullptr ? 0 : bell().load(); }
void Ranks::ring() const {
  ++bell();
  (void)::syscall(SYS_futex, &bell(), FUTEX_WAKE, most_ranks, nullptr, nullptr, 0);
}
void Ranks::doze(std::uint32_t heard) const {
  struct timespec millisecond {};
  millisecond.tv_nsec = 1'000'000;
  if (memory_ == nullptr)
    (void)::nanosleep(&millisecond, nullptr);
  else
    (void)::syscall(SYS_futex, &bell(), FUTEX_WAIT, heard, &millisecond, nullptr, 0);
}

int Ranks::dead() const {
  if (memory_ == nullptr) return 0;
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_ || seat(rank).joined == 0 || seat(rank).left != 0) continue;
    struct flock lock = byte_of(rank, F_WRLCK);
    if (::fcntl(descriptor_, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK) return rank;
  }
  return -1;
}

}  // namespace emulation
