#include "bench/fleet/localisation/decoder.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>
#include <stdexcept>

namespace mlc::fleet {

namespace {

// Half of ln 12: what it costs to choose one of twelve severities.
const double choice = .5 * std::log(static_cast<double>(severities.size()));
constexpr double dead_spoilt = 1e-4;
constexpr int most_passes = 4;

using Sums = std::array<std::array<double, severities.size()>, most_rounds>;

// ln(a e^x + b), for x of any size.
double log_mix(double a, double x, double b) {
  return x > 0 ? x + std::log(a + b * std::exp(-x)) : std::log(a * std::exp(x) + b);
}

double log_sum(double a, double b) {
  return a > b ? a + std::log1p(std::exp(b - a)) : b + std::log1p(std::exp(a - b));
}

// At fault all the time, now and then, or since some round. The weights are Monte Carlo's, as all here.
double log_numerator(const Sums& sums, int rounds, std::size_t s) {
  static const double permanent = std::log(.85), intermittent = std::log(.15), meanwhile = std::log(.03);
  double all = 0, sometimes = 0, suffix = 0, best_suffix = -1e300;
  for (int t = rounds - 1; t >= 0; --t) {
    const double sum = sums[static_cast<std::size_t>(t)][s];
    all += sum;
    sometimes += log_mix(.3, sum, .7);
    suffix += sum;
    best_suffix = std::max(best_suffix, suffix);
  }
  return log_sum(log_sum(permanent + all, intermittent + sometimes), meanwhile + best_suffix);
}

double log_spoilt(const Sums& sums, int rounds, std::size_t s, double spoilt) {
  double sum = 0;
  for (int t = 0; t < rounds; ++t)
    sum += log_mix(spoilt, sums[static_cast<std::size_t>(t)][s], 1 - spoilt);
  return sum;
}

}  // namespace

void Problem::add(int in_round, int sender, int receiver, const Logs& fits,
                  std::span<const ComponentId> crosses) {
  crossed.insert(crossed.end(), crosses.begin(), crosses.end());
  begin.push_back(static_cast<std::uint32_t>(crossed.size()));
  round.push_back(static_cast<std::uint8_t>(in_round));
  logs.push_back(fits);
  from.push_back(sender), to.push_back(receiver);
}

Decoder::Decoder(const Problem& problem, double rivals_within) : problem_(problem) {
  if (problem.rounds > most_rounds) throw std::invalid_argument("more rounds than can be decoded");
  fitted_.assign(problem.priors.size(), -1);
  explained_.assign(problem.flows(), -1);
  stamp_.assign(problem.priors.size(), 0);
  index();
  search();
  for (auto& explanation : explanations_)
    explanation = judge(explanation.component, rivals_within);
}

void Decoder::index() {
  begin_.assign(problem_.priors.size() + 1, 0);
  for (const ComponentId component : problem_.crossed)
    ++begin_[component + 1];
  for (std::size_t i = 1; i < begin_.size(); ++i)
    begin_[i] += begin_[i - 1];
  flows_.resize(problem_.crossed.size());
  std::vector<std::uint32_t> next(begin_.begin(), begin_.end() - 1);
  for (std::size_t flow = 0; flow < problem_.flows(); ++flow)
    for (std::uint32_t at = problem_.begin[flow]; at < problem_.begin[flow + 1]; ++at)
      flows_[next[problem_.crossed[at]]++] = static_cast<std::uint32_t>(flow);
}

std::span<const std::uint32_t> Decoder::flows_of(ComponentId component) const {
  return {flows_.data() + begin_[component], flows_.data() + begin_[component + 1]};
}

double Decoder::bad_by(std::size_t flow, int severity) const {
  const int at = explained_[flow];
  if (at >= severity) return 0;
  const Logs& logs = problem_.logs[flow];
  return log_of(logs, severity) - log_of(logs, at);
}

double Decoder::unexplained(std::size_t flow) const {
  double most = 0;
  for (int s = explained_[flow] + 1; s < severity_count; ++s)
    most = std::max(most, bad_by(flow, s));
  return most;
}

Weight Decoder::weigh(ComponentId component) const {
  Sums sums{};
  for (const std::uint32_t flow : flows_of(component)) {
    const Logs& logs = problem_.logs[flow];
    auto& sum = sums[problem_.round[flow]];
    const int at = explained_[flow];
    const float explained = log_of(logs, at);
    for (int s = at + 1; s < severity_count; ++s)
      sum[static_cast<std::size_t>(s)] += log_of(logs, s) - explained;
  }
  const Prior& prior = problem_.priors[component];
  Weight weight{.gain = -1e300, .trans = -1e300, .severity = 0};
  for (std::size_t s = 0; s < severities.size(); ++s) {
    if (const double gain = log_numerator(sums, problem_.rounds, s); gain > weight.gain)
      weight.gain = gain, weight.severity = static_cast<int>(s);
    const double spoilt = s == dead_severity ? dead_spoilt : prior.spoilt;
    weight.trans = std::max(weight.trans, log_spoilt(sums, problem_.rounds, s, spoilt));
  }
  weight.gain += prior.log_odds - choice;
  return weight;
}

void Decoder::put(ComponentId component, int severity) {
  fitted_[component] = static_cast<std::int8_t>(severity);
  for (const std::uint32_t flow : flows_of(component))
    explained_[flow] = std::max(explained_[flow], fitted_[component]);
}

void Decoder::take(ComponentId component) {
  fitted_[component] = -1;
  refit_flows(component);
}

void Decoder::refit_flows(ComponentId component) {
  for (const std::uint32_t flow : flows_of(component)) {
    std::int8_t worst = -1;
    for (std::uint32_t at = problem_.begin[flow]; at < problem_.begin[flow + 1]; ++at)
      worst = std::max(worst, fitted_[problem_.crossed[at]]);
    explained_[flow] = worst;
  }
}

bool Decoder::one_place(ComponentId a, ComponentId b) const {
  const Prior &one = problem_.priors[a], &other = problem_.priors[b];
  return one.node >= 0 && one.node == other.node &&
         (one.rail == other.rail || one.rail < 0 || other.rail < 0);
}

std::vector<ComponentId> Decoder::possible(double least) const {
  // No component can gain more than its bad flows are bad, one by one.
  std::vector<float> bound(problem_.priors.size(), 0);
  for (std::size_t flow = 0; flow < problem_.flows(); ++flow)
    if (const double bad = unexplained(flow); bad > 0)
      for (std::uint32_t at = problem_.begin[flow]; at < problem_.begin[flow + 1]; ++at)
        bound[problem_.crossed[at]] += static_cast<float>(bad);
  std::vector<ComponentId> found;
  for (ComponentId component = 0; component < bound.size(); ++component)
    if (bound[component] > 0 && fitted_[component] < 0 &&
        bound[component] + problem_.priors[component].log_odds - choice > least)
      found.push_back(component);
  return found;
}

std::vector<Explanation> Decoder::add_greedily(const std::vector<ComponentId>& candidates) {
  struct Candidate {
    Weight weight;
    ComponentId component;
    // Of equals the first by number, so that the order of a heap shows nowhere.
    bool operator<(const Candidate& other) const {
      return weight.gain != other.weight.gain ? weight.gain < other.weight.gain : component > other.component;
    }
  };
  std::priority_queue<Candidate> heap;
  for (const ComponentId component : candidates)
    if (const Weight weight = weigh(component); weight.gain > 0) heap.push({weight, component});
  std::vector<Explanation> added;
  while (!heap.empty()) {
    Candidate top = heap.top();
    heap.pop();
    top.weight = weigh(top.component);  // lazily: what was added since has made it less, as a rule
    if (top.weight.gain <= 0) continue;
    if (!heap.empty() && top < heap.top()) {
      heap.push(top);
      continue;
    }
    put(top.component, top.weight.severity);
    added.push_back({.component = top.component, .weight = top.weight});
  }
  return added;
}

bool Decoder::split(double gain, ComponentId gone, const std::vector<ComponentId>& rivals,
                    std::vector<Explanation>& parts) {
  auto others = rivals;
  std::erase(others, gone);
  const auto added = add_greedily(others);
  double together = 0;
  for (const auto& part : added)
    together += part.weight.gain;
  if (added.size() > 1 && together > gain + 1e-9) {
    parts.insert(parts.end(), added.begin(), added.end());
    return true;
  }
  for (const auto& part : added)
    take(part.component);
  return false;
}

void Decoder::collect_rivals(ComponentId component, int severity, std::vector<ComponentId>& rivals) {
  rivals.clear();
  stamp_[component] = ++stamped_;
  for (const std::uint32_t flow : flows_of(component)) {
    if (bad_by(flow, severity) <= 0) continue;
    for (std::uint32_t at = problem_.begin[flow]; at < problem_.begin[flow + 1]; ++at) {
      const ComponentId rival = problem_.crossed[at];
      if (stamp_[rival] == stamped_ || fitted_[rival] >= 0) continue;
      stamp_[rival] = stamped_;
      rivals.push_back(rival);
    }
  }
}

bool Decoder::improve() {
  bool changed = false;
  std::vector<ComponentId> rivals;
  std::vector<Explanation> parts;
  for (auto& explanation : explanations_) {
    const ComponentId before = explanation.component;
    const int severity = fitted_[before];
    take(before);
    ComponentId best = before;
    Weight weight = weigh(before);
    collect_rivals(before, weight.severity, rivals);
    for (const ComponentId rival : rivals)
      if (const Weight other = weigh(rival); other.gain > weight.gain + 1e-9) best = rival, weight = other;
    // One after the other, a leaf can outdo each of two ends in it that are bad, and not both.
    const bool shared = problem_.priors[best].node < 0;
    if (shared && weight.gain > 0 && split(weight.gain, best, rivals, parts)) {
      changed = true;
      continue;
    }
    if (weight.gain > 0) put(best, weight.severity);
    changed |= weight.gain <= 0 || best != before || weight.severity != severity;
    explanation.component = best, explanation.weight = weight;
  }
  std::erase_if(explanations_, [&](const Explanation& each) { return fitted_[each.component] < 0; });
  explanations_.insert(explanations_.end(), parts.begin(), parts.end());
  return changed;
}

void Decoder::search() {
  explanations_ = add_greedily(possible(0));
  for (int pass = 0; pass < most_passes && improve(); ++pass) {
    const auto added = add_greedily(possible(0));
    explanations_.insert(explanations_.end(), added.begin(), added.end());
  }
  // Whose number is lowest first, so that the answer does not tell how it was searched for.
  std::ranges::sort(explanations_, {}, &Explanation::component);
}

// By sums, for a slow uplink shows in many shares and hardly in any one.
void Decoder::count_sightings(Explanation& judged) const {
  std::map<int, double> rounds;
  std::map<std::int32_t, double> partners;
  const std::int32_t node = problem_.priors[judged.component].node;
  for (const std::uint32_t flow : flows_of(judged.component)) {
    const double bad = bad_by(flow, judged.weight.severity);
    rounds[problem_.round[flow]] += bad;
    // Of what is no node's, whoever sends is as good as a partner.
    partners[problem_.from[flow] == node ? problem_.to[flow] : problem_.from[flow]] += bad;
  }
  const auto count = [](const auto& sums, double least) {
    return static_cast<int>(
        std::ranges::count_if(sums, [&](const auto& each) { return each.second >= least; }));
  };
  judged.bad_rounds = count(rounds, bad_round_nats), judged.partners = count(partners, bad_partner_nats);
}

Explanation Decoder::judge(ComponentId component, double rivals_within) {
  const int severity = fitted_[component];
  take(component);
  Explanation judged{.component = component, .weight = weigh(component)};
  std::vector<ComponentId> rivals;
  collect_rivals(component, judged.weight.severity, rivals);
  double best = std::max(0., judged.weight.trans);
  for (const ComponentId rival : rivals) {
    if (one_place(component, rival)) continue;
    const Weight weight = weigh(rival);
    best = std::max({best, weight.gain, weight.trans});
    if (weight.gain > judged.weight.gain - rivals_within) judged.rivals.push_back({rival, weight});
  }
  std::ranges::sort(judged.rivals, [](const Rival& a, const Rival& b) {
    return a.weight.gain != b.weight.gain ? a.weight.gain > b.weight.gain : a.component < b.component;
  });
  judged.margin = judged.weight.gain - best;
  count_sightings(judged);
  put(component, severity);
  return judged;
}

}  // namespace mlc::fleet
