#include "bench/fleet/measurement/round_record.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;

constexpr std::string_view round_schema = "mlc-bench/fleet-round/v1",
                           header_schema = "mlc-bench/fleet-campaign/v1";
constexpr std::size_t most_nodes = 65'536, longest_text = 600;

std::string checked_text(const Json& json) { return printable(json.get<std::string>(), longest_text); }

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> all;
  if (!list.is_array() || list.size() > most_nodes) throw std::runtime_error("a list is none, or too long");
  for (const auto& each : list)
    all.push_back(checked_text(each));
  return all;
}

void want_schema(const Json& json, std::string_view schema) {
  if (json.at("schema").get<std::string>() != schema)
    throw std::runtime_error("it is no " + std::string(schema));
}

Json growth_json(const CounterGrowth& grew) { return {grew.port, grew.transport, grew.pause_sent}; }
CounterGrowth growth_from(const Json& json) {
  return {.port = json.at(0).get<bool>(),
          .transport = json.at(1).get<bool>(),
          .pause_sent = json.at(2).get<bool>()};
}

Json flow_json(const FlowResult& flow) {
  return {{"dead", flow.dead},
          {"rate", flow.rate},
          {"error", flow.error},
          {"slow_windows", flow.slow_windows},
          {"shares", flow.shares},
          {"sender", growth_json(flow.at_sender)},
          {"receiver", growth_json(flow.at_receiver)}};
}

FlowResult flow_from(const Json& json) {
  return {.dead = json.at("dead").get<bool>(),
          .rate = json.at("rate").get<double>(),
          .error = json.at("error").get<double>(),
          .slow_windows = whole_number<int>(json.at("slow_windows")),
          .shares = json.at("shares").get<std::array<double, queue_pairs>>(),
          .at_sender = growth_from(json.at("sender")),
          .at_receiver = growth_from(json.at("receiver"))};
}

template <class T>
T read(const Json& json, T (*reader)(const Json&)) {
  try {
    return reader(json);
  } catch (const Json::exception& error) {
    throw std::runtime_error(error.what());
  }
}

}  // namespace

Json to_json(const RoundRecord& record) {
  Json results = Json::array();
  for (const auto& result : record.results) {
    Json flows = Json::array();
    for (const auto& flow : result.flows)
      flows.push_back(flow_json(flow));
    results.push_back({{"campaign", result.campaign},
                       {"first", result.first},
                       {"second", result.second},
                       {"flows", std::move(flows)}});
  }
  return {{"schema", round_schema},
          {"round", record.round},
          {"target_gbit_s", record.target_gbit_s},
          {"target_inferred", record.target_inferred},
          {"results", std::move(results)},
          {"lost", record.lost},
          {"troubles", record.troubles}};
}

Json to_json(const CampaignHeader& header) {
  return {{"schema", header_schema},     {"seed", header.seed},     {"id", header.id},
          {"program", header.program},   {"engine", header.engine}, {"question", header.question},
          {"topology", header.topology}, {"nodes", header.nodes},   {"rails", header.rails}};
}

RoundRecord round_record_from(const Json& json) {
  return read<RoundRecord>(json, [](const Json& from) {
    want_schema(from, round_schema);
    RoundRecord record{.round = whole_number<int>(from.at("round")),
                       .target_gbit_s = from.at("target_gbit_s").get<double>(),
                       .target_inferred = from.at("target_inferred").get<bool>(),
                       .results = {},
                       .lost = from.at("lost").get<std::vector<int>>(),
                       .troubles = texts(from.at("troubles"))};
    for (const auto& result : from.at("results")) {
      auto& each = record.results.emplace_back();
      each.campaign = whole_number<std::uint64_t>(result.at("campaign")), each.round = record.round;
      each.first = whole_number<int>(result.at("first")),
      each.second = whole_number<int>(result.at("second"));
      for (const auto& flow : result.at("flows"))
        each.flows.push_back(flow_from(flow));
    }
    return record;
  });
}

CampaignHeader campaign_header_from(const Json& json) {
  return read<CampaignHeader>(json, [](const Json& from) {
    want_schema(from, header_schema);
    return CampaignHeader{.seed = whole_number<std::uint64_t>(from.at("seed")),
                          .id = whole_number<std::uint64_t>(from.at("id")),
                          .program = checked_text(from.at("program")),
                          .engine = checked_text(from.at("engine")),
                          .question = checked_text(from.at("question")),
                          .topology = checked_text(from.at("topology")),
                          .nodes = texts(from.at("nodes")),
                          .rails = whole_number<int>(from.at("rails"))};
  });
}

}  // namespace mlc::fleet
