// RDMA inside one process, for tests: devices, queue pairs and completions with the manners of reliable
// connections, and faults on demand. Data really moves, by memcpy between the ends' registered memory.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "validators/host/verbs.hpp"

namespace mlc::rdma::fake {

inline constexpr int retry_exceeded = 12, flushed = 5, remote_access = 10;  // as enum ibv_wc_status has them

struct DeviceFaults {
  std::optional<int> open_errno, register_errno, rtr_errno;
  std::optional<std::uint64_t> retry_exceeded_after;  // sends that work before
  std::optional<std::uint64_t> silent_after;  // sends whose completions come before there are none any more
  std::optional<std::uint64_t> corrupt_message;  // this one (from 0) arrives with its first bit flipped
  bool loses_data = false;                       // completions come, data does not
  double gbit_s = 0;                             // 0: as fast as memory
  std::uint32_t most_inline = 256;
  int active_mtu = 4096;
};

class Fabric {
 public:
  // Devices of one end are "end/name"; each end opens its own by name.
  DeviceFaults& faults(int end, const std::string& device) {
    const std::lock_guard lock(mutex_);
    return faults_[{end, device}];
  }
  std::unique_ptr<Verbs> verbs(int end);

  // How a NIC moves bytes, and what it may register: the host's memory, by default. `import` says what a
  // descriptor is of.
  struct Access {
    std::function<void(std::byte* to, const std::byte* from, std::size_t bytes)> move;
    std::function<int(const std::byte* at, std::uint64_t bytes)> pin_errno;  // of ibv_reg_mr; 0: it can
    std::function<int(int descriptor, std::uint64_t offset, std::uint64_t bytes, const std::byte* at)>
        import_errno;
  };
  void reach(Access access) { access_ = std::move(access); }
  std::uint64_t posted() const { return posted_; }
  std::set<std::uint32_t> inlined() const { return inlined_; }
  int most_chain() const { return most_chain_; }
  std::uint64_t unsignalled() const { return unsignalled_; }
  int traffic_class() const { return traffic_class_; }
  int path_mtu() const { return path_mtu_; }

 private:
  friend class FakeDevice;
  friend class FakePair;
  friend class FakeCompletions;
  friend class FakeRegion;
  friend class FakeVerbs;
  using Time = std::chrono::steady_clock::time_point;
  struct Stretch {
    std::byte* at;
    std::uint64_t bytes;
  };
  struct Pending {
    Completion completion;
    Time ready;
  };
  mutable std::recursive_mutex mutex_;
  std::map<std::pair<int, std::string>, DeviceFaults> faults_;
  std::map<std::pair<int, std::string>, Time> busy_until_;
  std::map<std::pair<int, std::string>, std::uint64_t> sends_;
  std::map<std::uint32_t, Stretch> regions_;
  std::map<std::uint32_t, class FakePair*> pairs_;
  Access access_;
  std::uint32_t next_ = 1;
  std::uint64_t posted_ = 0, unsignalled_ = 0;
  std::set<std::uint32_t> inlined_;
  int most_chain_ = 0, traffic_class_ = 0, path_mtu_ = 0;
};

}  // namespace mlc::rdma::fake
