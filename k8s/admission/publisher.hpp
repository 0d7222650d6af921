// Brings a node to what an admission says, however often and by whomever it is tried: every step looks first,
// changes one thing, and looks again when somebody else was faster. A run that is killed between two steps is
// continued by doing all of them again.
#pragma once

#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "k8s/admission/admission.hpp"
#include "k8s/api/api_client.hpp"

namespace mlc {

using Decide = std::function<Admission(const NodeView&)>;

struct Published {
  bool changed = false;
  std::vector<std::string> notes;  // what was done, and what the policy forbade, one sentence each
};

class Publisher {
 public:
  struct Options {
    double settle_s =
        0;  // after the last change, before it is looked at again: others may write back what they knew
    std::function<std::time_t()> now;
  };
  Publisher(ApiClient& api, AdmitPolicy policy, Options options);

  NodeView node(const std::string& name);  // throws ApiError, also when there is no such node
  // `decide` is asked anew after each look at the node. Order: the condition first where a node is opened, so
  // that no open node is without it.
  Published publish(const std::string& name, const Decide& decide);
  // Every node of the fleet, in pages. A list that has become too old to be continued is begun anew.
  std::vector<NodeView> fleet();
  // For the quarantine of nodes that fail, which list nothing.
  void tell_fleet_size(std::size_t nodes);

 private:
  Admission condition(const std::string& name, const Decide& decide);
  void drop(const std::string& name, const Taint& taint, Published& done);
  Edits quarantine(const std::string& name, const NodeCondition& only_while, Published& done);
  bool reserve(const std::string& name, std::string& why);
  HttpResponse send(const HttpRequest& request);
  std::time_t now() const;
  // False where another run has written the condition meanwhile: then that one's words stand.
  bool metadata(const std::string& name, const Edits& labels, const Edits& annotations,
                const NodeCondition& only_while);
  // One read and one write, until nobody came in between. `change` returns no request when nothing is left to
  // do.
  bool change(const std::string& name,
              const std::function<std::optional<HttpRequest>(const NodeView&)>& request);

  ApiClient& api_;
  AdmitPolicy policy_;
  Options options_;
  std::optional<std::time_t> server_now_;  // as of the last answer
  std::optional<NodeView> known_;          // the node as the last write left it: no need to ask again
};

}  // namespace mlc
