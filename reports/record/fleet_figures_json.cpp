#include "reports/record/fleet_figures_json.hpp"

#include <nlohmann/json.hpp>

#include "reports/record/json.hpp"
#include "reports/record/json_number.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;
using in_json::number, in_json::read_number;

// Of a campaign's thousands of ratios more digits than are measured would be most of the report.
Json ratio(double value) { return number(std::round(value * 1e4) / 1e4); }

Json to(const NodeStanding& value) {
  Json json{{"name", value.name},
            {"standing", value.standing},
            {"tests", value.tests},
            {"partners", value.partners},
            {"worst_ratio", number(value.worst_ratio)}};
  if (!value.leaves.empty()) json["leaves"] = value.leaves;
  return json;
}

Json to(const FleetTest& value) {
  Json json{
      {"round", value.round}, {"first", value.first}, {"second", value.second}, {"ratios", Json::array()}};
  for (const double each : value.ratios)
    json["ratios"].push_back(ratio(each));
  return json;
}

Json to(const FleetWay& value) {
  Json json{{"rail", value.rail}, {"leaf", value.leaf}};
  if (value.uplink)
    json["uplink"] = *value.uplink, json["down"] = value.down;
  else
    json["towards"] = value.towards;
  json["queue_pairs"] = value.queue_pairs, json["least_share"] = ratio(value.least_share);
  return json;
}

Json to(const FleetFlow& value) {
  Json json{{"round", value.round}, {"from", value.from},          {"to", value.to},
            {"rail", value.rail},   {"ratio", ratio(value.ratio)}, {"nats", number(value.nats)}};
  if (value.queue_pair) json["queue_pair"] = *value.queue_pair;
  if (!value.sender_counters.empty()) json["sender_counters"] = value.sender_counters;
  if (!value.receiver_counters.empty()) json["receiver_counters"] = value.receiver_counters;
  return json;
}

Json to(const std::vector<FleetFlow>& flows) {
  Json list = Json::array();
  for (const auto& flow : flows)
    list.push_back(to(flow));
  return list;
}

Json to(const FleetPlace& value) {
  return {{"where", value.where},
          {"standing", value.standing},
          {"severity", number(value.severity)},
          {"margin", number(value.margin)},
          {"rounds", value.rounds},
          {"partners", value.partners},
          {"rivals", value.rivals},
          {"why", value.why},
          {"for", to(value.evidence_for)},
          {"against", to(value.evidence_against)}};
}

FleetFlow read_flow(const Json& json) {
  FleetFlow value{.round = json.at("round").get<int>(),
                  .from = json.at("from").get<std::string>(),
                  .to = json.at("to").get<std::string>(),
                  .rail = json.at("rail").get<int>(),
                  .queue_pair = std::nullopt,
                  .ratio = read_number(json.at("ratio")),
                  .nats = read_number(json.at("nats")),
                  .sender_counters = json.value("sender_counters", std::vector<std::string>()),
                  .receiver_counters = json.value("receiver_counters", std::vector<std::string>())};
  if (json.contains("queue_pair")) value.queue_pair = json.at("queue_pair").get<int>();
  return value;
}

FleetPlace read_place(const Json& json) {
  FleetPlace value{.where = json.at("where").get<std::string>(),
                   .standing = json.at("standing").get<std::string>(),
                   .severity = read_number(json.at("severity")),
                   .margin = read_number(json.at("margin")),
                   .rounds = json.at("rounds").get<int>(),
                   .partners = json.at("partners").get<int>(),
                   .rivals = json.at("rivals").get<std::vector<std::string>>(),
                   .why = json.at("why").get<std::string>(),
                   .evidence_for = {},
                   .evidence_against = {}};
  for (const auto& flow : json.at("for"))
    value.evidence_for.push_back(read_flow(flow));
  for (const auto& flow : json.at("against"))
    value.evidence_against.push_back(read_flow(flow));
  return value;
}

NodeStanding read_node_standing(const Json& json) {
  return {.name = json.at("name").get<std::string>(),
          .standing = json.at("standing").get<std::string>(),
          .tests = json.at("tests").get<int>(),
          .partners = json.at("partners").get<int>(),
          .worst_ratio = read_number(json.at("worst_ratio")),
          .leaves = json.value("leaves", std::vector<std::string>())};
}

FleetTest read_test(const Json& json) {
  FleetTest value{.round = json.at("round").get<int>(),
                  .first = json.at("first").get<int>(),
                  .second = json.at("second").get<int>(),
                  .ratios = {}};
  for (const auto& each : json.at("ratios"))
    value.ratios.push_back(read_number(each));
  return value;
}

