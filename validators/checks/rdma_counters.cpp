#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/counters.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Counter {
  const char* name;    // under ports/1/
  std::uint64_t most;  // where it stops
  Status when_growing;
  const char* meaning;
};

// Widths: IBTA 16.1.3.5 for counters/, 32-bit queue counters for hw_counters/ (drivers/infiniband/hw/mlx5).
constexpr Counter watched[]{
    {"counters/symbol_error", 0xffff, Status::warn, "bits arrive broken"},
    {"counters/port_rcv_errors", 0xffff, Status::fail, "packets arrive broken"},
    {"counters/port_xmit_discards", 0xffff, Status::fail, "packets are thrown away on sending"},
    {"counters/local_link_integrity_errors", 15, Status::fail, "the link cannot keep its integrity"},
    {"counters/excessive_buffer_overrun_errors", 15, Status::fail, "buffers overrun"},
    {"hw_counters/out_of_sequence", 0xffffffff, Status::warn, "packets were lost on the way here"},
    {"hw_counters/packet_seq_err", 0xffffffff, Status::warn, "the peer saw packets missing"},
    {"hw_counters/local_ack_timeout_err", 0xffffffff, Status::fail, "acknowledgements never came"},
    {"hw_counters/req_transport_retries_exceeded", 0xffffffff, Status::fail,
     "retries ran out: a queue pair died"},
    {"hw_counters/rnr_nak_retry_err", 0xffffffff, Status::fail, "the receiver was never ready"},
    {"hw_counters/out_of_buffer", 0xffffffff, Status::warn, "no receive buffer was posted"},
    {"hw_counters/roce_slow_restart", 0xffffffff, Status::warn, "senders had to start slowly again"},
    // Soft RoCE (drivers/infiniband/sw/rxe/rxe_hw_counters.c), 64 bits.
    {"hw_counters/out_of_seq_request", ~0ull, Status::warn, "packets were lost on the way here"},
    {"hw_counters/rcvd_seq_err", ~0ull, Status::warn, "the peer saw packets missing"},
    {"hw_counters/completer_retry_err", ~0ull, Status::warn, "acknowledgements came late or never"},
    {"hw_counters/retry_exceeded_err", ~0ull, Status::fail, "retries ran out: a queue pair died"},
    {"hw_counters/retry_rnr_exceeded_err", ~0ull, Status::fail, "the receiver was never ready"},
    {"hw_counters/send_err", ~0ull, Status::fail, "packets could not be sent"},
};

struct Port {
  std::string subject, rdma;
  std::vector<std::pair<const Counter*, CounterChange>> changes;
};

void judge(CheckFindings& findings, const Port& port) {
  const std::string base = port_path(port.rdma);
  std::size_t read = 0;
  bool bad = false;
  std::vector<std::string> stuck;
  for (const auto& [counter, change] : port.changes) {
    if (change.before.missing()) continue;  // firmware of this NIC, or a VF, does not have this group
    if (change.stuck(counter->most)) {
      stuck.push_back(std::string(counter->name) + " at " + std::to_string(*change.before));
      continue;
    }
    if (const auto delta = change.delta(); !delta) {
      findings.unknown(port.subject, std::string(counter->name) + ": " + change.why_unknown(), "no growth",
                       change.path, "read twice on the node itself");
      bad = true;
    } else if (*delta > 0) {
      findings.judge(
          counter->when_growing, port.subject,
          std::string(counter->name) + " grew by " + std::to_string(*delta) + ": " + counter->meaning,
          "no growth", change.path,
          "find the hop that drops: compare the switch port's counters with these, check PFC and ECN "
          "(mlc-bench validate lossless), then the cable");
      bad = true;
    }
    ++read;
  }
  const std::string not_judged =
      stuck.empty() ? "" : "; not judged, stuck at their maximum: " + join(stuck, ", ");
  if (read == 0 && !stuck.empty())
    findings.unknown(port.subject, "no counter moves any more" + not_judged, "no growth",
                     base + "{counters,hw_counters}",
                     "reload the driver in a maintenance window, which sets them to 0");
  else if (read == 0)
    findings.unknown(port.subject, "this namespace shows no port counters", "no growth",
                     base + "{counters,hw_counters}",
                     "in a Pod with shared RDMA namespaces run on the host, mount the host's /sys, or use "
                     "rdma system set netns exclusive");
  else if (!bad)
    findings.pass(port.subject, "no growth in " + std::to_string(read) + " counters" + not_judged,
                  "no growth", base + "{counters,hw_counters}");
}

}  // namespace

extern const Check rdma_counters{
    .name = "rdma.counters",
    .summary = "no error, loss or congestion counter of a rail grows",
    .why =
        "RoCE hides losses behind retransmissions: the job runs, only slower. These counters are where the "
        "loss shows.",
    .reads = "/sys/class/infiniband/*/ports/1/{counters,hw_counters}, twice",
    .fix = "Compare with the switch port's counters; check PFC, ECN and trust; then cable and optics.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.counters");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Port> ports;
          for (const auto& rail : *rails) {
            Port port{rail.name(), rail.rdma, {}};
            for (const auto& counter : watched) {
              const std::string path = port_path(rail.rdma) + counter.name;
              port.changes.emplace_back(&counter, CounterChange{path, host.files().number(path), {}});
            }
            ports.push_back(std::move(port));
          }
          const auto later = host.files_after(expectation(policy) ? expectation(policy)->counters_over_s
                                                                  : NodeExpectation{}.counters_over_s);
          for (auto& port : ports) {
            for (auto& [counter, change] : port.changes)
              // What could not be read is not asked again: restricted PFs log a kernel error for each
              // attempt.
              if (change.before)
                change.after =
                    later ? later->number(change.path)
                          : Read<std::uint64_t>::unreadable("there is no second reading (ROOT/later)");
            judge(findings, port);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
