#include <algorithm>
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

const std::string source = "/sys/class/infiniband/*/{board_id,fw_ver,hca_type}";

std::string those(const std::vector<std::string>& names) {
  return join(names, ", ") + (names.size() == 1 ? " is" : " are");
}

// "; mlx5_9 is not one of its names; mlx5_7 (eth9) carries the default route": why what is here is not it.
std::string instead(const RailsHere& here, const MissingRail& missing) {
  std::vector<std::string> unnamed;
  std::string text;
  for (const auto& other : here.others)
    if (other.why == NoRail::not_named && !missing.names.empty())
      unnamed.push_back(other.name.substr(0, other.name.find(' ')));
    else
      text += "; " + other.name + " " + to_text(other.why);
  if (unnamed.empty()) return text;
  return "; " + those(unnamed) + (unnamed.size() == 1 ? " not" : " none of them") + " one of its names" +
         text;
}

// "; a rail (10.12.0.0/16 or 10.13.0.0/16) is missing", where something is known of it.
std::string missing_texts(const RailsHere& here) {
  std::string text;
  if (std::ranges::all_of(here.rails, &Rail::numbered)) return text;
  for (const auto& missing : here.missing)
    if (!missing.index && !missing.names.empty()) text += "; " + missing.text() + " is missing";
  return text;
}

bool any_is(const RailsHere& here, NoRail why) {
  return std::ranges::any_of(here.others, [&](const auto& other) { return other.why == why; });
}

std::string remedy_of_what_is_missing(const RailsHere& here) {
  std::string absent =
      "a NIC is absent: lspci -d 15b3: and dmesg | grep mlx5_core; if it is not on the bus, "
      "power-cycle (AC), reseat, then open an RMA";
  if (any_is(here, NoRail::not_selected_here))
    return "the NIC is here, and is not what node.rails.select asks for: see gpu.count, then its slot "
           "(lspci -tv); "
           "if it is where it has to be, mend the policy";
  for (const auto& other : here.others)
    if (other.why == NoRail::gpu_gone)
      return "see gpu.count: where the GPU beside " + other.name +
             " is gone, that is the fault and the NIC is here (lspci -tv); else " + absent;
  for (const auto& other : here.others)
    if (other.why == NoRail::other_network)
      return "if " + other.name + " is that rail, give it the rail's address; else " + absent;
  return absent;
}

void judge_choice(CheckFindings& findings, const RailsHere& here, std::optional<int> wanted) {
  if (!here.undecided.empty()) return;  // rails_or_say says so
  const std::string expected =
      wanted ? std::to_string(*wanted) + " rails" : "the rails that the policy names";
  const std::string remedy = remedy_of_what_is_missing(here);
  std::vector<std::string> present, guessed;
  for (const auto& rail : here.rails) {
    present.push_back(rail.rdma);
    if (rail.source == RailSource::inferred) guessed.push_back(rail.rdma + " as " + rail.name());
  }
  for (const auto& missing : here.missing)
    if (missing.index)
      findings.fail("node", missing.text() + " is missing" + instead(here, missing), expected, source,
                    here.named ? remedy +
                                     "; if it is there under another name, mend the name, or the "
                                     "policy's node.rails"
                               : remedy);
  // A policy may count rails in its target alone.
  const bool uncounted = std::ranges::any_of(here.missing, [](const auto& one) { return !one.index; });
  if (uncounted && any_is(here, NoRail::far_from_gpus))
    findings.unknown(
        "node",
        std::to_string(here.rails.size()) + " rails (" + join(present, ", ") + ")" +
            instead(here, MissingRail{}) +
            ": a rail in another slot, or whose GPU is gone, or a storage NIC in a gone rail's place",
        expected, source,
        "count what is here (lspci -d 15b3:; gpu.count), and name the rails in the policy: "
        "node.rails.select");
  else if (uncounted || (here.missing.empty() && wanted && static_cast<int>(here.rails.size()) < *wanted))
    findings.fail("node",
                  std::to_string(here.rails.size()) + " rails (" + join(present, ", ") + ")" +
                      missing_texts(here) + instead(here, MissingRail{}),
                  expected, source, remedy);
  else if (wanted && static_cast<int>(here.rails.size()) > *wanted)
    findings.warn("node", std::to_string(here.rails.size()) + " RDMA NICs that may be rails", expected,
                  source,
                  "name the rails in the policy (node.rails.select), so that storage NICs are not judged as "
                  "rails");
  // A guess is good enough to look at the device, never to say that it is what the policy means.
  if (here.named && !guessed.empty())
    findings.unknown(
        "node",
        (here.unanswered.empty() ? std::string("nothing that the policy names it by says so: ")
                                 : "the policy knows its rails by '" + here.unanswered +
                                       "', which this machine does not tell: ") +
            "taken " + join(guessed, ", "),
        expected, source,
        here.unanswered.empty()
            ? "see net.rail-prefixes: a rail without its address is known by nothing else; or name "
              "it in node.rails.select"
            : "name the rails by something that is known here as well: node.rails.select (pci, "
              "interface, subnet)");
}

