#include "reports/faces/findings_text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t most_shown = 8;  // findings of one check; JSON has all of them
constexpr std::size_t most_text = 400;

std::string symbol(Status status, const Style& style) {
  const auto mark = status_mark(status);
  return status == Status::pass   ? style.green(mark)
         : status == Status::fail ? style.red(mark)
         : status == Status::skip ? style.dim(mark)
                                  : style.yellow(mark);
}

// What a check that is in order says on its one line.
// What the verdict rests on beside the findings, which are above it; with series it stands under their table.
std::string other_reasons(const Report& report) {
  const Verdict& verdict = report.verdict;
  std::string text;
  if (!report.series.empty() || verdict.about.size() != verdict.because.size()) return text;
  for (std::size_t i = 0; i < verdict.because.size(); ++i)
    if (verdict.about[i].list != About::List::findings)
      text += "  " + printable(verdict.because[i], most_text) + "\n";
  return text;
}

std::string summary(const std::vector<const Finding*>& findings) {
  const bool same = std::ranges::all_of(
      findings, [&](const Finding* one) { return one->observed == findings.front()->observed; });
  std::string text = printable(findings.front()->observed, most_text);
  if (findings.size() == 1) return text;
  return same ? text + " (" + std::to_string(findings.size()) + " alike)"
              : text + ", and " + std::to_string(findings.size() - 1) + " more";
}

// One cause that silences a whole room ("no rails on this machine") is said once.
bool says_the_same(const std::vector<const Finding*>& a, const std::vector<const Finding*>& b) {
  return a.size() == 1 && b.size() == 1 && !tested(a[0]->status) && a[0]->status == b[0]->status &&
         a[0]->subject == b[0]->subject && a[0]->observed == b[0]->observed && a[0]->remedy == b[0]->remedy;
}

}  // namespace

std::string findings_text(const Report& report, const Style& style) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const Finding*>> by_check;
  std::size_t width = 0;
  for (const auto& finding : report.findings) {
    auto& list = by_check[finding.check];
    if (list.empty()) order.push_back(finding.check);
    list.push_back(&finding);
    width = std::max(width, columns(finding.check));
  }
  std::string text =
      style.bold(report.environment.nodes.empty() ? "node"
                                                  : printable(report.environment.nodes.front().name, 80)) +
      "   " + std::to_string(order.size()) + (order.size() == 1 ? " check" : " checks") +
      (report.run.policy.empty() ? "" : ", policy " + printable(report.run.policy, 80)) + "\n";
  std::map<Status, std::size_t> counts;
  std::string room, alike;
  const auto flush_alike = [&] {
    if (!alike.empty()) text += "      " + style.dim("also") + "  " + alike + "\n";
    alike.clear();
  };
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::string& check = order[i];
    const auto& findings = by_check[check];
    Status status = findings.front()->status;
    for (const auto* finding : findings)
      status = worst(status, finding->status);
    ++counts[status];
    const std::string here = check.substr(0, check.find('.'));
    if (here == room && says_the_same(findings, by_check[order[i - 1]])) {
      alike += (alike.empty() ? "" : ", ") + check;
      continue;
    }
    flush_alike();
    if (here != room) text += "\n  " + (room = here) + "\n";
    if (status == Status::pass || status == Status::skip) {
      std::vector<const Finding*> shown;
      for (const auto* finding : findings)
        if (finding->status == status) shown.push_back(finding);
      text += "  " + symbol(status, style) + " " + pad_right(check, width) + "  " +
              (status == Status::skip ? style.dim("skipped: " + summary(shown)) : summary(shown)) + "\n";
      continue;
    }
    std::size_t bad = 0;
    for (const auto* finding : findings) {
      if (finding->status == Status::pass || finding->status == Status::skip) continue;
      if (++bad > most_shown) continue;
      text +=
          "  " + symbol(finding->status, style) + " " + pad_right(check, width) + "  " +
          printable(finding->subject, 80) + ": " + (finding->status == Status::unknown ? "unknown: " : "") +
          printable(finding->observed, most_text) +
          (finding->expected.empty() ? "" : ", expected " + printable(finding->expected, most_text)) + "\n";
      if (!finding->source.empty())
        text += "      " + style.dim("from") + "  " + printable(finding->source, most_text) + "\n";
      if (!finding->remedy.empty())
        text += "      " + style.dim("next") + "  " + printable(finding->remedy, most_text) + "\n";
    }
    if (bad > most_shown)
      text += "      " + std::to_string(bad - most_shown) + " more of " + check + " in --format json\n";
  }
  flush_alike();
  text += "\n";
  const std::string verdict = report.verdict.decision == Decision::pass   ? style.green("PASS")
                              : report.verdict.decision == Decision::fail ? style.red("FAIL")
                                                                          : style.yellow("INCONCLUSIVE");
  std::string tally;
  for (auto words = statuses.rbegin(); words != statuses.rend(); ++words)
    if (counts[words->status] > 0)
      tally += (tally.empty() ? "" : " · ") + std::to_string(counts[words->status]) + " " +
               std::string(words->done);
  return text + verdict + "  " + (tally.empty() ? "nothing was checked" : tally) + "\n" +
         other_reasons(report);
}

}  // namespace mlc
