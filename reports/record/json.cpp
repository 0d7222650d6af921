#include "reports/record/json.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "reports/record/figures_json.hpp"
#include "reports/record/json_reader.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

Json to_value(const Judgement& t) {
  Json j{{"metric", t.metric}, {"bound", t.bound}, {"status", to_string(t.status)}, {"why", t.why}};
  if (t.observe_s > 0) j["observe_s"] = t.observe_s;
  if (!t.doubt.empty()) j["doubt"] = t.doubt;
  return j;
}

Json to_value(const Observation& o) {
  return {{"timed_s", o.timed_s},
          {"wall_s", o.wall_s},
          {"untimed", o.untimed},
          {"wall_busbw_gb_s", o.wall_busbw_gb_s},
          {"longest_us", o.longest_us},
          {"correlation_s", o.correlation_s},
          {"block_s", o.block_s},
          {"blocks", o.blocks},
          {"blocks_reached", o.blocks_reached},
          {"slices", o.slices},
          {"slices_reached", o.slices_reached},
          {"end_share", o.end_share},
          {"drift", o.drift},
          {"drift_z", o.drift_z}};
}

Json to_value(const Series& s) {
  Json j{{"collective", s.collective}, {"dtype", s.dtype}, {"placement", s.placement}};
  if (!s.redop.empty()) j["redop"] = s.redop;
  if (s.root) j["root"] = *s.root;
  j["bytes"] = s.bytes, j["requested_bytes"] = s.requested_bytes;
  j["ranks"] = s.ranks, j["samples"] = s.samples;
  if (!s.backend.empty()) j["backend"] = s.backend;
  if (s.nodes > 0) j["nodes"] = s.nodes;
  if (!s.stage.empty()) j["stage"] = s.stage;
  j["time_us"] = {{"min", s.time_us.min},
                  {"p50", s.time_us.p50},
                  {"p95", s.time_us.p95},
                  {"p99", s.time_us.p99},
                  {"max", s.time_us.max}};
  if (s.time_us.mean > 0) j["time_us"]["mean"] = s.time_us.mean;
  if (!s.timing.empty()) j["timing"] = s.timing;
  j["ci_us"] = s.ci_us;
  j["cv"] = s.cv, j["algbw_gb_s"] = s.algbw_gb_s, j["busbw_gb_s"] = s.busbw_gb_s;
  j["wrong"] = s.wrong ? Json(*s.wrong) : Json(nullptr);
  if (s.mismatch)
    j["mismatch"] = {{"rank", s.mismatch->rank},     {"node", s.mismatch->node},
                     {"index", s.mismatch->index},   {"expected", s.mismatch->expected},
                     {"actual", s.mismatch->actual}, {"kind", s.mismatch->kind}};
  j["stop"] = s.stop;
  if (s.tuning) {
    j["tuning"] = {{"algorithm", s.tuning->algorithm},
                   {"protocol", s.tuning->protocol},
                   {"channels", s.tuning->channels}};
    if (s.tuning->wire_gb_s) j["tuning"]["wire_gb_s"] = *s.tuning->wire_gb_s;
  }
  if (s.slowest)
    j["slowest"] = {{"rank", s.slowest->rank}, {"node", s.slowest->node}, {"excess", s.slowest->excess}};
  if (s.threshold) j["threshold"] = to_value(*s.threshold);
  if (s.observation) j["observation"] = to_value(*s.observation);
  if (s.launch > 0) j["launch"] = s.launch, j["of_launches"] = s.of_launches;
  if (!s.rank_p50_us.empty()) j["rank_p50_us"] = s.rank_p50_us;
  if (!s.warnings.empty()) j["warnings"] = s.warnings;
  for (const auto& launch : s.launches)
    j["launches"].push_back({{"p50_us", launch.p50_us},
                             {"mean_us", launch.mean_us},
                             {"ci_us", launch.ci_us},
                             {"samples", launch.samples}});
  if (s.renewed != Renewed::nothing) j["renewed"] = to_string(s.renewed);
  return j;
}

Json to_value(const Finding& f) {
  Json j{{"check", f.check},       {"subject", f.subject},   {"status", to_string(f.status)},
         {"observed", f.observed}, {"expected", f.expected}, {"source", f.source},
         {"remedy", f.remedy}};
  if (!f.stage.empty()) j["stage"] = f.stage, j["launch"] = f.launch;
  if (!f.depends_on.empty()) j["depends_on"] = f.depends_on;
  return j;
}

Json to_value(const StageRecord& s) {
  return {{"stage", s.name},
          {"command", s.command},
          {"launches", s.launches},
          {"status", to_string(s.status)},
          {"why", s.why}};
}

