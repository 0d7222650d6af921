#include "bench/gpu/judge_pairs.hpp"

#include <algorithm>
#include <utility>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

// With one peer alone nobody can tell which of the two it is: a GPU that is named has more pairs than those.
constexpr std::size_t pairs_with_one = 2;

struct Count {
  std::size_t slow = 0, all = 0;
  // By share, without a division.
  bool less_than(const Count& other) const { return slow * other.all < other.slow * all; }
};

class Blame {
 public:
  Blame(const RateRule& rule, const PairRates& rates, const std::vector<Finding>& by_pair)
      : rule_(rule), rates_(rates), by_pair_(by_pair), n_(rates.gpus()) {
    std::size_t at = 0;
    for (std::size_t cell = 0; cell < n_ * n_; ++cell)
      if (rates_.asked[cell]) status_[cell] = by_pair_[at++].status;
  }

  PairJudgement take() {
    if (std::ranges::count(status_, Status::fail) == std::ssize(by_pair_))
      name_together(candidates([](const Count&) { return true; }));
    else
      while (name_together(worst())) {
      }
    for (std::size_t gpu = 0; gpu < n_; ++gpu)
      sends_slowly_[gpu] = one_way(gpu, true);
    for (std::size_t gpu = 0; gpu < n_; ++gpu)
      receives_slowly_[gpu] = one_way(gpu, false);
    name_pairs();
    return std::move(told_);
  }

 private:
  // A GPU's slow pairs and all of them, but for those that another one is blamed for.
  Count count_of(std::size_t gpu) const {
    Count count;
    for (std::size_t other = 0; other < n_; ++other)
      for (const std::size_t cell : {gpu * n_ + other, other * n_ + gpu})
        if (status_[cell] != Status::skip && !blamed_[other])
          ++count.all, count.slow += status_[cell] == Status::fail;
    return count;
  }

  template <class Wanted>
  std::vector<std::pair<std::size_t, Count>> candidates(const Wanted& wanted) const {
    std::vector<std::pair<std::size_t, Count>> found;
    for (std::size_t gpu = 0; gpu < n_; ++gpu)
      if (const Count count = count_of(gpu); !blamed_[gpu] && count.all > pairs_with_one && wanted(count))
        found.emplace_back(gpu, count);
    return found;
  }

  // All that are equally bad: of what is then left a healthy one next to them has nothing slow.
  std::vector<std::pair<std::size_t, Count>> worst() const {
    auto found = candidates([](const Count& count) { return 2 * count.slow > count.all; });
    if (found.empty()) return found;
    const Count most = std::ranges::max_element(found, [](const auto& a, const auto& b) {
                         return a.second.less_than(b.second);
                       })->second;
    std::erase_if(found, [&](const auto& each) { return each.second.less_than(most); });
    return found;
  }

  bool name_together(const std::vector<std::pair<std::size_t, Count>>& gpus) {
    for (const auto& [gpu, count] : gpus) {
      const std::string which =
          std::to_string(count.slow) + " of its " + std::to_string(count.all) + " pairs are slow";
      name(gpu, {gpu, gpu, true, true, which}, which + " or below the bound");
      blamed_[gpu] = true;
    }
    return !gpus.empty();
  }

  // Slow in a single direction, towards all that are not blamed themselves.
  bool one_way(std::size_t gpu, bool sends) {
    Count count;
    for (std::size_t other = 0; other < n_; ++other) {
      const Status said = status_[sends ? gpu * n_ + other : other * n_ + gpu];
      if (said == Status::skip || blamed_[other] || (!sends && sends_slowly_[other])) continue;
      ++count.all, count.slow += said == Status::fail;
    }
    if (blamed_[gpu] || count.slow < 2 || count.slow < count.all) return false;
    const std::string which =
        "all " + std::to_string(count.slow) + " pairs that it " + (sends ? "sends to" : "receives from");
    name(gpu, {gpu, gpu, sends, !sends, which + " are slow"},
         which + " are slow or below the bound, the other direction is not");
    return true;
  }

  void name(std::size_t gpu, Matrix::Culprit culprit, const std::string& observed) {
    told_.culprits.push_back(std::move(culprit));
    Finding one = by_pair_.front();
    one.subject = rates_.subjects[gpu], one.status = Status::fail, one.observed = observed;
    one.remedy = rule_.remedy + "; this GPU or its links are at fault";
    told_.findings.push_back(std::move(one));
  }

  void name_pairs() {
    std::size_t at = 0;
    for (std::size_t cell = 0; cell < n_ * n_; ++cell) {
      if (!rates_.asked[cell]) continue;
      const std::size_t from = cell / n_, to = cell % n_;
      const Finding& finding = by_pair_[at++];
      if (finding.status == Status::pass || blamed_[from] || blamed_[to] || sends_slowly_[from] ||
          receives_slowly_[to])
        continue;
      told_.culprits.push_back({from, to, false, false, finding.observed});
      told_.findings.push_back(finding);
    }
  }

