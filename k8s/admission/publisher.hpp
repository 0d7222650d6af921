// Brings a node to what an admission says, however often and by whomever it is tried: every step looks first,
// changes one thing, and looks again when somebody else was faster. A run that is killed between two steps is
// continued by doing all of them again.
#pragma once

#include <ctime>
#include <functional>
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
  // Every node of the fleet, in pages.
  std::vector<NodeView> fleet();

 private:
  Admission condition(const std::string& name, const Decide& decide);
  void drop(const std::string& name, const Taint& taint, Published& done);
  void quarantine(const std::string& name, Published& done);
  bool reserve(const std::string& name, std::string& why);
  void metadata(const std::string& name, const Edits& labels, const Edits& annotations);
  // One read and one write, until nobody came in between. `change` returns no request when nothing is left to
  // do.
  bool change(const std::string& name,
              const std::function<std::optional<HttpRequest>(const NodeView&)>& request);

  ApiClient& api_;
  AdmitPolicy policy_;
  Options options_;
};

}  // namespace mlc
