#include "reports/record/figures_json.hpp"

#include <nlohmann/json.hpp>

#include "reports/record/fleet_figures_json.hpp"
#include "reports/record/json.hpp"
#include "reports/record/json_number.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;
using in_json::number, in_json::read_number, in_json::read_optional;

Status read_status(const Json& json) {
  if (const auto status = parse_status(json.get<std::string>())) return *status;
  throw ReportError("figures: unknown status");
}

void expect(bool holds, const std::string& what) {
  if (!holds) throw ReportError("figures: " + what);
}

Json to(const Interconnect& value) {
  return {{"rails", value.rails},
          {"rail_gbit_s", number(value.rail_gbit_s)},
          {"mtu_bytes", value.mtu_bytes},
          {"target_gb_s", number(value.target_gb_s)},
          {"ceiling_gb_s", number(value.ceiling_gb_s)}};
}

Interconnect read_interconnect(const Json& json) {
  return {.rails = json.at("rails").get<int>(),
          .rail_gbit_s = json.at("rail_gbit_s").get<double>(),
          .mtu_bytes = json.at("mtu_bytes").get<int>(),
          .target_gb_s = json.at("target_gb_s").get<double>(),
          .ceiling_gb_s = json.at("ceiling_gb_s").get<double>()};
}

Json to(const PolicyText& value) {
  Json json{{"name", value.name}, {"about", value.about}, {"source", value.source}, {"text", value.text}};
  if (value.valid_for_s > 0) json["valid_for_s"] = value.valid_for_s;
  if (value.extended_for_s > 0) json["extended_for_s"] = value.extended_for_s;
  return json;
}

PolicyText read_policy_text(const Json& json) {
  return {.name = json.at("name").get<std::string>(),
          .about = json.at("about").get<std::string>(),
          .source = json.at("source").get<std::string>(),
          .text = json.at("text").get<std::string>(),
          .valid_for_s = json.value("valid_for_s", 0.0),
          .extended_for_s = json.value("extended_for_s", 0.0)};
}

Json to(const RailResult& value) {
  Json json{{"node", value.node},
            {"rail", value.rail},
            {"device", value.device},
            {"peer", value.peer},
            {"operation", value.operation},
            {"bytes", value.bytes},
            {"gbit_s", number(value.gbit_s)},
            {"ci_gbit_s", {number(value.ci_gbit_s[0]), number(value.ci_gbit_s[1])}},
            {"status", to_string(value.status)}};
  if (value.p50_us) json["p50_us"] = number(value.p50_us);
  if (value.p99_us) json["p99_us"] = number(value.p99_us);
  if (value.p90_us) json["p90_us"] = number(value.p90_us);
  if (value.p999_us) json["p999_us"] = number(value.p999_us);
  if (value.phase.empty()) return json;
  json["phase"] = value.phase, json["both_directions"] = value.both_directions;
  json["netdev"] = value.netdev, json["peer_device"] = value.peer_device, json["peer_rail"] = value.peer_rail;
  json["mean_gbit_s"] = number(value.mean_gbit_s), json["target_gbit_s"] = number(value.target_gbit_s),
  json["ceiling_gbit_s"] = number(value.ceiling_gbit_s);
  if (value.over_siblings) json["over_siblings"] = number(value.over_siblings);
  if (value.messages_per_s) json["messages_per_s"] = number(value.messages_per_s);
  json["wrong"] = value.wrong ? Json(*value.wrong) : Json(nullptr);
  json["memory"] = value.memory, json["attempts"] = value.attempts, json["why"] = value.why;
  json["counters"] = Json::array();
  for (const auto& counter : value.counters)
    json["counters"].push_back({{"end", counter.end}, {"name", counter.name}, {"by", counter.by}});
  return json;
}

