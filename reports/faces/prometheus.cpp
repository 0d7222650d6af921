#include "reports/faces/prometheus.hpp"

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "reports/faces/face.hpp"
#include "reports/record/causes.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string labels_text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += (text.empty() ? "" : ",") + name + "=\"";
    for (char c : printable(value)) {
      if (c == '\\' || c == '"') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text.empty() ? text : "{" + text + "}";
}

Labels with(Labels labels, const std::string& name, const std::string& value) {
  labels.emplace_back(name, value);
  return labels;
}

// A stage may be held several times, and several stages may measure the same.
Labels with_stage(Labels labels, const std::string& stage, int launch) {
  if (!stage.empty()) labels.emplace_back("stage", stage);
  if (launch > 0) labels.emplace_back("launch", std::to_string(launch));
  return labels;
}

Labels labels_of(const Series& s, const Run& run) {
  Labels labels{{"collective", s.collective},
                {"backend", s.backend.empty() ? run.backend : s.backend},
                {"dtype", s.dtype},
                {"redop", s.redop},
                {"placement", s.placement},
                {"size_bytes", std::to_string(s.bytes)},
                {"ranks", std::to_string(s.ranks)},
                {"nodes", std::to_string(s.nodes > 0 ? s.nodes : run.nodes)}};
  if (s.root) labels.emplace_back("root", std::to_string(*s.root));
  if (!s.timing.empty()) labels.emplace_back("timing", s.timing);
  return with_stage(std::move(labels), s.stage, s.launch);
}

Labels labels_of(const RailResult& rail) {
  return {{"node", rail.node},
          {"rail", std::to_string(rail.rail)},
          {"device", rail.device},
          {"peer", rail.peer},
          {"peer_rail", std::to_string(rail.peer_rail)},
          {"operation", operation_of(rail)},
          {"memory", rail.memory},
          {"size_bytes", std::to_string(rail.bytes)}};
}

Labels labels_of(const GpuResult& one) {
  return {{"node", one.node}, {"gpu", std::to_string(one.gpu)}, {"test", one.test}, {"metric", one.metric}};
}

// How a GPU's figures are called in base units, by the unit that people read.
struct GpuUnit {
  std::string_view unit, family, help;
  double factor;
};

constexpr std::array<GpuUnit, 5> gpu_units{{
    {"GB/s", "bandwidth%_bytes_per_second", "bytes that a GPU moved in a second", 1e9},
    {"TFLOP/s", "arithmetic%_flops", "floating-point operations of a GPU in a second", 1e12},
    {"TFLOP/s per GHz", "arithmetic%_per_cycle", "floating-point operations of a GPU in a cycle of its clock",
     1e3},
    {"G/s", "atomics%_per_second", "atomic operations of a GPU in a second", 1e9},
    {"µs", "latency%_seconds", "time that a GPU needs for one", 1e-6},
}};

std::string gpu_family(const GpuUnit& unit, const char* what) {
  std::string name(unit.family);
  name.replace(name.find('%'), 1, what);
  return "mlc_bench_gpu_" + name;
}

// What ran: "burnin", "health", "passive" or "fabric" of a policy's plan, else the command. It tells apart
// the files of one node, in whose folder no sample may be twice.
std::string kind_of(const Run& run) {
  if (!run.plan.empty()) return run.plan;
  for (std::size_t i = 1; i < run.command.size(); ++i)
    if (!run.command[i].starts_with('-')) return run.command[i];
  return "unknown";
}

// The samples of one report.
class Samples {
 public:
  explicit Samples(const Report& report) : report_(report), kind_(kind_of(report.run)) {}

