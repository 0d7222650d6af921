#include "bench/cli/fabric_stage.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/burnin/fabric_report.hpp"
#include "bench/burnin/run_directory.hpp"
#include "bench/burnin/stage.hpp"
#include "bench/cli/fleet_leading.hpp"
#include "bench/cli/fleet_options.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/cli/wanted.hpp"
#include "bench/collectives/collective.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/ranks/launched_as.hpp"
#include "bench/ranks/watch.hpp"
#include "reports/history/history_files.hpp"
#include "reports/record/json.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/child_process.hpp"
#include "validators/host/digest.hpp"
#include "validators/host/own_directory.hpp"
#include "validators/host/whole_file.hpp"
#include "validators/policy/run_kind.hpp"

namespace mlc {

namespace {

constexpr const char* member_variable = "MLC_FABRIC_MEMBER";
constexpr std::size_t shortest_key = 32;
constexpr std::size_t most_runs = 1000;  // folders of a state that are looked through

double gather_s_of(const FabricOptions& options) {
  const auto seconds = parse_seconds(options.gather);
  if (!seconds || !(*seconds > 0) || *seconds > 3600)
    throw UsageError("--gather '" + printable(options.gather) + "' is no time up to an hour",
                     "write 90s or 3m");
  return *seconds;
}

int index_of(const FabricOptions& options) {
  if (options.index >= 0) return options.index;
  const auto given = from_environment("JOB_COMPLETION_INDEX");
  return given ? number_from<int>("JOB_COMPLETION_INDEX", *given, 0, 10'000, "") : -1;
}

// Empty where there is none; `why` then says what to do.
std::string key_of(const FabricOptions& options, std::string& why) {
  try {
    std::string key = read_whole(options.key, {.bytes = 64 << 10});
    if (key.size() >= shortest_key) return key;
    why = "it is shorter than " + std::to_string(shortest_key) + " bytes";
  } catch (const std::exception& error) {
    why = error.what();
  }
  why = "the stage's key " + printable(options.key) + " cannot be used: " + why +
        "; its Secret is made once by an operator (docs/fabric.md)";
  return {};
}

// By what the stage's own command names.
fleet::Campaign decoded(const BurninStage& stage, const fleet::CampaignRecord& record) {
  FleetCampaignOptions options;
  CLI::App command;
  command.allow_extras();  // what rules have nothing to do with
  options.add_rules_to(command), options.add_fabric_to(command), options.add_measuring_to(command);
  command.parse(std::vector<std::string>(stage.command.rbegin(), std::prev(stage.command.rend())));
  return fleet::replayed(record, options.rules(),
                         fleet_topology(options.topology, record.header.nodes, record.header.rails));
}

FabricTerms terms_of(const FabricOptions& options, std::string& why) {
  return {.key = key_of(options, why),
          .key_file = options.key,
          .program = std::string(MLC_VERSION) + " " + own_digest(),
          .port = options.port,
          .gather_s = gather_s_of(options),
          .decode = decoded};
}

// Is this node one of those that the stage is about? The dispatcher's list says; without one all are.
bool is_witness(const std::string& file) {
  if (file.empty()) return false;
  try {
    const auto list = read_json(read_whole(file, {}));
    return list.is_array() && !list.empty() && std::ranges::none_of(list, [](const auto& one) {
             return (one.is_object() && one.value("name", "") == node_name()) ||
                    (one.is_string() && one == node_name());
           });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s cannot be read (%s): this node counts as a new one\n", printable(file).c_str(),
                 printable(error.what()).c_str());
    return false;
  }
}

// The rounds of a campaign that was held.
fleet::CampaignRecord kept_in(const std::string& folder) {
  const fleet::CampaignFolder kept(folder);
  if (!kept.header()) throw std::runtime_error("nothing of the campaign was kept");
  return {*kept.header(), kept.rounds()};
}

class Meetings {
 public:
  Meetings(const FabricRequest& request, const RunDirectory& directory)
      : request_(request), directory_(directory) {}

