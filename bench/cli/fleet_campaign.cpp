#include "bench/cli/fleet_campaign.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>

#include "bench/backends/mpi.hpp"
#include "bench/cli/launched_rank.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/fleet/localisation/findings.hpp"
#include "bench/fleet/localisation/hostlist.hpp"
#include "bench/fleet/localisation/topology_readers.hpp"
#include "bench/fleet/measurement/agent.hpp"
#include "bench/fleet/measurement/campaign_folder.hpp"
#include "bench/fleet/measurement/fleet_report.hpp"
#include "bench/fleet/measurement/tcp_rails.hpp"
#include "bench/fleet/measurement/verbs_engine.hpp"
#include "bench/ranks/launcher.hpp"
#include "bench/ranks/watch.hpp"
#include "reports/faces/progress.hpp"
#include "reports/record/json.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/digest.hpp"
#include "validators/host/host.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

using namespace fleet;

constexpr const char* lock_name = "mlc-bench fleet";
constexpr int most_depth = 8192;
constexpr double longest_s = 600;
constexpr std::uint64_t largest_message = 16 << 20;

// SIGINT and its like, for the coordinator and the agent of one process: whichever hears it first tells both.
class StopSign {
 public:
  bool given(double seconds) {
    if (!given_ && told_to_stop(seconds)) given_ = true;
    return given_;
  }

 private:
  std::atomic<bool> given_{false};
};

// One campaign at a time on a node: two would measure each other. Held by a name that goes with the process,
// whatever ends it. Empty: another has it.
FileDescriptor campaign_lock(int neighbours_before) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string name =
      lock_name + (neighbours_before > 0 ? " " + std::to_string(neighbours_before) : std::string());
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::memcpy(at.sun_path + 1, name.data(), name.size());  // abstract: of this network namespace
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), length) != 0 && errno == EADDRINUSE)
    return {};
  return socket;
}

struct Times {
  double test_s, warm_up_s, deadline_s;
};

void check_messages(const FleetCampaignOptions& options) {
  (void)number_from("--depth", options.depth, 1, most_depth, "");
  if (const auto bytes = size_from("--message-size", options.message_size);
      bytes < 1 || bytes > largest_message)
    throw UsageError("--message-size '" + printable(options.message_size) + "' is not between 1 and 16 MiB");
}

Times times_of(const FleetCampaignOptions& options) {
  const Times times{.test_s = seconds_from("--test-time", options.test_time, "100ms"),
                    .warm_up_s = seconds_from("--warm-up", options.warm_up),
                    .deadline_s = seconds_from("--deadline", options.deadline, "1s")};
  for (const double each : {times.test_s, times.warm_up_s, times.deadline_s})
    if (each > longest_s)
      throw UsageError("--test-time, --warm-up and --deadline are at most 10m each",
                       "a pair takes seconds; what heats up is for 'mlc-bench gpu' and 'rdma'");
  return times;
}