Json to_value(const Node& n) {
  Json gpus = Json::array();
  for (const auto& g : n.gpus)
    gpus.push_back(
        {{"index", g.index}, {"name", g.name}, {"uuid", g.uuid}, {"pci", g.pci}, {"driver", g.driver}});
  Json value{{"name", n.name}, {"kernel", n.kernel},     {"os", n.os},   {"cpu", n.cpu},
             {"cpus", n.cpus}, {"versions", n.versions}, {"gpus", gpus}, {"ranks", n.ranks}};
  if (!n.boot_id.empty()) value["boot_id"] = n.boot_id;
  if (!n.machine_id.empty()) value["machine_id"] = n.machine_id;
  return value;
}

Json to_value(const ErrorEntry& e) {
  return {{"what", e.what}, {"where", e.where}, {"phase", e.phase}, {"hint", e.hint}};
}

// Its place in a list by the list's name: {"series": 3}; of nothing in particular, {}.
constexpr std::array<std::pair<About::List, const char*>, 3> lists{
    {{About::List::series, "series"}, {About::List::findings, "findings"}, {About::List::errors, "errors"}}};

Json to_value(const About& about) {
  Json j = Json::object();
  for (const auto& [list, name] : lists)
    if (about.list == list) j[name] = about.index;
  return j;
}

template <class T>
Json list_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const auto& value : values)
    list.push_back(to_value(value));
  return list;
}

// Values that are absent keep their default; values of a wrong type throw.
template <class T>
void take(const Json& j, const char* key, T& out) {
  const auto at = j.find(key);
  if (at == j.end() || at->is_null()) return;
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    const bool fits = at->is_number_unsigned()
                          ? std::in_range<T>(at->template get<std::uint64_t>())
                          : at->is_number_integer() && std::in_range<T>(at->template get<std::int64_t>());
    if (!fits) throw ReportError(std::string("'") + key + "' is no whole number that this program can take");
  }
  at->get_to(out);
}

const Json& list_at(const Json& j, const char* key) {
  const Json& list = j.at(key);
  if (!list.is_array()) throw ReportError(std::string("'") + key + "' is no list");
  return list;
}

template <class T>
void take(const Json& j, const char* key, std::optional<T>& out) {
  const auto at = j.find(key);
  if (at != j.end() && !at->is_null()) out = at->get<T>();
}

// A count is a whole number that fits: 0.9 wrong elements must not become none.
void take_count(const Json& j, const char* key, std::optional<std::uint64_t>& out) {
  const auto at = j.find(key);
  if (at == j.end() || at->is_null()) return;
  if (!at->is_number_unsigned()) throw ReportError(std::string("'") + key + "' is no count");
  out = at->get<std::uint64_t>();
}

Status status_from(const std::string& text) {
  if (const auto status = parse_status(text)) return *status;
  throw ReportError("unknown status '" + text.substr(0, 40) + "'");
}

Decision decision_from(const std::string& text) {
  for (Decision decision : {Decision::pass, Decision::fail, Decision::inconclusive})
    if (text == to_string(decision)) return decision;
  throw ReportError("unknown decision '" + text.substr(0, 40) + "'");
}

Renewed renewed_from(const std::string& text) {
  for (Renewed renewed : {Renewed::nothing, Renewed::communicators, Renewed::processes})
    if (text == to_string(renewed)) return renewed;
  throw ReportError("unknown 'renewed' '" + text.substr(0, 40) + "'");
}

void take_launches(const Json& j, Series& s) {
  if (const auto launches = j.find("launches"); launches != j.end())
    for (const auto& one : *launches) {
      SeriesLaunch& launch = s.launches.emplace_back();
      take(one, "p50_us", launch.p50_us), take(one, "mean_us", launch.mean_us),
          take(one, "ci_us", launch.ci_us), take(one, "samples", launch.samples);
    }
  std::string renewed(to_string(s.renewed));
  take(j, "renewed", renewed);
  s.renewed = renewed_from(renewed);
}

Judgement judgement_from(const Json& j) {
  Judgement t;
  take(j, "metric", t.metric), take(j, "bound", t.bound), take(j, "why", t.why),
      take(j, "observe_s", t.observe_s), take(j, "doubt", t.doubt);
  t.status = status_from(j.at("status").get<std::string>());
  return t;
}