  void add_run() {
    const Run& run = report_.run;
    family("mlc_bench_verdict", "1 for the decision of the last run, 0 for the others");
    for (Decision decision : {Decision::pass, Decision::fail, Decision::inconclusive})
      sample({{"decision", std::string(to_string(decision))}, {"policy", run.policy}},
             report_.verdict.decision == decision ? 1 : 0);
    family("mlc_bench_verdict_reason",
           "1 for each check that the verdict names; what waits for another check is not here");
    for (const auto& cause : causes(report_.findings))
      if (const Finding& finding = report_.findings[cause.index];
          report_.verdict.decision != Decision::pass && finding.status != Status::warn)
        sample({{"check", finding.check}, {"status", std::string(to_string(finding.status))}}, 1);
    family("mlc_bench_run_info", "what ran");
    sample(
        {{"version", report_.tool.version}, {"backend", run.backend}, {"nodes", std::to_string(run.nodes)}},
        1);
    if (const auto started = parse_rfc3339(run.started)) {
      family("mlc_bench_run_end_timestamp_seconds", "when the last run ended, by the node's clock");
      const double ended = static_cast<double>(*started) + run.duration_s;
      sample({}, ended);
      add_expiry(ended);
    }
    family("mlc_bench_run_duration_seconds", "how long the last run took");
    sample({}, run.duration_s);
    family("mlc_bench_run_errors", "things that the tool could not do");
    sample({}, static_cast<double>(report_.errors.size()));
  }

  // Of a pass that a policy's plan ran for, by this run alone.
  void add_expiry(double ended) {
    const auto& policy = report_.figures.policy;
    if (!policy || report_.run.plan.empty() || report_.verdict.decision != Decision::pass) return;
    family("mlc_bench_verdict_expiry_timestamp_seconds",
           "until when this pass holds, unless another extends it");
    if (policy->valid_for_s > 0) sample({}, ended + policy->valid_for_s);
    family("mlc_bench_verdict_extension_limit_timestamp_seconds",
           "until when passive looks may extend this pass, which was made under load");
    if (policy->extended_for_s > 0 && report_.run.plan != "passive")
      sample({}, ended + policy->extended_for_s);
  }

  void add_series() {
    family("mlc_bench_collective_time_seconds", "time of one operation on its slowest rank");
    for (const auto& s : report_.series)
      for (const auto& [statistic, us] :
           {std::pair{"p50", s.time_us.p50}, {"p95", s.time_us.p95}, {"p99", s.time_us.p99}})
        sample(with(labels_of(s, report_.run), "statistic", statistic), us / 1e6);
    family("mlc_bench_collective_bus_bandwidth_bytes_per_second", "bus bandwidth at the median time");
    for (const auto& s : report_.series)
      sample(labels_of(s, report_.run), s.busbw_gb_s * 1e9);
    family("mlc_bench_collective_bus_bandwidth_bound_bytes_per_second",
           "what the policy asks of it, at least");
    for (const auto& s : report_.series)
      if (s.threshold && s.threshold->metric == "busbw_gb_s")
        sample(labels_of(s, report_.run), s.threshold->bound * 1e9);
    family("mlc_bench_collective_time_bound_seconds", "what the policy asks of the median time, at most");
    for (const auto& s : report_.series)
      if (s.threshold && s.threshold->metric == "time_us")
        sample(labels_of(s, report_.run), s.threshold->bound / 1e6);
    family("mlc_bench_collective_wrong_elements", wrong_help);
    for (const auto& s : report_.series)
      if (s.wrong) sample(labels_of(s, report_.run), static_cast<double>(*s.wrong));
  }

