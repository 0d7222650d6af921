#include "tests/gpu/emulation/nccl_work.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "kernels/host_pattern.hpp"
#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/settings.hpp"

namespace emulation {

namespace {

using mlc::Dtype, mlc::Redop;

Dtype dtype_of(ncclDataType_t type) {
  switch (type) {
    case ncclInt8:
      return Dtype::int8;
    case ncclUint8:
      return Dtype::uint8;
    case ncclInt32:
      return Dtype::int32;
    case ncclUint32:
      return Dtype::uint32;
    case ncclInt64:
      return Dtype::int64;
    case ncclUint64:
      return Dtype::uint64;
    case ncclFloat16:
      return Dtype::half;
    case ncclFloat32:
      return Dtype::float32;
    case ncclFloat64:
      return Dtype::float64;
    case ncclBfloat16:
      return Dtype::bfloat16;
    case ncclFloat8e4m3:
      return Dtype::fp8_e4m3;
    case ncclFloat8e5m2:
      return Dtype::fp8_e5m2;
  }
  fail("invalid argument", "a type that NCCL does not have");
}

Redop redop_of(ncclRedOp_t op) {
  switch (op) {
    case ncclSum:
      return Redop::sum;
    case ncclProd:
      return Redop::prod;
    case ncclMax:
      return Redop::max;
    case ncclMin:
      return Redop::min;
    case ncclAvg:
      return Redop::avg;
  }
  fail("invalid argument", "an operator that NCCL does not have");
}

std::uint64_t bytes_of(const Part& part) { return part.count * width_of(part.type); }

// Chunks that a rank sends and receives.
std::pair<int, int> chunks_of(const Part& part, const Ranks& ranks) {
  const int n = ranks.size();
  const bool root = part.root == ranks.rank();
  switch (part.kind) {
    case Kind::all_reduce:
      return {1, 1};
    case Kind::reduce:
      return {1, root ? 1 : 0};
    case Kind::broadcast:
      return {root ? 1 : 0, 1};
    case Kind::all_gather:
      return {1, n};
    case Kind::reduce_scatter:
      return {n, 1};
    case Kind::all_to_all:
      return {n, n};
    case Kind::gather:
      return {1, root ? n : 0};
    case Kind::scatter:
      return {root ? n : 0, 1};
    case Kind::send:
      return {1, 0};
    case Kind::receive:
      return {0, 1};
  }
  return {0, 0};
}

// What a rank shows the others: the parts, one behind the other, and what each sends.
struct Header {
  Kind kind;
  std::uint64_t bytes, type, op, root, sent;  // bytes: of a chunk
};

class Work {
 public:
  Work(std::vector<Part> parts, std::shared_ptr<Membership> member)
      : parts_(std::move(parts)), member_(std::move(member)), number_(++member_->begun) {}

  // Whether it is done. Waits a millisecond at most: a peer may be gone.
  bool step() {
    if (member_->over) return true;
    Ranks& ranks = member_->ranks;
    if (const Fault* fault = settings().fault("hangs", "rank", ranks.rank());
        fault != nullptr && number_ > static_cast<std::uint64_t>(fault->number("after")))
      return false;
    const std::uint32_t heard = ranks.heard();
    if (!shown_) {
      if (!ranks.all_done_with(number_ - 1)) return wait(heard);
      show();
      ranks.show(number_);
      shown_ = true;
      if (const Fault* fault = settings().fault("dies", "rank", ranks.rank());
          fault != nullptr && number_ > static_cast<std::uint64_t>(fault->number("after")))
        ::kill(::getpid(), SIGKILL);
    }
    if (!ranks.all_have_shown(number_)) return wait(heard);
    for (std::size_t i = 0; i < parts_.size(); ++i)
      take(i);
    ranks.done_with(number_);
    return true;
  }

 private:
  bool wait(std::uint32_t heard) {
    member_->ranks.doze(heard);
    if (++polls_ % 8 == 0)
      if (const int dead = member_->ranks.dead(); dead >= 0) member_->state = ncclRemoteError;
    return false;
  }

