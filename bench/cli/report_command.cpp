// `report`: a report that was written before, in any face, with a verdict that is made anew.
#include <cstdio>
#include <ctime>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/report_reader.hpp"
#include "bench/cli/wanted.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/deciding/evidence.hpp"

namespace mlc {

namespace {

// Under the policy that was named, else under the one that the report holds; one that holds none is judged by
// what it shows alone.
void decide_anew(Report& report, const std::string& named) {
  const auto& held = report.figures.policy;
  Policy policy;
  if (!named.empty())
    policy = named_policy(named);
  else if (held && !held->text.empty())
    policy = read_policy(held->text, "the report's policy");
  else
    std::fputs(
        "the report does not hold its policy: it is judged by what it shows alone; --policy names one\n",
        stderr);
  if (!policy.digest.empty() && !report.run.policy_digest.empty() &&
      report.run.policy_digest != policy.digest)
    std::fprintf(stderr, "the run was made under another policy than %s as it is here\n",
                 printable(policy.name).c_str());
  const bool of_a_node = !report.run.plan.empty() || !report.stages.empty();
  const RunKind kind = parse_run_kind(report.run.plan).value_or(RunKind::burnin);
  const Verdict verdict = decide(report, policy, of_a_node ? wanted_by(policy, kind) : Wanted{});
  if (verdict.decision != report.verdict.decision)
    std::fprintf(stderr, "the report says %s; under policy %s what it shows is %s%s\n",
                 std::string(to_string(report.verdict.decision)).c_str(), printable(policy.name).c_str(),
                 std::string(to_string(verdict.decision)).c_str(),
                 verdict.because.empty() ? "" : (": " + printable(verdict.because.front())).c_str());
  report.verdict = verdict;
}

// A verdict is of what the report shows; whether it is of a node as it is now is another question.
void say_what_admits_nothing(const Report& report) {
  if (report.environment.nodes.empty() || (report.run.plan.empty() && report.stages.empty())) return;
  Policy made_under;
  made_under.digest = report.run.policy_digest;
  Wanted wanted;
  wanted.node = NodeIdentity{report.environment.nodes.front().name, {}, {}};
  wanted.version = MLC_VERSION, wanted.now = std::time(nullptr);
  wanted.clock_skew_s = made_under.admit.clock_skew_s;
  for (const auto& why : missing_provenance(report, made_under, wanted))
    std::fprintf(stderr, "admit would take it for no verdict: %s\n", printable(why, 400).c_str());
}

}  // namespace

void add_report_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "report", "shows a report that was written before, in any face, with its verdict decided anew");
  auto path = std::make_shared<std::string>();
  auto policy = std::make_shared<std::string>();
  auto options = std::make_shared<OutputOptions>();
  command->add_option("report", *path, "a report in JSON, or - for stdin")->required()->type_name("FILE");
  add_policy(*command, *policy, "decides by this policy (default: the one that the report holds)");
  options->add_to(*command);
  // What the verdict is does not change that this command has done its work when the report is shown.
  command->footer("Exits 0 when it could show the report, whatever the verdict.");
  command->callback([&invocation, path, policy, options] {
    invocation.run = [path, policy, options] {
      options->check();
      Report report = read_report(*path);
      decide_anew(report, *policy);
      say_what_admits_nothing(report);
      publish(*options, render(report, options->chosen(), options->style()));
      return ExitCode::pass;
    };
  });
}

}  // namespace mlc
