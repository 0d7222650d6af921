#include <cmath>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

extern const Check host_clock{
    .name = "host.clock",
    .summary = "the clock is synchronised, and close",
    .why =
        "With clocks apart, logs of different nodes cannot be put in order, tokens expire early and etcd "
        "complains.",
    .reads = "adjtimex",
    .fix = "chronyc tracking; systemctl enable --now chrony.",
    .keys = "host.clock_offset",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("host.clock");
          const auto* node = expectation(policy);
          if (!node || !node->clock_offset_s) {
            findings.skip("node", "the policy does not ask", "policy");
            return findings.done();
          }
          const auto clock = host.clock();
          const double most = *node->clock_offset_s * 1e6;
          const std::string
              expected = "synchronised within " + time_text(most),
              source = "adjtimex",
              remedy =
                  "chronyc tracking; systemctl enable --now chrony; check that its servers are reachable";
          if (!clock)
            findings.unknown("node", clock.why, expected, source, "run on the node itself");
          else if (!clock->synchronised)
            findings.fail("node", "not synchronised", expected, source, remedy);
          else
            findings.judge(std::abs(clock->offset_us) <= most ? Status::pass : Status::fail, "node",
                           "offset " + time_text(std::abs(clock->offset_us)), expected, source, remedy);
          return findings.done();
        },
};

}  // namespace mlc::checks
