#include "reports/faces/prometheus.hpp"

#include <string>
#include <utility>
#include <vector>

#include "reports/faces/face.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string sample_text(const std::string& name, const Labels& labels, const std::string& value) {
  if (labels.empty()) return name + " " + value + "\n";
  std::string text = name + "{";
  for (std::size_t i = 0; i < labels.size(); ++i) {
    text += (i > 0 ? "," : "") + labels[i].first + "=\"";
    for (char c : printable(labels[i].second)) {
      if (c == '\\' || c == '"') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "} " + value + "\n";
}

// A stage may be held several times, and several stages may measure the same.
Labels with_stage(Labels labels, const std::string& stage, int launch) {
  if (!stage.empty()) labels.emplace_back("stage", stage);
  if (launch > 0) labels.emplace_back("launch", std::to_string(launch));
  return labels;
}

Labels labels_of(const Series& s) {
  return with_stage({{"collective", s.collective},
                     {"dtype", s.dtype},
                     {"redop", s.redop},
                     {"placement", s.placement},
                     {"size_bytes", std::to_string(s.bytes)},
                     {"ranks", std::to_string(s.ranks)}},
                    s.stage, s.launch);
}

Labels labels_of(const RailResult& rail) {
  return {{"node", rail.node},
          {"rail", std::to_string(rail.rail)},
          {"device", rail.device},
          {"peer", rail.peer},
          {"peer_rail", std::to_string(rail.peer_rail)},
          {"operation", operation_of(rail)},
          {"size_bytes", std::to_string(rail.bytes)}};
}

// The samples of one report. A node has a file of each kind of run, and no sample may be in two of them.
class Samples {
 public:
  explicit Samples(const Report& report) : report_(report) {}

  void add_run() {
    family("mlc_bench_verdict", "1 for the decision of the last run, 0 for the others");
    for (Decision decision : {Decision::pass, Decision::fail, Decision::inconclusive})
      sample("mlc_bench_verdict",
             {{"decision", std::string(to_string(decision))}, {"policy", report_.run.policy}},
             report_.verdict.decision == decision ? "1" : "0");
    family("mlc_bench_run_info", "what ran");
    sample("mlc_bench_run_info",
           {{"version", report_.tool.version},
            {"backend", report_.run.backend},
            {"run_id", report_.run.id},
            {"nodes", std::to_string(report_.run.nodes)}},
           "1");
    family("mlc_bench_run_duration_seconds", "how long the run took");
    sample("mlc_bench_run_duration_seconds", {}, shortest(report_.run.duration_s));
    family("mlc_bench_run_errors", "things that the tool could not do");
    sample("mlc_bench_run_errors", {}, std::to_string(report_.errors.size()));
  }

  void add_series() {
    if (report_.series.empty()) return;
    const std::string time = "mlc_bench_collective_time_seconds";
    family(time, "time of one operation on its slowest rank");
    for (const auto& s : report_.series)
      for (const auto& [quantile, us] :
           {std::pair{"0.5", s.time_us.p50}, {"0.95", s.time_us.p95}, {"0.99", s.time_us.p99}})
        sample(time, with(labels_of(s), "quantile", quantile), shortest(us / 1e6));
    const std::string bandwidth = "mlc_bench_collective_bus_bandwidth_bytes_per_second";
    family(bandwidth, "bus bandwidth at the median time");
    for (const auto& s : report_.series)
      sample(bandwidth, labels_of(s), shortest(s.busbw_gb_s * 1e9));
    const std::string wrong = "mlc_bench_collective_wrong_elements";
    family(wrong, wrong_help);
    for (const auto& s : report_.series)
      if (s.wrong) sample(wrong, labels_of(s), std::to_string(*s.wrong));
  }

  void add_rails() {
    const auto& rails = report_.figures.rails;
    if (rails.empty()) return;
    family("mlc_bench_rail_bits_per_second", "median payload rate of a rail, one way");
    for (const auto& rail : rails)
      if (!rail.p50_us)
        sample("mlc_bench_rail_bits_per_second", labels_of(rail), shortest(rail.gbit_s * 1e9));
    family("mlc_bench_rail_latency_seconds", "latency of one message over a rail");
    for (const auto& rail : rails)
      for (const auto& [quantile, us] : {std::pair{"0.5", rail.p50_us},
                                         {"0.9", rail.p90_us},
                                         {"0.99", rail.p99_us},
                                         {"0.999", rail.p999_us}})
        if (us)
          sample("mlc_bench_rail_latency_seconds", with(labels_of(rail), "quantile", quantile),
                 shortest(*us / 1e6));
    family("mlc_bench_rail_wrong_elements", wrong_help);
    for (const auto& rail : rails)
      if (rail.wrong) sample("mlc_bench_rail_wrong_elements", labels_of(rail), std::to_string(*rail.wrong));
  }

  void add_findings() {
    if (report_.findings.empty()) return;
    family("mlc_bench_check_status", "1 for the status that a check found");
    for (const auto& f : report_.findings)
      sample("mlc_bench_check_status",
             with_stage(
                 {{"check", f.check}, {"subject", f.subject}, {"status", std::string(to_string(f.status))}},
                 f.stage, f.launch),
             "1");
  }

  std::string take() && { return std::move(text_); }

 private:
  static constexpr const char* wrong_help = "elements that were not what they had to be";

  void family(const std::string& name, const std::string& help) {
    text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n";
  }

  void sample(const std::string& name, Labels labels, const std::string& value) {
    if (!report_.run.plan.empty()) labels.emplace_back("plan", report_.run.plan);
    text_ += sample_text(name, labels, value);
  }

  static Labels with(Labels labels, const std::string& name, const std::string& value) {
    labels.emplace_back(name, value);
    return labels;
  }

  const Report& report_;
  std::string text_;
};

}  // namespace

std::string to_prometheus(const Report& report) {
  Samples samples(report);
  samples.add_run();
  samples.add_series();
  samples.add_rails();
  samples.add_findings();
  return std::move(samples).take();
}

extern const Face prometheus_face{
    .name = "prometheus",
    .endings = {".prom"},
    .render = [](const Report& report, const Style&) { return to_prometheus(report); },
};

}  // namespace mlc
