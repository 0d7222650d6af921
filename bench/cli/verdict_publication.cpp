#include "bench/cli/verdict_publication.hpp"

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "bench/cli/output_options.hpp"
#include "k8s/api/endpoint.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/history/history_files.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
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

}  // namespace

std::string VerdictPublication::left_behind(RunKind of) const {
  return state + (of == RunKind::burnin ? "/unpublished-burnin.json" : "/unpublished-health.json");
}

bool VerdictPublication::send(const Report& report, RunKind as, Admission& last) const {
  return told([&] {
    return publish_to(kubernetes, policy, node, [&](const NodeView& view) {
      require_report_of(report, view);
      last = admission_of(report, policy, view, as, std::time(nullptr));
      return last;
    });
  });
}

ExitCode VerdictPublication::publish(const Report& report) const {
  const bool keep = kubernetes.publish && !state.empty();
  if (keep) {
    std::filesystem::create_directories(state);
    write_whole(left_behind(kind), to_json(report));
  }
  Admission last;
  const bool sent = send(report, kind, last);
  const ExitCode verdict = exit_code_of(report.verdict.decision);
  if (!sent) {
    if (keep)
      std::fprintf(stderr,
                   "the verdict (%s) stays in %s; the next run, or mlc-bench admit --node %s --state %s "
                   "--publish, publishes it\n",
                   std::string(to_string(report.verdict.decision)).c_str(),
                   printable(left_behind(kind)).c_str(), node.c_str(), printable(state).c_str());
    return verdict == ExitCode::pass ? ExitCode::tool : verdict;
  }
  // What a burn-in said is newer than what any run before it left.
  if (keep)
    for (const RunKind one : {kind, kind == RunKind::burnin ? RunKind::health : kind})
      std::filesystem::remove(left_behind(one));
  return verdict == ExitCode::pass && last.changes && !last.open ? ExitCode::inconclusive : verdict;
}

bool VerdictPublication::begin(const std::string& run_id) const {
  return told([&] {
    return publish_to(kubernetes, policy, node,
                      [&](const NodeView& view) { return beginning_of(run_id, policy, view); });
  });
}

bool VerdictPublication::publish_left_behind() const {
  bool all = true;
  for (const RunKind one : {RunKind::burnin, RunKind::health}) {
    if (state.empty() || !std::filesystem::exists(left_behind(one))) continue;
    std::fprintf(stderr, "publishing what an earlier run left in %s\n", printable(left_behind(one)).c_str());
    try {
      Admission last;
      if (!send(report_from_json(read_report_file(left_behind(one))), one, last)) {
        all = false;
        continue;
      }
    } catch (const std::exception& error) {
      // Damaged, or of an earlier boot: no verdict on the node as it is.
      std::fprintf(stderr, "dropped: %s\n", printable(error.what()).c_str());
    }
    if (kubernetes.publish) std::filesystem::remove(left_behind(one));
  }
  return all;
}

}  // namespace mlc
