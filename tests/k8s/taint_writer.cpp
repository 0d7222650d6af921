// One of two writers that race for the taints of a node: puts its taint there and takes it away again, and
// looks each time that what it did is so. usage: taint_writer URL NAME ROUNDS
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "k8s/admission/publisher.hpp"
#include "k8s/api/endpoint.hpp"

int main(int argc, char** argv) {
  using namespace mlc;
  if (argc != 4) return 64;
  const auto transport = make_transport(given_endpoint(argv[1], "", ""), 20);
  ApiClient api(
      *transport, [] { return std::string(); }, {.total_s = 200, .first_wait_s = 0.01, .most_wait_s = 0.1},
      steady_timekeeper());
  AdmitPolicy policy;
  policy.condition = std::string("Writer/") + argv[2];
  policy.startup_taint = Taint{std::string("writer/") + argv[2], "", "NoSchedule"};
  policy.quarantine = Quarantine{.taint = *policy.startup_taint, .share_per_hour = 1};
  Publisher publisher(api, policy, {.now = [] { return std::time(nullptr); }});
  const int rounds = std::atoi(argv[3]);
  for (int round = 0; round < rounds; ++round) {
    const bool put = round % 2 == 1;
    publisher.publish("gpu-a", [&](const NodeView&) {
      Admission admission;
      admission.condition = {.type = policy.condition,
                             .status = put ? "False" : "True",
                             .reason = "Race",
                             .message = std::to_string(round)};
      admission.open = !put, admission.quarantine = put;
      return admission;
    });
    if (publisher.node("gpu-a").index_of(*policy.startup_taint).has_value() != put) {
      std::printf("lost in round %d\n", round);
      return 1;
    }
  }
  return 0;
}