RailResult read_rail(const Json& json) {
  RailResult rail{
      .node = json.at("node").get<std::string>(),
      .rail = json.at("rail").get<int>(),
      .device = json.at("device").get<std::string>(),
      .peer = json.at("peer").get<std::string>(),
      .operation = json.at("operation").get<std::string>(),
      .bytes = json.at("bytes").get<std::uint64_t>(),
      .gbit_s = read_number(json.at("gbit_s")),
      .ci_gbit_s = {read_number(json.at("ci_gbit_s").at(0)), read_number(json.at("ci_gbit_s").at(1))},
      .p50_us = read_optional(json, "p50_us"),
      .p99_us = read_optional(json, "p99_us"),
      .status = read_status(json.at("status"))};
  rail.p90_us = read_optional(json, "p90_us"), rail.p999_us = read_optional(json, "p999_us");
  rail.phase = json.value("phase", "");
  if (rail.phase.empty()) return rail;
  rail.both_directions = json.at("both_directions").get<bool>();
  rail.netdev = json.at("netdev").get<std::string>(),
  rail.peer_device = json.at("peer_device").get<std::string>();
  rail.peer_rail = json.at("peer_rail").get<int>();
  rail.mean_gbit_s = read_number(json.at("mean_gbit_s")),
  rail.target_gbit_s = read_number(json.at("target_gbit_s"));
  rail.ceiling_gbit_s = read_number(json.at("ceiling_gbit_s"));
  rail.over_siblings = read_optional(json, "over_siblings"),
  rail.messages_per_s = read_optional(json, "messages_per_s");
  if (!json.at("wrong").is_null()) rail.wrong = json.at("wrong").get<std::uint64_t>();
  rail.memory = json.at("memory").get<std::string>(), rail.attempts = json.at("attempts").get<int>();
  rail.why = json.at("why").get<std::string>();
  for (const auto& counter : json.at("counters"))
    rail.counters.push_back({counter.at("end").get<std::string>(), counter.at("name").get<std::string>(),
                             counter.at("by").get<std::uint64_t>()});
  return rail;
}

Json to(const RailSum& value) {
  return {{"node", value.node},
          {"peer", value.peer},
          {"operation", value.operation},
          {"bytes", value.bytes},
          {"both_directions", value.both_directions},
          {"rails", value.rails},
          {"solo_gbit_s", number(value.solo_gbit_s)},
          {"together_gbit_s", number(value.together_gbit_s)},
          {"target_gbit_s", number(value.target_gbit_s)},
          {"ceiling_gbit_s", number(value.ceiling_gbit_s)},
          {"status", to_string(value.status)},
          {"why", value.why}};
}

RailSum read_rail_sum(const Json& json) {
  return {.node = json.at("node").get<std::string>(),
          .peer = json.at("peer").get<std::string>(),
          .operation = json.at("operation").get<std::string>(),
          .bytes = json.at("bytes").get<std::uint64_t>(),
          .both_directions = json.at("both_directions").get<bool>(),
          .rails = json.at("rails").get<int>(),
          .solo_gbit_s = read_optional(json, "solo_gbit_s"),
          .together_gbit_s = read_optional(json, "together_gbit_s"),
          .target_gbit_s = read_number(json.at("target_gbit_s")),
          .ceiling_gbit_s = read_number(json.at("ceiling_gbit_s")),
          .status = read_status(json.at("status")),
          .why = json.at("why").get<std::string>()};
}

Json to(const NodeMeeting& value) {
  return {{"round", value.round},
          {"node", value.node},
          {"peer", value.peer},
          {"status", to_string(value.status)},
          {"why", value.why}};
}

NodeMeeting read_meeting(const Json& json) {
  return {.round = json.at("round").get<int>(),
          .node = json.at("node").get<std::string>(),
          .peer = json.at("peer").get<std::string>(),
          .status = read_status(json.at("status")),
          .why = json.at("why").get<std::string>()};
}

