#include "k8s/ipam/judge.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "reports/record/text.hpp"
#include "validators/checks/check_findings.hpp"

namespace mlc::ipam {

namespace {

const char* const source =
    "IPPool, OverlappingRangeIPReservation, network-status of all Pods (Kubernetes API)";

// Who says that an address is whose: a pool of some network, or a Pod's own status (no network known).
struct Claim {
  std::string pod;
  std::string network;
  bool recorded = false;  // by a pool
};

std::string shown(const std::string& pod, const NodeOfPod& nodes) {
  const std::string name = pod.empty() ? "nobody" : printable(pod);
  const auto node = nodes.find(pod);
  return node == nodes.end() || node->second.empty() ? name : name + " on " + printable(node->second);
}

std::string shown(const AddressTrouble& trouble, const NodeOfPod& nodes) {
  constexpr std::size_t most_named = 8;
  std::vector<std::string> all;
  for (const auto& pod : trouble.pods) {
    if (all.size() == most_named) {
      all.push_back(std::to_string(trouble.pods.size() - most_named) + " more");
      break;
    }
    all.push_back(shown(pod, nodes));
  }
  return join(all, " and ");
}

bool has_address(const Records& records, const std::string& pod, Ipv4 address) {
  const auto found = records.pods.find(pod);
  return found != records.pods.end() &&
         std::ranges::find(found->second.addresses, address) != found->second.addresses.end();
}

std::vector<std::string> sorted(std::set<std::string> pods) { return {pods.begin(), pods.end()}; }

// Two Pods may have one address where each has it of a network of its own.
bool collide(const std::vector<Claim>& claims) {
  std::set<std::string_view> pods;
  std::map<std::string_view, std::string_view> of_network;
  bool all_recorded = true, twice = false;
  for (const auto& claim : claims) {
    pods.insert(claim.pod);
    all_recorded = all_recorded && claim.recorded;
    twice = twice || of_network.try_emplace(claim.network, claim.pod).first->second != claim.pod;
  }
  return pods.size() > 1 && (twice || !all_recorded);
}

void add_in_use(const Records& records, const std::map<Ipv4, std::vector<Claim>>& pooled,
                std::map<Ipv4, std::vector<Claim>>& owners, std::vector<AddressTrouble>& troubles) {
  for (const auto& [pod, held] : records.pods) {
    std::set<Ipv4> own;
    for (const auto address : held.addresses) {
      if (!own.insert(address).second) troubles.push_back({Trouble::duplicate, address, {}, {pod, pod}});
      const auto known = pooled.find(address);
      const bool recorded =
          known != pooled.end() && std::ranges::any_of(known->second, [&, &name = pod](const Claim& claim) {
            return claim.pod == name;
          });
      if (recorded) continue;
      owners[address].push_back({pod, {}, false});
      if (known == pooled.end()) troubles.push_back({Trouble::unrecorded, address, {}, {pod}});
    }
  }
}

void add_leaks(const Records& records, const std::map<Ipv4, std::vector<Claim>>& pooled,
               std::vector<AddressTrouble>& troubles) {
  for (const auto& allocation : records.allocations) {
    const auto pod = records.pods.find(allocation.pod);
    // A Pod whose network-status is not there yet is still being attached.
    const bool live = pod != records.pods.end() &&
                      (!pod->second.settled || has_address(records, allocation.pod, allocation.address));
    if (!live)
      troubles.push_back(
          {Trouble::leaked, allocation.address, records.pools[allocation.pool].name, {allocation.pod}});
  }
  for (const auto& reservation : records.reservations)
    if (!pooled.contains(reservation.address) && !records.pods.contains(reservation.pod))
      troubles.push_back({Trouble::leaked_reservation, reservation.address, {}, {reservation.pod}});
}

void judge_space(const Records& records, double full_from, std::vector<Finding>& all) {
  CheckFindings findings("ipam.space");
  for (const auto& pool : records.pools) {
    // All ones and all zeros are no addresses of hosts. A range that is narrowed by range_start, range_end or
    // exclude is not written in the pool, and is fuller than it looks.
    const double size = pool.range.length >= 31
                            ? 1.0 * (1u << (32 - pool.range.length))
                            : static_cast<double>((std::uint64_t{1} << (32 - pool.range.length)) - 2);
    const double share = static_cast<double>(pool.allocated) / size;
    const std::string subject = printable(pool.name),
                      observed = std::to_string(pool.allocated) + " of " + shortest(size) +
                                 " addresses are given out (" + percent_text(share) + ")",
                      expected = "below " + percent_text(full_from);
    const std::string remedy =
        "a wider range, or free what leaks (ipam.leaks): no Pod starts on any node when it is full";
    if (share >= 1)
      findings.fail(subject, observed, expected, source, remedy);
    else if (share >= full_from)
      findings.warn(subject, observed, expected, source, remedy);
    else
      findings.pass(subject, observed, expected, source);
  }
  if (findings.empty()) findings.skip("pools", "there is no pool of IPv4 addresses", source);
  for (auto& finding : findings.done())
    all.push_back(std::move(finding));
}

void judge_duplicates(const Records& records, std::span<const AddressTrouble> troubles,
                      const NodeOfPod& nodes, std::size_t most, std::vector<Finding>& all) {
  CheckFindings findings("ipam.duplicates");
  const std::string compare = "then compare: kubectl get ippools -A -o yaml";
  std::size_t duplicates = 0, unrecorded = 0;
  for (const auto& trouble : troubles) {
    if (trouble.kind == Trouble::duplicate && ++duplicates <= most)
      findings.fail(to_string(trouble.address), "owned by " + shown(trouble, nodes), "one owner", source,
                    "delete the Pod that came later; " + compare);
    if (trouble.kind == Trouble::unrecorded && ++unrecorded <= most)
      findings.fail(to_string(trouble.address), "in use by " + shown(trouble, nodes) + ", but in no pool",
                    "an entry in its IPPool", source,
                    "it will be handed out again (whereabouts issue 712): recreate the Pod, and upgrade "
                    "Whereabouts");
  }
  const auto rest = [&](std::size_t count, const char* what) {
    if (count > most)
      findings.fail("pools", std::to_string(count - most) + " more addresses " + what, "none", source,
                    "run it again when these are mended");
  };
  rest(duplicates, "have several owners"), rest(unrecorded, "are in use and in no pool");
  std::size_t unread = 0;
  for (const auto& [pod, held] : records.pods)
    unread += held.addresses.empty() && !held.settled;
  if (findings.empty() && (!records.allocations.empty() || unread < records.pods.size()))
    findings.pass("pools", std::to_string(records.allocations.size()) + " addresses, each with one owner",
                  "one Pod an address", source);
  if (findings.empty() && records.pods.empty()) findings.skip("pools", "no address is given out", source);
  for (auto& finding : findings.done())
    all.push_back(std::move(finding));
}

void judge_leaks(const Records& records, std::span<const AddressTrouble> troubles,
                 std::vector<Finding>& all) {
  CheckFindings findings("ipam.leaks");
  std::map<std::string, std::pair<std::size_t, const AddressTrouble*>> leaks;  // by pool: how many, the first
  for (const auto& trouble : troubles)
    if (trouble.kind == Trouble::leaked || trouble.kind == Trouble::leaked_reservation) {
      auto& [count, first] = leaks[trouble.kind == Trouble::leaked ? trouble.pool : "reservations"];
      if (count++ == 0) first = &trouble;
    }
  for (const auto& [pool, leak] : leaks)
    findings.warn(printable(pool),
                  std::to_string(leak.first) + " addresses belong to Pods that are gone: " +
                      to_string(leak.second->address) + " of " + shown(*leak.second, {}),
                  "no leak", source,
                  "run Whereabouts' reconciler now (it runs once a day), or delete the entries: kubectl edit "
                  "ippool -n kube-system; kubectl delete overlappingrangeipreservation ADDRESS");
  if (records.malformed > 0)
    findings.warn("pools", std::to_string(records.malformed) + " entries are no address of their pool",
                  "none", source, "kubectl get ippools -A -o yaml: somebody has edited them by hand");
  if (findings.empty())
    findings.pass("pools", std::to_string(records.allocations.size()) + " addresses, all of live Pods",
                  "no leak", source);
  for (auto& finding : findings.done())
    all.push_back(std::move(finding));
}

}  // namespace

std::span<const Check> fleet_checks() {
  static constexpr std::array checks{
      Check{.name = "ipam.duplicates",
            .summary = "no rail address has two owners in Whereabouts' pools and among live Pods",
            .why = "Two Pods with one rail address break each other's connections at random, on two nodes at "
                   "once.",
            .reads = "mlc-bench ipam: IPPool and OverlappingRangeIPReservation objects, the metadata of all "
                     "Pods (Kubernetes API)",
            .fix = "Delete the later Pod; compare pools with live Pods; upgrade Whereabouts."},
      Check{.name = "ipam.leaks",
            .summary = "no address is held for a Pod that is gone",
            .why = "Leaked addresses fill a pool silently; one day no Pod on any node can start.",
            .reads = "mlc-bench ipam: IPPool and OverlappingRangeIPReservation objects, the metadata of all "
                     "Pods (Kubernetes API)",
            .fix = "Run Whereabouts' reconciler; delete the entries of dead Pods."},
      Check{.name = "ipam.space",
            .summary = "no pool of addresses is nearly full",
            .why = "Where a pool is full, a Pod stays in ContainerCreating, whatever node it is on.",
            .reads = "mlc-bench ipam: IPPool objects (Kubernetes API)",
            .fix = "Widen the range in the NetworkAttachmentDefinition; free leaked addresses."}};
  return checks;
}

std::vector<AddressTrouble> troubles_of(const Records& records) {
  std::vector<AddressTrouble> troubles;
  std::map<Ipv4, std::vector<Claim>> pooled;
  for (const auto& allocation : records.allocations)
    pooled[allocation.address].push_back({allocation.pod, records.pools[allocation.pool].network, true});
  auto owners = pooled;
  add_in_use(records, pooled, owners, troubles);
  for (const auto& [address, claims] : owners) {
    if (!collide(claims)) continue;
    std::set<std::string> pods;
    for (const auto& claim : claims)
      pods.insert(claim.pod);
    troubles.push_back({Trouble::duplicate, address, {}, sorted(pods)});
  }
  add_leaks(records, pooled, troubles);
  std::ranges::sort(troubles);
  return troubles;
}

std::vector<AddressTrouble> confirmed(std::span<const AddressTrouble> first,
                                      std::span<const AddressTrouble> second) {
  std::vector<AddressTrouble> both;
  std::ranges::set_intersection(first, second, std::back_inserter(both));
  return both;
}

std::vector<Finding> findings_of(const Records& records, std::span<const AddressTrouble> troubles,
                                 const NodeOfPod& nodes, double full_from, std::size_t most) {
  std::vector<Finding> all;
  judge_duplicates(records, troubles, nodes, most, all);
  judge_leaks(records, troubles, all);
  judge_space(records, full_from, all);
  if (records.ipv6_pools > 0)
    all.push_back({"ipam.space",
                   "IPv6 pools",
                   Status::skip,
                   std::to_string(records.ipv6_pools) + " pools are of IPv6 and were not looked at",
                   {},
                   source,
                   {}});
  return all;
}

std::map<std::string, std::string> notes_for_nodes(std::span<const AddressTrouble> troubles,
                                                   const NodeOfPod& nodes, std::size_t most) {
  std::map<std::string, std::string> notes;
  for (const auto& trouble : troubles) {
    if (trouble.kind != Trouble::duplicate && trouble.kind != Trouble::unrecorded) continue;
    for (const auto& pod : trouble.pods) {
      const auto node = nodes.find(pod);
      if (node == nodes.end() || node->second.empty()) continue;
      if (!notes.contains(node->second) && notes.size() >= most) continue;
      std::string& note = notes[node->second];
      const std::string line = to_string(trouble.address) +
                               (trouble.kind == Trouble::duplicate ? " is owned by " : " is in no pool: ") +
                               shown(trouble, nodes);
      if (note.find(line) == note.npos) note += (note.empty() ? "" : "; ") + line;
    }
  }
  return notes;
}

}  // namespace mlc::ipam