  MeasuredMeeting measure(const BurninStage& stage, const std::vector<std::string>& words,
                          int meeting) const {
    std::vector<std::string> command{std::filesystem::canonical("/proc/self/exe").string()};
    command.insert(command.end(), words.begin(), words.end());
    const std::string report = directory_.stage_report(stage, meeting),
                      log = directory_.stage_log(stage, meeting), kept = report + ".rounds";
    const auto has = [&](std::string_view option) {
      return std::ranges::any_of(words, [&](const auto& word) { return word.starts_with(option); });
    };
    const bool campaign = is_campaign(stage), drives = campaign && has("--index=0");
    if (drives) command.push_back("--keep=" + kept);
    if (!campaign && !has("--admission")) command.emplace_back("--admission");
    if (find_collective(words.front()) != nullptr && !has("--launches"))
      command.insert(command.end(), {"--launches", "1"});
    command.insert(command.end(), {"--policy", directory_.policy_file(), "--output", report});
    MeasuredMeeting measured;
    try {
      const StageEnd end = run_stage(command, stage.limit_s, log);
      measured.code = end.code, measured.interrupted = end.interrupted;
      if (end.timed_out) measured.why = "took longer than its limit and was ended", measured.code = 3;
    } catch (const std::system_error& error) {
      measured.why = error.what();
    }
    try {
      if (drives) measured.campaign = kept_in(kept);
      if (!campaign) measured.report = read_report_file(report);
    } catch (const std::exception&) {
    }  // `why` and the log say what there is instead
    const bool nothing = campaign ? drives && !measured.campaign : measured.report.empty();
    if (measured.why.empty() && (measured.code > 2 || nothing))
      measured.why = "exit code " + std::to_string(measured.code) + ": " + complaint_in(log);
    if (!measured.why.empty()) measured.why = node_name() + ": " + measured.why;
    return measured;
  }

 private:
  const FabricRequest& request_;
  const RunDirectory& directory_;
};

// The newest report of this node's local stages that goes with this run. `why`: of what was there and did
// not.
std::optional<Report> local_report(const std::string& state, const Report& run, std::string& why) {
  std::optional<Report> newest;
  why = "there is no report of this node's local stages in " + state;
  std::error_code error;
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(state, error)) {
    if (++seen > most_runs) break;
    try {
      if (!entry.is_directory() || entry.is_symlink() ||
          !std::filesystem::exists(entry.path() / "report.json"))
        continue;
      require_own_directory(entry.path());
      Report local = report_from_json(read_report_file(entry.path() / "report.json"));
      if (local.run.plan == "fabric" || local.run.plan == "health" || local.run.plan == "passive") continue;
      if (const auto wrong = not_of_this_run(local, run); !wrong.empty())
        why = "the report of this node's local stages, run " + printable(local.run.id, 80) +
              ", does not go with this one: " + wrong;
      else if (!newest || *parse_rfc3339(local.run.started) > *parse_rfc3339(newest->run.started))
        newest = std::move(local);
    } catch (const std::exception& damaged) {
      why = "a report in " + printable(entry.path().string()) +
            " cannot be read: " + printable(damaged.what(), 200);
    }
  }
  return newest;
}

}  // namespace