Observation observation_from(const Json& j) {
  Observation o;
  take(j, "timed_s", o.timed_s), take(j, "wall_s", o.wall_s), take(j, "untimed", o.untimed),
      take(j, "wall_busbw_gb_s", o.wall_busbw_gb_s), take(j, "longest_us", o.longest_us),
      take(j, "correlation_s", o.correlation_s), take(j, "block_s", o.block_s), take(j, "blocks", o.blocks),
      take(j, "blocks_reached", o.blocks_reached), take(j, "slices", o.slices),
      take(j, "slices_reached", o.slices_reached), take(j, "end_share", o.end_share),
      take(j, "drift", o.drift), take(j, "drift_z", o.drift_z);
  return o;
}

Series series_from(const Json& j) {
  Series s;
  take(j, "collective", s.collective), take(j, "dtype", s.dtype), take(j, "redop", s.redop),
      take(j, "placement", s.placement);
  take(j, "root", s.root), take(j, "bytes", s.bytes), take(j, "requested_bytes", s.requested_bytes),
      take(j, "ranks", s.ranks), take(j, "samples", s.samples), take(j, "backend", s.backend),
      take(j, "nodes", s.nodes), take(j, "stage", s.stage);
  const Json& time = j.at("time_us");
  take(time, "min", s.time_us.min), take(time, "p50", s.time_us.p50), take(time, "p95", s.time_us.p95),
      take(time, "p99", s.time_us.p99), take(time, "max", s.time_us.max), take(time, "mean", s.time_us.mean);
  take(j, "timing", s.timing);
  take(j, "ci_us", s.ci_us), take(j, "cv", s.cv), take(j, "algbw_gb_s", s.algbw_gb_s),
      take(j, "busbw_gb_s", s.busbw_gb_s), take_count(j, "wrong", s.wrong);
  if (const auto m = j.find("mismatch"); m != j.end()) {
    s.mismatch.emplace();
    take(*m, "rank", s.mismatch->rank), take(*m, "node", s.mismatch->node),
        take(*m, "index", s.mismatch->index);
    take(*m, "expected", s.mismatch->expected), take(*m, "actual", s.mismatch->actual),
        take(*m, "kind", s.mismatch->kind);
  }
  take(j, "stop", s.stop);
  if (const auto m = j.find("slowest"); m != j.end()) {
    s.slowest.emplace();
    take(*m, "rank", s.slowest->rank), take(*m, "node", s.slowest->node),
        take(*m, "excess", s.slowest->excess);
  }
  if (const auto t = j.find("threshold"); t != j.end()) s.threshold = judgement_from(*t);
  if (const auto o = j.find("observation"); o != j.end()) s.observation = observation_from(*o);
  take(j, "launch", s.launch), take(j, "of_launches", s.of_launches);
  if (const auto t = j.find("tuning"); t != j.end()) {
    s.tuning.emplace();
    take(*t, "algorithm", s.tuning->algorithm), take(*t, "protocol", s.tuning->protocol),
        take(*t, "channels", s.tuning->channels), take(*t, "wire_gb_s", s.tuning->wire_gb_s);
  }
  take(j, "rank_p50_us", s.rank_p50_us), take(j, "warnings", s.warnings);
  take_launches(j, s);
  return s;
}

Finding finding_from(const Json& j) {
  Finding f;
  take(j, "check", f.check), take(j, "subject", f.subject), take(j, "observed", f.observed),
      take(j, "expected", f.expected), take(j, "source", f.source), take(j, "remedy", f.remedy),
      take(j, "stage", f.stage), take(j, "launch", f.launch), take(j, "depends_on", f.depends_on);
  f.status = status_from(j.at("status").get<std::string>());
  return f;
}

StageRecord stage_from(const Json& j) {
  StageRecord s;
  take(j, "stage", s.name), take(j, "command", s.command), take(j, "launches", s.launches),
      take(j, "why", s.why);
  s.status = status_from(j.at("status").get<std::string>());
  return s;
}

Node node_from(const Json& j) {
  Node n;
  take(j, "name", n.name), take(j, "kernel", n.kernel), take(j, "os", n.os), take(j, "cpu", n.cpu),
      take(j, "cpus", n.cpus), take(j, "versions", n.versions), take(j, "ranks", n.ranks),
      take(j, "boot_id", n.boot_id), take(j, "machine_id", n.machine_id);
  if (const auto gpus = j.find("gpus"); gpus != j.end())
    for (const auto& g : *gpus) {
      Gpu gpu;
      take(g, "index", gpu.index), take(g, "name", gpu.name), take(g, "uuid", gpu.uuid),
          take(g, "pci", gpu.pci), take(g, "driver", gpu.driver);
      n.gpus.push_back(gpu);
    }
  return n;
}

