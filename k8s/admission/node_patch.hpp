// A node as the API shows it, and the patches that change one thing of it and nothing of anybody else's.
// Pure.
//
// Which kind of patch is safe is decided by the type's listType: taints are atomic, so every merge would
// replace foreign ones, and a JSON Patch with tests is needed; conditions merge by type in a strategic merge.
#pragma once

#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "validators/host/http.hpp"
#include "validators/policy/admit_policy.hpp"

namespace mlc {

struct NodeCondition {
  std::string type, status, reason, message;
  std::string last_transition;  // RFC 3339
  std::size_t index = 0;        // in status.conditions, as it was read
};

struct NodeView {
  std::string name, uid, resource_version;
  std::string boot_id, machine_id;     // status.nodeInfo.bootID and machineID
  std::optional<std::time_t> seen_at;  // by the API server's clock
  std::optional<std::vector<Taint>>
      taints;  // empty: the node has no list of taints, which is not an empty list
  std::map<std::string, NodeCondition> conditions;
  std::map<std::string, std::string> labels, annotations;

  // By key and effect, which identify a taint.
  std::optional<std::size_t> index_of(const Taint& taint) const;
};

// A Node object. Throws std::runtime_error where it is none.
NodeView read_node(const nlohmann::json& object);

// RFC 1123 subdomain, as the API demands of a node's name: nothing else may become a part of a path.
bool is_node_name(const std::string& name);

// A value, or nothing to take the key away.
using Edits = std::map<std::string, std::optional<std::string>>;

HttpRequest get_node(const std::string& name);
HttpRequest list_nodes(const std::string& selector,
                       const std::string& from);  // `from`: the answer's "continue"
// Refused unless that condition still has its status: another run may have found otherwise meanwhile.
HttpRequest remove_taint(const NodeView& node, std::size_t index, const NodeCondition& only_while);
HttpRequest add_taint(const NodeView& node, const Taint& taint, const NodeCondition& only_while);
// lastTransitionTime moves only where the status does. Holds for the node as it was read: if it has changed
// since, the answer is 409 and another look is needed.
HttpRequest set_conditions(const NodeView& node, const std::vector<NodeCondition>& conditions,
                           std::time_t now);
// Refused with 409 where the node has changed since it was read, if the view says which version that was.
HttpRequest set_metadata(const NodeView& node, const Edits& labels, const Edits& annotations);

struct EventText {
  bool warning = false;
  std::string reason, note;
  std::string instance;  // who reports
  std::string key;       // the same for the same event: a second sending of it is answered 409
};
HttpRequest create_event(const NodeView& node, const EventText& event, std::time_t now);

// At most `most` bytes, cut between characters, control characters and broken UTF-8 escaped.
std::string bounded(const std::string& text, std::size_t most);

}  // namespace mlc