void FabricOptions::add_to(CLI::App& command) {
  const char* group = "Fabric stage";
  command
      .add_flag("--fabric", fabric,
                "the policy's 'fabric' section, with other nodes: one process a node, each of which "
                "publishes for its own")
      ->group(group);
  command.add_option("--leader", leader, "host of index 0")->group(group)->type_name("HOST");
  command.add_option("--index", index, "of this node in the group (default $JOB_COMPLETION_INDEX)")
      ->group(group)
      ->type_name("N");
  command.add_option("--members", members, "how many come (default: all that come while --gather lasts)")
      ->group(group)
      ->check(CLI::Range(0, 10'000))
      ->type_name("N");
  command.add_option("--key", key, "file that only members of the group can read, the same for all")
      ->group(group)
      ->type_name("FILE");
  command.add_option("--port", port, "of the leader; rails are met at the ports above it (default 18520)")
      ->group(group)
      ->check(CLI::Range(1, 55'000))
      ->type_name("PORT");
  command.add_option("--gather", gather, "how long the group waits for its members (default 3m)")
      ->group(group)
      ->type_name("TIME");
  command
      .add_option("--new-nodes", new_nodes,
                  "file with the names of the nodes that the stage is about; others are witnesses")
      ->group(group)
      ->type_name("FILE");
  command
      .add_option("--serve-ssh", ssh, "run sshd with this configuration meanwhile, for mpirun on other nodes")
      ->group(group)
      ->type_name("FILE");
}

void FabricOptions::check() const {
  if (!fabric) {
    if (!leader.empty() || !key.empty() || index >= 0)
      throw UsageError("--leader, --key and --index belong to --fabric", "mlc-bench burnin --help");
    return;
  }
  (void)gather_s_of(*this);
  if (leader.empty() || key.empty())
    throw UsageError("--fabric needs --leader HOST and --key FILE",
                     "the manifest of the fabric stage has both");
  if (index_of(*this) < 0)
    throw UsageError("--fabric needs to know which member this is",
                     "--index N, or JOB_COMPLETION_INDEX of an Indexed Job");
}

bool is_fabric_member() { return from_environment(member_variable).has_value(); }

ExitCode serve_fabric_stage(const FabricRequest& request, const std::vector<std::string>& arguments) {
  const FabricOptions& options = request.options;
  block_signals();
  Children children;
  std::string why;
  const FabricTerms terms = terms_of(options, why);
  std::vector<std::string> command{std::filesystem::canonical("/proc/self/exe").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  children.start(command, {{member_variable, "1"}});
  constexpr std::size_t member = 0;
  const auto say = [&](const std::string& line) {
    if (!request.output.quiet) std::fprintf(stderr, "leader: %s\n", line.c_str());
  };
  // sshd opens sessions with an environment of its own: which node this is, is said to it.
  if (!options.ssh.empty() && !terms.key.empty()) try {
      children.start(
          {"/usr/sbin/sshd", "-D", "-e", "-f", options.ssh, "-o", "SetEnv=NODE_NAME=" + node_name()}, {});
    } catch (const std::system_error& error) {
      std::fprintf(stderr, "no sshd: %s; collectives that other nodes begin cannot reach this one\n",
                   error.what());
    }
  std::optional<ChildEnd> ended;
  bool stopped = false;
  const auto pause = [&](double seconds) {
    if (const int signal = children.wait(seconds); signal > 0) stopped = true, children.signal(signal);
    while (const auto end = children.ended())
      if (end->child == member)
        ended = end;
      else
        std::fprintf(stderr, "sshd %s\n", end->text().c_str());
    return stopped;
  };
  if (index_of(options) == 0 && !terms.key.empty()) try {
      (void)lead_fabric_stage(request.policy, *request.policy.fabric, terms, options.members,
                              {.pause = pause, .say = say});
    } catch (const std::exception& error) {
      std::fprintf(stderr, "error: the fabric stage cannot be led: %s\n", printable(error.what()).c_str());
    }
  while (!ended)
    (void)pause(0.2);
  return static_cast<ExitCode>(ended->signal > 0 ? static_cast<int>(ExitCode::tool) : ended->code);
}

FabricResult take_part_in_fabric_stage(const FabricRequest& request, Report report) {
  const FabricOptions& options = request.options;
  const Policy& policy = request.policy;
  const auto began = std::chrono::steady_clock::now();
  ::unsetenv(member_variable);
  report.run.plan = to_string(RunKind::fabric);
  RunDirectory directory(
      request.state, report.run.id,
      {report.environment.nodes.front().boot_id, policy.digest, own_digest(), report.run.plan}, policy.text);
  std::string why;
  FabricTerms terms = terms_of(options, why);
  const Meetings meetings(request, directory);
  const FabricSelf self{index_of(options),
                        {report.environment.nodes.front().name, report.environment.nodes.front().boot_id,
                         is_witness(options.new_nodes)}};
  FabricEnd end{.record = {}, .meetings = {}, .trouble = why};
  if (!terms.key.empty())
    end = take_part(policy, *policy.fabric, terms, options.leader, self,
                    {.measure = [&](const BurninStage& stage, const std::vector<std::string>& words,
                                    int meeting) { return meetings.measure(stage, words, meeting); },
                     .pause = told_to_stop,
                     .say =
                         [&](const std::string& line) {
                           if (!request.output.quiet) std::fprintf(stderr, "%s\n", line.c_str());
                         }});
  add_fabric_stages(report, policy, *policy.fabric, end, decoded);
  double lasted = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (const auto local = local_report(request.state, report, why)) {
    add_local_stages(report, *local);
    lasted = std::max(lasted, static_cast<double>(std::time(nullptr) - *parse_rfc3339(local->run.started)));
  } else {
    report.findings.push_back(
        {.check = "fabric.local-stages",
         .subject = report.environment.nodes.front().name,
         .status = Status::unknown,
         .observed = why,
         .expected = "a burn-in of this boot under this policy",
         .source = request.state,
         .remedy = "kubectl label node NAME mlc-bench.io/admission=pending --overwrite, for a burn-in"});
  }
  report.run.duration_s = lasted;
  report.verdict = decide(report, policy, wanted_by(policy, RunKind::fabric));
  write_whole(directory.report_file(), to_json(report));
  return {std::move(report), end.interrupted, self.member.witness};
}

}  // namespace mlc
