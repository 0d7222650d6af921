#include "validators/checks/check.hpp"
#include "validators/checks/counters.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Counter {
  CounterChange change;
  std::uint64_t most = 0;      // where it stops
  bool may_be_absent = false;  // in a Pod with shared RDMA namespaces the carrier speaks alone
};

struct Flaps {
  std::string subject;
  std::vector<Counter> counters;
};

void judge(CheckFindings& findings, const Flaps& flaps) {
  std::string source, stuck;
  for (const auto& counter : flaps.counters)
    source += (source.empty() ? "" : ", ") + counter.change.path;
  std::uint64_t total = 0;
  bool any = false;
  for (const auto& [change, most, may_be_absent] : flaps.counters) {
    if (may_be_absent && change.before.missing()) continue;
    if (change.stuck(most)) {
      stuck += (stuck.empty() ? "; not judged, stuck at its maximum: " : ", ") +
               change.path.substr(change.path.rfind('/') + 1) + " at " + std::to_string(*change.before);
      continue;
    }
    const auto delta = change.delta();
    if (!delta) {
      findings.unknown(flaps.subject, change.path + ": " + change.why_unknown(), "0 during the run", source,
                       "read twice on the node itself");
      return;
    }
    total += *delta;
    any = true;
  }
  if (any)
    findings.judge(
        total == 0 ? Status::pass : Status::fail, flaps.subject,
        (total == 0 ? "the link stayed up"
                    : "the link went down or recovered " + std::to_string(total) + " times while we looked") +
            stuck,
        "0 during the run", source,
        "clean or replace the optic, then check the error counters of the switch port");
  else
    findings.unknown(flaps.subject,
                     stuck.empty() ? "this namespace shows no counter of flaps"
                                   : "no counter of flaps moves any more" + stuck,
                     "0 during the run", source,
                     stuck.empty() ? "run on the node itself"
                                   : "reload the driver in a maintenance window, which sets them to 0");
}

// A bond's own carrier stays while its members flap; InfiniBand without IPoIB has no carrier at all.
Flaps read_flaps(const Host& host, const Rail& rail) {
  Flaps flaps{rail.name(), {}};
  const auto read = [&](const std::string& path, std::uint64_t most, bool may_be_absent) {
    flaps.counters.push_back({{path, host.files().number(path), {}}, most, may_be_absent});
  };
  for (const auto& port : rail.ports())
    if (!port.empty()) read("/sys/class/net/" + port + "/carrier_changes", 0xffffffffu, false);
  // They stop at 255 (IBTA 16.1.3.5).
  for (const char* name : {"link_downed", "link_error_recovery"})
    read(port_path(rail.rdma) + "counters/" + name, 255, true);
  return flaps;
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
          for (const auto& rail : *rails)
            all.push_back(read_flaps(host, rail));
          const auto later = host.files_after(expectation(policy) ? expectation(policy)->counters_over_s
                                                                  : NodeExpectation{}.counters_over_s);
          for (auto& flaps : all) {
            for (auto& counter : flaps.counters)
              counter.change.after =
                  later ? later->number(counter.change.path)
                        : Read<std::uint64_t>::unreadable("there is no second reading (ROOT/later)");
            judge(findings, flaps);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
