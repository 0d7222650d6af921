// Whereabouts' records against the live Pods. Whereabouts itself never looks on the wire, and several of its
// releases handed out one address twice (issues 97, 103, 110, 393) or lost an allocation (409, 712).
#include <algorithm>
#include <map>
#include <set>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Records {
  Read<std::vector<Allocation>> pools;
  Read<std::vector<Reservation>> reservations;
  Read<std::vector<PodAddresses>> pods;
  std::string why() const { return !pools ? pools.why : !reservations ? reservations.why : pods.why; }
  explicit operator bool() const { return pools && reservations && pods; }
};

const std::string source = "IPPool, OverlappingRangeIPReservation, network-status of all Pods";

std::vector<Finding> judge_duplicates(const Records& records) {
  CheckFindings findings("ipam.duplicates");
  std::map<Ipv4, std::set<std::string>> owners;
  for (const auto& allocation : *records.pools)
    owners[allocation.address].insert(allocation.pod);
  std::map<Ipv4, std::set<std::string>> in_use;
  for (const auto& pod : *records.pods)
    if (pod.live)
      for (const auto address : pod.addresses)
        in_use[address].insert(pod.pod);
  for (auto& [address, pods] : in_use)
    owners[address].insert(pods.begin(), pods.end());
  std::set<Ipv4> pooled;
  for (const auto& allocation : *records.pools)
    pooled.insert(allocation.address);
  for (const auto& [address, pods] : owners)
    if (pods.size() > 1)
      findings.fail(
          to_string(address), "owned by " + join(std::vector<std::string>(pods.begin(), pods.end()), " and "),
          "one Pod", source,
          "delete the Pod that came later; then compare kubectl get ippools -A -o yaml with the live Pods");
  // An address that a Pod uses and no pool knows will be handed out again.
  for (const auto& reservation : *records.reservations)
    if (!pooled.contains(reservation.address) && in_use.contains(reservation.address))
      findings.fail(
          to_string(reservation.address), "reserved for " + reservation.pod + " and in use, but in no pool",
          "an entry in its IPPool", source,
          "it will be handed out again (whereabouts issue 712): recreate the Pod, and upgrade Whereabouts");
  if (findings.empty()) {
    if (records.pools->empty() && in_use.empty()) return findings.done();
    findings.pass("pools", std::to_string(owners.size()) + " addresses, each with one owner",
                  "one Pod an address", source);
  }
  return findings.done();
}

std::vector<Finding> judge_leaks(const Records& records) {
  CheckFindings findings("ipam.leaks");
  std::map<std::string, const PodAddresses*> pods;
  for (const auto& pod : *records.pods)
    pods[pod.pod] = &pod;
  std::size_t leaked = 0, total = 0;
  std::string first;
  for (const auto& allocation : *records.pools) {
    ++total;
    const auto pod = pods.find(allocation.pod);
    // A Pod whose network-status is not there yet is still being attached.
    const bool gone = pod == pods.end() || (pod->second->live && pod->second->settled &&
                                            std::ranges::find(pod->second->addresses, allocation.address) ==
                                                pod->second->addresses.end());
    if (!gone) continue;
    ++leaked;
    if (first.empty())
      first = to_string(allocation.address) + " of " + (allocation.pod.empty() ? "nobody" : allocation.pod) +
              " in " + allocation.pool;
  }
  std::set<Ipv4> pooled;
  for (const auto& allocation : *records.pools)
    pooled.insert(allocation.address);
  for (const auto& reservation : *records.reservations) {
    if (pooled.contains(reservation.address) || pods.contains(reservation.pod)) continue;
    ++leaked, ++total;
    if (first.empty()) first = "reservation " + to_string(reservation.address) + " of " + reservation.pod;
  }
  if (leaked > 0)
    findings.warn("pools",
                  std::to_string(leaked) + " of " + std::to_string(total) +
                      " addresses belong to Pods that are gone: " + first,
                  "no leak", source,
                  "run the reconciler now (it runs once a day), or delete the entries: kubectl edit ippool "
                  "-n kube-system; kubectl delete overlappingrangeipreservation ADDRESS");
  else if (total > 0)
    findings.pass("pools", std::to_string(total) + " addresses, all of live Pods", "no leak", source);
  else
    findings.pass("pools", "no address is given out", "no leak", source);
  return findings.done();
}

std::vector<Finding> run(std::string_view check, const Host& host, const Policy& policy,
                         std::vector<Finding> (*judge)(const Records&)) {
  CheckFindings findings(check);
  const auto* node = expectation(policy);
  if (!node || !node->ipam) {
    findings.skip("pools", "the policy does not ask", "policy");
    return findings.done();
  }
  const Records records{host.ip_pools(), host.reservations(), host.pods()};
  if (!records) {
    findings.unknown("pools", records.why(), "", source,
                     "run in a Pod whose account may list ippools, overlappingrangeipreservations and pods");
    return findings.done();
  }
  return judge(records);
}

}  // namespace

extern const Check ipam_duplicates{
    .name = "ipam.duplicates",
    .summary = "no rail address has two owners in Whereabouts' pools and among live Pods",
    .why = "Two Pods with one rail address break each other's connections at random, on two nodes at once.",
    .reads = "IPPool and OverlappingRangeIPReservation objects, network-status of all Pods (Kubernetes API)",
    .fix = "Delete the later Pod; compare pools with live Pods; upgrade Whereabouts.",
    .run = [](const Host& host,
              const Policy& policy) { return run("ipam.duplicates", host, policy, judge_duplicates); },
};

extern const Check ipam_leaks{
    .name = "ipam.leaks",
    .summary = "no address is held for a Pod that is gone",
    .why = "Leaked addresses fill a pool silently; one day no Pod on any node can start.",
    .reads = "IPPool and OverlappingRangeIPReservation objects, all Pods (Kubernetes API)",
    .fix = "Run Whereabouts' reconciler; delete the entries of dead Pods.",
    .run = [](const Host& host,
              const Policy& policy) { return run("ipam.leaks", host, policy, judge_leaks); },
};

}  // namespace mlc::checks
