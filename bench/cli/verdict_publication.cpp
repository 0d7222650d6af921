#include "bench/cli/verdict_publication.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <vector>

#include "bench/cli/output_options.hpp"
#include "bench/cli/wanted.hpp"
#include "k8s/api/endpoint.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/history/history_files.hpp"
#include "reports/record/json.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/deciding/evidence.hpp"
#include "validators/host/own_directory.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

void say(const Published& done) {
  for (const auto& note : done.notes)
    std::fprintf(stderr, "%s\n", note.c_str());
}

// False where the cluster could not be told, which is said.
bool told(const std::function<Published()>& tell) {
  try {
    say(tell());
    return true;
  } catch (const ApiError& error) {
    std::fputs(error_text({.what = error.what(), .where = {}, .phase = {}, .hint = error.hint}, {}).c_str(),
               stderr);
  } catch (const EndpointError& error) {
    std::fputs(error_text({.what = error.what(), .where = {}, .phase = {}, .hint = {}}, {}).c_str(), stderr);
  }
  return false;
}

// When that was by the API server's clock; as it is where the two agree, or the server does not say.
std::string by_the_servers_clock(const std::string& moment, const NodeView& view, const AdmitPolicy& policy) {
  const auto at = parse_rfc3339(moment);
  if (!at || !view.seen_at) return moment;
  const double ahead_s = std::difftime(std::time(nullptr), *view.seen_at);
  if (std::abs(ahead_s) < 2) return moment;  // the server's Date has whole seconds
  if (std::abs(ahead_s) > policy.clock_skew_s)
    std::fprintf(stderr,
                 "warning: the clock of this node is %s %s that of the API server, which counts here\n",
                 time_text(std::abs(ahead_s) * 1e6).c_str(), ahead_s > 0 ? "ahead of" : "behind");
  return rfc3339(*at - static_cast<std::time_t>(ahead_s));
}

}  // namespace

std::string VerdictPublication::left_behind(RunKind of) const {
  return state + "/unpublished-" + std::string(to_string(of)) + ".json";
}

VerdictPublication::Sent VerdictPublication::send(Report report, RunKind as) const {
  Sent sent;
  // Where no node can be asked for: what is decided without one, and opens none.
  sent.verdict = decide(report, policy, wanted_by(policy, as));
  const std::string said{to_string(report.verdict.decision)}, started = report.run.started;
  sent.arrived = told([&] {
    return publish_to(kubernetes, policy.admit, node, [&](const NodeView& view) {
      require_report_of(report, view);
      if (own_clock) report.run.started = by_the_servers_clock(started, view, policy.admit);
      Wanted wanted = with_all_known(wanted_of(policy, view, as, std::time(nullptr)));
      wanted.version = MLC_VERSION;
      sent.verdict = report.verdict = decide(report, policy, wanted);
      // Of another node, boot, policy or program: it says nothing of this node, good or bad.
      const auto unproven = missing_provenance(report, policy, wanted);
      sent.admission =
          unproven.empty()
              ? admission_of(report, policy, view, as, *wanted.now)
              : Admission{.changes = false, .why = "it says nothing of this node: " + unproven.front()};
      return sent.admission;
    });
  });
  if (said != to_string(sent.verdict.decision))
    std::fprintf(
        stderr, "the report says %s; what it shows is %s%s\n", said.c_str(),
        std::string(to_string(sent.verdict.decision)).c_str(),
        sent.verdict.because.empty() ? "" : (": " + printable(sent.verdict.because.front())).c_str());
  return sent;
}

bool VerdictPublication::is_published() const {
  return kubernetes.publish && !state.empty() && !std::filesystem::exists(left_behind(kind));
}

ExitCode VerdictPublication::publish(const Report& report) const {
  const bool keep = kubernetes.publish && !state.empty();
  if (keep) {
    if (const auto parent = std::filesystem::path(state).parent_path(); !parent.empty())
      std::filesystem::create_directories(parent);
    require_own_directory(state);
    write_whole(left_behind(kind), to_json(report));
  }
  const Sent sent = send(report, kind);
  const ExitCode verdict = exit_code_of(sent.verdict.decision);
  if (!sent.arrived) {
    if (keep)
      std::fprintf(stderr,
                   "the verdict (%s) stays in %s; the next run, or mlc-bench admit --node %s --state %s "
                   "--publish, publishes it\n",
                   std::string(to_string(sent.verdict.decision)).c_str(),
                   printable(left_behind(kind)).c_str(), node.c_str(), printable(state).c_str());
    return ExitCode::tool;
  }
  // What a burn-in or a fabric stage said is newer than what any run before it left.
  if (keep)
    for (const RunKind one : run_kinds)
      if (one == kind || admits(kind)) std::filesystem::remove(left_behind(one));
  // A look renews what is open and opens nothing; a hand-over is all that the local stages can reach.
  const bool shut = sent.admission.changes && !sent.admission.open && !sent.admission.all_it_can;
  return verdict == ExitCode::pass && shut ? ExitCode::inconclusive : verdict;
}

bool VerdictPublication::begin(const std::string& run_id) const {
  return told([&] {
    return publish_to(kubernetes, policy.admit, node,
                      [&](const NodeView& view) { return beginning_of(run_id, policy.admit, view, kind); });
  });
}

// The newest first: what is older then finds that a later run has spoken, and a node is not opened for a
// moment.
bool VerdictPublication::publish_left_behind() const {
  struct Left {
    RunKind kind;
    std::optional<Report> report;
    std::string why_not;
  };
  std::vector<Left> all;
  for (const RunKind one : run_kinds) {
    if (state.empty() || !std::filesystem::exists(left_behind(one))) continue;
    require_own_directory(state);
    all.push_back({one, std::nullopt, {}});
    try {
      all.back().report = report_from_json(read_report_file(left_behind(one)));
    } catch (const std::exception& error) {
      all.back().why_not = error.what();
    }
  }
  std::ranges::stable_sort(all, std::greater<>{}, [](const Left& left) {
    const auto began = left.report ? parse_rfc3339(left.report->run.started) : std::nullopt;
    return began ? static_cast<double>(*began) + left.report->run.duration_s : 0;
  });
  bool arrived = true;
  for (auto& left : all) {
    const std::string file = left_behind(left.kind);
    std::fprintf(stderr, "publishing what an earlier run left in %s\n", printable(file).c_str());
    try {
      if (!left.report) throw std::runtime_error(left.why_not);
      if (!send(*left.report, left.kind).arrived) {
        arrived = false;
        continue;
      }
    } catch (const std::exception& error) {
      // Damaged, or of an earlier boot: no verdict on the node as it is.
      std::fprintf(stderr, "dropped: %s\n", printable(error.what()).c_str());
    }
    if (kubernetes.publish) std::filesystem::remove(file);
  }
  return arrived;
}

}  // namespace mlc