// The rest of the sentence "4 NICs, ...": how they were chosen, where that is worth a word, and what else is
// here.
std::string how_chosen(const RailsHere& here) {
  std::string others;
  for (const auto& other : here.others)
    others += "; no rail: " + other.name + " " + to_text(other.why);
  for (const auto& rail : here.rails)
    if (rail.source == RailSource::route || rail.source == RailSource::inferred)
      return "; rails by " + to_text(rail.source) +
             (rail.source == RailSource::inferred && !here.named ? ", for the policy names none" : "") +
             others;
  return others;
}

void judge_cards(CheckFindings& findings, const std::vector<Nic>& nics, const NodeExpectation* expected,
                 std::optional<int> wanted, const std::string& chosen) {
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
                  (boards.empty() ? std::to_string(nics.size()) + " NICs under soft RoCE"
                                  : std::to_string(nics.size()) + " NICs, board " + *boards.begin() +
                                        ", firmware " + *versions.begin()) +
                      chosen,
                  wanted ? std::to_string(*wanted) + " alike" : "all alike", source);
}

}  // namespace

extern const Check pci_inventory{
    .name = "pci.inventory",
    .summary =
        "all rails are there, by the names that the policy has for them, of one board and one firmware",
    .why =
        "A missing NIC takes a quarter of the interconnect; mixed firmware brings congestion settings that "
        "differ per rail, seen as one slow rail in every all-reduce.",
    .reads =
        "/sys/class/infiniband/*/{board_id,fw_ver,hca_type,device}, what the policy names rails by "
        "(node.rails.select, addresses, probe.peers)",
    .fix =
        "lspci -d 15b3: and dmesg | grep mlx5_core; reseat or power-cycle (AC) a NIC that left the bus; "
        "mlxfwmanager -u for firmware.",
    .keys = "rails.count rails.board rails.firmware rails.select",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pci.inventory");
          const auto here = read_rails_here(host, policy);
          if (here) judge_choice(findings, *here, expected_rails(policy));
          if (!here || here->rails.empty()) {
            if (findings.empty()) rails_or_say(host, policy, findings);
            return findings.done();
          }
          std::vector<Nic> nics;
          for (const auto& rail : here->rails) {
            const std::string base = "/sys/class/infiniband/" + rail.rdma + "/";
            nics.push_back({rail.name(), rail.rdma, host.files().text(base + "board_id").value,
                            host.files().text(base + "fw_ver").value,
                            host.files().text(base + "hca_type").value, rail.soft});
          }
          judge_cards(findings, nics, expectation(policy), expected_rails(policy), how_chosen(*here));
          for (const auto& other : here->others)
            findings.skip(other.name, "no rail: it " + to_text(other.why), source);
          return findings.done();
        },
};

}  // namespace mlc::checks
