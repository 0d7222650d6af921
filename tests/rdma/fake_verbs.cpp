#include "tests/rdma/fake_verbs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace mlc::rdma::fake {

class FakeRegion final : public Region {
 public:
  FakeRegion(Fabric& fabric, std::byte* at, std::uint64_t bytes) : fabric_(fabric) {
    const std::lock_guard lock(fabric_.mutex_);
    local_key = remote_key = fabric_.next_++;
    fabric_.regions_[local_key] = {at, bytes};
  }
  ~FakeRegion() override {
    const std::lock_guard lock(fabric_.mutex_);
    fabric_.regions_.erase(local_key);
  }

 private:
  Fabric& fabric_;
};

class FakeCompletions final : public Completions {
 public:
  FakeCompletions(Fabric& fabric, int entries)
      : fabric_(fabric), entries_(static_cast<std::size_t>(entries)) {}
  std::size_t poll(std::span<Completion> done) override {
    const std::lock_guard lock(fabric_.mutex_);
    std::size_t count = 0;
    while (count < done.size() && !queue_.empty() &&
           queue_.front().ready <= std::chrono::steady_clock::now()) {
      done[count++] = queue_.front().completion;
      queue_.pop_front();
    }
    return count;
  }
  void wait(int) override { std::this_thread::sleep_for(std::chrono::microseconds(50)); }
  void push(const Completion& completion, Fabric::Time ready) {
    // A queue that overruns is a fault of the caller's, who sized it.
    if (queue_.size() >= entries_) throw VerbsError("the completion queue overran", EOVERFLOW);
    queue_.push_back({completion, ready});
  }

 private:
  Fabric& fabric_;
  std::size_t entries_;
  std::deque<Fabric::Pending> queue_;
};

class FakePair final : public QueuePair {
 public:
  FakePair(Fabric& fabric, std::pair<int, std::string> device, FakeCompletions& completions,
           const PairSettings& settings)
      : fabric_(fabric), device_(std::move(device)), completions_(completions), settings_(settings) {
    const std::lock_guard lock(fabric_.mutex_);
    if (settings.inline_bytes > faults().most_inline)
      throw VerbsError("ibv_create_qp: Invalid argument", EINVAL);
    number_ = fabric_.next_++;
    fabric_.pairs_[number_] = this;
  }
  ~FakePair() override {
    const std::lock_guard lock(fabric_.mutex_);
    fabric_.pairs_.erase(number_);
  }
  std::uint32_t number() const override { return number_; }
  void to_init() override { state_ = 1; }
  void to_ready_to_receive(const PathTo& path) override {
    const std::lock_guard lock(fabric_.mutex_);
    if (state_ != 1) throw VerbsError("ibv_modify_qp to RTR: Invalid argument", EINVAL);
    if (faults().rtr_errno)
      throw VerbsError(std::string("ibv_modify_qp to RTR: ") + std::strerror(*faults().rtr_errno),
                       *faults().rtr_errno);
    peer_ = path.number, state_ = 2;
    fabric_.traffic_class_ = path.traffic_class, fabric_.path_mtu_ = path.mtu;
  }
  void to_ready_to_send(std::uint32_t, int) override {
    if (state_ != 2) throw VerbsError("ibv_modify_qp to RTS: Invalid argument", EINVAL);
    state_ = 3;
  }

  void post(std::span<const Work> chain) override {
    const std::lock_guard lock(fabric_.mutex_);
    fabric_.most_chain_ = std::max(fabric_.most_chain_, static_cast<int>(chain.size()));
    for (const Work& work : chain) {
      // What is posted stays in the queue until a later completion; the queue is as long as was asked for.
      if (state_ != 3 || waiting_ + held_ >= settings_.depth)
        throw VerbsError("ibv_post_send: Cannot allocate memory", ENOMEM);
      ++fabric_.posted_, ++waiting_;
      if (!work.signalled) ++fabric_.unsignalled_;
      if (work.inlined) fabric_.inlined_.insert(work.bytes);
      carry(work);
    }
  }