About about_from(const Json& j) {
  for (const auto& [list, name] : lists)
    if (const auto at = j.find(name); at != j.end()) return {list, at->get<std::size_t>()};
  return {};
}

ErrorEntry error_from(const Json& j) {
  ErrorEntry e;
  take(j, "what", e.what), take(j, "where", e.where), take(j, "phase", e.phase), take(j, "hint", e.hint);
  return e;
}

}  // namespace

nlohmann::ordered_json json_of(const Report& r) {
  Json j{{"schema", report_schema}};
  j["tool"] = {{"name", "mlc-bench"}, {"version", r.tool.version}, {"built", r.tool.built}};
  j["run"] = {{"id", r.run.id},           {"command", r.run.command},
              {"started", r.run.started}, {"duration_s", r.run.duration_s},
              {"ranks", r.run.ranks},     {"nodes", r.run.nodes},
              {"backend", r.run.backend}, {"policy", r.run.policy}};
  if (!r.run.policy_digest.empty()) j["run"]["policy_digest"] = r.run.policy_digest;
  if (!r.run.plan.empty()) j["run"]["plan"] = r.run.plan;
  if (!r.run.fault.empty()) j["run"]["fault"] = r.run.fault;
  j["environment"] = {{"nodes", list_of(r.environment.nodes)}, {"variables", r.environment.variables}};
  j["series"] = list_of(r.series), j["findings"] = list_of(r.findings);
  if (!r.stages.empty()) j["stages"] = list_of(r.stages);
  if (Json figures = figures_to_json(r.figures); !figures.empty()) j["figures"] = std::move(figures);
  j["verdict"] = {{"decision", to_string(r.verdict.decision)}, {"because", r.verdict.because}};
  for (const auto& about : r.verdict.about)
    j["verdict"]["about"].push_back(to_value(about));
  if (!r.verdict.unmeasured.empty()) j["verdict"]["unmeasured"] = r.verdict.unmeasured;
  j["errors"] = list_of(r.errors);
  return j;
}

std::string to_json(const Report& r) {
  return json_of(r).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Report report_from_json(std::string_view text) {
  try {
    const Json j = read_ordered_json(text);
    if (!j.is_object() || j.value("schema", "") != report_schema)
      throw ReportError("not a report: 'schema' is not " + std::string(report_schema));
    Report r;
    const Json &tool = j.at("tool"), &run = j.at("run"), &environment = j.at("environment"),
               &verdict = j.at("verdict");
    take(tool, "version", r.tool.version), take(tool, "built", r.tool.built);
    take(run, "id", r.run.id), take(run, "command", r.run.command), take(run, "started", r.run.started),
        take(run, "duration_s", r.run.duration_s);
    take(run, "ranks", r.run.ranks), take(run, "nodes", r.run.nodes), take(run, "backend", r.run.backend),
        take(run, "policy", r.run.policy), take(run, "policy_digest", r.run.policy_digest),
        take(run, "plan", r.run.plan), take(run, "fault", r.run.fault);
    for (const auto& node : list_at(environment, "nodes"))
      r.environment.nodes.push_back(node_from(node));
    take(environment, "variables", r.environment.variables);
    for (const auto& series : list_at(j, "series"))
      r.series.push_back(series_from(series));
    for (const auto& finding : list_at(j, "findings"))
      r.findings.push_back(finding_from(finding));
    if (const auto stages = j.find("stages"); stages != j.end())
      for (const auto& stage : *stages)
        r.stages.push_back(stage_from(stage));
    if (const auto figures = j.find("figures"); figures != j.end()) r.figures = figures_from_json(*figures);
    r.verdict.decision = decision_from(verdict.at("decision").get<std::string>());
    take(verdict, "because", r.verdict.because), take(verdict, "unmeasured", r.verdict.unmeasured);
    if (const auto about = verdict.find("about"); about != verdict.end())
      for (const auto& one : *about)
        r.verdict.about.push_back(about_from(one));
    // Older reports say it in their sentences only.
    constexpr std::string_view once = "not measured: ";
    if (!verdict.contains("unmeasured"))
      for (const auto& because : r.verdict.because)
        if (because.starts_with(once)) r.verdict.unmeasured.push_back(because.substr(once.size()));
    for (const auto& error : list_at(j, "errors"))
      r.errors.push_back(error_from(error));
    return r;
  } catch (const nlohmann::json::exception& error) {
    throw ReportError(std::string("not a readable report: ") + error.what());
  } catch (const JsonError& error) {
    throw ReportError(std::string("not a readable report: ") + error.what());
  }
}

}  // namespace mlc
