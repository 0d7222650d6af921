// Lossless Ethernet as the PF's driver shows it: PFC and DSCP by DCB netlink, ECN and trust in the vendor's
// sysfs. A VF cannot see any of it.
#include <bit>
#include <map>
#include <set>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

std::string priorities(unsigned mask) {
  std::string text;
  for (int i = 0; i < 8; ++i)
    if (mask >> i & 1) text += (text.empty() ? "" : ",") + std::to_string(i);
  return text.empty() ? "none" : text;
}

const std::string mlnx_qos = "mlnx_qos -i IF --trust dscp --pfc 0,0,0,1,0,0,0,0";

std::string with_interface(std::string command, const std::string& netdev) {
  return command.replace(command.find("IF"), 2, netdev);
}

// Rails as the host sees them; in a Pod the PF is out of sight, which is unknown, not wrong.
template <class Each>
std::vector<Finding> each_pf(std::string_view check, bool asked, const Host& host, const Policy& policy,
                             const std::string& expected, Each each) {
  CheckFindings findings(check);
  if (!asked && !read_rails(host, policy)) {
    findings.skip("rails", "no rails, and the policy does not ask", "policy");
    return findings.done();
  }
  const auto rails = roce_rails_or_say(host, policy, findings);
  if (!rails) return findings.done();
  for (const auto& rail : *rails) {
    if (rail.vf)
      findings.unknown(rail.name(), "a VF does not show it", expected, "the PF in the host's namespace",
                       "run this check on the host: mlc-bench validate lossless");
    else
      for (const auto& port : rail.ports())
        each(findings, port == rail.netdev ? rail.name() : rail.name() + " " + port, port);
  }
  return findings.done();
}

void judge_pfc(CheckFindings& findings, const std::string& subject, const std::string& netdev,
               const Read<Dcb>& dcb, std::optional<unsigned> wanted) {
  const std::string source = "RTM_GETDCB IEEE PFC of " + netdev,
                    expected = wanted ? "PFC on priority " + priorities(*wanted) : "the same on every rail";
  const std::string remedy =
      with_interface(mlnx_qos, netdev) + "; set NCCL_IB_TC=106 so that traffic takes that priority";
  if (!dcb)
    findings.unknown(subject, dcb.why, expected, source,
                     "the driver shows no DCB; with the vendor's driver: mlnx_qos -i " + netdev);
  else if (!dcb->pfc_enabled)
    findings.unknown(subject, "the driver does not report PFC", expected, source, "mlnx_qos -i " + netdev);
  else if (wanted && *dcb->pfc_enabled != *wanted)
    findings.fail(subject, "PFC on priority " + priorities(*dcb->pfc_enabled), expected, source, remedy);
  else
    findings.pass(subject, "PFC on priority " + priorities(*dcb->pfc_enabled), expected, source);
}

void judge_dscp(CheckFindings& findings, const std::string& subject, const std::string& netdev,
                const Read<Dcb>& dcb, const Read<std::string>& trust, std::optional<unsigned> dscp,
                std::optional<unsigned> priority) {
  const std::string source =
      "RTM_GETDCB APP table of " + netdev + ", /sys/class/net/" + netdev + "/qos/trust";
  const std::string expected =
      dscp ? "trust dscp, DSCP " + std::to_string(*dscp) + " to priority " + std::to_string(*priority)
           : "trust dscp";
  const std::string remedy =
      with_interface(mlnx_qos, netdev) +
      (dscp ? " --dscp2prio set," + std::to_string(*dscp) + "," + std::to_string(*priority) : "");
  const bool table = dcb && dcb->dscp_to_priority;
  // Upstream mlx5 trusts DSCP exactly when the APP table has a DSCP entry; the vendor's driver says it in
  // sysfs.
  if (!table && !trust) {
    findings.unknown(subject, dcb ? "the driver reports neither a DSCP table nor a trust mode" : dcb.why,
                     expected, source, "mlnx_qos -i " + netdev);
    return;
  }
  const bool trusted =
      (trust && trust->find("dscp") != std::string::npos) || (table && !dcb->dscp_to_priority->empty());
  if (!trusted) {
    findings.fail(subject, trust ? "trust " + *trust : "no DSCP entry, so the port trusts PCP", expected,
                  source, remedy);
    return;
  }
  if (!dscp) {
    findings.pass(subject, "trust dscp", expected, source);
    return;
  }
  const auto entry =
      table ? dcb->dscp_to_priority->find(*dscp) : std::map<unsigned, unsigned>::const_iterator{};
  if (table && entry != dcb->dscp_to_priority->end())
    findings.judge(entry->second == *priority ? Status::pass : Status::fail, subject,
                   "DSCP " + std::to_string(*dscp) + " to priority " + std::to_string(entry->second),
                   expected, source, remedy);
  // The default map of mlx5 is the upper three bits.
  else if (*dscp >> 3 == *priority)
    findings.pass(subject,
                  "trust dscp, DSCP " + std::to_string(*dscp) + " to priority " + std::to_string(*priority) +
                      " by default",
                  expected, source);
  else
    findings.fail(subject,
                  "DSCP " + std::to_string(*dscp) + " goes to priority " + std::to_string(*dscp >> 3),
                  expected, source, remedy);
}

