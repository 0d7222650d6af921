// What the PF enforces on its VFs: one answer of the kernel (RTM_GETLINK with RTEXT_FILTER_VF), six checks of
// it.
#include <functional>
#include <set>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Pf {
  std::string subject, netdev;
  bool hidden = false;  // of a rail that is a VF, in a namespace without its PF
  Read<Link> link;
  Read<std::uint64_t> configured;
};

struct Rule {
  std::string_view check;
  std::string expected;
  // Empty: the driver did not say.
  std::function<std::optional<bool>(const Vf&)> right;
  std::function<std::string(const Vf&)> shown;
  Status when_wrong;
  std::string command;  // "trust on": after `ip link set PF vf N`
};

std::vector<Finding> judge(const std::vector<Pf>& pfs, const Rule& rule) {
  CheckFindings findings(rule.check);
  for (const auto& pf : pfs) {
    const std::string source = "RTM_GETLINK IFLA_VFINFO_LIST of " + pf.netdev;
    if (pf.hidden) {
      findings.unknown(pf.subject, "a VF does not show what its PF enforces", rule.expected,
                       "the PF in the host's namespace", "run this check on the host: mlc-bench validate vf");
      continue;
    }
    if (!pf.link) {
      findings.unknown(pf.subject, pf.link.why, rule.expected, source, "run on the node itself");
      continue;
    }
    const auto& vfs = pf.link->vfs;
    if (vfs.empty() && (pf.link->vf_count.value_or(0) == 0) && (!pf.configured || *pf.configured == 0)) {
      findings.skip(pf.subject, "the PF has no VF", source);
      continue;
    }
    std::vector<std::string> wrong, silent;
    std::string first;
    for (const auto& vf : vfs) {
      const auto right = rule.right(vf);
      if (!right)
        silent.push_back(std::to_string(vf.index));
      else if (!*right)
        wrong.push_back(std::to_string(vf.index)), first = first.empty() ? rule.shown(vf) : first;
    }
    if (!wrong.empty())
      findings.judge(rule.when_wrong, pf.subject, "VF " + join(wrong, ", ") + ": " + first, rule.expected,
                     source,
                     "ip link set " + pf.netdev + " vf " + wrong.front() + " " + rule.command +
                         " (for each of them; in the SR-IOV network attachment so that it stays)");
    if (!silent.empty())
      findings.unknown(pf.subject, "the driver does not report it for VF " + join(silent, ", "),
                       rule.expected, source, "read it by hand: ip -d link show " + pf.netdev);
    // A VF the driver cannot describe is left out of the list without a word.
    const std::uint64_t told =
        std::max<std::uint64_t>(pf.link->vf_count.value_or(0), pf.configured ? *pf.configured : 0);
    if (vfs.size() < told)
      findings.unknown(pf.subject,
                       std::to_string(vfs.size()) + " of " + std::to_string(told) + " VFs are described",
                       rule.expected, source,
                       "a VF vanished or its driver gave no answer: ip -d link show " + pf.netdev +
                           ", dmesg | grep mlx5_core");
    else if (wrong.empty() && silent.empty())
      findings.pass(pf.subject, std::to_string(vfs.size()) + " VFs", rule.expected, source);
  }
  return findings.done();
}

std::vector<Finding> run(const Host& host, const Policy& policy, bool asked, const Rule& rule) {
  CheckFindings findings(rule.check);
  if (!asked) {
    findings.skip("rails", "the policy does not ask", "policy");
    return findings.done();
  }
  const auto rails = roce_rails_or_say(host, policy, findings);
  if (!rails) return findings.done();
  std::vector<Pf> pfs;
  for (const auto& nic : rail_nics(host, *rails))
    pfs.push_back({nic.subject, nic.link ? nic.link->name : "", !nic.link,
                   nic.link ? host.link_with_vfs(nic.link->index) : Read<Link>{},
                   host.files().number("/sys/bus/pci/devices/" + nic.pci + "/sriov_numvfs")});
  return judge(pfs, rule);
}

std::string on_off(const std::optional<bool>& value) { return value.value_or(false) ? "on" : "off"; }

constexpr std::string_view reads = "RTM_GETLINK of each PF with RTEXT_FILTER_VF (host namespace)";
constexpr std::string_view attachment_fix =
    "Set it in the SR-IOV network attachment (trust, spoofchk, link_state, vlan, max_tx_rate, mac); ip link "
    "set PF vf N ... until then.";

}  // namespace

extern const Check vf_trust{
    .name = "vf.trust",
    .summary = "VFs are trusted or not, as the policy says",
    .why =
        "An untrusted VF may not change its MAC or go promiscuous; the CNI then fails to set it up, or "
        "traffic is dropped in the NIC.",
    .reads = reads,
    .fix = attachment_fix,
    .keys = "vfs.trust",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const auto wanted = node ? node->vf_trust : std::nullopt;
          return run(host, policy, wanted.has_value(),
                     {"vf.trust", "trust " + on_off(wanted),
                      [&](const Vf& vf) -> std::optional<bool> {
                        return vf.trust ? std::optional(vf.trust == wanted) : std::nullopt;
                      },
                      [](const Vf& vf) { return "trust " + on_off(vf.trust); }, Status::fail,
                      "trust " + on_off(wanted)});
        },
};

