#include <set>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Nic {
  std::string subject, rdma, board, firmware, type;
  bool soft = false;
};

std::vector<Finding> judge(const std::vector<Nic>& nics, const NodeExpectation* expected,
                           std::optional<int> wanted) {
  CheckFindings findings("pci.inventory");
  const std::string source = "/sys/class/infiniband/*/{board_id,fw_ver,hca_type}";
  std::set<std::string> boards, versions;
  for (const auto& nic : nics) {
    const bool asked = expected && !(expected->nic_board.empty() && expected->nic_firmware.empty());
    if (nic.soft && !asked) continue;
    if (nic.board.empty() || nic.firmware.empty()) {
      findings.unknown(nic.subject,
                       nic.rdma + " does not say its " + (nic.board.empty() ? "board" : "firmware"), "",
                       source, "look for firmware errors: dmesg | grep mlx5_core");
      continue;
    }
    boards.insert(nic.board);
    versions.insert(nic.firmware);
    if (expected && !expected->nic_board.empty() && nic.board != expected->nic_board)
      findings.fail(nic.subject, "board " + nic.board, expected->nic_board, source,
                    "another NIC model sits in this slot: check the build sheet of the node and replace it");
    if (expected && !expected->nic_firmware.empty() && nic.firmware != expected->nic_firmware)
      findings.fail(nic.subject, "firmware " + nic.firmware, expected->nic_firmware, source,
                    "flash the fleet's firmware: mlxfwmanager -d " + nic.rdma + " -u, then power-cycle");
  }
  if (wanted && static_cast<int>(nics.size()) < *wanted) {
    std::string present;
    for (const auto& nic : nics)
      present += (present.empty() ? "" : ", ") + nic.rdma;
    findings.fail("node", std::to_string(nics.size()) + " rails (" + present + ")",
                  std::to_string(*wanted) + " rails", source,
                  "a NIC is absent: lspci -d 15b3: and dmesg | grep mlx5_core; if it is not on the bus, "
                  "power-cycle (AC), reseat, then open an RMA");
  } else if (wanted && static_cast<int>(nics.size()) > *wanted) {
    findings.warn("node", std::to_string(nics.size()) + " RDMA NICs that may be rails",
                  std::to_string(*wanted) + " rails", source,
                  "name the rails by their prefixes in the policy (node.rails.addresses), so that storage "
                  "NICs are not judged as rails");
  }
  const auto one_kind = [&](const std::set<std::string>& kinds, const std::string& what,
                            const std::string& remedy) {
    if (kinds.size() < 2) return;
    findings.warn("node",
                  std::to_string(kinds.size()) + " kinds of " + what + ": " +
                      join(std::vector<std::string>(kinds.begin(), kinds.end()), ", "),
                  "one " + what, source, remedy);
  };
  one_kind(boards, "board", "replace the odd NIC, or write the mixed boards into the fleet's build sheet");
  one_kind(versions, "firmware", "bring all NICs to one version: mlxfwmanager -u, then power-cycle");
  if (findings.empty() && !nics.empty())
    findings.pass("node",
                  boards.empty() ? std::to_string(nics.size()) + " NICs under soft RoCE"
                                 : std::to_string(nics.size()) + " NICs, board " + *boards.begin() +
                                       ", firmware " + *versions.begin(),
                  wanted ? std::to_string(*wanted) + " alike" : "all alike", source);
  return findings.done();
}

}  // namespace

extern const Check pci_inventory{
    .name = "pci.inventory",
    .summary = "all rail NICs are there, of one board and one firmware",
    .why =
        "A missing NIC takes a quarter of the interconnect; mixed firmware brings congestion settings that "
        "differ per rail, seen as one slow rail in every all-reduce.",
    .reads = "/sys/class/infiniband/*/{board_id,fw_ver,hca_type,device}",
    .fix =
        "lspci -d 15b3: and dmesg | grep mlx5_core; reseat or power-cycle (AC) a NIC that left the bus; "
        "mlxfwmanager -u for firmware.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pci.inventory");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Nic> nics;
          for (const auto& rail : *rails) {
            const std::string base = "/sys/class/infiniband/" + rail.rdma + "/";
            nics.push_back({rail.name(), rail.rdma, host.files().text(base + "board_id").value,
                            host.files().text(base + "fw_ver").value,
                            host.files().text(base + "hca_type").value, rail.soft});
          }
          return judge(nics, expectation(policy), expected_rails(policy));
        },
};

}  // namespace mlc::checks