  const RateRule& rule_;
  const PairRates& rates_;
  const std::vector<Finding>& by_pair_;
  std::size_t n_;
  std::vector<Status> status_ = std::vector<Status>(n_ * n_, Status::skip);
  std::vector<bool> blamed_ = std::vector<bool>(n_), sends_slowly_ = std::vector<bool>(n_),
                    receives_slowly_ = std::vector<bool>(n_);
  PairJudgement told_;
};

Finding for_all(const std::vector<NamedValue>& pairs, const std::vector<Finding>& by_pair) {
  double slowest = 1e300, fastest = 0;
  for (const auto& pair : pairs)
    if (pair.value) slowest = std::min(slowest, *pair.value), fastest = std::max(fastest, *pair.value);
  Finding all = by_pair.front();
  const bool measured =
      std::ranges::all_of(by_pair, [](const Finding& finding) { return finding.status == Status::pass; });
  all.subject = "node";
  all.status = measured ? Status::pass : Status::unknown;
  all.observed = std::to_string(pairs.size()) + " ordered pairs, " +
                 (fastest > 0 ? fixed(slowest, 0) + " to " + fixed(fastest, 0) + " GB/s" : "none measured");
  if (measured) all.remedy.clear();
  return all;
}

}  // namespace

PairJudgement judge_pairs(const RateRule& rule, const PairRates& rates) {
  const std::size_t n = rates.gpus();
  std::vector<NamedValue> pairs;
  for (std::size_t cell = 0; cell < n * n; ++cell)
    if (rates.asked[cell])
      pairs.push_back({rates.subjects[cell / n] + " to " + rates.subjects[cell % n], rates.values[cell]});
  if (pairs.empty()) return {};
  const auto by_pair = judge_rates(rule, pairs);
  if (std::ranges::count(by_pair, Status::fail, &Finding::status) == 0)
    return {.findings = {for_all(pairs, by_pair)}, .culprits = {}};
  return Blame(rule, rates, by_pair).take();
}

std::vector<Finding> judge_pair_data(const std::vector<std::string>& subjects,
                                     const std::vector<std::optional<std::uint64_t>>& wrong) {
  const std::size_t n = subjects.size();
  const auto all_wrong = [&](std::size_t gpu, bool sends) {
    std::size_t pairs = 0, bad = 0;
    for (std::size_t other = 0; other < n; ++other)
      if (const auto& pair = sends ? wrong[gpu * n + other] : wrong[other * n + gpu])
        ++pairs, bad += *pair > 0;
    return pairs > 1 && bad == pairs;
  };
  std::vector<Finding> findings;
  const auto add = [&](const std::string& subject, const std::string& observed) {
    findings.push_back({.check = "burnin.nvlink-data",
                        .subject = subject,
                        .status = Status::fail,
                        .observed = observed,
                        .expected = "every byte as it was sent",
                        .source = "generated on one GPU, verified on the other",
                        .remedy = "nvidia-smi nvlink -e on this GPU and its peers; open an RMA"});
  };
  std::vector<bool> sender(n), receiver(n);
  for (std::size_t gpu = 0; gpu < n; ++gpu) {
    // Where all that it sends to receive wrongly from everybody, it is they.
    bool to_others = false;
    for (std::size_t other = 0; other < n; ++other)
      to_others = to_others || (wrong[gpu * n + other].value_or(0) > 0 && !all_wrong(other, false));
    sender[gpu] = to_others && all_wrong(gpu, true);
  }
  for (std::size_t gpu = 0; gpu < n; ++gpu) {
    // What comes wrong from those that send nothing else says nothing of the receiver.
    bool from_others = false;
    for (std::size_t other = 0; other < n; ++other)
      from_others = from_others || (wrong[other * n + gpu].value_or(0) > 0 && !sender[other]);
    receiver[gpu] = from_others && all_wrong(gpu, false);
    if (sender[gpu] || receiver[gpu])
      add(subjects[gpu], std::string("wrong bytes in all that it ") + (sender[gpu] ? "sends" : "receives"));
  }
  for (std::size_t from = 0; from < n; ++from)
    for (std::size_t to = 0; to < n; ++to)
      if (wrong[from * n + to].value_or(0) > 0 && !sender[from] && !receiver[to])
        add(subjects[from] + " to " + subjects[to],
            std::to_string(*wrong[from * n + to]) + " wrong bytes arrived");
  return findings;
}

}  // namespace mlc
