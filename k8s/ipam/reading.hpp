// Reads the pools, the reservations and the Pods' metadata in pages. No Pod's spec or status is asked for.
#pragma once

#include <optional>
#include <string>

#include "k8s/api/api_client.hpp"
#include "k8s/ipam/whereabouts.hpp"

namespace mlc::ipam {

// Empty where the cluster has no Whereabouts. Throws ApiError: not to be asked, no list, or a list without
// end.
std::optional<Records> read_records(ApiClient& api);

// The node of "namespace/name"; empty where it has none yet, or is gone.
std::string node_of(ApiClient& api, const std::string& pod);

}  // namespace mlc::ipam
