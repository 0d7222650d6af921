// `admit`: a verdict becomes the condition, taints, labels and an event of a Kubernetes node.
#include <cstdio>
#include <ctime>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/cli/kubernetes_options.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/report_reader.hpp"
#include "bench/cli/stage_commands.hpp"
#include "bench/cli/verdict_publication.hpp"
#include "bench/engine/sweep.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct AdmitOptions {
  std::string node, report, policy = "local", run_id = "by hand", state;
  bool begin = false, expire = false, health = false, passive = false, fabric = false;
  RunKind kind() const {
    return health ? RunKind::health : passive ? RunKind::passive : fabric ? RunKind::fabric : RunKind::burnin;
  }
  KubernetesOptions kubernetes;
};

ExitCode run_expire(const AdmitOptions& options, const AdmitPolicy& policy) {
  const Decide decide = [&](const NodeView& view) {
    return expiry_of(policy, view, view.seen_at.value_or(std::time(nullptr)));
  };
  const Published done = options.node.empty() ? publish_to_fleet(options.kubernetes, policy, decide)
                                              : publish_to(options.kubernetes, policy, options.node, decide);
  for (const auto& note : done.notes)
    std::fprintf(stderr, "%s\n", note.c_str());
  return ExitCode::pass;
}

ExitCode run_admit(const AdmitOptions& options) {
  if (options.begin + options.expire + !options.report.empty() > 1)
    throw UsageError("--report, --begin and --expire exclude each other", "mlc-bench admit --help");
  if (options.health + options.passive + options.fabric > 1)
    throw UsageError("--health, --passive and --fabric exclude each other", "mlc-bench admit --help");
  const Policy policy = policy_with_plans(options.policy);
  if (options.expire) return run_expire(options, policy.admit);
  if (options.node.empty()) throw UsageError("no node is named", "mlc-bench admit --node NAME --report FILE");
  const VerdictPublication publication{options.node, options.kind(), options.state, policy,
                                       options.kubernetes};
  if (options.begin) return publication.begin(options.run_id) ? ExitCode::pass : ExitCode::tool;
  if (!options.report.empty() && !section_of(policy, options.kind()))
    throw UsageError("policy " + policy.name + " has no '" + std::string(to_string(options.kind())) +
                         "' section, so no report of such a run can be decided by it",
                     "--policy names the policy that the run was made under");
  if (!options.report.empty()) return publication.publish(read_report(options.report));
  if (options.state.empty())
    throw UsageError("there is nothing to publish",
                     "--report FILE names a report; --state DIR what earlier runs could not publish");
  return publication.publish_left_behind() ? ExitCode::pass : ExitCode::tool;
}

}  // namespace

void add_admit_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "admit",
      "a report's verdict to a Kubernetes node: condition, taint, labels, event; a dry run unless --publish");
  auto options = std::make_shared<AdmitOptions>();
  command->add_option("--node", options->node, "the node's name in the cluster")->type_name("NAME");
  command->add_option("--report", options->report, "the report to publish, or - for stdin")
      ->type_name("FILE");
  add_policy(*command, options->policy,
             "whose 'admit' section says which condition, taints and tiers (default local)");
  command->add_flag("--begin", options->begin, "a run begins: the condition becomes Unknown");
  command->add_option("--run-id", options->run_id, "with --begin: the run's name")->type_name("ID");
  command->add_flag("--expire", options->expire,
                    "a True whose time is over is due for a look, one of an earlier boot becomes Unknown; "
                    "without --node on the whole fleet");
  command->add_flag("--health", options->health,
                    "the report is of a light run: it renews or takes away, but cannot admit");
  command->add_flag("--passive", options->passive,
                    "the report is of a passive look: it extends a pass or raises doubt");
  command->add_flag("--fabric", options->fabric,
                    "the report is of local and fabric stages together: it opens the node");
  command
      ->add_option(
          "--state", options->state,
          "where a verdict stays that could not be published; without --report, publishes what is there")
      ->type_name("DIR");
  options->kubernetes.add_to(*command);
  command->footer(
      "The exit code is the verdict's: 0 pass, 1 fail, 2 inconclusive; 3 where a pass could not be "
      "published.");
  command->callback([&invocation, options] { invocation.run = [options] { return run_admit(*options); }; });
}

}  // namespace mlc