double target_of(const FleetCampaignOptions& options, const Policy& policy) {
  if (!options.rate.empty()) return number_from("--rail-rate", options.rate, 0.0001, 100'000., "");
  return policy.target ? policy.target->rail_gbit_s : 0;
}

[[noreturn]] void refuse_topology(const std::string& file, const std::runtime_error& error) {
  throw UsageError("--topology " + printable(file) + ": " + error.what(),
                   "a line each of node,rail,leaf[,port], or Slurm's topology.conf");
}

// A connection for each agent, and some for strangers: the usual soft limit is no limit of the machine's.
void allow_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<fleet::Placement> placements_of(const std::string& file) {
  try {
    return placements_from_file(read_whole(file, {.bytes = 64 << 20}));
  } catch (const std::runtime_error& error) {
    refuse_topology(file, error);
  }
}

// The fabric as the file has it. Throws UsageError.
Topology topology_from(const std::string& file, const std::vector<std::string>& nodes, int rails) {
  if (file.empty() || file == "none") return unknown_topology(static_cast<int>(nodes.size()), rails);
  const auto placements = placements_of(file);
  try {
    return topology_of(nodes, rails, placements, file);
  } catch (const std::runtime_error& error) {
    refuse_topology(file, error);
  }
}

// Of --keep or --resume; empty without them. Throws UsageError.
std::optional<CampaignFolder> folder_of(const FleetCampaignOptions& options) {
  const std::string& path = options.resume.empty() ? options.keep : options.resume;
  if (path.empty()) return std::nullopt;
  std::optional<CampaignFolder> folder;
  try {
    folder.emplace(path);
  } catch (const std::runtime_error& error) {
    throw UsageError(error.what());
  }
  if (options.resume.empty() == folder->header().has_value())
    throw UsageError(options.resume.empty() ? printable(path) + " has a campaign already"
                                            : printable(path) + " has no campaign to go on with",
                     options.resume.empty() ? "go on with it by --resume, or name another folder"
                                            : "write --keep to begin one");
  return folder;
}

// The coordinator's process: index 0.
class Leading {
 public:
  Leading(const FleetCampaignOptions& options, const FleetQuestion& question, Policy policy,
          FleetRendezvous& rendezvous, std::optional<CampaignFolder> folder, StopSign& stop,
          const std::vector<std::string>& arguments)
      : options_(options),
        question_(question),
        policy_(std::move(policy)),
        rendezvous_(rendezvous),
        stop_(stop),
        report_(new_report(policy_, arguments, "")),
        progress_(question.output.live()),
        folder_(std::move(folder)) {}

  ExitCode lead() {
    const auto began = std::chrono::steady_clock::now();
    Coordinator coordinator(std::move(rendezvous_.listener), terms(), hooks());
    ExitCode code = ExitCode::tool;
    try {
      const auto end = coordinator.hold(folder_ ? folder_->rounds() : std::vector<RoundRecord>());
      report_.run.duration_s =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
      code = conclude(coordinator, end);
    } catch (...) {
      coordinator.dismiss(static_cast<int>(ExitCode::usage));
      throw;
    }
    coordinator.dismiss(static_cast<int>(code));
    return code;
  }

 private:
  CampaignTerms terms() {
    const Times times = times_of(options_);
    CampaignTerms terms{.key = rendezvous_.key,
                        .program = std::string(MLC_VERSION) + " " + own_digest(),
                        .nodes = rendezvous_.names,
                        .warm_up_s = times.warm_up_s,
                        .test_s = times.test_s,
                        .deadline_s = times.deadline_s,
                        .target_gbit_s = target_of(options_, policy_),
                        .plan = {.seed = question_.seed, .rules = question_.rules, .watched = {}}};
    if (terms.nodes.empty()) terms.nodes.resize(static_cast<std::size_t>(rendezvous_.members));
    if (options_.member.given()) terms.gather_s = options_.member.gather_s();
    terms.plan.id = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    if (folder_ && folder_->header()) {
      terms.plan.id = folder_->header()->id, terms.plan.seed = folder_->header()->seed;
      terms.nodes = folder_->header()->nodes;  // who took part then, under the same numbers
    }
    id_ = terms.plan.id, seed_ = terms.plan.seed;
    return terms;
  }

  CoordinatorHooks hooks() {
    return {.pause = [this](double seconds) { return stop_.given(seconds); },
            .say =
                [this](const std::string& line) {
                  progress_.clear();
                  if (!question_.output.quiet) std::fprintf(stderr, "%s\n", line.c_str());
                },
            .live = [this](const std::string& line) { progress_.show(line); },
            .topology = [this](const auto& nodes, int rails) { return begin(nodes, rails); },
            .record = [this](const RoundRecord& round) { keep(round); }};
  }

  // What was measured is told all the same.
  void keep(const RoundRecord& round) {
    try {
      if (folder_) folder_->add(round);
    } catch (const std::runtime_error& error) {
      unkept_ =
          std::string(error.what()) + ": from round " + std::to_string(round.round) + " on nothing is kept";
      folder_.reset();
    }
  }

  Topology begin(const std::vector<std::string>& nodes, int rails) {
    auto topology = topology_from(question_.topology, nodes, rails);
    if (!folder_) return topology;
    std::string places;
    for (const int leaf : topology.leaf)
      places += std::to_string(leaf) + ",";
    const CampaignHeader header{.seed = seed_,
                                .id = id_,
                                .program = std::string(MLC_VERSION) + " " + own_digest(),
                                .engine = options_.engine,
                                .question = question_text(),
                                .topology = digest_of(places),
                                .nodes = nodes,
                                .rails = rails};
    if (!folder_->header())
      folder_->begin(header);
    else if (folder_->header()->question != header.question)
      throw UsageError("the campaign in " + printable(options_.resume) + " was begun with " +
                           printable(folder_->header()->question) + ", and this is " + header.question,
                       "give the same, or begin a new one with --keep");
    else if (*folder_->header() != header)
      throw UsageError("the campaign in " + printable(options_.resume) +
                           " is of other nodes, rails, another topology or another mlc-bench",
                       "begin a new one with --keep");
    return topology;
  }

  // What changes what rounds mean, as typed: a campaign that is gone on with is the same in all of it.
  std::string question_text() const {
    const Rules& rules = question_.rules;
    return "--seed " + std::to_string(question_.seed) + " --rounds " + std::to_string(rules.rounds) +
           " --confidence " + shortest(rules.confidence) + " --floor " + shortest(rules.floor) +
           " --rail-rate " + shortest(target_of(options_, policy_)) + " --test-time " + options_.test_time +
           " --warm-up " + options_.warm_up;
  }

  ExitCode conclude(const Coordinator& coordinator, const CampaignEnd& end) {
    progress_.clear();
    const Campaign* campaign = coordinator.campaign();
    if (campaign == nullptr) {
      for (const auto& trouble : end.troubles)
        std::fprintf(stderr, "%s\n", trouble.c_str());
      std::fprintf(stderr, "fleet: %s\n", end.nothing.c_str());
      return end.interrupted ? ExitCode::interrupted : ExitCode::tool;
    }
    report_.run.ranks = report_.run.nodes = static_cast<int>(end.nodes.size());
    add_campaign(report_, *campaign, end);
    // Agents of one machine measure the machine: whatever they find is of no node.
    if (!rendezvous_.warnings.empty())
      for (auto& finding : report_.findings)
        if (finding.status == Status::fail) finding.status = Status::unknown;
    if (end.interrupted)
      report_.errors.push_back(
          {.what = "interrupted", .phase = "round " + std::to_string(campaign->round())});
    report_.verdict = decide(report_, policy_);
    show(*campaign, end);
    return end.interrupted ? ExitCode::interrupted : exit_code_of(report_.verdict.decision);
  }

  void show(const Campaign& campaign, const CampaignEnd& end) {
    const auto format = question_.output.chosen();
    std::string text;
    for (const auto& warning : rendezvous_.warnings)
      text += "warning: " + warning + "\n";
    if (!unkept_.empty()) text += "warning: " + unkept_ + "\n";
    for (const auto& trouble : end.troubles)
      text += "note: " + trouble + "\n";
    if (end.interrupted)
      text += "interrupted: what follows is of the " + std::to_string(end.rounds_held) +
              " rounds that were held\n";
    if (end.target_inferred)
      text += "no rate was named (--rail-rate): " + fixed(end.target_gbit_s, 3) +
              " Gbit/s a rail, which the fastest tenth of the flows reached, is taken for it\n";
    auto findings = findings_text(campaign, end.nodes);
    findings.pop_back();
    text += findings + ", " + fixed(report_.run.duration_s, 1) + " s\n";
    if (format != "text") publish(question_.output, render(report_, format, question_.output.style()));
    if (format == "text")
      publish(question_.output, text);
    else if (question_.output.to_file() && !question_.output.quiet)
      std::fputs(text.c_str(), stdout);
  }

  const FleetCampaignOptions& options_;
  const FleetQuestion& question_;
  Policy policy_;
  FleetRendezvous& rendezvous_;
  StopSign& stop_;
  Report report_;
  Progress progress_;
  std::optional<CampaignFolder> folder_;
  std::string unkept_;
  std::uint64_t id_ = 0, seed_ = 0;
};

// What carries the flows, with what it needs.
struct Carrier {
  std::unique_ptr<rdma::Verbs> verbs;
  std::unique_ptr<Engine> engine;
};

Carrier carrier_of(const FleetCampaignOptions& options, const FleetRendezvous& rendezvous,
                   const Policy& policy) {
  const auto host = live_host();
  const auto interfaces = split(options.interfaces), devices = split(options.devices);
  const bool has_rails =
      rdma::verbs_absent().empty() && host->rdma_devices() && !host->rdma_devices()->empty();
  Carrier carrier;
  if (options.engine == "verbs" || !devices.empty() ||
      (options.engine == "auto" && interfaces.empty() && has_rails)) {
    carrier.verbs = rdma::host_verbs();
    carrier.engine = verbs_engine(
        *carrier.verbs, rdma::rails_here(*host, policy, {.rails = {}, .devices = devices, .gid_index = {}}),
        {.message_bytes = static_cast<std::uint32_t>(size_from("--message-size", options.message_size)),
         .depth = number_from("--depth", options.depth, 1, most_depth, ""),
         .files = host->files()});
  } else {
    carrier.engine = tcp_engine(interfaces.empty() ? std::vector{tcp_rail_at(*host, rendezvous.local)}
                                                   : tcp_rails(*host, interfaces));
  }
  return carrier;
}

ExitCode as_member(const FleetCampaignOptions& options, const FleetQuestion& question,
                   FleetRendezvous rendezvous, std::optional<CampaignFolder> folder,
                   const std::vector<std::string>& arguments) {
  block_signals();
  StopSign stop;
  const bool leads = rendezvous.index == 0;
  Policy policy = named_policy(options.policy);
  const auto lock = campaign_lock(rendezvous.neighbours_before);
  // Why this node cannot take part is for the coordinator to say, with its name.
  std::string busy = lock ? "" : "another campaign is on it";
  Carrier carrier;
  try {
    carrier = carrier_of(options, rendezvous, policy);
  } catch (const std::exception& error) {
    busy = error.what(), carrier.engine = tcp_engine({});
  }
  Engine& engine = *carrier.engine;
  const Node here = this_node();
  const std::string name =
      rendezvous.names.empty() ? here.name : rendezvous.names[static_cast<std::size_t>(rendezvous.index)];
  const AgentSelf self{.index = rendezvous.index,
                       .node = name,
                       .boot_id = here.boot_id,
                       .program = std::string(MLC_VERSION) + " " + own_digest(),
                       .busy = busy};
  const CoordinatorPlace coordinator{
      .hosts = rendezvous.hosts,
      .port = rendezvous.port,
      .key = rendezvous.key,
      .come_within_s = options.member.given() ? options.member.gather_s() : CoordinatorPlace{}.come_within_s};
  const AgentHooks hooks{.pause = [&](double seconds) { return stop.given(seconds); }};
  AgentEnd end;
  if (!leads) {
    end = take_part(coordinator, self, engine, hooks);
    if (end.trouble.empty()) return static_cast<ExitCode>(end.code);
    std::fprintf(stderr, "fleet, %s: %s\n", name.c_str(), end.trouble.c_str());
    return end.interrupted ? ExitCode::interrupted : ExitCode::tool;
  }
  Leading leading(options, question, std::move(policy), rendezvous, std::move(folder), stop, arguments);
  std::jthread agent([&] { end = take_part(coordinator, self, engine, hooks); });
  return leading.lead();
}

ExitCode launch_on(const std::string& hosts, const OutputOptions& output,
                   const std::vector<std::string>& arguments) {
  LaunchRequest request{.mpirun = from_environment("MLC_MPIRUN").value_or(mpi_launcher()),
                        .program = std::filesystem::canonical("/proc/self/exe").string(),
                        .arguments = arguments};
  if (request.mpirun.empty())
    throw BackendError("no mpirun was found when this was built: start it under one, or with --leader");
  request.hosts = hostlist(hosts);
  request.ranks = static_cast<int>(request.hosts.size());
  request.cpus = usable_cpus(), request.root = ::geteuid() == 0;
  for (const char* name : {job_variable, ranks_variable, launcher_variable, terminal_variable})
    request.exported.emplace_back(name);
  // A node that dies in mid-campaign is lost, and the others go on.
  request.environment = {{"OMPI_MCA_orte_enable_recovery", "1"},
                         {"OMPI_MCA_orte_allowed_exit_without_sync", "1"},
                         {"OMPI_MCA_orte_abort_on_non_zero_status", "0"}};
  block_signals();
  const LaunchResult result = launch(request, output.terminal());
  if (result.finished) return result.interrupted ? ExitCode::interrupted : result.code;
  std::fprintf(stderr, "fleet: %s\n", result.what.c_str());
  return result.interrupted ? ExitCode::interrupted : ExitCode::tool;
}

}  // namespace