  void add_rails() {
    const auto& rails = report_.figures.rails;
    family("mlc_bench_rail_bytes_per_second", "median payload rate of a rail, one way");
    for (const auto& rail : rails)
      if (rail.gbit_s > 0) sample(labels_of(rail), rail.gbit_s * 1e9 / 8);
    family("mlc_bench_rail_target_bytes_per_second", "what the policy has a rail carry");
    for (const auto& rail : rails)
      if (rail.gbit_s > 0 && rail.target_gbit_s > 0) sample(labels_of(rail), rail.target_gbit_s * 1e9 / 8);
    family("mlc_bench_rail_over_siblings_ratio", "its rate over the median of the node's other rails");
    for (const auto& rail : rails)
      if (rail.over_siblings) sample(labels_of(rail), *rail.over_siblings);
    family("mlc_bench_rail_latency_seconds", "latency of one message over a rail");
    for (const auto& rail : rails)
      for (const auto& [statistic, us] : {std::pair{"p50", rail.p50_us},
                                          {"p90", rail.p90_us},
                                          {"p99", rail.p99_us},
                                          {"p999", rail.p999_us}})
        if (us) sample(with(labels_of(rail), "statistic", statistic), *us / 1e6);
    family("mlc_bench_rail_wrong_elements", wrong_help);
    for (const auto& rail : rails)
      if (rail.wrong) sample(labels_of(rail), static_cast<double>(*rail.wrong));
    family("mlc_bench_rail_port_events",
           "by how much a counter of a port that tells of trouble grew while the rail was measured");
    for (const auto& rail : rails)
      for (const auto& counter : rail.counters)
        sample(with(with(labels_of(rail), "end", counter.end), "counter", counter.name),
               static_cast<double>(counter.by));
  }

  void add_gpus() {
    const auto& results = report_.figures.gpu_results;
    for (const auto& unit : gpu_units) {
      family(gpu_family(unit, ""), std::string(unit.help) + ", median");
      for (const auto& one : results)
        if (one.unit == unit.unit) sample(labels_of(one), one.value * unit.factor);
      family(gpu_family(unit, "_bound"),
             std::string("what the policy asks of it, at ") + (unit.unit == "µs" ? "most" : "least"));
      for (const auto& one : results)
        if (one.unit == unit.unit && one.bound) sample(labels_of(one), *one.bound * unit.factor);
    }
  }

  void add_fleet() {
    const auto& fleet = report_.figures.fleet;
    if (!fleet) return;
    std::map<std::string, std::size_t> standings;
    for (const auto& node : fleet->nodes)
      ++standings[node.standing];
    family("mlc_bench_fleet_nodes", "nodes of the last campaign by what it found of them");
    for (const auto& [standing, count] : standings)
      sample({{"standing", standing}}, static_cast<double>(count));
    family("mlc_bench_fleet_node_standing", "1 for each node that is not CLEAN");
    for (const auto& node : fleet->nodes)
      if (node.standing != "CLEAN") sample({{"node", node.name}, {"standing", node.standing}}, 1);
  }

  void add_findings() {
    family("mlc_bench_check_status", "1 for the status that a check found");
    for (const auto& f : report_.findings)
      sample(with_stage(
                 {{"check", f.check}, {"subject", f.subject}, {"status", std::string(to_string(f.status))}},
                 f.stage, f.launch),
             1);
  }

  std::string take() && { return std::move(text_); }

 private:
  static constexpr const char* wrong_help = "elements that were not what they had to be";

  // What follows is of this family, which is not there without a sample.
  void family(const std::string& name, const std::string& help) {
    family_ = name;
    head_ = "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n";
  }

  void sample(Labels labels, double value) {
    labels.emplace_back("run", kind_);
    const std::string name = family_ + labels_text(labels);
    // Two findings of one subject are one sample: a second one of the name would make the whole file be
    // refused.
    if (!seen_.insert(name).second) return;
    text_ += head_ + name + " " + shortest(value) + "\n";
    head_.clear();
  }

  const Report& report_;
  std::string kind_, family_, head_, text_;
  std::set<std::string> seen_;
};

}  // namespace

std::string to_prometheus(const Report& report) {
  Samples samples(report);
  samples.add_run();
  samples.add_series();
  samples.add_rails();
  samples.add_gpus();
  samples.add_fleet();
  samples.add_findings();
  return std::move(samples).take();
}

extern const Face prometheus_face{
    .name = "prometheus",
    .endings = {".prom"},
    .render = [](const Report& report, const Style&) { return to_prometheus(report); },
};

}  // namespace mlc
