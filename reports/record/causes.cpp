#include "reports/record/causes.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "reports/record/reasons.hpp"

namespace mlc {

namespace {

constexpr std::size_t most_named = 4;  // more checks than these are counted by room

bool is_bad(Status status) { return status != Status::pass && status != Status::skip; }

// Findings of one check of one launch of one stage: what depends on the check depends on the worst of them.
using Place = std::tuple<std::string, std::string, int>;

class Roots {
 public:
  explicit Roots(const std::vector<Finding>& findings) : findings_(findings) {
    for (std::size_t i = 0; i < findings.size(); ++i) {
      if (!is_bad(findings[i].status)) continue;
      if (const auto [worst, first] = of_stage_.try_emplace(findings[i].stage, i);
          !first && severity(findings[i].status) > severity(findings[worst->second].status))
        worst->second = i;
      const auto [found, first] = worst_.try_emplace(place(findings[i], findings[i].check), i);
      if (!first && severity(findings[i].status) > severity(findings[found->second].status))
        found->second = i;
    }
  }

  std::size_t of(std::size_t index) const {
    std::set<std::size_t> seen{index};
    while (const auto next = above(index)) {
      // Of those that wait for each other the first stands for all.
      if (!seen.insert(*next).second) return *seen.begin();
      index = *next;
    }
    return index;
  }

 private:
  static Place place(const Finding& finding, const std::string& check) {
    return {check, finding.stage, finding.launch};
  }
  std::optional<std::size_t> above(std::size_t index) const {
    const Finding& finding = findings_[index];
    if (const auto stage = stage_of(finding); !stage.empty()) {
      const auto worst = of_stage_.find(stage);
      return worst == of_stage_.end() ? std::nullopt : follows(index, worst->second);
    }
    if (finding.depends_on.empty()) return std::nullopt;
    const auto found = worst_.find(place(finding, finding.depends_on));
    return found == worst_.end() ? std::nullopt : follows(index, found->second);
  }
  // What is worse than its cause does not follow from it alone.
  std::optional<std::size_t> follows(std::size_t index, std::size_t cause) const {
    if (cause == index || severity(findings_[index].status) > severity(findings_[cause].status))
      return std::nullopt;
    return cause;
  }

  const std::vector<Finding>& findings_;
  std::map<Place, std::size_t> worst_;
  std::map<std::string, std::size_t> of_stage_;  // the worst of each
};

std::vector<std::string> checks_of(const std::vector<Finding>& findings,
                                   const std::vector<std::size_t>& all) {
  std::vector<std::string> names;
  for (const std::size_t i : all)
    if (stage_of(findings[i]).empty() && std::ranges::find(names, findings[i].check) == names.end())
      names.push_back(findings[i].check);
  return names;
}

}  // namespace

std::string stage_of(const Finding& finding) {
  constexpr std::string_view room = "burnin.";
  return finding.subject == "stage" && finding.check.starts_with(room) ? finding.check.substr(room.size())
                                                                       : std::string();
}

std::vector<Cause> causes(const std::vector<Finding>& findings) {
  const Roots roots(findings);
  std::map<std::size_t, Cause> by_root;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (!is_bad(findings[i].status)) continue;
    const std::size_t root = roots.of(i);
    by_root[root].index = root;
    if (root != i) by_root[root].waiting.push_back(i);
  }
  std::vector<Cause> list;
  for (auto& [root, cause] : by_root)
    list.push_back(std::move(cause));
  std::ranges::stable_sort(list, [&](const Cause& a, const Cause& b) {
    const auto rank = [&](const Cause& cause) {
      // That a stage failed says less than what failed in it, of whichever stage.
      return std::tuple(severity(findings[cause.index].status), stage_of(findings[cause.index]).empty(),
                        checks_of(findings, cause.waiting).size());
    };
    return rank(a) > rank(b);
  });
  return list;
}

std::string observed_of(const Finding& finding) {
  const bool of_all = finding.subject.empty() || finding.subject == "node" || finding.subject == "rails";
  return of_all ? finding.observed : finding.subject + ": " + finding.observed;
}

std::string waiting_text(const std::vector<Finding>& findings, const std::vector<std::size_t>& waiting) {
  const auto names = checks_of(findings, waiting);
  if (names.empty()) return {};
  std::string text =
      names.size() == 1 ? "1 check needs it: " : std::to_string(names.size()) + " checks need it: ";
  std::vector<std::pair<std::string, std::size_t>> rooms;
  for (const auto& name : names) {
    const std::string room = room_of(name);
    const auto found = std::ranges::find(rooms, room, &std::pair<std::string, std::size_t>::first);
    if (found == rooms.end())
      rooms.emplace_back(room, 1);
    else
      ++found->second;
  }
  std::string list;
  if (names.size() <= most_named)
    for (const auto& name : names)
      list += (list.empty() ? "" : ", ") + name;
  else
    for (const auto& [room, count] : rooms)
      list += (list.empty() ? "" : ", ") + std::to_string(count) + " of " + room;
  return text + list;
}

}  // namespace mlc