  void show() const {
    std::byte* to = member_->ranks.shown_by(member_->ranks.rank());
    const std::byte* const end = to + room;
    const std::uint64_t count = parts_.size();
    std::memcpy(to, &count, sizeof count), to += sizeof count;
    for (const Part& part : parts_) {
      const std::uint64_t sent =
          bytes_of(part) * static_cast<std::uint64_t>(chunks_of(part, member_->ranks).first);
      const Header header{part.kind,
                          bytes_of(part),
                          static_cast<std::uint64_t>(part.type),
                          static_cast<std::uint64_t>(part.op),
                          static_cast<std::uint64_t>(part.root),
                          sent};
      if (to + sizeof header + sent > end) fail("settings", "more is sent at once than is emulated");
      std::memcpy(to, &header, sizeof header), to += sizeof header;
      std::memcpy(to, part.send, sent), to += sent;
    }
  }

  // The n-th part that a rank shows for which `wanted` holds; its data, or null.
  template <class Wanted>
  const std::byte* find(int rank, int n, Header* found, Wanted&& wanted) const {
    const std::byte* at = member_->ranks.shown_by(rank);
    std::uint64_t count = 0;
    std::memcpy(&count, at, sizeof count), at += sizeof count;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::memcpy(found, at, sizeof *found), at += sizeof *found;
      if (wanted(*found) && n-- == 0) return at;
      at += found->sent;
    }
    return nullptr;
  }

  const std::byte* of_same(const Part& part, int rank, int n) const {
    Header theirs{};
    const std::byte* const at = find(rank, n, &theirs, [](const Header& one) {
      return one.kind != Kind::send && one.kind != Kind::receive;
    });
    if (at == nullptr || theirs.kind != part.kind || theirs.bytes != bytes_of(part) ||
        theirs.type != static_cast<std::uint64_t>(part.type) ||
        theirs.op != static_cast<std::uint64_t>(part.op) ||
        theirs.root != static_cast<std::uint64_t>(part.root))
      fail("ranks disagree", "rank " + std::to_string(rank) +
                                 " calls another collective, size, type, operator "
                                 "or root than rank " +
                                 std::to_string(member_->ranks.rank()));
    return at;
  }

  void take(std::size_t index) {
    const Part& part = parts_[index];
    const Ranks& ranks = member_->ranks;
    const auto me = static_cast<std::uint64_t>(ranks.rank());
    const std::uint64_t bytes = bytes_of(part);
    auto* const to = static_cast<std::byte*>(part.receive);
    if (part.kind == Kind::send) return;
    if (part.kind == Kind::receive) return receive(part);
    const int n = collectives_++;
    const auto from = [&](int rank) { return of_same(part, rank, n); };
    for (int rank = 0; rank < ranks.size(); ++rank)
      (void)from(rank);  // all must agree, also where nothing is received
    if (!ranks.windows_agree()) fail("ranks disagree", "symmetric windows are not as large on every rank");
    const bool root = part.root == ranks.rank();
    const auto each = [&](std::uint64_t offset) {
      for (int rank = 0; rank < ranks.size(); ++rank)
        std::memcpy(to + static_cast<std::uint64_t>(rank) * bytes, from(rank) + offset, bytes);
    };
    switch (part.kind) {
      case Kind::all_reduce:
        reduce(part, from, 0);
        break;
      case Kind::reduce:
        if (root) reduce(part, from, 0);
        break;
      case Kind::reduce_scatter:
        reduce(part, from, me * bytes);
        break;
      case Kind::broadcast:
        std::memcpy(to, from(part.root), bytes);
        break;
      case Kind::scatter:
        std::memcpy(to, from(part.root) + me * bytes, bytes);
        break;
      case Kind::all_gather:
        each(0);
        break;
      case Kind::gather:
        if (root) each(0);
        break;
      case Kind::all_to_all:
        each(me * bytes);
        break;
      case Kind::send:
      case Kind::receive:
        break;
    }
    if (root || (part.kind != Kind::gather && part.kind != Kind::reduce)) spoil(to, bytes);
  }

