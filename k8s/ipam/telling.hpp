// Tells people what was found: an event at each node that is named, and the report where it outlives the Job.
// Marks no node: an address that is wrong is mended in the pools, and its node is not at fault.
#pragma once

#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "k8s/api/api_client.hpp"

namespace mlc::ipam {

struct Telling {
  std::map<std::string, std::string> notes;  // by node
  std::string run_id;
  std::string report;      // JSON
  std::string config_map;  // "namespace/name"; it has to be there
};

// What could not be told, one line each. Throws ApiError where the API server does not answer.
std::vector<std::string> tell(ApiClient& api, const Telling& telling, std::time_t now);

}  // namespace mlc::ipam
