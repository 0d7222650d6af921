// The ConfigMap that counts which nodes were quarantined in the last hour, for the whole fleet. Its times are
// the API server's, and how large the fleet is stands in it too: a node that fails reads one small object and
// lists nothing. Pure, but for the one that tells it the size.
#pragma once

#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "k8s/api/api_client.hpp"
#include "validators/policy/admit_policy.hpp"

namespace mlc {

inline constexpr const char* fleet_annotation = "mlc-bench.io/fleet";               // nodes
inline constexpr const char* counted_annotation = "mlc-bench.io/fleet-counted-at";  // when

struct QuarantineLedger {
  std::string resource_version;
  std::map<std::string, std::string> within_the_hour;  // node, and when it was taken out
  std::optional<std::size_t> fleet;                    // empty: nobody has counted yet
};

std::string ledger_path(const Quarantine& rule);

// `now`: the server's. An entry of a time that nobody can read, or of another hour, is not counted.
QuarantineLedger read_ledger(const nlohmann::json& config_map, std::time_t now);

// The share of the fleet, and at least one node unless the share is 0: else no node of a small fleet, or of
// one that nobody has counted, could be taken out.
std::size_t most_in_quarantine(const Quarantine& rule, const QuarantineLedger& ledger);

// Refused by the server unless the ledger is as it was read.
HttpRequest enter(const Quarantine& rule, QuarantineLedger ledger, const std::string& node, std::time_t now);

// By whoever lists the fleet anyway (a dispatcher, `admit --expire`); nothing is sent where it stands there
// already, or there is no ledger. Throws ApiError.
void tell_fleet_size(ApiClient& api, const Quarantine& rule, std::size_t nodes);

}  // namespace mlc
