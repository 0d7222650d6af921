// Whereabouts' records and the Pods that hold addresses, from pages of the API's lists. Pure parsing;
// formats: whereabouts v0.9.4.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "validators/host/ipv4.hpp"

namespace mlc::ipam {

struct Pool {
  std::string name;
  std::string network;  // its network_name (or node, of a slice): the same address in two of them is two
  Prefix range;
  std::size_t allocated = 0;
};

struct Allocation {
  std::size_t pool = 0;  // index in `pools`
  Ipv4 address;          // network of spec.range plus the decimal offset
  std::string pod;       // "namespace/name"
  std::string interface;
};

struct Reservation {
  Ipv4 address;
  std::string pod;
};

// A Pod that has not ended.
struct PodAddresses {
  bool settled = false;         // its network-status is there and can be read
  std::vector<Ipv4> addresses;  // of its attachments beside the default one, in the range of a pool
};

struct Records {
  std::vector<Pool> pools;
  std::set<Prefix> ranges;  // of the pools
  std::vector<Allocation> allocations;
  std::vector<Reservation> reservations;
  std::map<std::string, PodAddresses> pods;  // only those that a pool, a reservation or an address names
  std::set<std::string> named;               // by a pool or a reservation
  std::size_t pods_seen = 0, ipv6_pools = 0;
  std::size_t malformed = 0;  // entries that are no address of their pool
};

// Each adds one page of a list. They return why the page is none, or nothing. Pods come last: what is kept of
// them is what the other two have named, so that memory grows with the addresses and not with the cluster.
std::string add_pools(Records& records, const nlohmann::json& page);
std::string add_reservations(Records& records, const nlohmann::json& page);
std::string add_pods(Records& records, const nlohmann::json& page);

// The node of the one row of a Pod's table, as `kubectl get pod -o wide` asks for it. Empty: it does not say.
std::string node_in_table(const nlohmann::json& table);

}  // namespace mlc::ipam