Json to(const Matrix& value) {
  Json values = Json::array();
  for (const auto& cell : value.values)
    values.push_back(number(cell));
  Json culprits = Json::array();
  for (const auto& culprit : value.culprits)
    culprits.push_back({{"row", culprit.row},
                        {"column", culprit.column},
                        {"whole_row", culprit.whole_row},
                        {"whole_column", culprit.whole_column},
                        {"why", culprit.why}});
  Json json{{"kind", value.kind},       {"title", value.title}, {"unit", value.unit},  {"rows", value.rows},
            {"columns", value.columns}, {"values", values},     {"culprits", culprits}};
  if (!value.by.empty()) json["by"] = value.by;
  return json;
}

Matrix read_matrix(const Json& json) {
  Matrix matrix{.kind = json.at("kind").get<std::string>(),
                .title = json.at("title").get<std::string>(),
                .by = json.value("by", ""),
                .unit = json.at("unit").get<std::string>(),
                .rows = json.at("rows").get<std::vector<std::string>>(),
                .columns = json.at("columns").get<std::vector<std::string>>(),
                .values = {},
                .culprits = {}};
  for (const auto& cell : json.at("values"))
    matrix.values.push_back(cell.is_null() ? std::nullopt : std::optional(cell.get<double>()));
  expect(matrix.values.size() == matrix.rows.size() * matrix.columns.size(),
         "a matrix needs as many values as rows times columns");
  for (const auto& culprit : json.at("culprits")) {
    matrix.culprits.push_back({.row = culprit.at("row").get<std::size_t>(),
                               .column = culprit.at("column").get<std::size_t>(),
                               .whole_row = culprit.at("whole_row").get<bool>(),
                               .whole_column = culprit.at("whole_column").get<bool>(),
                               .why = culprit.at("why").get<std::string>()});
    expect(matrix.culprits.back().row < matrix.rows.size() &&
               matrix.culprits.back().column < matrix.columns.size(),
           "a culprit lies outside its matrix");
  }
  return matrix;
}

Json to(const Histogram& value) {
  return {{"title", value.title},
          {"subject", value.subject},
          {"edges_us", value.edges_us},
          {"counts", value.counts}};
}

Histogram read_histogram(const Json& json) {
  Histogram histogram{.title = json.at("title").get<std::string>(),
                      .subject = json.at("subject").get<std::string>(),
                      .edges_us = json.at("edges_us").get<std::vector<double>>(),
                      .counts = json.at("counts").get<std::vector<std::uint64_t>>()};
  expect(histogram.edges_us.size() == histogram.counts.size() + 1,
         "a histogram needs one edge more than counts");
  return histogram;
}

Json to(const GpuTrace& value) {
  Json json{{"node", value.node},       {"gpu", value.gpu},
            {"time_s", value.time_s},   {"sm_clock_mhz", value.sm_clock_mhz},
            {"power_w", value.power_w}, {"temperature_c", value.temperature_c}};
  if (value.power_limit_w) json["power_limit_w"] = number(value.power_limit_w);
  if (value.slowdown_temperature_c) json["slowdown_temperature_c"] = number(value.slowdown_temperature_c);
  json["events"] = Json::array();
  for (const auto& event : value.events)
    json["events"].push_back({{"time_s", number(event.time_s)}, {"what", event.what}});
  return json;
}

GpuTrace read_trace(const Json& json) {
  const auto numbers = [&](const char* key) {
    std::vector<double> values;
    for (const auto& value : json.at(key))
      values.push_back(read_number(value));
    return values;
  };
  GpuTrace trace{.node = json.at("node").get<std::string>(),
                 .gpu = json.at("gpu").get<int>(),
                 .time_s = numbers("time_s"),
                 .sm_clock_mhz = numbers("sm_clock_mhz"),
                 .power_w = numbers("power_w"),
                 .temperature_c = numbers("temperature_c"),
                 .power_limit_w = read_optional(json, "power_limit_w"),
                 .slowdown_temperature_c = read_optional(json, "slowdown_temperature_c"),
                 .events = {}};
  for (const auto* metric : {&trace.sm_clock_mhz, &trace.power_w, &trace.temperature_c})
    expect(metric->empty() || metric->size() == trace.time_s.size(),
           "a GPU trace needs a value for every time");
  for (const auto& event : json.at("events"))
    trace.events.push_back(
        {.time_s = read_number(event.at("time_s")), .what = event.at("what").get<std::string>()});
  return trace;
}

