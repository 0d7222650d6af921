#include "bench/burnin/fabric_report.hpp"

#include <algorithm>

#include "bench/burnin/merge.hpp"
#include "bench/fleet/localisation/findings.hpp"
#include "bench/fleet/measurement/fleet_report.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t most_evidence = 4;  // meetings of a node at fault whose reports are kept whole

int seat_of(const FabricRecord& record, const std::string& node) {
  const auto found = std::ranges::find(record.members, node, &FabricMember::node);
  return found == record.members.end() ? -1 : static_cast<int>(found - record.members.begin());
}

// The worst that was seen between these two.
fleet::Seen between(const FabricStageRecord& held, int a, int b) {
  auto worst = fleet::Seen::good;
  bool any = false;
  for (const auto& seen : held.seen) {
    if (!((seen.from == a && seen.to == b) || (seen.from == b && seen.to == a))) continue;
    any = true;
    if (seen.seen == fleet::Seen::bad) return fleet::Seen::bad;
    if (seen.seen == fleet::Seen::unknown) worst = fleet::Seen::unknown;
  }
  return any ? worst : fleet::Seen::unknown;
}

std::string remedy_of(const fleet::Fault& fault) {
  if (fault.rail == fleet::whole_node)
    return "all rails at once: mlc-bench validate on the node; its PCIe links, the NICs' firmware and "
           "settings, memory and power";
  const std::string rail = std::to_string(fault.rail);
  return "rail " + rail +
         " of this node: its cable, optics and switch port, then the NIC (mlc-bench validate pci.link rdma); "
         "the "
         "counters of the port are with the rails of this report";
}

void add_faults(Report& report, const FabricRecord& record, const fleet::Outcome& outcome,
                const BurninStage& stage, int self) {
  for (const auto& fault : outcome.faults) {
    const bool own = fault.node == self;
    const auto& node = record.members[static_cast<std::size_t>(fault.node)].node;
    report.findings.push_back(
        {.check = own ? "fabric.node" : "fabric.partner",
         .subject = node + (fault.rail == fleet::whole_node ? "" : " rail " + std::to_string(fault.rail)),
         .status = own ? Status::fail : Status::skip,
         .observed = fleet::end_text(fault) + ", is bad: " + join(fault.evidence, "; ") +
                     (own ? "" : "; meetings with it are not counted"),
         .expected = own ? "as good with every node as these are with others" : "",
         .source = "mlc-bench " + join(stage.command, " ") + ", " + std::to_string(record.members.size()) +
                   " nodes",
         .remedy = own ? remedy_of(fault) : ""});
    report.findings.back().stage = stage.name;
  }
}

constexpr const char* left_out_text =
    "not run: this node was at fault before, and this would tell nothing more";

StageOutcome outcome_for(const BurninStage& stage, const FabricStageRecord& held,
                         const fleet::Outcome& outcome, const FabricRecord& record, const FabricEnd& end,
                         int self) {
  StageOutcome mine{stage, stage.command, Status::unknown, {}, {}, {}, 0};
  if (std::ranges::find(held.left_out, self) != held.left_out.end()) {
    mine.status = Status::skip, mine.why = left_out_text;
    return mine;
  }
  const auto& node = outcome.nodes[static_cast<std::size_t>(self)];
  const auto wanted = node.status == Status::fail ? fleet::Seen::bad : fleet::Seen::good;
  for (const auto& meeting : end.meetings) {
    const int peer = seat_of(record, meeting.peer);
    if (meeting.stage != stage.name || !meeting.report || peer < 0 || between(held, self, peer) != wanted)
      continue;
    if (node.status == Status::fail && mine.reports.size() >= most_evidence) break;
    if (mine.reports.empty()) mine.command = meeting.words;
    mine.reports.push_back(*meeting.report);
  }
  mine.status = node.status, mine.decided = static_cast<int>(mine.reports.size());
  mine.stage.launches = std::max(1, mine.decided);
  const std::string others = std::to_string(node.good) + (node.good == 1 ? " other node" : " other nodes");
  mine.why = node.status == Status::pass ? "pass: met " + others + " well" : join(node.why, "; ");
  if (node.status == Status::unknown && !outcome.fabric.empty())
    mine.why += "; " + join(outcome.fabric, "; ");
  if (node.status == Status::fail) mine.remedy = "what to do is with this stage's finding fabric.node";
  if (node.status == Status::unknown)
    mine.remedy = "more nodes in one stage tell more: dispatch.partners, and witnesses that are free";
  if (node.status == Status::pass && mine.reports.empty())
    mine.status = Status::unknown,
    mine.why = "the group says pass, and this node has no report of its own meetings";
  return mine;
}

std::string first_trouble(const fleet::CampaignRecord& record, const fleet::Campaign& campaign) {
  for (const auto& round : record.rounds)
    if (!round.troubles.empty()) return printable(round.troubles.front(), 200);
  return campaign.refused().empty() ? "it is not known why" : printable(campaign.refused().front(), 200);
}