  void post(const Receive& receive) override {
    const std::lock_guard lock(fabric_.mutex_);
    if (receives_.size() >= static_cast<std::size_t>(settings_.receives))
      throw VerbsError("ibv_post_recv: Cannot allocate memory", ENOMEM);
    receives_.push_back(receive);
    if (auto peer = fabric_.pairs_.find(peer_); peer != fabric_.pairs_.end()) peer->second->retry();
  }

 private:
  DeviceFaults& faults() { return fabric_.faults(device_.first, device_.second); }

  void complete(const Work& work, int status, Fabric::Time ready) {
    if (status == 0 && !work.signalled) return;
    waiting_ = 0;
    completions_.push({work.id, status, false, 0}, ready);
  }

  Fabric::Stretch* region(std::uint32_t key, std::uint64_t at, std::uint64_t bytes) {
    const auto found = fabric_.regions_.find(key);
    if (found == fabric_.regions_.end()) return nullptr;
    const auto start = reinterpret_cast<std::uint64_t>(found->second.at);
    return at >= start && at + bytes <= start + found->second.bytes ? &found->second : nullptr;
  }

  void carry(const Work& work) {
    const auto now = std::chrono::steady_clock::now();
    if (broken_) return complete(work, flushed, now);
    const std::uint64_t nth = fabric_.sends_[device_]++;
    const auto peer = fabric_.pairs_.find(peer_);
    if (peer == fabric_.pairs_.end() ||
        (faults().retry_exceeded_after && nth >= *faults().retry_exceeded_after)) {
      broken_ = true;
      return complete(work, retry_exceeded, now);
    }
    if (faults().silent_after && nth >= *faults().silent_after) return;
    Fabric::Time ready = now;
    if (faults().gbit_s > 0) {
      Fabric::Time& busy = fabric_.busy_until_[device_];
      busy =
          std::max(busy, now) + std::chrono::nanoseconds(static_cast<long>(work.bytes * 8 / faults().gbit_s));
      ready = busy;
    }
    auto* local = const_cast<std::byte*>(work.local);
    if (!region(work.key, reinterpret_cast<std::uint64_t>(local), work.bytes))
      return broken_ = true, complete(work, 4, now);
    if (work.verb == Verb::send) {
      if (!peer->second->take(work, nth, *this)) {
        pending_.push_back({work, nth, ready});
        ++held_, --waiting_;
        return;
      }
    } else {
      if (!region(work.remote_key, work.remote, work.bytes))
        return broken_ = true, complete(work, remote_access, now);
      auto* remote = reinterpret_cast<std::byte*>(work.remote);
      copy(work.verb == Verb::read ? local : remote, work.verb == Verb::read ? remote : local, work.bytes,
           nth);
    }
    complete(work, 0, ready);
  }

  void copy(std::byte* to, const std::byte* from, std::uint32_t bytes, std::uint64_t nth) {
    if (faults().loses_data) return;
    if (fabric_.access_.move) {
      fabric_.access_.move(to, from, bytes);
      return;
    }
    // The last byte last, and visible after all others, as a NIC writes it.
    std::memcpy(to, from, bytes - 1);
    if (faults().corrupt_message == nth) to[0] ^= std::byte{1};
    std::atomic_thread_fence(std::memory_order_release);
    *reinterpret_cast<volatile std::byte*>(to + bytes - 1) = from[bytes - 1];
  }

  // At the receiving pair: false when no receive is posted.
  bool take(const Work& work, std::uint64_t nth, FakePair& sender) {
    if (receives_.empty()) return false;
    const Receive receive = receives_.front();
    receives_.pop_front();
    sender.copy(receive.local, work.local, work.bytes, nth);
    completions_.push({receive.id, 0, true, work.bytes}, std::chrono::steady_clock::now());
    return true;
  }

  void retry() {
    while (!pending_.empty()) {
      const auto peer = fabric_.pairs_.find(peer_);
      if (peer == fabric_.pairs_.end() ||
          !peer->second->take(pending_.front().work, pending_.front().nth, *this))
        return;
      const auto [work, nth, ready] = pending_.front();
      pending_.pop_front();
      --held_, ++waiting_;
      complete(work, 0, ready);
    }
  }