FleetWay read_way(const Json& json) {
  FleetWay value{.rail = json.at("rail").get<int>(),
                 .leaf = json.at("leaf").get<std::string>(),
                 .towards = json.value("towards", std::string()),
                 .uplink = std::nullopt,
                 .down = json.value("down", false),
                 .queue_pairs = json.at("queue_pairs").get<int>(),
                 .least_share = read_number(json.at("least_share"))};
  if (json.contains("uplink")) value.uplink = json.at("uplink").get<int>();
  return value;
}

// Pages go by these positions.
void expect_sound(const FleetFigures& value) {
  const auto expect = [](bool holds, const char* what) {
    if (!holds) throw ReportError(std::string("figures: fleet: ") + what);
  };
  constexpr int most_rails = 64, most_rounds = 1000;
  const auto nodes = static_cast<int>(value.nodes.size());
  expect(value.rails >= 1 && value.rails <= most_rails, "so many rails has no node");
  for (const auto& node : value.nodes)
    expect(node.leaves.empty() || std::ssize(node.leaves) == value.rails, "a leaf for each rail of a node");
  for (const auto& test : value.held) {
    expect(test.first >= 0 && test.first < nodes && test.second >= 0 && test.second < nodes,
           "a test of a node that is not there");
    expect(std::ssize(test.ratios) == 2 * value.rails, "a test has two ratios for each rail");
    expect(test.round >= 1 && test.round <= most_rounds, "a test of a round that is none");
  }
  for (const auto& way : value.ways)
    expect(way.rail >= 0 && way.rail < value.rails, "a way over a rail that is not there");
}

}  // namespace

Json fleet_figures_to_json(const FleetFigures& value) {
  Json json{{"seed", value.seed},
            {"rounds", value.rounds},
            {"most_rounds", value.most_rounds},
            {"rails", value.rails},
            {"tests", value.tests},
            {"not_measured", value.not_measured},
            {"engine", value.engine},
            {"target_gbit_s", number(value.target_gbit_s)},
            {"target_inferred", value.target_inferred},
            {"floor", number(value.floor)},
            {"confidence", number(value.confidence)},
            {"topology",
             {{"source", value.topology}, {"groups", value.groups}, {"coverage", number(value.coverage)}}},
            {"alarm", value.alarm},
            {"troubles", value.troubles},
            {"nodes", Json::array()}};
  if (!value.simulated.empty()) json["simulated"] = value.simulated;
  for (const auto& node : value.nodes)
    json["nodes"].push_back(to(node));
  for (const auto& place : value.places)
    json["places"].push_back(to(place));
  for (const auto& test : value.held)
    json["held"].push_back(to(test));
  for (const auto& way : value.ways)
    json["ways"].push_back(to(way));
  return json;
}

FleetFigures fleet_figures_from_json(const Json& json) {
  const Json& topology = json.at("topology");
  FleetFigures value{.seed = json.at("seed").get<std::uint64_t>(),
                     .rounds = json.at("rounds").get<int>(),
                     .most_rounds = json.at("most_rounds").get<int>(),
                     .rails = json.at("rails").get<int>(),
                     .tests = json.at("tests").get<std::uint64_t>(),
                     .not_measured = json.at("not_measured").get<std::uint64_t>(),
                     .engine = json.at("engine").get<std::string>(),
                     .target_gbit_s = read_number(json.at("target_gbit_s")),
                     .target_inferred = json.at("target_inferred").get<bool>(),
                     .floor = read_number(json.at("floor")),
                     .confidence = read_number(json.at("confidence")),
                     .topology = topology.at("source").get<std::string>(),
                     .groups = topology.at("groups").get<int>(),
                     .coverage = read_number(topology.at("coverage")),
                     .alarm = json.at("alarm").get<std::string>(),
                     .simulated = json.value("simulated", ""),
                     .troubles = json.at("troubles").get<std::vector<std::string>>(),
                     .nodes = {},
                     .places = {},
                     .held = {},
                     .ways = {}};
  for (const auto& node : json.at("nodes"))
    value.nodes.push_back(read_node_standing(node));
  if (json.contains("places"))
    for (const auto& place : json.at("places"))
      value.places.push_back(read_place(place));
  if (json.contains("held"))
    for (const auto& test : json.at("held"))
      value.held.push_back(read_test(test));
  if (json.contains("ways"))
    for (const auto& way : json.at("ways"))
      value.ways.push_back(read_way(way));
  expect_sound(value);
  return value;
}

}  // namespace mlc
