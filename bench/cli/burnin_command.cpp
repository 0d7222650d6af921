// `burnin`: what the policy names, in order of cost, each stage a process of its own; one report, one
// verdict.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "bench/burnin/merge.hpp"
#include "bench/burnin/run_directory.hpp"
#include "bench/burnin/run_pruning.hpp"
#include "bench/burnin/stage.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/fabric_stage.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/cli/stage_commands.hpp"
#include "bench/cli/verdict_publication.hpp"
#include "bench/cli/wanted.hpp"
#include "bench/collectives/collective.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/ranks/launched_as.hpp"
#include "bench/ranks/watch.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/history/history_files.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/clock.hpp"
#include "validators/host/digest.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

struct BurninOptions {
  std::string policy = "local", run_id, state, budget, admit_node;
  std::vector<std::string> peers;
  bool health = false, passive = false;
  FabricOptions fabric;
  RunKind kind() const {
    return fabric.fabric ? RunKind::fabric
           : health      ? RunKind::health
           : passive     ? RunKind::passive
                         : RunKind::burnin;
  }
  OutputOptions output;
  KubernetesOptions kubernetes;
};

std::string default_state() {
  if (::geteuid() == 0) return "/var/lib/mlc-bench";
  if (const auto home = from_environment("XDG_STATE_HOME"); home && !home->empty())
    return *home + "/mlc-bench";
  return from_environment("HOME").value_or(".") + "/.local/state/mlc-bench";
}

// Commands that judge thresholds: what admits a node observes for longer than a person at a terminal waits.
bool takes_admission(const std::vector<std::string>& command) {
  return (command.front() == "rdma" || find_collective(command.front()) != nullptr) &&
         std::ranges::find(command, "--admission") == command.end();
}

// Goes through the plan and keeps the record, in memory and on disk.
class Burnin {
 public:
  Burnin(const BurninOptions& options, const Policy& policy, const BurninPlan& plan, Report report,
         double budget_s)
      : options_(options),
        policy_(policy),
        plan_(plan),
        directory_(options.state, report.run.id,
                   {report.environment.nodes.front().boot_id, policy.digest, own_digest(),
                    std::string(to_string(options.kind()))},
                   policy.text),
        report_(std::move(report)),
        budget_s_(budget_s),
        began_(std::chrono::steady_clock::now()),
        progress_(options.output.progress_as()) {
    report_.run.started = directory_.started();
    report_.run.plan = to_string(options.kind());
    // Local stages alone open no node where others come after them.
    if (options.kind() == RunKind::burnin && policy.fabric)
      report_.figures.policy->valid_for_s = report_.figures.policy->extended_for_s = 0;
    if (!directory_.begun_anew().empty())
      say("run " + report_.run.id + " was begun before, " + directory_.begun_anew() + ": it starts anew");
    report_.run.id = directory_.id();
  }

  // The report with its verdict, also on disk.
  Report run() {
    for (const auto& stage : plan_.stages) {
      const StageOutcome outcome = outcome_of(stage);
      merge_into(report_, outcome);
      say(stage.name + ": " + outcome.why);
      if (outcome.status == Status::fail && stage.stop_on_fail) stopped_by_ = stage.name;
      save(/*finished=*/false);
    }
    save(/*finished=*/true);
    return report_;
  }

  bool interrupted() const { return interrupted_; }
  const std::string& id() const { return report_.run.id; }
  // The cluster knows its verdict.
  void published() {
    if (report_.verdict.decision != Decision::inconclusive) directory_.verdict_is_known();
  }

