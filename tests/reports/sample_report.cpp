#include "tests/reports/sample_report.hpp"

#include <algorithm>
#include <cmath>

namespace mlc::test {

namespace {

// A deterministic wobble in [-1, 1]: the samples must look alike on every machine and standard library.
double wobble(std::size_t i) {
  return std::sin(static_cast<double>(i) * 12.9898) * std::cos(static_cast<double>(i) * 4.1414);
}

constexpr int gpus_per_node = 8;
constexpr int rails_per_node = 4;

Node make_node(const std::string& name, int first_rank) {
  Node node{.name = name,
            .kernel = "6.1.0-28-amd64",
            .os = "Debian GNU/Linux 12",
            .cpu = "Example CPU",
            .cpus = 192,
            .versions = {{"driver", "580.65.06"}, {"firmware", "28.43.2566"}, {"kubelet", "v1.31.4"}},
            .gpus = {},
            .ranks = {}};
  for (int i = 0; i < gpus_per_node; ++i) {
    node.gpus.push_back({i, "NVIDIA H100 80GB HBM3", "GPU-" + name + "-" + std::to_string(i),
                         "0000:" + std::to_string(10 + i) + ":00.0", "580.65.06"});
    node.ranks.push_back(first_rank + i);
  }
  return node;
}

Report base_report() {
  Report report;
  report.tool = {"0.1.0", {{"mpi", "Open MPI 4.1.4"}, {"cuda", "13.0"}, {"nccl", "2.28.3"}}};
  report.run = {.id = "gpu-a-20260105T030000Z-1f2e",
                .command = {"mlc-bench", "burnin", "--policy", "h100-4x200g"},
                .started = "2026-01-05T03:00:00Z",
                .duration_s = 312.4,
                .ranks = 16,
                .nodes = 2,
                .backend = "nccl",
                .policy = "h100-4x200g"};
  report.environment.nodes = {make_node("gpu-a", 0), make_node("gpu-b", gpus_per_node)};
  report.environment.variables = {{"NCCL_ALGO", "Ring"}, {"NCCL_IB_HCA", "mlx5"}};
  report.figures.interconnect = {4, 200, 4096, 100, 98.04};
  report.figures.policy =
      PolicyText{"h100-4x200g", "8 x H100, four 200 Gbit/s RoCE rails",
                 "built in",    "policy: h100-4x200g\ntarget:\n  rails: 4\n  rail_gbit_s: 200\n  mtu: 4096\n",
                 7 * 86400.0,   60 * 86400.0};
  return report;
}

// Latency 18 us, then the wire at `peak_gb_s`: the usual shape of a sweep.
Series make_series(const std::string& collective, const std::string& redop, std::uint64_t bytes,
                   double peak_gb_s, int slow_rank, std::size_t seed) {
  const int ranks = 16;
  const double factor = collective == "allreduce" ? 2.0 * (ranks - 1) / ranks : (ranks - 1.0) / ranks;
  const double wire_us = static_cast<double>(bytes) * factor / (peak_gb_s * 1e3);
  const double p50 = (18 + wire_us) * (1 + 0.01 * wobble(seed));
  Series series;
  series.collective = collective;
  series.dtype = "float";
  series.redop = redop;
  series.bytes = series.requested_bytes = bytes;
  series.ranks = ranks;
  series.samples = 200;
  series.time_us = {p50 * 0.97, p50, p50 * 1.06, p50 * 1.15, p50 * 1.4};
  series.ci_us = {p50 * 0.996, p50 * 1.004};
  series.cv = 0.02;
  series.algbw_gb_s = static_cast<double>(bytes) / p50 / 1e3;
  series.busbw_gb_s = series.algbw_gb_s * factor;
  series.wrong = 0;
  series.stop = "precise";
  for (int rank = 0; rank < ranks; ++rank)
    series.rank_p50_us.push_back(p50 * (0.95 + 0.01 * wobble(seed + static_cast<std::size_t>(rank))) *
                                 (rank == slow_rank ? 1.15 : 1.0));
  if (slow_rank >= 0) series.slowest = Slowest{slow_rank, "gpu-b", 0.15};
  return series;
}

// As five launches left it.
void launch(Series& series) {
  for (const int step : {0, -2, 1, 2, -1}) {
    const double p50 = series.time_us.p50 * (1 + 0.001 * step);
    series.launches.push_back({p50, p50 * 1.01, {p50 * 0.998, p50 * 1.002}, series.samples / 5});
  }
  series.renewed = Renewed::processes;
}

Report pair_report(bool sick) {
  Report report = base_report();
  const double peak = sick ? 70 : 96;
  for (const auto& [collective, redop] : {std::pair{"allreduce", "sum"}, std::pair{"allgather", ""}})
    for (std::uint64_t bytes = 1024; bytes <= (1ull << 30); bytes *= 4)
      report.series.push_back(
          make_series(collective, redop, bytes, peak, sick ? 11 : -1, report.series.size()));
  for (auto& series : report.series)
    launch(series);
  for (const std::size_t last : {report.series.size() / 2 - 1, report.series.size() - 1}) {
    Series& series = report.series[last];
    series.threshold = Judgement{"busbw_gb_s", 90, sick ? Status::fail : Status::pass,
                                 sick ? "median 69.98 is 22.2 % under 90" : "median 95.93 is 6.6 % over 90"};
  }
  report.findings = {
      {"host.pcie-link-width", "0000:17:00.0", Status::pass, "x16", "x16",
       "/sys/bus/pci/devices/0000:17:00.0/current_link_width", ""},
      {"host.mtu", "ens3f1", Status::pass, "9000", "9000", "netlink RTM_GETLINK", ""},
      {"rdma.link-state", "mlx5_0/1", Status::pass, "4: ACTIVE", "4: ACTIVE",
       "/sys/class/infiniband/mlx5_0/ports/1/state", ""},
      {"rdma.gid-table", "8 ports", Status::pass, "RoCE v2 on all", "RoCE v2",
       "/sys/class/infiniband/*/ports/1/gids", ""},
      {"gpu.direct-rdma", "node", Status::skip, "the policy does not ask for it", "", "policy", ""},
  };
  if (sick) {
    report.findings.push_back(
        {"rdma.link-rate", "mlx5_2/1", Status::fail, "100 Gb/sec (2X HDR)", "200 Gb/sec (4X HDR)",
         "/sys/class/infiniband/mlx5_2/ports/1/rate",
         "reseat or replace the cable on rail 2 of gpu-b, then run: mlc-bench validate rdma.link-rate"});
    report.findings.push_back({"gpu.ecc", "GPU 3", Status::unknown, "NVML is not there",
                               "0 uncorrected errors", "NVML",
                               "install the driver's libnvidia-ml.so.1 and run again"});
    report.findings.push_back({"host.hugepages", "node", Status::warn, "0", "at least 1024", "/proc/meminfo",
                               "set vm.nr_hugepages in the node's playbook"});
    report.errors.push_back(
        {"rank 5 was slow to start", "rank 5 on gpu-a", "initialisation", "look at the node's DNS"});
  }
  for (int node = 0; node < 2; ++node)
    for (int rail = 0; rail < rails_per_node; ++rail)
      for (std::uint64_t bytes = 4096; bytes <= (1u << 20); bytes *= 4) {
        const bool slow = sick && node == 1 && rail == 2;
        const double rate =
            (slow ? 98 : 195.5) * static_cast<double>(bytes) / (static_cast<double>(bytes) + 6000) +
            0.3 * wobble(static_cast<std::size_t>(rail) + bytes);
        report.figures.rails.push_back({.node = node == 0 ? "gpu-a" : "gpu-b",
                                        .rail = rail,
                                        .device = "mlx5_" + std::to_string(rail),
                                        .peer = node == 0 ? "gpu-b" : "gpu-a",
                                        .operation = "write",
                                        .bytes = bytes,
                                        .gbit_s = rate,
                                        .ci_gbit_s = {rate - 0.4, rate + 0.4},
                                        .p50_us = 2.1 + static_cast<double>(bytes) / 24000,
                                        .p99_us = 3.4 + static_cast<double>(bytes) / 22000,
                                        .status = slow ? Status::fail : Status::pass});
      }
  Matrix matrix{.kind = "rail",
                .title = "Rails of gpu-a against rails of gpu-b",
                .unit = "gbit_s",
                .rows = {},
                .columns = {},
                .values = {},
                .culprits = {}};
  for (int rail = 0; rail < rails_per_node; ++rail) {
    matrix.rows.push_back("gpu-a rail " + std::to_string(rail));
    matrix.columns.push_back("gpu-b rail " + std::to_string(rail));
    for (int to = 0; to < rails_per_node; ++to)
      matrix.values.push_back((sick && to == 2 ? 98 : 195) +
                              wobble(static_cast<std::size_t>(rail) * 4 + static_cast<std::size_t>(to)));
  }
  if (sick) matrix.culprits.push_back({0, 2, false, true, "half the rate from every rail of gpu-a"});
  report.figures.matrices.push_back(matrix);
  Histogram histogram{"write, 8 B", "gpu-a rail 0", {}, {}};
  for (int i = 0; i <= 40; ++i)
    histogram.edges_us.push_back(1.6 * std::pow(1.06, i));
  for (int i = 0; i < 40; ++i)
    histogram.counts.push_back(
        static_cast<std::uint64_t>(9000 * std::exp(-0.5 * std::pow((i - 6) / 2.2, 2))) +
        (i % 13 == 0 ? 3 : 0));
  report.figures.histograms.push_back(histogram);
  for (int gpu = 0; gpu < gpus_per_node; ++gpu) {
    GpuTrace trace{.node = "gpu-b",
                   .gpu = gpu,
                   .time_s = {},
                   .sm_clock_mhz = {},
                   .power_w = {},
                   .temperature_c = {},
                   .power_limit_w = 700,
                   .slowdown_temperature_c = 87,
                   .events = {}};
    const bool hot = sick && gpu == 6;
    for (int t = 0; t <= 300; t += 5) {
      const double warm = 1 - std::exp(-t / 45.0);
      trace.time_s.push_back(t);
      trace.temperature_c.push_back(34 + (hot ? 55 : 36 + gpu % 3) * warm);
      trace.power_w.push_back(120 + 560 * warm +
                              6 * wobble(static_cast<std::size_t>(gpu) * 100 + static_cast<std::size_t>(t)));
      trace.sm_clock_mhz.push_back(hot && t > 150 ? 1410 : 1980 - 25 * warm);
    }
    if (hot) trace.events.push_back({150, "thermal slowdown"});
    report.figures.gpu_traces.push_back(trace);
  }
  const auto series = [&](const std::string& name) {
    const auto found = std::ranges::find_if(report.series, [&](const Series& one) {
      return one.collective == name && one.threshold && one.threshold->status == Status::fail;
    });
    return About{About::List::series, static_cast<std::size_t>(found - report.series.begin())};
  };
  const auto finding = [&](const std::string& name) {
    const auto found = std::ranges::find_if(report.findings, [&](const Finding& one) {
      return one.check == name && (one.status == Status::fail || one.status == Status::unknown);
    });
    return About{About::List::findings, static_cast<std::size_t>(found - report.findings.begin())};
  };
  if (sick)
    report.verdict = {Decision::fail,
                      {"rdma.link-rate: mlx5_2/1: 100 Gb/sec (2X HDR), expected 200 Gb/sec (4X HDR)",
                       "allreduce 1 GiB: median 69.98 is 22.2 % under 90",
                       "allgather 1 GiB: median 69.98 is 22.2 % under 90",
                       "gpu.ecc: GPU 3: NVML is not there, expected 0 uncorrected errors",
                       "rank 5 was slow to start (initialisation)"},
                      {finding("rdma.link-rate"),
                       series("allreduce"),
                       series("allgather"),
                       finding("gpu.ecc"),
                       {About::List::errors, 0}}};
  else
    report.verdict = {Decision::pass, {}};
  return report;
}

}  // namespace

Report sick_report() { return pair_report(true); }
Report healthy_report() { return pair_report(false); }

Report rails_in_launches(Report report) {
  const auto rails = report.figures.rails;
  for (const double factor : {0.999, 1.001, 1.0005, 0.9995})
    for (auto rail : rails) {
      rail.gbit_s *= factor;
      for (double& bound : rail.ci_gbit_s)
        bound *= factor;
      report.figures.rails.push_back(rail);
    }
  return report;
}

Report fleet_report(int nodes) {
  Report report = base_report();
  report.environment.nodes.clear();
  report.run.nodes = nodes;
  report.run.ranks = nodes * gpus_per_node;
  Matrix matrix{.kind = "node_pair",
                .title = "Node pairs",
                .unit = "gb_s",
                .rows = {},
                .columns = {},
                .values = {},
                .culprits = {}};
  for (int i = 0; i < nodes; ++i) {
    const std::string name = "gpu-" + std::to_string(1000 + i);
    report.environment.nodes.push_back(make_node(name, i * gpus_per_node));
    matrix.rows.push_back(name);
    for (const auto* check : {"rdma.link-state", "rdma.gid-table", "host.mtu", "gpu.count"})
      report.findings.push_back({check, name, Status::pass, "as expected", "as expected", "/sys/class", ""});
    for (int rail = 0; rail < rails_per_node; ++rail)
      report.figures.rails.push_back({.node = name,
                                      .rail = rail,
                                      .device = "mlx5_" + std::to_string(rail),
                                      .peer = "",
                                      .operation = "write",
                                      .bytes = 1 << 20,
                                      .gbit_s = 195 + std::round(wobble(static_cast<std::size_t>(i) * 4 +
                                                                        static_cast<std::size_t>(rail)) *
                                                                 100) /
                                                          100,
                                      .ci_gbit_s = {194, 196},
                                      .p50_us = std::nullopt,
                                      .p99_us = std::nullopt,
                                      .status = Status::pass});
  }
  matrix.columns = matrix.rows;
  const int sick = nodes / 3;
  for (int a = 0; a < nodes; ++a)
    for (int b = 0; b < nodes; ++b) {
      const double value = 96 +
                           wobble(static_cast<std::size_t>(a) * static_cast<std::size_t>(nodes) +
                                  static_cast<std::size_t>(b)) -
                           (a == sick || b == sick ? 30 : 0);
      matrix.values.push_back(a == b ? std::nullopt : std::optional(std::round(value * 100) / 100));
    }
  if (nodes > 2) {
    const std::string name = matrix.rows[static_cast<std::size_t>(sick)];
    matrix.culprits.push_back({static_cast<std::size_t>(sick), static_cast<std::size_t>(sick), true, true,
                               "slow with every partner"});
    report.findings.push_back({"fleet.pairs", name, Status::fail, "66 GB/s with every partner", "96 GB/s",
                               "node pairs", "take " + name + " out of use and run mlc-bench burnin on it"});
    report.verdict = {Decision::fail,
                      {"fleet.pairs: " + name + " 66 GB/s with every partner, expected 96 GB/s"},
                      {{About::List::findings, report.findings.size() - 1}}};
  }
  report.figures.matrices.push_back(matrix);
  for (std::uint64_t bytes = 1024; bytes <= (1ull << 30); bytes *= 4) {
    report.series.push_back(make_series("allreduce", "sum", bytes, 96, -1, report.series.size()));
    auto& ranks = report.series.back().rank_p50_us;
    const double p50 = report.series.back().time_us.p50;
    ranks.clear();
    for (int rank = 0; rank < report.run.ranks; ++rank)
      ranks.push_back(std::round(p50 * 100 * (0.97 + 0.01 * wobble(static_cast<std::size_t>(rank)))) / 100);
  }
  return report;
}

Report sweep_report(int count) {
  Report report = base_report();
  for (int i = 0; i < count; ++i) {
    report.series.push_back(
        make_series("allreduce", "sum", 1024ull << (i % 20), 96, -1, static_cast<std::size_t>(i)));
    report.series.back().dtype = "type" + std::to_string(i / 20);
    report.series.back().rank_p50_us.clear();
  }
  report.verdict = {Decision::pass, {}};
  return report;
}

Report hostile_report(const std::string& text) {
  Report report;
  report.tool = {text, {{text, text}}};
  report.run = {text, {text, text}, text, 1, 2, 2, text, text};
  report.environment.nodes = {
      {text, text, text, text, 1, {{text, text}}, {{0, text, text, text, text}}, {0, 1}}};
  report.environment.variables = {{text, text}};
  for (const Status status : {Status::pass, Status::warn, Status::fail, Status::skip, Status::unknown})
    report.findings.push_back({text, text, status, text, text, text, text});
  Series series;
  series.collective = series.dtype = series.redop = series.placement = text;
  series.bytes = series.requested_bytes = 1024;
  series.ranks = 2;
  series.samples = 10;
  series.time_us = {1, 2, 3, 4, 5};
  series.ci_us = {1.9, 2.1};
  series.wrong = 3;
  series.mismatch = Mismatch{1, text, 7, text, text, text};
  series.stop = text;
  series.slowest = Slowest{1, text, 0.1};
  series.threshold = Judgement{text, 1, Status::fail, text};
  series.rank_p50_us = {1, 2};
  series.warnings = {text};
  report.series = {series};
  report.errors = {{text, text, text, text}};
  report.verdict = {
      Decision::fail, {text, text + ": " + text}, {{About::List::findings, 2}, {About::List::series, 0}}};
  report.figures.interconnect = {4, 200, 4096, 100, 98};
  report.figures.policy = PolicyText{text, text, text, text + "\n" + text};
  report.figures.rails = {{.node = text,
                           .rail = 0,
                           .device = text,
                           .peer = text,
                           .operation = text,
                           .bytes = 8,
                           .gbit_s = 1,
                           .ci_gbit_s = {1, 1},
                           .p50_us = 1,
                           .p99_us = 2,
                           .status = Status::fail},
                          {.node = text,
                           .rail = 0,
                           .device = text,
                           .peer = text,
                           .operation = text,
                           .bytes = 16,
                           .gbit_s = 1,
                           .ci_gbit_s = {1, 1},
                           .p50_us = 1,
                           .p99_us = 2,
                           .status = Status::fail}};
  report.figures.matrices = {{text, text, text, text, {text}, {text}, {1.0}, {{0, 0, false, false, text}}}};
  report.figures.histograms = {{text, text, {1, 2}, {3}}};
  report.figures.gpu_traces = {{.node = text,
                                .gpu = 0,
                                .time_s = {0, 1},
                                .sm_clock_mhz = {1, 2},
                                .power_w = {1, 2},
                                .temperature_c = {1, 2},
                                .power_limit_w = 3,
                                .slowdown_temperature_c = 4,
                                .events = {{1, text}}}};
  report.figures.fleet = FleetFigures{.rounds = 1,
                                      .most_rounds = 5,
                                      .rails = 1,
                                      .tests = 1,
                                      .engine = text,
                                      .topology = text,
                                      .groups = 1,
                                      .alarm = text,
                                      .troubles = {text},
                                      .nodes = {{text, text, 1, 1, 1, {text}}, {text, text, 1, 1, 0, {text}}},
                                      .held = {{1, 0, 1, {1, 0}}},
                                      .ways = {{0, text, text, std::nullopt, false, 4, .5}}};
  return report;
}

}  // namespace mlc::test