// Decoded anew: what somebody says that it came to is not believed.
StageOutcome outcome_of_campaign(const Report& report, const BurninStage& stage,
                                 const FabricStageRecord& held, const FabricRecord& record,
                                 const DecodeCampaign& decode, int self) {
  StageOutcome mine{stage, stage.command, Status::unknown, held.trouble, {}, {}, 0};
  if (std::ranges::find(held.left_out, self) != held.left_out.end()) {
    mine.status = Status::skip, mine.why = left_out_text;
    return mine;
  }
  if (!held.campaign) return mine;
  const auto seats = seats_in(record, *held.campaign);
  const auto found = std::ranges::find(seats, self);
  if (found == seats.end()) {
    mine.why = "the campaign does not know this node";
    return mine;
  }
  const auto number = static_cast<std::size_t>(found - seats.begin());
  try {
    const auto campaign = decode(stage, *held.campaign);
    const auto standing = campaign.judgement().nodes[number];
    Report seen;
    seen.run = report.run, seen.environment = report.environment;
    seen.run.nodes = static_cast<int>(seats.size());
    fleet::add_campaign_of(seen, campaign, fleet::end_of(*held.campaign), static_cast<int>(number));
    const bool clears = standing == fleet::Standing::clean || standing == fleet::Standing::watch;
    mine.status = standing == fleet::Standing::faulty            ? Status::fail
                  : clears && campaign.judgement().alarm.empty() ? Status::pass
                                                                 : Status::unknown;
    mine.why = (mine.status == Status::pass ? "pass: " : "") + std::string(fleet::to_string(standing)) +
               " of " + fleet::summary_of(campaign);
    if (!campaign.judgement().alarm.empty()) mine.why += "; " + campaign.judgement().alarm;
    if (mine.status == Status::unknown && campaign.not_measured() > 0)
      mine.why += "; " + std::to_string(campaign.not_measured()) +
                  " tests came to nothing: " + first_trouble(*held.campaign, campaign);
    mine.remedy = mine.status == Status::fail ? "what to do is with this stage's finding fleet.location"
                                              : "test it again with more nodes in one stage; what is at "
                                                "fault elsewhere is with fleet.elsewhere";
    mine.reports = {std::move(seen)}, mine.decided = mine.status == Status::unknown ? 0 : 1;
  } catch (const std::exception& error) {
    mine.why = "the campaign's record cannot be decoded here: " + printable(error.what(), 200);
  }
  return mine;
}

}  // namespace

void add_fabric_stages(Report& report, const Policy& policy, const BurninPlan& plan, const FabricEnd& end,
                       const DecodeCampaign& decode) {
  const int self = end.record ? seat_of(*end.record, report.environment.nodes.front().name) : -1;
  for (const auto& stage : plan.stages) {
    StageOutcome outcome{stage, stage.command, Status::unknown, end.trouble, {}, {}, 0};
    if (end.record) {
      const auto held = std::ranges::find(end.record->stages, stage.name, &FabricStageRecord::stage);
      if (self < 0)
        outcome.why = "the record of the group does not know this node";
      else if (held == end.record->stages.end())
        outcome.why = end.record->trouble.empty() ? "it was not held" : end.record->trouble;
      else if (is_campaign(stage))
        outcome = outcome_of_campaign(report, stage, *held, *end.record, decode, self);
      else {
        const auto all = outcome_of(*end.record, *held, policy, stage);
        add_faults(report, *end.record, all, stage, self);
        outcome = outcome_for(stage, *held, all, *end.record, end, self);
      }
    }
    if (outcome.why.empty()) outcome.why = "it came to no end";
    merge_into(report, outcome);
  }
}

void add_local_stages(Report& report, const Report& local) {
  const auto before = [](auto& list, const auto& first) {
    list.insert(list.begin(), first.begin(), first.end());
  };
  before(report.series, local.series), before(report.findings, local.findings),
      before(report.stages, local.stages);
  before(report.errors, local.errors);
  report.figures.gpu_results = local.figures.gpu_results;
  report.figures.gpu_traces = local.figures.gpu_traces;
  before(report.figures.rails, local.figures.rails);
  before(report.figures.rail_sums, local.figures.rail_sums);
  before(report.figures.matrices, local.figures.matrices);
  before(report.figures.histograms, local.figures.histograms);
  for (const auto& node : local.environment.nodes)
    if (node.name == report.environment.nodes.front().name && report.environment.nodes.front().gpus.empty())
      report.environment.nodes.front().gpus = node.gpus;
  report.run.started = local.run.started;
  report.run.ranks = std::max(report.run.ranks, local.run.ranks);
}

std::string not_of_this_run(const Report& local, const Report& run) {
  const Node& here = run.environment.nodes.front();
  const auto node = std::ranges::find(local.environment.nodes, here.name, &Node::name);
  if (node == local.environment.nodes.end()) return "it is of another node";
  if (here.boot_id.empty() || node->boot_id != here.boot_id) return "it is of another boot of this node";
  if (node->machine_id != here.machine_id) return "it is of another machine";
  if (local.run.policy_digest != run.run.policy_digest) return "it was made under another policy";
  if (local.tool.version != run.tool.version) return "it is by another mlc-bench";
  if (local.run.plan != "burnin") return "it is of no burn-in";
  if (!parse_rfc3339(local.run.started)) return "it does not say when it began";
  return {};
}

}  // namespace mlc