  void spoil(std::byte* to, std::uint64_t bytes) const {
    if (settings().fault("wrong", "rank", member_->ranks.rank()) != nullptr && bytes > 0)
      to[bytes / 2] ^= std::byte{1};
  }

  // In an order of the seed's: exact data do not mind.
  template <class From>
  void reduce(const Part& part, From&& from, std::uint64_t offset) const {
    const auto ranks = static_cast<std::uint64_t>(member_->ranks.size());
    const std::uint64_t first = (settings().seed + number_) % ranks, bytes = bytes_of(part);
    std::vector<std::byte> sum;
    for (std::uint64_t i = 0; i < ranks; ++i) {
      const std::byte* const one = from(static_cast<int>((first + i) % ranks)) + offset;
      if (i == 0)
        sum.assign(one, one + bytes);
      else
        mlc::reduce_into(sum.data(), one, part.count, dtype_of(part.type), redop_of(part.op));
    }
    if (part.op == ncclAvg)
      mlc::average(sum.data(), part.count, dtype_of(part.type), static_cast<int>(ranks));
    std::memcpy(part.receive, sum.data(), bytes);
  }

  // From one rank to another they match in order.
  void receive(const Part& part) {
    const int me = member_->ranks.rank(), n = received_[part.root]++;
    Header theirs{};
    const std::byte* const at = find(part.root, n, &theirs, [&](const Header& one) {
      return one.kind == Kind::send && one.root == static_cast<std::uint64_t>(me);
    });
    if (at == nullptr)
      fail("receive without a send", "rank " + std::to_string(me) + " waits for more than rank " +
                                         std::to_string(part.root) + " sends");
    if (theirs.bytes != bytes_of(part))
      fail("ranks disagree", "rank " + std::to_string(part.root) + " sends " + std::to_string(theirs.bytes) +
                                 " bytes, rank " + std::to_string(me) + " receives " +
                                 std::to_string(bytes_of(part)));
    std::memcpy(part.receive, at, theirs.bytes);
    spoil(static_cast<std::byte*>(part.receive), theirs.bytes);
  }

  std::vector<Part> parts_;
  std::shared_ptr<Membership> member_;
  std::uint64_t number_, polls_ = 0;
  bool shown_ = false;
  int collectives_ = 0;
  std::map<int, int> received_;  // by sender
};

}  // namespace

std::size_t width_of(ncclDataType_t type) { return static_cast<std::size_t>(mlc::width_of(dtype_of(type))); }

std::vector<Range> ranges_of(const Part& part, const Ranks& ranks) {
  std::vector<Range> all;
  const auto [sent, received] = chunks_of(part, ranks);
  const auto add = [&](const void* at, int chunks, bool written) {
    const std::uint64_t bytes = bytes_of(part) * static_cast<std::uint64_t>(chunks);
    if (bytes == 0) return;
    const Allocation* const allocation = memory_map().of(at);
    const auto* const begin = static_cast<const std::byte*>(at);
    if (allocation == nullptr)
      fail("host memory in a kernel", "NCCL was given a pointer that no GPU can follow");
    if (begin + bytes > allocation->end())
      fail("out of bounds",
           "NCCL was given " + std::to_string(bytes) + " bytes that run beyond " + allocation->text());
    all.push_back({begin, begin + bytes, written});
  };
  add(part.send, sent, false);
  add(part.receive, received, true);
  return all;
}

Operation operation_of(const std::vector<Part>& parts, const std::shared_ptr<Membership>& member) {
  double bytes = 0, operations = 0;  // sends and receives of a group are one
  Operation operation{.name = "an operation of NCCL's"};
  for (const Part& part : parts) {
    for (const Range& range : ranges_of(part, member->ranks))
      operation.ranges.push_back(range);
    bytes += static_cast<double>(bytes_of(part));
    operations += part.kind != Kind::send && part.kind != Kind::receive;
  }
  operation.seconds = 10e-6 * std::max(1.0, operations) + bytes / 100e9;
  operation.begin = [parts, member] {
    return [work = std::make_shared<Work>(parts, member)] { return work->step(); };
  };
  return operation;
}

}  // namespace emulation
