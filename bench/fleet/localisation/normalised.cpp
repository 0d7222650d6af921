#include "bench/fleet/localisation/normalised.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "bench/fleet/localisation/likelihood.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t few_flows = 200, too_few_flows = 24;
constexpr double sigma_of_few = .006;

double middle(std::vector<double>& values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Stratum stratum_of(std::vector<double>& rates) {
  Stratum stratum{.flows = rates.size(), .median = 1, .sigma = sigma_of_few};
  if (rates.empty()) return stratum;
  stratum.median = std::max(middle(rates), 1e-6);
  for (double& rate : rates)
    rate = std::abs(rate / stratum.median - 1);
  // 1.4826: the standard deviation of a normal distribution over its median absolute deviation.
  const double sigma = std::max(least_sigma, 1.4826 * middle(rates));
  stratum.sigma = rates.size() < few_flows ? std::max(sigma, sigma_of_few) : sigma;
  return stratum;
}

}  // namespace

Strata strata_of(const std::vector<MeasuredTest>& tests, const Topology& topology, int participants) {
  Strata strata{.inside = {}, .between = {}, .by_target = participants < least_nodes_for_strata};
  std::vector<double> inside, between, all;
  for (const auto& test : tests)
    for (std::size_t i = 0; i < test.flows.size(); ++i) {
      if (test.flows[i].dead) continue;
      const bool same = topology.same_leaf(test.plan.first, test.plan.second, static_cast<int>(i / 2));
      (same ? inside : between).push_back(test.flows[i].rate);
      all.push_back(test.flows[i].rate);
    }
  if (strata.by_target && !all.empty()) {
    const auto best = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) * 9 / 10);
    std::nth_element(all.begin(), best, all.end());
    strata.reach = std::clamp(*best, 1 - most_short, 1.);
  }
  const Stratum pooled = stratum_of(all);
  const auto of = [&](std::vector<double>& rates) {
    Stratum stratum = rates.size() < too_few_flows ? pooled : stratum_of(rates);
    stratum.flows = rates.size();
    return stratum;
  };
  strata.inside = of(inside), strata.between = of(between);
  return strata;
}

Normalised normalised(const FlowResult& flow, const Strata& strata, bool inside) {
  if (strata.by_target) return {.rate = flow.rate / strata.reach, .sigma = std::max(least_sigma, flow.error)};
  const Stratum& stratum = inside ? strata.inside : strata.between;
  return {.rate = flow.rate / stratum.median, .sigma = stratum.sigma};
}

std::array<double, queue_pairs> beside_siblings(const std::array<double, queue_pairs>& shares) {
  auto best = shares;
  std::ranges::sort(best, std::greater<>());
  double reference = best[0] - best[1] > .1 * best[0] ? best[0] : (best[0] + best[1]) / 2;
  if (reference < .5) reference = 1;
  auto beside = shares;
  for (double& share : beside)
    share /= reference;
  return beside;
}

Stratum stratum_of_shares(std::vector<double>& shares) {
  constexpr double tame = .01;  // below 1 by no more: of 60 windows with 6 % of noise
  if (shares.size() >= few_flows)
    if (const Stratum seen = stratum_of(shares); seen.median < 1 - tame || seen.sigma > share_sigma)
      return {.flows = seen.flows,
              .median = std::min(1., seen.median),
              .sigma = std::max(share_sigma, seen.sigma)};
  return {.flows = shares.size(), .median = 1, .sigma = share_sigma};
}

}  // namespace mlc::fleet