extern const Check vf_spoof_check{
    .name = "vf.spoof-check",
    .summary = "spoof checking of VFs is as the policy says",
    .why =
        "With spoof checking on, packets of a VF whose MAC the PF did not set are dropped without an error.",
    .reads = reads,
    .fix = attachment_fix,
    .keys = "vfs.spoof_check",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const auto wanted = node ? node->vf_spoof_check : std::nullopt;
          return run(host, policy, wanted.has_value(),
                     {"vf.spoof-check", "spoof checking " + on_off(wanted),
                      [&](const Vf& vf) -> std::optional<bool> {
                        return vf.spoof_check ? std::optional(vf.spoof_check == wanted) : std::nullopt;
                      },
                      [](const Vf& vf) { return "spoof checking " + on_off(vf.spoof_check); }, Status::warn,
                      "spoofchk " + on_off(wanted)});
        },
};

extern const Check vf_link_state{
    .name = "vf.link-state",
    .summary = "no VF's link is disabled by its PF",
    .why =
        "A VF whose link state is 'disable' has no carrier in the Pod, whatever the cable does; the device "
        "plugin hands it out all the same.",
    .reads = reads,
    .fix = attachment_fix,
    .run =
        [](const Host& host, const Policy& policy) {
          return run(host, policy, true,
                     {"vf.link-state", "auto or enable",
                      [](const Vf& vf) -> std::optional<bool> {
                        return vf.link_state ? std::optional(*vf.link_state <= 1) : std::nullopt;
                      },
                      [](const Vf& vf) {
                        return vf.link_state == 2u ? std::string("disable")
                                                   : "state " + std::to_string(vf.link_state.value_or(0));
                      },
                      Status::fail, "state auto"});
        },
};

extern const Check vf_vlan{
    .name = "vf.vlan",
    .summary = "VFs carry the VLAN of the policy, and none was left behind by an earlier Pod",
    .why = "A VLAN left on a VF after a failed detach tags the next Pod's traffic into nowhere.",
    .reads = reads,
    .fix = attachment_fix,
    .keys = "vfs.vlan",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const unsigned wanted = node ? node->vf_vlan.value_or(0) : 0;
          return run(host, policy, true,
                     {"vf.vlan", "VLAN " + std::to_string(wanted),
                      [wanted](const Vf& vf) -> std::optional<bool> { return vf.vlan == wanted; },
                      [](const Vf& vf) { return "VLAN " + std::to_string(vf.vlan); }, Status::fail,
                      "vlan " + std::to_string(wanted)});
        },
};

extern const Check vf_rate{
    .name = "vf.rate",
    .summary = "no VF's send rate is limited below the policy",
    .why = "A forgotten max_tx_rate makes one rail slow on one node: nothing is broken, everything waits.",
    .reads = reads,
    .fix = attachment_fix,
    .keys = "vfs.max_rate",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const unsigned wanted = node ? node->vf_max_rate.value_or(0) : 0;
          return run(host, policy, true,
                     {"vf.rate", wanted == 0 ? "unlimited" : std::to_string(wanted) + " Mbit/s",
                      [wanted](const Vf& vf) -> std::optional<bool> { return vf.max_rate == wanted; },
                      [](const Vf& vf) { return "limited to " + std::to_string(vf.max_rate) + " Mbit/s"; },
                      Status::fail, "max_tx_rate " + std::to_string(wanted)});
        },
};

extern const Check vf_mac{
    .name = "vf.mac",
    .summary = "every VF has a MAC set by its PF, and no two the same",
    .why =
        "A VF without an admin MAC has a zero node GUID, and RDMA connection management fails on it; two VFs "
        "with one MAC take each other's packets.",
    .reads = reads,
    .fix = "ip link set PF vf N mac ADDRESS, then unbind and bind the VF, so that its GUID follows.",
    .keys = "vfs.mac",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const bool needed = node && node->vf_mac;
          auto seen = std::make_shared<std::set<std::string>>();
          return run(host, policy, true,
                     {"vf.mac", needed ? "an admin MAC of its own" : "no MAC twice",
                      [needed, seen](const Vf& vf) -> std::optional<bool> {
                        if (vf.mac.empty()) return std::nullopt;
                        if (vf.mac == "00:00:00:00:00:00") return !needed;
                        return seen->insert(vf.mac).second;
                      },
                      [](const Vf& vf) {
                        return vf.mac == "00:00:00:00:00:00" ? std::string("no admin MAC")
                                                             : vf.mac + " is set twice";
                      },
                      Status::fail, "mac ADDRESS"});
        },
};

}  // namespace mlc::checks
