// Whereabouts' records and the live Pods, from the API's JSON. Pure parsing; formats: whereabouts v0.9.4.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "validators/host/ipv4.hpp"
#include "validators/host/read.hpp"

namespace mlc {

struct Allocation {
  std::string pool;  // name of the IPPool
  Ipv4 address;      // network of spec.range plus the decimal offset
  std::string pod;   // "namespace/name"
  std::string interface;
};

struct Reservation {
  Ipv4 address;
  std::string pod;
};

struct PodAddresses {
  std::string pod;
  bool live = false;     // Running; Succeeded and Failed Pods own nothing
  bool settled = false;  // its network-status is there
  std::vector<Ipv4> addresses;
};

Read<std::vector<Allocation>> parse_ip_pools(const nlohmann::json& list);
Read<std::vector<Reservation>> parse_reservations(const nlohmann::json& list);
Read<std::vector<PodAddresses>> parse_pods(const nlohmann::json& list);

}  // namespace mlc