void judge_ecn(CheckFindings& findings, const std::string& subject, const std::string& netdev,
               unsigned priority, const Read<std::uint64_t>& rp, const Read<std::uint64_t>& np) {
  const std::string path =
      "/sys/class/net/" + netdev + "/ecn/{roce_rp,roce_np}/enable/" + std::to_string(priority);
  const std::string expected = "on for sender (rp) and receiver (np)";
  if (!rp || !np)
    findings.unknown(
        subject, (rp ? np : rp).why, expected, path,
        "only the vendor's driver shows it here: mlxreg -d " + netdev + " --reg_name ROCE_ACCL --get");
  else
    findings.judge(*rp == 1 && *np == 1 ? Status::pass : Status::fail, subject,
                   "rp " + std::to_string(*rp) + ", np " + std::to_string(*np) + " on priority " +
                       std::to_string(priority),
                   expected, path,
                   "echo 1 > /sys/class/net/" + netdev + "/ecn/roce_rp/enable/" + std::to_string(priority) +
                       ", the same for roce_np, at boot");
}

}  // namespace

extern const Check lossless_pfc{
    .name = "lossless.pfc",
    .summary = "priority flow control is on for the RoCE priority, the same on every rail",
    .why =
        "Without PFC a busy switch drops RoCE packets; go-back-N then resends whole windows and throughput "
        "falls by half or more under load.",
    .reads = "RTM_GETDCB (DCB_CMD_IEEE_GET) of each PF",
    .fix = "mlnx_qos -i IF --trust dscp --pfc 0,0,0,1,0,0,0,0, on the host and on the switch.",
    .keys = "lossless.pfc_priorities",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const auto wanted = node ? node->pfc_mask : std::nullopt;
          std::set<unsigned> masks;
          auto findings = each_pf("lossless.pfc", wanted.has_value(), host, policy,
                                  wanted ? "PFC on priority " + priorities(*wanted) : "",
                                  [&](CheckFindings& all, const std::string& rail, const std::string& port) {
                                    const auto dcb = host.dcb(port);
                                    if (dcb && dcb->pfc_enabled) masks.insert(*dcb->pfc_enabled);
                                    judge_pfc(all, rail, port, dcb, wanted);
                                  });
          if (masks.size() > 1) {
            CheckFindings more("lossless.pfc");
            more.fail("node", "the rails have different PFC settings", "the same on every rail", "RTM_GETDCB",
                      "run the same mlnx_qos command for every rail");
            findings.push_back(more.done().front());
          }
          return findings;
        },
};

extern const Check lossless_dscp{
    .name = "lossless.dscp",
    .summary = "the rails trust DSCP, and RoCE's DSCP maps to the lossless priority",
    .why =
        "If the port trusts PCP instead, RoCE traffic lands in priority 0 beside everything else, and PFC "
        "protects an empty queue.",
    .reads = "RTM_GETDCB APP table, /sys/class/net/IF/qos/trust",
    .fix = "mlnx_qos -i IF --trust dscp --dscp2prio set,26,3.",
    .keys = "lossless.dscp lossless.priority",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const bool asked = node && node->dscp;
          if (!asked) {
            CheckFindings findings("lossless.dscp");
            findings.skip("rails", "the policy does not ask", "policy");
            return findings.done();
          }
          return each_pf("lossless.dscp", true, host, policy, "trust dscp",
                         [&](CheckFindings& all, const std::string& rail, const std::string& port) {
                           judge_dscp(all, rail, port, host.dcb(port),
                                      host.files().text("/sys/class/net/" + port + "/qos/trust"), node->dscp,
                                      node->dscp_priority);
                         });
        },
};

extern const Check lossless_ecn{
    .name = "lossless.ecn",
    .summary = "RoCE congestion control (ECN) is on for sender and receiver",
    .why =
        "Without ECN only PFC slows senders, and pauses spread through the fabric to flows that did nothing "
        "wrong.",
    .reads = "/sys/class/net/IF/ecn/{roce_rp,roce_np}/enable/PRIORITY (vendor driver)",
    .fix = "Enable roce_rp and roce_np for the RoCE priority at boot.",
    .keys = "lossless.ecn",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          if (!node || !node->ecn) {
            CheckFindings findings("lossless.ecn");
            findings.skip("rails", "the policy does not ask", "policy");
            return findings.done();
          }
          // mlx5 puts RoCE into priority 3 unless told otherwise.
          const unsigned priority =
              node->dscp_priority.value_or(node->pfc_mask && *node->pfc_mask != 0
                                               ? static_cast<unsigned>(std::countr_zero(*node->pfc_mask))
                                               : 3);
          return each_pf("lossless.ecn", true, host, policy, "on for sender (rp) and receiver (np)",
                         [&](CheckFindings& all, const std::string& rail, const std::string& port) {
                           const auto read = [&](const char* side) {
                             return host.files().number("/sys/class/net/" + port + "/ecn/" + side +
                                                        "/enable/" + std::to_string(priority));
                           };
                           judge_ecn(all, rail, port, priority, read("roce_rp"), read("roce_np"));
                         });
        },
};

}  // namespace mlc::checks
