// Which devices are the rails: by identity, never by number and speed alone. Pure: devices, policy and routes
// in; rails with how they were found, rails that are missing, and devices that are none out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "validators/host/inet6.hpp"
#include "validators/host/netlink_message.hpp"
#include "validators/policy/node_expectation.hpp"

namespace mlc {

enum class LinkLayer { unknown, ethernet, infiniband };

// An RDMA device with an interface in this namespace (InfiniBand does without), and all that it can be known
// by.
struct RailCandidate {
  std::string rdma, pci;
  std::string parent;                // the PF of a VF; empty where that is out of sight
  std::string netdev;                // a bond, where the device's own interface is a member of one
  std::vector<std::string> members;  // of the bond
  bool vf = false, soft = false;
  LinkLayer link_layer = LinkLayer::unknown;
  std::optional<Link> link;
  std::vector<Prefix> addresses;     // with host bits
  std::vector<IpPrefix> addresses6;  // without fe80::
  std::uint64_t vendor = 0, model = 0;
  std::optional<int> numa;
  std::vector<int> gpus;               // in PCI order, those behind a common bridge
  std::vector<std::string> resources;  // variables of the device plugin that give it to this Pod
  std::vector<std::string> networks;   // attachments of this Pod that are its interface
  std::string name() const;            // "mlx5_9 (eth6)"
};

struct RouteTo {
  Prefix destination;
  std::string netdev;
};

struct RailInputs {
  std::vector<RailCandidate> candidates;
  std::string default_device;   // carries the default route
  std::vector<RouteTo> routes;  // unicast, of all tables but the local one; without default routes
  bool pod_known = false;       // resources or networks could be told
};

// How a rail was found, the surest first.
enum class RailSource { selector, subnet, route, inferred };

enum class NoRail {
  default_route,
  not_named,
  other_network,
  no_route_to_peers,
  far_from_gpus,
  not_selected_here,  // has an address of a rail, and is not what the selector asks for
  other_model,
  gpus_have_theirs,  // its GPUs have as many rails as others, and others have fewer
  gpu_gone,          // is what the selector asks for, but for the GPU beside it
};

struct FoundRail {
  int index = 0;
  std::size_t candidate = 0;
  RailSource source = RailSource::inferred;
  bool numbered = true;  // else it is one of those that are left, and nothing says which
};

struct MissingRail {
  std::optional<int> index;        // empty: which of them cannot be told
  std::vector<std::string> names;  // by which the policy knows it, or, without a number, one of them:
                                   // {"0000:4a:00.0", "eth6"}
  std::string text() const;        // "rail 2 (0000:4a:00.0, eth6)"
};

struct OtherDevice {
  std::size_t candidate = 0;
  NoRail why = NoRail::not_named;
};

struct RailSelection {
  std::vector<FoundRail> rails;  // by index
  std::vector<MissingRail> missing;
  std::vector<OtherDevice> others;     // without the VFs of PFs that are in sight
  std::vector<std::size_t> undecided;  // more devices fit than there are rails: then there are no rails
  bool named = false;                  // the policy names its rails
  std::string unanswered;              // the key of its selector that this machine cannot answer
};

// By the policy's `select`, else by its `addresses`, else by the routes to its peers, else by what is alike:
// near the GPUs, of one model; never by its rate, which a dead port lowers. The last is never enough for a
// policy that names rails.
RailSelection select_rails(const RailInputs& inputs, const NodeExpectation* expected);

std::string to_text(NoRail why);         // "has an address of another network"
std::string to_text(RailSource source);  // "the policy's selector"

}  // namespace mlc
