// A node made for a test: its files in a temporary folder, its other answers in memory. It starts healthy; a
// test breaks one thing and sees one check change its mind.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/finding.hpp"
#include "validators/host/host.hpp"
#include "validators/host/machine.hpp"
#include "validators/policy/policy.hpp"

namespace mlc::test {

struct BuiltRoute {
  std::optional<IpPrefix> destination;  // empty: IPv4's default
  int oif = 0;
  std::optional<IpAddress> gateway;
  unsigned table = 254, type = 1, mtu = 0;  // main, unicast
};

struct BuiltRule {
  unsigned priority = 0, table = 0;
  std::optional<IpPrefix> from;  // a rule without prefixes is of both families
  std::optional<unsigned> mark;
  std::optional<IpPrefix> to;
  unsigned action = 1;  // FR_ACT_TO_TBL
  bool inverted = false;
};

struct BuiltLink {
  int index = 0;
  std::string name, mac, kind, pci;
  unsigned mtu = 1500, flags = 0x11043;
  std::vector<Prefix> addresses;
};

struct BuiltVf {
  unsigned index = 0;
  std::string mac = "00:00:00:00:00:00";
  unsigned vlan = 0, max_rate = 0, link_state = 0, spoof_check = 0, trust = 1;  // 0xffffffff: not reported
};

class BuiltNode {
 public:
  static constexpr int rails = 4;

  explicit BuiltNode(int vfs_per_pf = 8);  // a healthy 8 x H100 node with four rails
  ~BuiltNode();
  BuiltNode(const BuiltNode&) = delete;
  BuiltNode& operator=(const BuiltNode&) = delete;

  static std::unique_ptr<BuiltNode> pod();      // the same hardware from inside a Pod with four VFs
  static std::unique_ptr<BuiltNode> machine();  // a machine with neither GPUs nor rails

  void file(const std::string& path, const std::string& content);   // in both readings
  void later(const std::string& path, const std::string& content);  // in the second one
  void link(const std::string& path, const std::string& target);
  void remove(const std::string& path);
  void answer(const std::string& kind, const std::string& key, nlohmann::json value);
  void error(const std::string& kind, const std::string& key, int number, const std::string& why);

  std::shared_ptr<const Host> host() const;
  // Leaves the node in a folder as `capture` would: what was asked under this policy is answered there.
  void write(const std::string& directory, const Policy& policy) const;

  std::string pf(int rail) const;  // PCI address of a rail's NIC
  std::string vf(int rail, int index) const;
  std::string gpu(int index) const;
  std::string pci(const std::string& address) const;  // its folder: "/sys/devices/..."
  std::string port(int rail) const;                   // "/sys/class/infiniband/.../ports/1/"
  std::string netdev(int rail) const;
  std::string rdma(int rail) const;
  BuiltLink& rail_link(int rail);
  nlohmann::json& gpus();  // the NVML answer

  void pci_device(const std::string& address, const std::string& folder, unsigned vendor, unsigned device,
                  unsigned class_code, const std::string& speed, int width);
  // On a PCI device that is there: an active port at 200 Gbit/s, its counters, an interface of MTU 9000.
  void rdma_device(const std::string& address, const std::string& name, const std::string& interface,
                   int ifindex, const std::string& mac, bool is_vf);

  std::vector<BuiltLink> links;
  std::vector<BuiltRoute> routes;
  std::vector<BuiltRule> rules;
  std::map<int, std::vector<BuiltVf>> vfs;  // by link index
  std::map<std::string, unsigned> pfc;      // by device; absent: the driver says nothing
  std::map<std::string, std::map<unsigned, unsigned>> dscp;
  std::optional<int> links_error;  // RTM_GETLINK answers with this errno
  const std::string& root() const { return root_; }

 private:
  struct Empty {};
  BuiltNode(Empty, bool large);
  void common();
  std::shared_ptr<Machine> machine_with_answers() const;

  std::string root_;
  bool in_pod_ = false;
  std::map<std::string, std::string> folders_;  // PCI address -> folder
  std::map<std::pair<std::string, std::string>, Answer> answers_;
};

// The built-in policy with the addresses of the built node.
Policy h100_policy();
// The findings of one check on a node.
std::vector<Finding> run_check(const std::string& name, const Host& host, const Policy& policy);
Status worst_of(const std::vector<Finding>& findings);

}  // namespace mlc::test