void FleetCampaignOptions::add_to(CLI::App& command) {
  const char* group = "Over real nodes";
  add_policy(command, policy, "file or name of the policy that has the rails' rate (default local)");
  command
      .add_option("--engine", engine,
                  "auto: verbs where there are RDMA devices and no --interfaces, else tcp")
      ->group(group)
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "verbs", "tcp"}))
      ->type_name("auto|verbs|tcp");
  auto* over_verbs =
      command
          .add_option("--devices", devices,
                      "RDMA devices that are the rails, in their order (default: those that the "
                      "policy selects)")
          ->group(group)
          ->type_name("LIST");
  command
      .add_option(
          "--interfaces", interfaces,
          "over tcp the rails, in their order, by the names of their interfaces (default: the one way "
          "to the coordinator)")
      ->group(group)
      ->excludes(over_verbs)
      ->type_name("LIST");
  command.add_option("--depth", depth, "over verbs, sends outstanding of a queue pair")
      ->group(group)
      ->capture_default_str()
      ->type_name("N");
  command.add_option("--message-size", message_size, "over verbs")
      ->group(group)
      ->capture_default_str()
      ->type_name("SIZE");
  command.add_option("--test-time", test_time, "of a pair, after the warm-up")
      ->group(group)
      ->capture_default_str()
      ->type_name("TIME");
  command.add_option("--warm-up", warm_up, "of a pair")
      ->group(group)
      ->capture_default_str()
      ->type_name("TIME");
  command.add_option("--deadline", deadline, "of an agent's answer, beyond the time of its test")
      ->group(group)
      ->capture_default_str()
      ->type_name("TIME");
  auto* kept =
      command.add_option("--keep", keep, "folder for the rounds as they are held; none may be in it yet")
          ->group(group)
          ->type_name("DIR");
  command.add_option("--resume", resume, "go on with the campaign in this folder")
      ->group(group)
      ->excludes(kept)
      ->type_name("DIR");
  member.add_to(command);
}

