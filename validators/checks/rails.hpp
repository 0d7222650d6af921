// The rails of this machine as checks and measurements see them. A rail is the same NIC index on every node:
// on the host a PF, in a Pod the VF that was moved into its namespace. Which devices they are:
// rail_selection.hpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "validators/checks/check_findings.hpp"
#include "validators/checks/rail_selection.hpp"
#include "validators/host/host.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct Rail {
  int index = 0;
  std::string rdma, netdev, pci;     // netdev: a bond, or empty on InfiniBand without IPoIB
  std::vector<std::string> members;  // of the bond
  bool vf = false, soft = false;
  LinkLayer link_layer = LinkLayer::unknown;
  RailSource source = RailSource::inferred;
  bool numbered = true;                   // else which of the rails it is, nothing says
  std::optional<Link> link;               // as this namespace sees it
  std::vector<Prefix> addresses;          // with host bits; the site's first, without link-local ones
  std::vector<Prefix> link_local;         // 169.254.0.0/16 (RFC 3927): given by nobody
  std::vector<IpPrefix> addresses6;       // without fe80::
  const RailExpectation* site = nullptr;  // of the policy; borrowed
  std::optional<IpAddress> gateway;       // that the site has for this node
  std::string name() const;               // "rail 2 (ens3f0)", "rail ? (ens3f0)"
  // Of a peer's rail addresses the one to meet here. Empty: the peer has no such rail, or is this very node.
  std::optional<Ipv4> meets(const std::vector<Ipv4>& peer) const;
  // What it is judged by: the site's family, else IPv4 (whose GIDs NCCL and rdma_cm take first), else IPv6.
  IpFamily family() const;
  std::vector<IpPrefix> own() const;  // its addresses of that family, with host bits; not link-local ones
  bool infiniband() const { return link_layer == LinkLayer::infiniband; }
  std::vector<std::string> ports() const;  // the interfaces of its hardware: itself, or the bond's members
};

std::optional<Ipv4> gateway4(const Rail& rail);  // for what asks by IPv4

// Pure: a candidate as the rail it was found to be.
Rail rail_of(const RailCandidate& candidate, const FoundRail& found, const NodeExpectation* expected);

struct NotARail {
  std::string name, pci;  // "mlx5_9 (eth6)", "0000:4b:00.0"
  NoRail why = NoRail::not_named;
};

struct RailsHere {
  std::vector<Rail> rails;
  std::vector<MissingRail> missing;
  std::vector<NotARail> others;
  std::vector<std::string> undecided;  // more devices than rails, and nothing says which; then no rails
  bool named = false;                  // the policy names its rails
  std::string unanswered;              // the key of its selector that this machine cannot answer
};

// Missing: this machine has no RDMA device that could be one. Unreadable: it cannot be told.
Read<RailsHere> read_rails_here(const Host& host, const Policy& policy);
// The rails alone; undecided ones are unreadable, and with none of them here that is missing.
Read<std::vector<Rail>> read_rails(const Host& host, const Policy& policy);

// The rails, or no value and the finding that says why: skip where the policy expects none; where it does, a
// failure of pci.inventory and unknown for all other checks.
std::optional<std::vector<Rail>> rails_or_say(const Host& host, const Policy& policy,
                                              CheckFindings& findings);

// The same for checks of Ethernet and IP: InfiniBand has neither, and is skipped.
std::optional<std::vector<Rail>> roce_rails_or_say(const Host& host, const Policy& policy,
                                                   CheckFindings& findings);

// The same for checks of addresses, which PFs need not have where only their VFs, in Pods, do.
std::optional<std::vector<Rail>> addressed_rails_or_say(const Host& host, const Policy& policy,
                                                        CheckFindings& findings);

bool has_link(const Link& link);  // set up, and with a carrier as far as the kernel says

// The same for checks of what needs a link, which a VF has not where its PF in sight has none: such a rail is
// a failure of rdma.port-state, and unknown here.
std::optional<std::vector<Rail>> rails_up_or_say(const Host& host, const Policy& policy,
                                                 CheckFindings& findings);

// The same for checks that ask by ARP or ICMP of IPv4: a rail that has IPv6 alone is unknown.
std::optional<std::vector<Rail>> ipv4_rails_up_or_say(const Host& host, const Policy& policy,
                                                      CheckFindings& findings);

// The physical NICs behind the rails: the PF itself, or the PF of a VF.
struct RailNic {
  std::string subject;  // "rail 2 (ens3f0)"
  std::string rdma, pci;
  std::optional<Link> link;  // empty: the PF has no interface in this namespace
  bool hidden = false;       // a VF whose PF is on another machine's bus; pci is then the VF's own
};
std::vector<RailNic> rail_nics(const Host& host, const std::vector<Rail>& rails);

const NodeExpectation* expectation(const Policy& policy);  // null without a `node:` section
std::optional<int> expected_rails(const Policy& policy);

}  // namespace mlc
