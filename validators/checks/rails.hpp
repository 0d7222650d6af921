// Which interfaces of this machine are rails. A rail is the same NIC index on every node: on the host a PF,
// in a Pod the VF that was moved into its namespace.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "validators/checks/check_findings.hpp"
#include "validators/host/host.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct Rail {
  int index = 0;
  std::string rdma, netdev, pci;
  bool vf = false, soft = false;
  std::optional<Link> link;               // as this namespace sees it
  std::vector<Prefix> addresses;          // with host bits
  const RailExpectation* site = nullptr;  // of the policy; borrowed
  std::optional<Ipv4> gateway;            // that the site has for this node
  std::string name() const;               // "rail 2 (ens3f0)"
};

struct RailInputs {
  std::vector<RdmaDevice> devices;
  std::vector<Link> links;
  std::vector<Address> addresses;
  std::string default_device;  // carries the default route
  std::vector<double> rates;   // of each device, Gbit/s; 0: not known
};

// Pure. PFs with an interface here, else VFs with one. Of more candidates than the policy has rails, not the
// one with the default route, and those of the expected rate if that settles it.
std::vector<Rail> choose_rails(const RailInputs& inputs, const NodeExpectation* expected);

// Missing: this machine has none. Unreadable: it cannot be told.
Read<std::vector<Rail>> read_rails(const Host& host, const Policy& policy);

// The rails, or no value and the finding that says why: skip where the policy expects none; where it does, a
// failure of pci.inventory and unknown for all other checks.
std::optional<std::vector<Rail>> rails_or_say(const Host& host, const Policy& policy,
                                              CheckFindings& findings);

bool has_link(const Link& link);  // set up, and with a carrier as far as the kernel says

// The same for checks of what needs a link, which a VF has not where its PF in sight has none: such a rail is
// a failure of rdma.port-state, and unknown here.
std::optional<std::vector<Rail>> rails_up_or_say(const Host& host, const Policy& policy,
                                                 CheckFindings& findings);

// The physical NICs behind the rails: the PF itself, or the PF of a VF.
struct RailNic {
  std::string subject;  // "rail 2 (ens3f0)"
  std::string rdma, pci;
  std::optional<Link> link;  // empty: the PF has no interface in this namespace
};
std::vector<RailNic> rail_nics(const Host& host, const std::vector<Rail>& rails);

const NodeExpectation* expectation(const Policy& policy);  // null without a `node:` section
std::optional<int> expected_rails(const Policy& policy);

}  // namespace mlc
