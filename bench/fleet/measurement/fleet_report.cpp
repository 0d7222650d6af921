#include "bench/fleet/measurement/fleet_report.hpp"

#include <algorithm>
#include <set>

#include "bench/fleet/localisation/findings.hpp"
#include "bench/fleet/measurement/campaign_figures.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

constexpr const char* source = "pairs of nodes, rail by rail, both ways (mlc-bench fleet)";
constexpr const char* clean_text = "CLEAN: as the others in at least two tests with two partners";
constexpr std::size_t most_lines_of_evidence = 3;

Status status_of(Standing standing) {
  switch (standing) {
    case Standing::clean:
      return Status::pass;
    case Standing::watch:
      return Status::warn;
    case Standing::faulty:
    case Standing::path:
      return Status::fail;
    case Standing::lost:
    case Standing::unresolved:
    case Standing::masked:
    case Standing::ambiguous:
      return Status::unknown;
  }
  return Status::unknown;
}

std::string observed_of(const Told& told, const Topology& topology, std::span<const std::string> names) {
  const Located& located = told.front();
  std::string text = std::string(to_string(located.standing)) + ": " + loss_text(told);
  for (std::size_t i = 0; told.size() > 1 && i < std::min(most_lines_of_evidence, told.size()); ++i)
    text += "; " + location_of(told[i], topology, names);
  if (!located.path)
    text += ", in " + std::to_string(located.bad_rounds) + " rounds with " +
            std::to_string(located.partners) + " partners, " + fixed(located.margin, 1) +
            " nats over any other cause";
  for (const auto& rival : located.rivals)
    text += "; or " + location_of(rival.component, topology, names);
  if (!located.why.empty()) text += "; because " + located.why;
  for (std::size_t i = 0; i < std::min(most_lines_of_evidence, located.evidence_for.size()); ++i)
    text += "; " + evidence_text(located.evidence_for[i], names);
  return text;
}

// What is said of a node that nothing was located in.
std::string observed_of(Standing standing) {
  switch (standing) {
    case Standing::lost:
      return "LOST: no agent of it answers";
    case Standing::watch:
      return "WATCH: a flow of it was bad once, and nothing explains that";
    case Standing::masked:
      return "MASKED: what is bad about it, something worse explains";
    default:
      return std::string(to_string(standing)) + ": too little was seen of it";
  }
}

std::string remedy_of(Standing standing) {
  if (standing == Standing::lost)
    return "see why it did not come, was refused or is gone; then test it again";
  if (standing == Standing::masked) return "test it again when that is mended";
  return standing == Standing::watch ? "" : "test it again, before the others";
}

void add(Report& report, const std::string& check, const std::string& subject, Status status,
         const std::string& observed, const std::string& remedy) {
  report.findings.push_back({.check = check,
                             .subject = subject,
                             .status = status,
                             .observed = observed,
                             .source = source,
                             .remedy = remedy});
}

}  // namespace

void add_campaign(Report& report, const Campaign& campaign, const CampaignEnd& end) {
  const Judgement& judgement = campaign.judgement();
  std::set<int> told;
  for (const auto& each : told_together(judgement, campaign.topology())) {
    const Located& located = each.front();
    if (!located.path && located.component.of_host()) told.insert(located.component.node);
    add(report, "fleet.location", location_of(each, campaign.topology(), end.nodes),
        status_of(located.standing), observed_of(each, campaign.topology(), end.nodes), remedy_of(located));
  }
  std::size_t clean = 0;
  for (std::size_t node = 0; node < judgement.nodes.size(); ++node) {
    const Standing standing = judgement.nodes[node];
    clean += standing == Standing::clean ? 1 : 0;
    if (standing == Standing::clean || told.contains(static_cast<int>(node))) continue;
    add(report, "fleet.node", "node " + printable(end.nodes[node], 64), status_of(standing),
        observed_of(standing), remedy_of(standing));
  }
  if (clean > 0)
    add(report, "fleet.node", std::to_string(clean) + (clean == 1 ? " node" : " nodes"), Status::pass,
        clean_text, "");
  report.figures.fleet = campaign_figures(campaign, end);
}

void add_campaign_of(Report& report, const Campaign& campaign, const CampaignEnd& end, int node) {
  const Judgement& judgement = campaign.judgement();
  bool told = false;
  for (const auto& each : told_together(judgement, campaign.topology())) {
    const Located& located = each.front();
    const bool own = !located.path && located.component.of_host() && located.component.node == node;
    told = told || own;
    add(report, own ? "fleet.location" : "fleet.elsewhere", location_of(each, campaign.topology(), end.nodes),
        own ? status_of(located.standing) : Status::skip, observed_of(each, campaign.topology(), end.nodes),
        remedy_of(located));
  }
  const auto at = static_cast<std::size_t>(node);
  const Standing standing = judgement.nodes[at];
  if (standing == Standing::clean || !told)
    add(report, "fleet.node", "node " + printable(end.nodes[at], 64), status_of(standing),
        standing == Standing::clean ? clean_text : observed_of(standing), remedy_of(standing));
  report.figures.fleet = campaign_figures(campaign, end);
}

}  // namespace mlc::fleet
