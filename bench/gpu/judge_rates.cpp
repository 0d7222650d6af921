#include "bench/gpu/judge_rates.hpp"

#include <algorithm>
#include <cmath>

#include "reports/history/change_point.hpp"
#include "reports/record/text.hpp"

namespace mlc {

std::vector<Finding> judge_rates(const RateRule& rule, std::span<const NamedValue> values) {
  std::vector<double> known;
  for (const auto& value : values)
    if (value.value && std::isfinite(*value.value)) known.push_back(*value.value);
  // Of two, the better one is what the other is held against: a median between them would hide half the
  // distance.
  std::optional<double> usual;
  if (known.size() == 2)
    usual = rule.less_is_better ? std::ranges::min(known) : std::ranges::max(known);
  else if (known.size() > 2)
    usual = median_of(known);

  const auto text = [&](double value) { return fixed(value, rule.decimals) + " " + rule.unit; };
  const std::string worse = rule.less_is_better ? " over" : " under";
  std::vector<Finding> findings;
  for (const auto& [subject, value] : values) {
    Finding finding{.check = rule.check, .subject = subject, .source = rule.source};
    if (rule.bound) finding.expected = (rule.less_is_better ? "at most " : "at least ") + text(*rule.bound);
    if (usual)
      finding.expected += (finding.expected.empty() ? "" : ", and ") + std::string("no more than ") +
                          percent_text(rule.spread) + worse + " the node's " + text(*usual);
    if (!value || !std::isfinite(*value) || *value <= 0) {
      finding.observed = "not measured";
      finding.remedy = "see what the other findings say of this GPU, and run it again";
      findings.push_back(finding);
      continue;
    }
    const bool beyond_bound =
        rule.bound && (rule.less_is_better ? *value > *rule.bound : *value < *rule.bound);
    const double distance = usual ? (rule.less_is_better ? *value / *usual - 1 : 1 - *value / *usual) : 0;
    finding.observed = text(*value);
    if (usual && distance > rule.spread)
      finding.observed += ", " + percent_text(distance) + worse + " the node's";
    finding.status = beyond_bound || distance > rule.spread ? Status::fail : Status::pass;
    if (finding.status == Status::fail) finding.remedy = rule.remedy;
    findings.push_back(finding);
  }
  return findings;
}

}  // namespace mlc
