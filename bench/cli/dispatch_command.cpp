// `dispatch`: one round of deciding which nodes are tested next, and the Jobs for it.
#include <cstdio>
#include <ctime>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/cli/kubernetes_options.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/stage_commands.hpp"
#include "bench/engine/sweep.hpp"
#include "k8s/dispatch/dispatcher.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct DispatchOptions {
  std::string policy = "local";
  bool dry_run = false;
  KubernetesOptions kubernetes;
};

ExitCode run_dispatch(const DispatchOptions& options) {
  if (options.dry_run && options.kubernetes.publish)
    throw UsageError("--dry-run and --publish exclude each other", "leave one of them out");
  const Policy policy = policy_with_plans(options.policy);
  Dispatched done;
  with_api(options.kubernetes, [&](ApiClient& api) {
    Dispatcher dispatcher(api, policy, [] { return std::time(nullptr); });
    const Round round = next_round(dispatcher.look(), policy);
    std::fputs(round_text(round).c_str(), stdout);
    // Before anything is done: what a round that breaks off was about is in the log.
    std::fflush(stdout);
    if (options.kubernetes.publish) done = dispatcher.carry_out(round);
  });
  for (const auto& note : done.notes)
    std::fprintf(stderr, "%s\n", printable(note, 600).c_str());
  for (const auto& refusal : done.refusals)
    std::fprintf(stderr, "refused: %s\n", printable(refusal, 600).c_str());
  if (!options.kubernetes.publish) std::fputs("dry run: nothing was sent; --publish sends it\n", stderr);
  return done.refusals.empty() ? ExitCode::pass : ExitCode::tool;
}

}  // namespace

void add_dispatch_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand("dispatch",
                                         "which nodes of a Kubernetes cluster are tested next, and why the "
                                         "others wait; a dry run unless --publish");
  auto options = std::make_shared<DispatchOptions>();
  add_policy(*command, options->policy,
             "whose 'dispatch' section says how many at once and how often (default local)");
  command->add_flag("--dry-run", options->dry_run, "show what would be done, and do nothing: the default")
      ->group("Kubernetes");
  options->kubernetes.add_to(*command);
  command->footer(
      "Reads nodes, its Jobs and the CronJobs with the label mlc-bench.io/template, which are what Jobs are "
      "made of. Run it every minute; it keeps nothing but annotations on nodes. Exit codes: 0 done, 3 the "
      "API "
      "server could not be asked or refused something.");
  command->callback(
      [&invocation, options] { invocation.run = [options] { return run_dispatch(*options); }; });
}

}  // namespace mlc