  struct Held {
    Work work;
    std::uint64_t nth;
    Fabric::Time ready;
  };
  Fabric& fabric_;
  std::pair<int, std::string> device_;
  FakeCompletions& completions_;
  PairSettings settings_;
  std::uint32_t number_ = 0, peer_ = 0;
  int state_ = 0, waiting_ = 0, held_ = 0;
  bool broken_ = false;
  std::deque<Receive> receives_;
  std::deque<Held> pending_;
};

class FakeDevice final : public Device {
 public:
  FakeDevice(Fabric& fabric, std::pair<int, std::string> name) : fabric_(fabric), name_(std::move(name)) {}
  PortFacts port() override {
    const std::lock_guard lock(fabric_.mutex_);
    return {.active_mtu = fabric_.faults(name_.first, name_.second).active_mtu,
            .max_mtu = 4096,
            .lid = 0,
            .most_sends = 4096,
            .most_reads = 16};
  }
  GidBytes gid(int) override { return {}; }
  std::unique_ptr<Region> register_memory(std::byte* at, std::uint64_t bytes) override {
    if (const auto error = fabric_.faults(name_.first, name_.second).register_errno)
      throw VerbsError(std::string("ibv_reg_mr: ") + std::strerror(*error), *error);
    if (fabric_.access_.pin_errno) refuse("ibv_reg_mr", fabric_.access_.pin_errno(at, bytes));
    return std::make_unique<FakeRegion>(fabric_, at, bytes);
  }
  std::unique_ptr<Region> register_dmabuf(int descriptor, std::uint64_t offset, std::uint64_t bytes,
                                          std::byte* at) override {
    if (const auto error = fabric_.faults(name_.first, name_.second).register_errno)
      refuse("ibv_reg_dmabuf_mr", *error);
    refuse("ibv_reg_dmabuf_mr", fabric_.access_.import_errno
                                    ? fabric_.access_.import_errno(descriptor, offset, bytes, at)
                                    : EOPNOTSUPP);
    return std::make_unique<FakeRegion>(fabric_, at, bytes);
  }
  std::unique_ptr<Completions> make_completions(int entries) override {
    return std::make_unique<FakeCompletions>(fabric_, entries);
  }
  std::unique_ptr<QueuePair> make_pair(Completions& completions, const PairSettings& settings) override {
    return std::make_unique<FakePair>(fabric_, name_, static_cast<FakeCompletions&>(completions), settings);
  }

 private:
  static void refuse(const std::string& call, int error) {
    if (error != 0) throw VerbsError(call + ": " + std::strerror(error), error);
  }
  Fabric& fabric_;
  std::pair<int, std::string> name_;
};

class FakeVerbs final : public Verbs {
 public:
  FakeVerbs(Fabric& fabric, int end) : fabric_(fabric), end_(end) {}
  std::vector<std::string> devices() const override {
    const std::lock_guard lock(fabric_.mutex_);
    std::vector<std::string> names;
    for (const auto& [device, faults] : fabric_.faults_)
      if (device.first == end_) names.push_back(device.second);
    return names;
  }
  std::unique_ptr<Device> open(const std::string& name) override {
    const std::lock_guard lock(fabric_.mutex_);
    if (const auto error = fabric_.faults(end_, name).open_errno)
      throw VerbsError(std::string("ibv_open_device: ") + std::strerror(*error), *error);
    return std::make_unique<FakeDevice>(fabric_, std::pair{end_, name});
  }
  std::string status_text(int status) const override {
    return status == retry_exceeded  ? "transport retry counter exceeded"
           : status == flushed       ? "Work Request Flushed Error"
           : status == remote_access ? "remote access error"
                                     : "status " + std::to_string(status);
  }

 private:
  Fabric& fabric_;
  int end_;
};

std::unique_ptr<Verbs> Fabric::verbs(int end) { return std::make_unique<FakeVerbs>(*this, end); }

}  // namespace mlc::rdma::fake
