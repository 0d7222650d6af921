#include "validators/checks/check.hpp"
#include "validators/checks/counters.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Flaps {
  std::string subject;
  CounterChange changes, downed, recovery;
};

void judge(CheckFindings& findings, const Flaps& flaps) {
  struct Width {
    const CounterChange* counter;
    std::uint64_t most;
  };
  // carrier_changes is 32 bits wide; link_downed and link_error_recovery stop at 255 (IBTA 16.1.3.5).
  const Width widths[]{{&flaps.changes, 0xffffffffu}, {&flaps.downed, 255}, {&flaps.recovery, 255}};
  std::string source;
  for (const auto& [counter, most] : widths)
    source += (source.empty() ? "" : ", ") + counter->path;
  std::uint64_t total = 0;
  bool any = false;
  for (const auto& [counter, most] : widths) {
    // In a Pod with shared RDMA namespaces the port counters are not there; the carrier then speaks alone.
    if (counter != &flaps.changes && counter->before.missing()) continue;
    if (counter->saturated(most)) {
      findings.unknown(
          flaps.subject, counter->path + " is saturated at " + std::to_string(*counter->before),
          "0 during the run", source,
          "reset it by reloading the driver in a maintenance window; until then new flaps cannot be seen");
      return;
    }
    const auto delta = counter->delta();
    if (!delta) {
      findings.unknown(flaps.subject, counter->path + ": " + counter->why_unknown(), "0 during the run",
                       source, "read twice on the node itself");
      return;
    }
    total += *delta;
    any = true;
  }
  if (any)
    findings.judge(
        total == 0 ? Status::pass : Status::fail, flaps.subject,
        total == 0 ? "the link stayed up"
                   : "the link went down or recovered " + std::to_string(total) + " times while we looked",
        "0 during the run", source,
        "clean or replace the optic, then check the error counters of the switch port");
}

}  // namespace

extern const Check rdma_flaps{
    .name = "rdma.flaps",
    .summary = "no rail's link flaps",
    .why =
        "A flapping link survives every one-shot test and then stalls a collective for seconds, again and "
        "again, until NCCL's retries run out.",
    .reads =
        "/sys/class/net/*/carrier_changes, "
        "/sys/class/infiniband/*/ports/1/counters/{link_downed,link_error_recovery}, twice",
    .fix = "Clean or replace optic and cable; look at the switch port's own counters.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.flaps");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Flaps> all;
          for (const auto& rail : *rails) {
            const auto read = [&](const std::string& path) {
              return CounterChange{path, host.files().number(path), {}};
            };
            all.push_back({rail.name(), read("/sys/class/net/" + rail.netdev + "/carrier_changes"),
                           read(port_path(rail.rdma) + "counters/link_downed"),
                           read(port_path(rail.rdma) + "counters/link_error_recovery")});
          }
          const auto later = host.files_after(expectation(policy) ? expectation(policy)->counters_over_s
                                                                  : NodeExpectation{}.counters_over_s);
          for (auto& flaps : all) {
            for (auto* counter : {&flaps.changes, &flaps.downed, &flaps.recovery})
              counter->after =
                  later ? later->number(counter->path)
                        : Read<std::uint64_t>::unreadable("there is no second reading (ROOT/later)");
            judge(findings, flaps);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
