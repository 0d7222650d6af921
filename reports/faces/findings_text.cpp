#include "reports/faces/findings_text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "reports/record/causes.hpp"
#include "reports/record/reasons.hpp"
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

// What a check that is in order says on its one line.
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

// A check with what it found.
struct Checked {
  std::string check;
  std::vector<const Finding*> findings;
  Status worst_of() const {
    Status status = findings.front()->status;
    for (const auto* finding : findings)
      status = worst(status, finding->status);
    return status;
  }
};

std::vector<Checked> by_check(const Report& report) {
  std::vector<Checked> list;
  std::map<std::string, std::size_t> place;
  for (const auto& finding : report.findings) {
    const auto [found, first] = place.try_emplace(finding.check, list.size());
    if (first) list.push_back({finding.check, {}});
    list[found->second].findings.push_back(&finding);
  }
  return list;
}

// What is to be mended, the most telling first, each with what to do next and what waits for it.
std::string causes_text(const Report& report, std::size_t width, const Style& style) {
  std::string text;
  std::map<std::string, std::size_t> told;
  const auto list = causes(report.findings);
  for (const auto& [index, waiting] : list) {
    const Finding& finding = report.findings[index];
    if (++told[finding.check] > most_shown) continue;
    const auto line = [&](const char* what, const std::string& said) {
      if (!said.empty()) text += "      " + style.dim(what) + "  " + printable(said, most_text) + "\n";
    };
    text += "  " + symbol(finding.status, style) + " " + pad_right(finding.check, width) + "  " +
            (finding.status == Status::unknown ? "unknown: " : "") +
            printable(observed_of(finding), most_text) +
            (finding.expected.empty() ? "" : ", expected " + printable(finding.expected, most_text)) + "\n";
    line("next", finding.remedy);
    line("from", finding.source);
    line("and ", waiting_text(report.findings, waiting));
  }
  for (const auto& [check, count] : told)
    if (count > most_shown)
      text += "      " + std::to_string(count - most_shown) + " more of " + check + " in --format json\n";
  return text.empty() ? text : "\n" + text;
}

// A line a check that is in order or was not asked for. `rooms`: under headings, where they are all there is.
std::string quiet_text(const std::vector<Checked>& checks, std::size_t width, bool rooms,
                       const Style& style) {
  std::string text, room, alike;
  const auto flush_alike = [&] {
    if (!alike.empty()) text += "      " + style.dim("also") + "  " + alike + "\n";
    alike.clear();
  };
  const Checked* before = nullptr;
  for (const auto& one : checks) {
    const Status status = one.worst_of();
    if (status != Status::pass && status != Status::skip) continue;
    const std::string here = room_of(one.check);
    if (before && room_of(before->check) == here && says_the_same(one.findings, before->findings)) {
      alike += (alike.empty() ? "" : ", ") + one.check;
      continue;
    }
    flush_alike();
    if (rooms && here != room) text += "\n  " + here + "\n";
    room = here, before = &one;
    std::vector<const Finding*> shown;
    for (const auto* finding : one.findings)
      if (finding->status == status) shown.push_back(finding);
    text += "  " + symbol(status, style) + " " + pad_right(one.check, width) + "  " +
            (status == Status::skip ? style.dim("skipped: " + summary(shown)) : summary(shown)) + "\n";
  }
  flush_alike();
  return text.empty() || rooms ? text : "\n" + text;
}

}  // namespace

std::string findings_text(const Report& report, const Style& style) {
  const auto checks = by_check(report);
  std::size_t width = 0;
  std::map<Status, std::size_t> counts;
  for (const auto& one : checks)
    width = std::max(width, columns(one.check)), ++counts[one.worst_of()];
  std::string text =
      style.bold(report.environment.nodes.empty() ? "node"
                                                  : printable(report.environment.nodes.front().name, 80)) +
      "   " + std::to_string(checks.size()) + (checks.size() == 1 ? " check" : " checks") +
      (report.run.policy.empty() ? "" : ", policy " + printable(report.run.policy, 80)) + "\n";
  const std::string wrong = causes_text(report, width, style);
  text += wrong + quiet_text(checks, width, wrong.empty(), style) + "\n";
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
