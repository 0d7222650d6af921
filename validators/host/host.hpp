// What a check may see of a machine, live or captured. Every answer is a value or the reason why there is
// none. Answers that several checks need are read once. All of it is thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validators/host/fib.hpp"
#include "validators/host/file_tree.hpp"
#include "validators/host/netlink_message.hpp"
#include "validators/host/nvml.hpp"
#include "validators/host/pci.hpp"
#include "validators/host/pod.hpp"
#include "validators/host/rdma_sysfs.hpp"

namespace mlc {

class Machine;
class RecordingMachine;

struct Limit {
  std::optional<std::uint64_t> soft, hard;  // empty: unlimited
};

struct FilesystemSize {
  std::uint64_t bytes = 0, free = 0, type = 0;
};

struct ClockState {
  bool synchronised = false;
  double offset_us = 0, max_error_us = 0;
};

struct KernelName {
  std::string hostname, release, machine;
};

// Of a NIC's driver: whether it takes memory of others by a dmabuf descriptor. `unknown`: it answered with
// something else; `not_asked`: the device was not opened.
enum class Dmabuf { not_asked, supported, unsupported, unknown };

struct VerbsPort {
  std::string device;
  int active_mtu = 0, max_mtu = 0;  // bytes; 0: not answered
  Dmabuf dmabuf = Dmabuf::not_asked;
  std::string dmabuf_why;  // it is not supported
};

struct Echo {
  bool replied = false;
  std::string local_error;  // set when the packet did not even leave
};

class Host {
 public:
  // `later`: the same tree one interval on, for captured machines; a live one is read again after waiting.
  Host(FileTree files, std::shared_ptr<const Machine> machine, std::optional<FileTree> later = std::nullopt);
  ~Host();

  const FileTree& files() const { return files_; }
  // The files after `seconds` more. Empty where a captured machine has no second reading.
  std::optional<FileTree> files_after(double seconds) const;

  const Read<std::vector<Link>>& links() const;  // without VFs
  const Read<std::vector<Address>>& addresses() const;
  // Of every table. One route or rule that cannot be read makes the list unreadable: what it does is not
  // known.
  const Read<std::vector<Route>>& routes(IpFamily family = IpFamily::v4) const;
  const Read<std::vector<Rule>>& rules(IpFamily family = IpFamily::v4) const;
  Read<std::vector<Nexthop>> nexthops() const;
  Read<FibTables> fib(IpFamily family = IpFamily::v4) const;  // all of these
  Read<std::vector<Neighbour>> neighbours() const;
  Read<Link> link_with_vfs(int index) const;
  // The FIB entry that sends from `source` out of `oif`; missing: the kernel has none (or one that forbids
  // it).
  Read<Route> lookup(const IpAddress& destination, const std::optional<IpAddress>& source,
                     std::optional<int> oif) const;
  Read<Dcb> dcb(const std::string& device) const;
  Read<unsigned> eswitch_mode(const std::string& pci) const;
  Read<bool> rdma_exclusive() const;

  const Read<std::vector<RdmaDevice>>& rdma_devices() const;
  const Read<std::vector<PciDevice>>& pci_devices() const;
  const Read<GpuReading>& gpus() const;
  const Read<std::vector<VerbsPort>>& verbs() const;

  const std::map<std::string, std::string>& environment() const;  // an allow-list
  bool in_pod() const;
  Read<Limit> limit(const std::string& name) const;
  Read<FilesystemSize> filesystem(const std::string& path) const;
  Read<ClockState> clock() const;
  Read<KernelName> kernel_name() const;
  Read<std::vector<std::string>> resolve(const std::string& name) const;
  Read<std::vector<std::string>> kernel_log() const;
  Read<std::string> register_memory(std::uint64_t bytes) const;  // how it was done
  Read<Echo> echo(const std::string& device, Ipv4 source, Ipv4 destination, int ip_bytes) const;
  Read<std::vector<std::string>> arp_probe(const std::string& device,
                                           Ipv4 target) const;  // MACs that answered

 private:
  template <class T>
  struct Once {
    std::once_flag flag;
    Read<T> read;
  };
  template <class T>
  Read<std::vector<T>> dump(const NetlinkRequest& request,
                            std::optional<T> (*parse)(const NetlinkMessage&)) const;
  template <class T>
  Read<std::vector<T>> whole_dump(const NetlinkRequest& request,
                                  std::optional<T> (*parse)(const NetlinkMessage&)) const;

  FileTree files_;
  std::shared_ptr<const Machine> machine_;
  std::optional<FileTree> later_;
  mutable Once<std::vector<Link>> links_;
  mutable Once<std::vector<Address>> addresses_;
  mutable Once<std::vector<Route>> routes_[2];  // by family
  mutable Once<std::vector<Rule>> rules_[2];
  mutable Once<std::vector<RdmaDevice>> rdma_devices_;
  mutable Once<std::vector<PciDevice>> pci_devices_;
  mutable Once<GpuReading> gpus_;
  mutable Once<std::vector<VerbsPort>> verbs_;
  mutable Once<std::map<std::string, std::string>> environment_;
};

// How a captured node's answers begin to what nobody asked when it was captured.
inline constexpr std::string_view not_captured = "was not captured";

std::shared_ptr<const Host> live_host();
// ROOT with its files, ROOT/later for second readings, and the node file (ROOT/node.json unless named).
// Throws CaptureError (machine.hpp) when ROOT is no directory or the node file is not one.
std::shared_ptr<const Host> captured_host(const std::string& root, const std::string& node_file = "");

// A live host that remembers all that is read from it.
class Recording {
 public:
  Recording();
  ~Recording();
  std::shared_ptr<const Host> host() const;
  void write(const std::string& directory) const;  // what captured_host() reads; throws CaptureError

 private:
  std::shared_ptr<FileRecorder> files_;
  std::shared_ptr<RecordingMachine> machine_;
  std::shared_ptr<const Host> host_;
};

}  // namespace mlc
