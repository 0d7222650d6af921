#include "bench/cli/fleet_leading.hpp"

#include <chrono>
#include <cstdio>
#include <utility>

#include "bench/cli/launched_rank.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/fleet/localisation/findings.hpp"
#include "bench/fleet/localisation/quoted.hpp"
#include "bench/fleet/measurement/campaign_record.hpp"
#include "bench/fleet/measurement/coordinator.hpp"
#include "bench/fleet/measurement/fleet_report.hpp"
#include "bench/ranks/watch.hpp"
#include "reports/faces/progress.hpp"
#include "reports/record/json.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/digest.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

using namespace fleet;

constexpr const char* topology_forms =
    "a line each of node,rail,leaf[,port], Slurm's topology.conf, or 'kubectl get nodes -o json'";

[[noreturn]] void refuse_topology(const std::string& file, const std::runtime_error& error) {
  throw UsageError("--topology " + printable(file) + ": " + error.what(), topology_forms);
}

// The coordinator's process: index 0.
class Leading {
 public:
  Leading(const FleetCampaignOptions& options, const FleetQuestion& question, Policy policy,
          FleetRendezvous rendezvous, std::optional<CampaignFolder> folder, FleetStop& stop,
          const std::vector<std::string>& arguments)
      : options_(options),
        question_(question),
        policy_(std::move(policy)),
        rendezvous_(std::move(rendezvous)),
        stop_(stop),
        report_(new_report(policy_, arguments, "")),
        progress_(question.output.progress_as()),
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
    } catch (const UsageError&) {
      coordinator.dismiss(ExitCode::usage);
      throw;
    } catch (...) {  // a report that cannot be written, say
      coordinator.dismiss(ExitCode::tool);
      throw;
    }
    coordinator.dismiss(code);
    return code;
  }

 private:
  CampaignTerms terms() {
    const FleetTimes times = options_.times();
    CampaignTerms terms{.key = rendezvous_.key,
                        .program = std::string(MLC_VERSION) + " " + own_digest(),
                        .nodes = rendezvous_.names,
                        .warm_up_s = times.warm_up_s,
                        .test_s = times.test_s,
                        .deadline_s = times.deadline_s,
                        .target_gbit_s = options_.target(policy_),
                        .plan = {.seed = question_.seed, .rules = question_.rules, .watched = {}}};
    terms.plan.rules.target_named = terms.target_gbit_s > 0;
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
    auto topology = fleet_topology(question_.topology, nodes, rails);
    if (!folder_) return topology;
    const CampaignHeader header{.seed = seed_,
                                .id = id_,
                                .program = std::string(MLC_VERSION) + " " + own_digest(),
                                .engine = options_.engine,
                                .question = question_text(),
                                .topology = topology_digest(topology),
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
           " --rail-rate " + shortest(options_.target(policy_)) + " --test-time " + options_.test_time +
           " --warm-up " + options_.warm_up;
  }

  ExitCode conclude(const Coordinator& coordinator, const CampaignEnd& end) {
    if (end.interrupted) progress_.end();
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
    if (rendezvous_.shared)
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
    if (const auto& shared = rendezvous_.shared)
      text += "warning: " + std::to_string(shared->agents) + " agents of one machine (" +
              printable(shared->machine, 64) +
              ") share its rails and processors, so that nobody is accused; on a cluster start one a node: "
              "mpirun "
              "--map-by ppr:1:node, srun --ntasks-per-node=1\n";
    if (!unkept_.empty()) text += "warning: " + unkept_ + "\n";
    for (const auto& trouble : end.troubles)
      text += "note: " + trouble + "\n";
    if (end.interrupted)
      text += "interrupted: what follows is of the " + std::to_string(end.rounds_held) +
              " rounds that were held\n";
    if (end.target_inferred)
      text += "no rate was named (--rail-rate): " + fixed(end.target_gbit_s, 3) +
              " Gbit/s a rail, which the fastest tenth of the flows reached, is taken for it\n";
    auto findings = findings_text(campaign, end.nodes, !rendezvous_.shared);
    findings.pop_back();
    text += findings + ", " + fixed(report_.run.duration_s, 1) + " s\n";
    if (!rendezvous_.shared) text += fleet::simulated_text(static_cast<int>(end.nodes.size())) + "\n";
    if (format != "text") publish(question_.output, render(report_, format, question_.output.style()));
    if (format == "text")
      publish(question_.output, text);
    else if (question_.output.to_file() && !question_.output.quiet)
      std::fputs(text.c_str(), stdout);
  }

  const FleetCampaignOptions& options_;
  const FleetQuestion& question_;
  Policy policy_;
  FleetRendezvous rendezvous_;
  FleetStop& stop_;
  Report report_;
  Progress progress_;
  std::optional<CampaignFolder> folder_;
  std::string unkept_;
  std::uint64_t id_ = 0, seed_ = 0;
};

}  // namespace

bool FleetStop::given(double seconds) {
  if (!given_ && told_to_stop(seconds)) given_ = true;
  return given_;
}

std::string fleet_topology_text(const std::string& file) {
  try {
    return topology_to_carry(read_whole(file, {.bytes = 64 << 20}));
  } catch (const std::runtime_error& error) {
    refuse_topology(file, error);
  }
}

fleet::Topology fleet_topology(const std::string& file, const std::vector<std::string>& nodes, int rails) {
  if (file.empty() || file == "none") return unknown_topology(static_cast<int>(nodes.size()), rails);
  const auto text = fleet_topology_text(file);
  try {
    return topology_from_text(nodes, rails, text, file);
  } catch (const std::runtime_error& error) {
    refuse_topology(file, error);
  }
}

std::optional<CampaignFolder> fleet_folder(const FleetCampaignOptions& options) {
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

ExitCode lead_fleet_campaign(const FleetCampaignOptions& options, const FleetQuestion& question,
                             Policy policy, FleetRendezvous rendezvous, std::optional<CampaignFolder> folder,
                             FleetStop& stop, const std::vector<std::string>& arguments) {
  return Leading(options, question, std::move(policy), std::move(rendezvous), std::move(folder), stop,
                 arguments)
      .lead();
}

}  // namespace mlc