 private:
  double elapsed_s() const {
    return kept_s_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

  // "stage 4 of 9: allreduce, launch 2 of 3, 42 s of at most 4 min; 12 min of 60 min"
  void live(const BurninStage& stage, int launch, double seconds) {
    const auto number =
        std::ranges::find(plan_.stages, stage.name, &BurninStage::name) - plan_.stages.begin() + 1;
    progress_.show(
        "stage " + std::to_string(number) + " of " + std::to_string(plan_.stages.size()) + ": " + stage.name +
        (stage.launches > 1 ? ", launch " + std::to_string(launch) + " of " + std::to_string(stage.launches)
                            : "") +
        ", " + rough_time(seconds) + " of at most " + rough_time(stage.limit_s) + "; " +
        rough_time(elapsed_s()) + " of " + rough_time(budget_s_));
  }

  void say(const std::string& line) const {
    if (!options_.output.quiet) std::fprintf(stderr, "%s\n", line.c_str());
  }

  void save(bool finished) {
    report_.run.duration_s = elapsed_s();
    Report saved = report_;
    if (!finished)
      saved.errors.push_back({.what = "the burn-in had not finished when this was written",
                              .where = {},
                              .phase = {},
                              .hint = {}});
    saved.verdict = decide(saved, policy_, wanted_by(policy_, options_.kind()));
    if (finished) report_.verdict = saved.verdict;
    write_whole(directory_.report_file(), to_json(saved));
  }

  StageOutcome outcome_of(const BurninStage& stage) {
    StageOutcome outcome{stage, stage.command, Status::unknown, {}, {}, {}, 0};
    const auto words = words_of(stage, node_name(), options_.peers);
    if (interrupted_) {
      outcome.why = "interrupted before it began";
    } else if (!stopped_by_.empty()) {
      outcome.status = Status::skip,
      outcome.why = "not run: after " + stopped_by_ + " failed it would tell nothing more";
    } else if (!words) {
      outcome.status = stage.required ? Status::unknown : Status::skip;
      outcome.why = "needs peers, and none were named", outcome.remedy = "--with-peers gpu-b,gpu-c";
    } else {
      outcome.command = *words;
      launches(outcome);
    }
    return outcome;
  }

  static std::string inconclusive(const Report& report) {
    return "inconclusive: " +
           (report.verdict.because.empty() ? "the stage does not say why" : report.verdict.because.front());
  }

  // With the peers that it met: what was decided with others is of another question.
  static BurninStage as_run(const StageOutcome& outcome) {
    BurninStage stage = outcome.stage;
    stage.command = outcome.command;
    return stage;
  }

  void launches(StageOutcome& outcome) {
    const BurninStage stage = as_run(outcome);
    double seconds = 0;
    for (int launch = 1; launch <= stage.launches; ++launch) {
      auto record = directory_.decided(stage, launch);
      if (record) {
        kept_s_ += record->mark.seconds;
      } else {
        record = measure(outcome, launch);
        if (!record) return;
      }
      outcome.reports.push_back(record->report);
      seconds += record->mark.seconds;
      if (static_cast<ExitCode>(record->mark.code) == ExitCode::inconclusive) {
        decide_over_launches(outcome.reports, policy_);
        outcome.why = inconclusive(record->report);
        return;
      }
      ++outcome.decided;
    }
    decide_over_launches(outcome.reports, policy_);
    const auto count = [&](Decision decision) {
      return std::ranges::count(outcome.reports, decision,
                                [](const Report& report) { return report.verdict.decision; });
    };
    const auto failed = count(Decision::fail), passed = count(Decision::pass);
    if (failed == 0 && count(Decision::inconclusive) > 0) {
      outcome.why = inconclusive(*std::ranges::find(outcome.reports, Decision::inconclusive,
                                                    [](const Report& r) { return r.verdict.decision; }));
      return;
    }
    outcome.status = failed > 0 ? Status::fail : Status::pass;
    outcome.why = std::string(failed > 0 ? "fail" : "pass") + " in " + time_text(seconds * 1e6);
    if (failed > 0)
      outcome.remedy = "what failed, and what to do next, is with the findings and series of this stage";
    if (failed > 0 && passed > 0)
      outcome.why += ": intermittent, " + std::to_string(failed) + " of " + std::to_string(stage.launches) +
                     " launches failed";
  }

  // Empty where there is no verdict; the outcome then says why.
  std::optional<LaunchRecord> measure(StageOutcome& outcome, int launch) {
    const BurninStage stage = as_run(outcome);
    if (const double left = budget_s_ - elapsed_s(); left < stage.limit_s) {
      outcome.why = "did not fit: it may take " + time_text(stage.limit_s * 1e6) + " and of the budget of " +
                    time_text(budget_s_ * 1e6) + " there are " + time_text(std::max(left, 0.0) * 1e6) +
                    " left";
      outcome.remedy = "raise the 'budget' of the policy's section, or --budget";
      return std::nullopt;
    }
    std::vector<std::string> command{std::filesystem::canonical("/proc/self/exe").string()};
    command.insert(command.end(), outcome.command.begin(), outcome.command.end());
    if (admits(options_.kind()) && takes_admission(outcome.command)) command.emplace_back("--admission");
    for (const auto& word : {std::string("--policy"), directory_.policy_file(), std::string("--output"),
                             directory_.stage_report(stage, launch)})
      command.push_back(word);
    // The stage's launches are counted here.
    if (find_collective(outcome.command.front()) != nullptr)
      command.insert(command.end(), {"--launches", "1"});
    const StageEnd end = run_stage(
        command, stage.limit_s, directory_.stage_log(stage, launch),
        [&](double seconds) { live(stage, launch, seconds); },
        [&] {
          progress_.end();
          say("interrupted: ending stage " + stage.name + "; --run-id " + directory_.id() +
              " goes on with it");
        });
    interrupted_ = end.interrupted;
    progress_.clear();
    const std::string log = directory_.stage_log(stage, launch), complaint = complaint_in(log);
    outcome.remedy = "what it said is in " + log;
    LaunchRecord record{{end.code, end.seconds}, {}};
    std::string unreadable;
    try {
      record.report = report_from_json(read_report_file(directory_.stage_report(stage, launch)));
    } catch (const std::exception& error) {
      unreadable = error.what();
    }
    const bool verdict = end.code >= 0 && end.code <= 2 && !end.timed_out && !end.interrupted;
    if (verdict && unreadable.empty()) {
      // By itself a command is undecided where the policy judges more of it than it measured.
      if (end.code == static_cast<int>(ExitCode::inconclusive)) {
        record.report.verdict = decide(record.report, policy_, {.stage = true});
        record.mark.code = static_cast<int>(exit_code_of(record.report.verdict.decision));
      }
      directory_.mark(stage, launch, record.mark);
      return record;
    }
    // What it measured until then is told all the same; its errors say that it is not whole.
    if (unreadable.empty()) outcome.reports.push_back(std::move(record.report));
    outcome.why =
        end.interrupted ? "interrupted"
        : end.timed_out ? "took longer than its limit and was ended"
        : verdict ? "exit code " + std::to_string(end.code) + " without a report: " + printable(unreadable)
        : end.code == static_cast<int>(ExitCode::interrupted) ? "was interrupted from outside"
        : end.code > 128 ? "ended by signal " + std::to_string(end.code - 128)
                         : "could not run, exit code " + std::to_string(end.code);
    if (!complaint.empty() && !verdict) outcome.why += ": " + complaint;
    return std::nullopt;
  }

  const BurninOptions& options_;
  const Policy& policy_;
  const BurninPlan& plan_;
  RunDirectory directory_;
  Report report_;
  double budget_s_, kept_s_ = 0;  // kept: of what earlier attempts decided
  std::chrono::steady_clock::time_point began_;
  Progress progress_;
  std::string stopped_by_;
  bool interrupted_ = false;
};

void show(const Report& result, const OutputOptions& output) {
  if (output.to_file()) {
    write_whole(output.output, render(result, output.chosen(), output.file_style()));
    if (!output.quiet) std::fputs(render(result, "text", output.style()).c_str(), stdout);
  } else {
    std::fputs(render(result, output.chosen(), output.style()).c_str(), stdout);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw std::runtime_error("cannot write to stdout");
}

// The node stays as it is until all have met: its local stages have left it waiting for this.
ExitCode run_in_group(const BurninOptions& options, const Policy& policy, Report report,
                      const VerdictPublication& publication) {
  const FabricResult result =
      take_part_in_fabric_stage({options.fabric, policy, options.output, options.state}, std::move(report));
  show(result.report, options.output);
  if (result.interrupted) return ExitCode::interrupted;
  const auto verdict = exit_code_of(result.report.verdict.decision);
  if (publication.node.empty()) return verdict;
  // It is open by what it showed before; that others could not be judged, or that it is still good, is no
  // news.
  if (result.witness && result.report.verdict.decision != Decision::fail) {
    std::fputs("this node is a witness, and is not at fault: nothing is published\n", stderr);
    return verdict;
  }
  return publication.publish(result.report);
}

ExitCode run_burnin(BurninOptions options, const std::vector<std::string>& arguments) {
  // A file for Prometheus must not decide whether a node comes in.
  if (const std::string& file = options.output.output; !options.admit_node.empty() && file != "-")
    if (const std::string why = why_not_writable(file); !why.empty()) {
      std::fprintf(stderr, "no report is left in %s (%s); the run goes on, and its verdict is published\n",
                   printable(file).c_str(), why.c_str());
      options.output.output = "-";
    }
  options.output.check();
  options.kubernetes.check();
  const Policy policy = policy_with_plans(options.policy);
  if (options.health + options.passive + options.fabric.fabric > 1)
    throw UsageError("--health, --passive and --fabric exclude each other", "mlc-bench burnin --help");
  options.fabric.check();
  const RunKind kind = options.kind();
  const auto& plan = section_of(policy, kind);
  if (!plan)
    throw UsageError("policy " + policy.name + " has no '" + std::string(to_string(kind)) +
                         "' section, so there is nothing to run",
                     "mlc-bench list policies; h100-4x200g has all of them");
  if (launched_as(from_environment))
    throw UsageError("burnin starts its ranks itself and cannot run under mpirun or srun",
                     "run it bare, once on the node");
  if (options.admit_node.empty() && options.kubernetes.publish)
    throw UsageError("--publish needs --admit NODE", "mlc-bench burnin --help");
  double budget_s = plan->budget_s;
  if (!options.budget.empty()) {
    const auto seconds = parse_seconds(options.budget);
    if (!seconds)
      throw UsageError("--budget '" + printable(options.budget) + "' is no time", "write 30m or 1h");
    budget_s = *seconds;
  }
  if (options.state.empty()) options.state = default_state();

  if (options.fabric.fabric && !is_fabric_member())
    return serve_fabric_stage({options.fabric, policy, options.output, options.state}, arguments);

  Report report = new_report(policy, arguments);
  if (!options.run_id.empty()) report.run.id = options.run_id;
  report.environment.nodes.push_back(this_node());

  const std::string run_id = report.run.id;
  block_signals();
  const VerdictPublication publication{options.admit_node, kind, options.state, policy,
                                       options.kubernetes, true};
  if (options.fabric.fabric) return run_in_group(options, policy, std::move(report), publication);
  const bool admit = !options.admit_node.empty();
  Burnin burnin(options, policy, *plan, std::move(report), budget_s);
  // Under the lock of this run, so that none that goes on is taken for an old one.
  if (const auto gone = prune_runs(options.state, run_id); gone > 0 && !options.output.quiet)
    std::fprintf(stderr, "%zu old runs removed from %s\n", gone, printable(options.state).c_str());
  // A look leaves a node as it is until it knows better; a burn-in's Unknown is what the last one left
  // behind, too.
  if (admit && !admits(kind)) (void)publication.publish_left_behind();
  if (admit && admits(kind) && !publication.begin(burnin.id()))
    std::fputs(
        "the cluster does not know that a burn-in has begun; it goes on, and the verdict is published at the "
        "end\n",
        stderr);
  const Report result = burnin.run();
  show(result, options.output);
  // A run that was stopped has no verdict to publish: the same run id goes on with it.
  if (burnin.interrupted()) return ExitCode::interrupted;
  if (!admit) return exit_code_of(result.verdict.decision);
  const ExitCode code = publication.publish(result);
  if (publication.is_published()) burnin.published();
  return code;
}

}  // namespace

void add_burnin_command(CLI::App& program, Invocation& invocation) {
  auto* command =
      program.add_subcommand("burnin", "all that the policy names for a new node: one report, one verdict");
  auto options = std::make_shared<BurninOptions>();
  add_policy(*command, options->policy, "its 'burnin' section says what is run (default local)");
  command
      ->add_option("--run-id", options->run_id,
                   "the run's name; one that was killed goes on under the same name")
      ->type_name("ID");
  command
      ->add_option("--state", options->state,
                   "where runs are kept (default /var/lib/mlc-bench, or ~/.local/state/mlc-bench)")
      ->type_name("DIR");
  command->add_option("--budget", options->budget, "time for everything, instead of the policy's")
      ->type_name("TIME");
  command->add_option("--with-peers", options->peers, "known-good nodes for the stages that need some")
      ->delimiter(',')
      ->type_name("HOST");
  command
      ->add_option("--admit", options->admit_node,
                   "begin and publish the verdict for this node, as 'admit' does")
      ->group("Kubernetes")
      ->type_name("NODE");
  command->add_flag(
      "--health", options->health,
      "the policy's 'health' section: a light run, which renews or takes away, but cannot admit");
  command->add_flag("--passive", options->passive,
                    "the policy's 'passive' section: a look without load, on busy nodes too, which extends a "
                    "pass or raises doubt");
  options->fabric.add_to(*command);
  options->output.add_to(*command);
  options->kubernetes.add_to(*command);
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_burnin(*options, invocation.arguments); };
  });
}

}  // namespace mlc
