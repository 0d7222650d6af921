#include "reports/faces/prometheus.hpp"

#include <functional>
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

std::string family(const std::string& name, const std::string& help) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n";
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

}  // namespace

std::string to_prometheus(const Report& report) {
  // A node has a file of each kind of run, and no sample may be in two of them.
  const auto sample = [&](const std::string& name, Labels labels, const std::string& value) {
    if (!report.run.plan.empty()) labels.emplace_back("plan", report.run.plan);
    return sample_text(name, labels, value);
  };
  std::string text = family("mlc_bench_verdict", "1 for the decision of the last run, 0 for the others");
  for (Decision decision : {Decision::pass, Decision::fail, Decision::inconclusive})
    text += sample("mlc_bench_verdict",
                   {{"decision", std::string(to_string(decision))}, {"policy", report.run.policy}},
                   report.verdict.decision == decision ? "1" : "0");
  text += family("mlc_bench_run_info", "what ran");
  text += sample("mlc_bench_run_info",
                 {{"version", report.tool.version},
                  {"backend", report.run.backend},
                  {"run_id", report.run.id},
                  {"nodes", std::to_string(report.run.nodes)}},
                 "1");
  text += family("mlc_bench_run_duration_seconds", "how long the run took") +
          sample("mlc_bench_run_duration_seconds", {}, shortest(report.run.duration_s));
  text += family("mlc_bench_run_errors", "things that the tool could not do") +
          sample("mlc_bench_run_errors", {}, std::to_string(report.errors.size()));

  const std::vector<std::tuple<std::string, std::string, std::function<std::string(const Series&)>>> metrics{
      {"mlc_bench_collective_bus_bandwidth_bytes_per_second", "bus bandwidth at the median time",
       [](const Series& s) { return shortest(s.busbw_gb_s * 1e9); }},
      {"mlc_bench_collective_wrong_elements", "elements that were not what they had to be",
       [](const Series& s) { return s.wrong ? std::to_string(*s.wrong) : std::string(); }},
  };
  if (!report.series.empty()) {
    const std::string time = "mlc_bench_collective_time_seconds";
    text += family(time, "time of one operation on its slowest rank");
    for (const auto& s : report.series)
      for (const auto& [quantile, us] :
           {std::pair{"0.5", s.time_us.p50}, {"0.95", s.time_us.p95}, {"0.99", s.time_us.p99}}) {
        Labels labels = labels_of(s);
        labels.emplace_back("quantile", quantile);
        text += sample(time, labels, shortest(us / 1e6));
      }
    for (const auto& [name, help, value] : metrics) {
      text += family(name, help);
      for (const auto& s : report.series)
        if (const auto v = value(s); !v.empty()) text += sample(name, labels_of(s), v);
    }
  }
  if (!report.figures.rails.empty()) {
    const auto labels = [](const RailResult& rail) {
      return Labels{{"node", rail.node},
                    {"rail", std::to_string(rail.rail)},
                    {"device", rail.device},
                    {"peer", rail.peer},
                    {"peer_rail", std::to_string(rail.peer_rail)},
                    {"operation", operation_of(rail)},
                    {"size_bytes", std::to_string(rail.bytes)}};
    };
    text += family("mlc_bench_rail_bits_per_second", "median payload rate of a rail, one way");
    for (const auto& rail : report.figures.rails)
      if (!rail.p50_us)
        text += sample("mlc_bench_rail_bits_per_second", labels(rail), shortest(rail.gbit_s * 1e9));
    text += family("mlc_bench_rail_latency_seconds", "latency of one message over a rail");
    for (const auto& rail : report.figures.rails)
      for (const auto& [quantile, us] : {std::pair{"0.5", rail.p50_us},
                                         {"0.9", rail.p90_us},
                                         {"0.99", rail.p99_us},
                                         {"0.999", rail.p999_us}}) {
        if (!us) continue;
        Labels with = labels(rail);
        with.emplace_back("quantile", quantile);
        text += sample("mlc_bench_rail_latency_seconds", with, shortest(*us / 1e6));
      }
    text += family("mlc_bench_rail_wrong_elements", "elements that were not what they had to be");
    for (const auto& rail : report.figures.rails)
      if (rail.wrong)
        text += sample("mlc_bench_rail_wrong_elements", labels(rail), std::to_string(*rail.wrong));
  }
  if (!report.findings.empty()) {
    const std::string name = "mlc_bench_check_status";
    text += family(name, "1 for the status that a check found");
    for (const auto& f : report.findings)
      text += sample(
          name,
          with_stage(
              {{"check", f.check}, {"subject", f.subject}, {"status", std::string(to_string(f.status))}},
              f.stage, f.launch),
          "1");
  }
  return text;
}

extern const Face prometheus_face{
    .name = "prometheus",
    .endings = {".prom"},
    .render = [](const Report& report, const Style&) { return to_prometheus(report); },
};

}  // namespace mlc
