#include <algorithm>
#include <future>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

using Row = std::vector<Read<Echo>>;

std::vector<Finding> judge(const std::vector<std::string>& names, const std::vector<Row>& matrix,
                           const std::string& peer, bool cross_rail) {
  CheckFindings findings("net.rail-matrix");
  const std::string source = "ICMP echo from each rail to each rail of " + peer;
  std::string picture;
  int crossing = 0, crossings = 0;
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    picture += i > 0 ? " / " : "";
    for (std::size_t j = 0; j < matrix[i].size(); ++j) {
      const auto& echo = matrix[i][j];
      picture += !echo ? '?' : echo->replied ? '+' : '.';
      if (!echo) {
        findings.unknown(names[i], "to rail " + std::to_string(j) + " of " + peer + ": " + echo.why, "",
                         source, "give the container the capability NET_RAW, or run as root");
        return findings.done();
      }
      if (i == j && !echo->replied)
        findings.fail(names[i], "does not reach the same rail of " + peer, "every rail reaches its own",
                      source, "see net.rail-routes and net.reachability for this rail, here and on " + peer);
      if (i != j) ++crossings, crossing += echo->replied;
    }
  }
  if (!findings.empty()) return findings.done();
  const std::string shown = "matrix " + picture;
  if (crossing == crossings && crossings > 0)
    findings.pass("rails to " + peer, shown + ": every rail reaches every rail",
                  cross_rail ? "all" : "the diagonal", source);
  else if (crossing == 0 && !cross_rail)
    findings.pass("rails to " + peer, shown + ": rail-only fabric (set NCCL_CROSS_NIC=0, leave PXN on)",
                  "the diagonal", source);
  else if (crossing == 0)
    findings.fail("rails to " + peer, shown + ": rails do not reach each other",
                  "every rail reaches every rail", source,
                  "add routes between the rails' prefixes, or say cross_rail: false in the policy and set "
                  "NCCL_CROSS_NIC=0");
  else
    findings.fail(
        "rails to " + peer, shown + ": some rails reach others, some do not",
        cross_rail ? "all" : "all or none besides the diagonal", source,
        "the fabric routes some rails and not others: compare the routes of the rails here and on " + peer);
  return findings.done();
}

}  // namespace

extern const Check net_rail_matrix{
    .name = "net.rail-matrix",
    .summary = "each rail reaches the same rail of the peer, and all others or none",
    .why =
        "NCCL may connect rail 0 here with rail 1 there (NCCL_CROSS_NIC); on a fabric that does not route "
        "between rails that connection times out.",
    .reads = "ICMP echo from every rail to every rail of each peer (validate --peer, or node.probe.peers)",
    .fix = "Routes between rails, or NCCL_CROSS_NIC=0 with PXN on a rail-only fabric.",
    .keys = "rails.cross_rail probe.peers",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("net.rail-matrix");
          const auto* node = expectation(policy);
          if (!node || node->peers.empty()) {
            findings.skip("rails", "no peer was named (--peer A,B,C,D)", "policy");
            return findings.done();
          }
          const auto all_rails = addressed_rails_or_say(host, policy, findings);
          if (!all_rails) return findings.done();
          const auto rails = ipv4_rails_up_or_say(host, policy, findings);
          if (!rails) return findings.done();
          // What is down or missing has its finding already (rdma.port-state, pci.inventory).
          const auto wanted = static_cast<std::size_t>(expected_rails(policy).value_or(0));
          const std::size_t absent = std::max(wanted, all_rails->size()) - rails->size();
          std::vector<Finding> all = findings.empty() ? std::vector<Finding>{} : findings.done();
          if (rails->empty()) return all;
          for (const auto& peer : node->peers) {
            // A list of nodes may name this one as well.
            const auto itself = [&](const Rail& rail) {
              return static_cast<std::size_t>(rail.index) < peer.size() && !rail.addresses.empty() &&
                     !rail.meets(peer);
            };
            if (std::ranges::any_of(*rails, itself)) continue;
            std::vector<std::string> names;
            std::vector<Ipv4> targets;
            std::vector<const Rail*> from;
            for (const auto& rail : *rails) {
              const auto index = static_cast<std::size_t>(rail.index);
              if (rail.addresses.empty() || index >= peer.size()) continue;
              names.push_back(rail.name());
              from.push_back(&rail);
              targets.push_back(peer[index]);
            }
            // All at once: on a rail-only fabric each crossing takes as long as an echo waits.
            std::vector<std::vector<std::future<Read<Echo>>>> asked;
            for (const auto* rail : from) {
              asked.emplace_back();
              for (const auto target : targets)
                asked.back().push_back(std::async([&host, rail, target] {
                  return host.echo(rail->netdev, rail->addresses.front().address, target, 84);
                }));
            }
            std::vector<Row> matrix;
            for (auto& row : asked) {
              matrix.emplace_back();
              for (auto& echo : row)
                matrix.back().push_back(echo.get());
            }
            if (matrix.size() + absent < peer.size() || matrix.size() != rails->size()) {
              findings.fail("rails",
                            std::to_string(matrix.size()) + " rails with an address here, the peer has " +
                                std::to_string(peer.size()),
                            "as many as the peer", "RTM_GETADDR", "see net.rail-prefixes");
              return findings.done();
            }
            if (matrix.empty()) continue;
            for (auto& finding : judge(names, matrix, to_string(peer.front()), node->cross_rail))
              all.push_back(std::move(finding));
          }
          if (!all.empty()) return all;
          findings.skip("rails", "no peer but this node itself was named (--peer A,B,C,D)", "policy");
          return findings.done();
        },
};

}  // namespace mlc::checks