Json to(const GpuResult& value) {
  Json json{{"node", value.node},
            {"gpu", value.gpu},
            {"uuid", value.uuid},
            {"test", value.test},
            {"metric", value.metric},
            {"unit", value.unit},
            {"value", number(value.value)},
            {"min", number(value.min)},
            {"max", number(value.max)},
            {"samples", value.samples},
            {"status", to_string(value.status)}};
  if (value.bound) json["bound"] = number(value.bound);
  if (value.share_of_limit) json["share_of_limit"] = number(value.share_of_limit);
  return json;
}

GpuResult read_gpu_result(const Json& json) {
  return {.node = json.at("node").get<std::string>(),
          .gpu = json.at("gpu").get<int>(),
          .uuid = json.at("uuid").get<std::string>(),
          .test = json.at("test").get<std::string>(),
          .metric = json.at("metric").get<std::string>(),
          .unit = json.at("unit").get<std::string>(),
          .value = read_number(json.at("value")),
          .min = read_number(json.at("min")),
          .max = read_number(json.at("max")),
          .samples = json.at("samples").get<std::uint64_t>(),
          .bound = read_optional(json, "bound"),
          .share_of_limit = read_optional(json, "share_of_limit"),
          .status = read_status(json.at("status"))};
}

template <class T>
void write_list(Json& json, const char* key, const std::vector<T>& values) {
  if (values.empty()) return;
  json[key] = Json::array();
  for (const auto& value : values)
    json[key].push_back(to(value));
}

template <class T>
void read_list(const Json& json, const char* key, std::vector<T>& values, T (*read)(const Json&)) {
  if (!json.contains(key)) return;
  for (const auto& value : json.at(key))
    values.push_back(read(value));
}

}  // namespace

Json figures_to_json(const Figures& figures) {
  Json json = Json::object();
  if (figures.interconnect) json["interconnect"] = to(*figures.interconnect);
  if (figures.policy) json["policy"] = to(*figures.policy);
  write_list(json, "rails", figures.rails);
  write_list(json, "rail_sums", figures.rail_sums);
  write_list(json, "meetings", figures.meetings);
  write_list(json, "matrices", figures.matrices);
  write_list(json, "histograms", figures.histograms);
  write_list(json, "gpu_traces", figures.gpu_traces);
  write_list(json, "gpu_results", figures.gpu_results);
  if (figures.fleet) json["fleet"] = fleet_figures_to_json(*figures.fleet);
  return json;
}

Figures figures_from_json(const Json& json) {
  expect(json.is_object(), "not an object");
  Figures figures;
  if (json.contains("interconnect")) figures.interconnect = read_interconnect(json.at("interconnect"));
  if (json.contains("policy")) figures.policy = read_policy_text(json.at("policy"));
  read_list(json, "rails", figures.rails, read_rail);
  read_list(json, "rail_sums", figures.rail_sums, read_rail_sum);
  read_list(json, "meetings", figures.meetings, read_meeting);
  read_list(json, "matrices", figures.matrices, read_matrix);
  read_list(json, "histograms", figures.histograms, read_histogram);
  read_list(json, "gpu_traces", figures.gpu_traces, read_trace);
  read_list(json, "gpu_results", figures.gpu_results, read_gpu_result);
  if (json.contains("fleet")) figures.fleet = fleet_figures_from_json(json.at("fleet"));
  return figures;
}

}  // namespace mlc
