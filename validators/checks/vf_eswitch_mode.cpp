#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

std::string text(unsigned mode) {
  return mode == 0 ? "legacy" : mode == 1 ? "switchdev" : "mode " + std::to_string(mode);
}

void judge(CheckFindings& findings, const RailNic& nic, const Read<unsigned>& mode,
           const std::string& wanted) {
  const std::string source = "devlink eswitch of pci/" + nic.pci;
  if (!mode)
    findings.unknown(nic.subject, mode.why, wanted, source,
                     "run as root in the host's namespace: devlink dev eswitch show pci/" + nic.pci);
  else
    findings.judge(wanted.empty() || text(*mode) == wanted ? Status::pass : Status::fail, nic.subject,
                   text(*mode), wanted, source,
                   "devlink dev eswitch set pci/" + nic.pci + " mode " + wanted +
                       " (with no VF in use), and the eSwitchMode of the SriovNetworkNodePolicy");
}

}  // namespace

extern const Check vf_eswitch_mode{
    .name = "vf.eswitch-mode",
    .summary = "the NICs' embedded switch is in the mode the policy asks for",
    .why =
        "In switchdev mode VFs reach the wire only through representors and flow rules; with sriov-cni and "
        "no such rules they are islands.",
    .reads = "devlink (generic netlink), DEVLINK_CMD_ESWITCH_GET",
    .fix = "devlink dev eswitch set pci/BDF mode legacy; eSwitchMode in the SriovNetworkNodePolicy.",
    .keys = "vfs.eswitch",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("vf.eswitch-mode");
          const auto* node = expectation(policy);
          if (!node || node->eswitch.empty()) {
            findings.skip("rails", "the policy does not ask", "policy");
            return findings.done();
          }
          const auto rails = roce_rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          for (const auto& nic : rail_nics(host, *rails))
            judge(findings, nic, host.eswitch_mode(nic.pci), node->eswitch);
          return findings.done();
        },
};

}  // namespace mlc::checks
