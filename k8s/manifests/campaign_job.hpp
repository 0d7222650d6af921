// `fleet` as one Indexed Job, a Pod a node for the whole campaign. Pure.
#pragma once

#include <map>
#include <string>

#include "k8s/manifests/manifest.hpp"

namespace mlc {

// Where the Pods find `files`, and the key.
inline constexpr const char* campaign_files = "/etc/mlc-bench";

// `request.command`: "fleet" and its options. `files`: by name, what of this machine the campaign is told by
// --policy and --topology; a ConfigMap, NAME-files. `gather`: how long the Pods may take to come.
//
// A Service, the Job, and a ConfigMap where there are files. A Secret has to be there: NAME-key, with at
// least 32 bytes in `key`. An agent that dies ends no other (backoffLimitPerIndex: Kubernetes 1.29 on): it is
// LOST. What came of the campaign index 0 alone ends with; the Pods of a Job that fails are deleted where
// they still run, and it is index 0's log that has the answer. With something found (1 and 2), or started in
// a wrong way (64), it ends the Job, also where a Pod never found a node.
Objects campaign_job(const ManifestRequest& request, const std::map<std::string, std::string>& files,
                     const std::string& gather);

}  // namespace mlc
