#include <array>
#include <map>
#include <set>

#include "reports/record/text.hpp"
#include "validators/checks/gpu_reading.hpp"

namespace mlc::checks {

namespace {

// NVIDIA's XID catalogue: those that an application causes by itself (13 graphics exception, 31 page fault,
// 43 channel reset, 45 preemptive cleanup, 68 video) are no reason to refuse a node.
const std::set<unsigned> harmless{13, 31, 43, 45, 68};

// "NVRM: Xid (PCI:0000:1b:00): 79, pid=..., GPU has fallen off the bus."
std::optional<std::pair<std::string, unsigned>> parse_xid(std::string_view line) {
  const auto at = line.find("NVRM: Xid (PCI:");
  if (at == line.npos) return std::nullopt;
  const auto close = line.find("): ", at);
  if (close == line.npos) return std::nullopt;
  const auto digits = line.substr(close + 3, line.find_first_not_of("0123456789", close + 3) - close - 3);
  const auto number = whole_number(digits);
  if (!number || *number > 1000) return std::nullopt;
  return std::pair{std::string(line.substr(at + 15, close - at - 15)), static_cast<unsigned>(*number)};
}

std::vector<Finding> judge(const Read<std::vector<std::string>>& log) {
  CheckFindings findings("gpu.xid");
  const std::string source = "/dev/kmsg", expected = "no XID that points at hardware";
  if (!log) {
    findings.unknown("node", log.why, expected, source,
                     "run as root on the host, or give the container /dev/kmsg and SYSLOG");
    return findings.done();
  }
  std::map<std::pair<std::string, unsigned>, unsigned> seen;
  for (const auto& line : *log)
    if (const auto xid = parse_xid(line)) ++seen[*xid];
  for (const auto& [xid, times] : seen)
    findings.judge(harmless.contains(xid.second) ? Status::warn : Status::fail,
                   "GPU " + printable(xid.first, 20),
                   "XID " + std::to_string(xid.second) + ", " + std::to_string(times) + " times since boot",
                   expected, source,
                   harmless.contains(xid.second) ? "an application error; look at the job that ran then"
                                                 : "drain the node and reset the GPU or reboot; if it "
                                                   "returns, open an RMA with nvidia-bug-report.sh");
  if (findings.empty()) findings.pass("node", "no XID since boot", expected, source);
  return findings.done();
}

}  // namespace

extern const Check gpu_xid{
    .name = "gpu.xid",
    .summary = "the driver logged no XID that points at hardware",
    .why =
        "XIDs such as 48, 63, 74, 79 and 94 announce the GPU or NVLink that will fail in the next long run.",
    .reads = "/dev/kmsg (since boot)",
    .fix = "Reset or reboot once; when it returns, RMA.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("gpu.xid");
          if (!gpus_or_say(host, policy, findings)) return findings.done();
          return judge(host.kernel_log());
        },
};

}  // namespace mlc::checks