ExitCode run_fleet_campaign(const FleetCampaignOptions& options, const FleetQuestion& question,
                            const std::vector<std::string>& arguments) {
  options.member.check();
  (void)times_of(options), check_messages(options);
  const auto as = launched_as(from_environment);
  std::optional<CampaignFolder> folder;
  const auto ready = [&](const std::vector<std::string>& nodes) {
    (void)target_of(options, named_policy(options.policy));
    allow_descriptors();
    if (!question.topology.empty() && question.topology != "none") (void)placements_of(question.topology);
    folder = folder_of(options);
    if (folder && folder->header() && !nodes.empty() && folder->header()->nodes != nodes)
      throw UsageError("the nodes are not those of the campaign in " + printable(options.resume) +
                           ", or come in another order",
                       "start it on the same nodes in the same order");
  };
  if (options.member.given()) {
    auto rendezvous = rendezvous_by_key(options.member);
    if (rendezvous.index == 0) ready({});
    return as_member(options, question, std::move(rendezvous), std::move(folder), arguments);
  }
  if (as) {
    if (as->rank == 0) tell_launcher();
    ExitCode code = ExitCode::tool;
    try {
      auto rendezvous = rendezvous_over_mpi(*as, ready);
      code = as_member(options, question, std::move(rendezvous), std::move(folder), arguments);
    } catch (const UsageError&) {
      if (as->rank == 0) answer_launcher(ExitCode::usage);
      throw;
    }
    if (as->rank == 0) answer_launcher(code);
    return code;
  }
  if (question.hosts.empty())
    throw UsageError("which nodes? None were named, and no launcher started this",
                     "write --hosts 'gpu-[1-64]', or start it with mpirun or srun, one process a node; "
                     "--simulate and --plan need none");
  return launch_on(question.hosts, question.output, arguments);
}

}  // namespace mlc
