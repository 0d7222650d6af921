// What the Pods of all our manifests have in common. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "k8s/manifests/manifest.hpp"

namespace mlc {

nlohmann::ordered_json labels(const ManifestRequest& request, const std::string& component);

// Of a Job and its like: with Kueue's queue where there is one.
nlohmann::ordered_json object_metadata(const ManifestRequest& request, const std::string& name);

// Of a Pod: with the networks of its rails.
nlohmann::ordered_json pod_metadata(const ManifestRequest& request, const std::string& component);

// GPUs and rails.
nlohmann::ordered_json pod_limits(const ManifestRequest& request);

// As `user`, or as root where that is asked for. sshd as root changes to the user that logs in, which takes
// capabilities; as that user itself it takes none.
nlohmann::ordered_json security_context(const ManifestRequest& request, bool sshd, bool pins_memory);

inline constexpr int user = 1000;  // mpiuser of the image

// One Pod a node, each with its index. `ends`: the keys of its spec that say when it is over.
nlohmann::ordered_json indexed_job_of(const ManifestRequest& request, const nlohmann::ordered_json& ends,
                                      const nlohmann::ordered_json& pod);

// What makes NAME-0.NAME a name. Names come before readiness: index 0 is one of them, and waits for the
// others itself.
nlohmann::ordered_json headless_service(const ManifestRequest& request, const std::string& component);

}  // namespace mlc
