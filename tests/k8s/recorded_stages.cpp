// Puts into a node's state folder what the stages of a run have measured, so that `burnin` goes on from there
// as it does after a kill: for stages that need GPUs, NCCL or RDMA devices, which no machine of these tests
// has. Everything after the measuring is the program's own: reading the records, merging, deciding,
// publishing. usage: recorded_stages STATE RUN_ID POLICY PLAN PROGRAM NODE VALIDATE_REPORT [FAILING_STAGE|-
// [STAGE]], of which the last is the only one that is recorded
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <tuple>

#include "bench/burnin/run_directory.hpp"
#include "reports/record/exit_code.hpp"
#include "reports/record/json.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/digest.hpp"
#include "validators/host/whole_file.hpp"
#include "validators/policy/run_kind.hpp"

namespace mlc {
namespace {

constexpr double one_launch_s = 140;  // more than four series of 31.5 s

// Of /proc too, which read_whole() does not read.
std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Finding found(const std::string& check, const std::string& subject, bool good) {
  return {check,
          subject,
          good ? Status::pass : Status::fail,
          good ? "as it has to be" : "92.6 Gbit/s",
          "at least 186.3 Gbit/s",
          "recorded",
          good ? "" : "the cable of this rail"};
}

std::string word_after(const BurninStage& stage, const std::string& option) {
  for (std::size_t i = 0; i + 1 < stage.command.size(); ++i)
    if (stage.command[i] == option) return stage.command[i + 1];
  return {};
}

std::string backend_of(const BurninStage& stage) {
  const std::string named = word_after(stage, "--backend");
  return named.empty() ? "mpi" : named;
}

// A launch that shows what the threshold asks for, with 2 % to spare, or half of it.
Series series_of(const BurninStage& stage, const Policy& policy, std::uint64_t bytes, bool good) {
  Series s{.collective = stage.command.front(), .dtype = "float", .redop = "sum"};
  s.bytes = s.requested_bytes = bytes;
  s.ranks = 8, s.nodes = 1, s.backend = backend_of(stage), s.samples = 100, s.wrong = 0;
  double asked = 100;
  const Threshold* threshold = nullptr;
  for (const auto& one : policy.thresholds)
    if (one.collective == s.collective && one.busbw_gb_s && one.nodes.value_or(1) == 1)
      threshold = &one, asked = *one.busbw_gb_s;
  // A floor that any machine reaches is no rate to have measured in 31 s.
  const double busbw = good ? std::max(asked * 1.02, 10.0) : asked * 0.5,
               factor = s.collective == "allreduce" ? 1.75 : 0.875;  // 2 (n-1)/n and (n-1)/n of 8 ranks
  s.busbw_gb_s = busbw, s.algbw_gb_s = busbw / factor;
  const double us = static_cast<double>(bytes) / s.algbw_gb_s / 1e3;
  s.time_us = {.min = us * 0.98, .p50 = us, .p95 = us * 1.01, .p99 = us * 1.02, .max = us * 1.03, .mean = us};
  s.observation = Observation{.timed_s = 31, .wall_s = 31.5};
  s.samples = static_cast<std::size_t>(31e6 / us);
  s.observation->wall_busbw_gb_s = busbw * 0.999, s.observation->longest_us = us * 1.03;
  s.observation->block_s = 0.3, s.observation->blocks = 100, s.observation->blocks_reached = good ? 100 : 0;
  s.observation->slices = 20, s.observation->slices_reached = good ? 20 : 0, s.observation->end_share = 1;
  if (threshold)
    s.threshold = Judgement{.metric = "busbw_gb_s",
                            .bound = asked,
                            .status = good ? Status::pass : Status::fail,
                            .why = good ? "at least the bound" : "below the bound",
                            .observe_s = 30};
  s.stop = "decided";
  return s;
}

Report measured(const BurninStage& stage, const Policy& policy, const Node& node, bool good) {
  Report report;
  report.tool.version = MLC_VERSION;
  report.run = {.id = "recorded", .command = stage.command, .started = rfc3339(std::time(nullptr) - 60)};
  report.run.duration_s = one_launch_s, report.run.policy = policy.name,
  report.run.policy_digest = policy.digest;
  report.environment.nodes = {node};
  const std::string& command = stage.command.front();
  if (command == "gpu") {
    for (const char* check : {"burnin.memory", "burnin.hbm-copy", "burnin.gemm-bf16", "burnin.pcie-to-device",
                              "burnin.nvlink-copy-engine", "burnin.launch-latency"})
      report.findings.push_back(found(check, "GPU 3", good));
    const GpuExpectation asked = policy.gpu.value_or(GpuExpectation{});
    const std::vector<std::tuple<const char*, const char*, std::optional<double>>> figures{
        {"hbm", "read", asked.hbm_read},           {"hbm", "write", asked.hbm_write},
        {"hbm", "copy", asked.hbm_copy},           {"hbm", "triad", asked.hbm_triad},
        {"gemm", "bf16", asked.gemm_bf16_tflop_s}, {"gemm", "fp8", asked.gemm_fp8_tflop_s},
        {"pcie", "to-device", asked.pcie_gb_s},    {"pcie", "to-host", asked.pcie_gb_s}};
    Matrix pairs{
        .kind = "gpu_pair", .title = "GPU to GPU, copy-engine", .by = copy_engine_pairs, .unit = "gb_s"};
    for (int gpu = 0; gpu < 8; ++gpu) {
      pairs.rows.push_back("GPU " + std::to_string(gpu)), pairs.columns.push_back(pairs.rows.back());
      for (int to = 0; to < 8; ++to)
        pairs.values.push_back(gpu == to ? std::nullopt : std::optional(375.0));
    }
    report.figures.matrices.push_back(pairs);
    for (int gpu = 0; gpu < 8; ++gpu)
      for (const auto& [test, metric, bound] : figures) {
        const bool of_memory = std::string(test) == "hbm";
        const double value = of_memory ? 3000 : bound.value_or(1) * 1.02;
        report.figures.gpu_results.push_back(
            {.node = node.name,
             .gpu = gpu,
             .uuid = "GPU-" + std::to_string(gpu),
             .test = test,
             .metric = metric,
             .unit = of_memory ? "GB/s" : "",
             .value = value,
             .min = value,
             .max = value,
             .samples = 20,
             .share_of_limit = of_memory ? std::optional(bound.value_or(0) + 0.01) : std::nullopt,
             .status = good || gpu != 3 ? Status::pass : Status::fail});
      }
  } else if (command == "rdma") {
    for (int rail = 0; rail < 4; ++rail) {
      report.findings.push_back(
          found("rdma.bandwidth", node.name + " rail " + std::to_string(rail), good || rail != 2));
      report.figures.rails.push_back({.node = node.name,
                                      .rail = rail,
                                      .device = "mlx5_" + std::to_string(rail),
                                      .operation = "write",
                                      .bytes = 65536,
                                      .gbit_s = good || rail != 2 ? 194.5 : 92.6,
                                      .status = good || rail != 2 ? Status::pass : Status::fail,
                                      .phase = "together",
                                      .wrong = 0});
    }
    const auto says = [&](const char* word) {
      return std::ranges::find(stage.command, word) != stage.command.end();
    };
    const bool alone = !says("--together");
    // As rdma itself does.
    if (!says("--solo") && !says("--matrix"))
      report.figures.rail_sums.push_back({.node = node.name,
                                          .operation = "write",
                                          .bytes = 65536,
                                          .rails = 4,
                                          .solo_gbit_s = alone ? std::optional(780.0) : std::nullopt,
                                          .together_gbit_s = good ? 778 : 676.1,
                                          .status = good && alone ? Status::pass : Status::unknown});
  } else {
    report.run.ranks = 8, report.run.backend = backend_of(stage);
    const std::string sizes = word_after(stage, "--sizes");
    for (std::size_t at = 0; at < sizes.size();) {
      const auto end = std::min(sizes.find(',', at), sizes.size());
      const auto series = series_of(stage, policy, parse_bytes(sizes.substr(at, end - at)).value(), good);
      report.series.push_back(series);
      if (word_after(stage, "--placement").empty())  // both forms
        report.series.push_back(series), report.series.back().placement = "in_place";
      at = end + 1;
    }
  }
  report.verdict = decide(report, policy);
  return report;
}

int record(const std::vector<std::string>& words) {
  const std::string &state = words[0], &run_id = words[1], &plan_name = words[3], &validate_file = words[6];
  const Policy policy = load_policy(words[2]);
  const auto& plan = section_of(policy, parse_run_kind(plan_name).value());
  Node node;
  node.name = words[5], node.boot_id = line_of("/proc/sys/kernel/random/boot_id"),
  node.machine_id = line_of("/etc/machine-id");
  const RunDirectory directory(
      state, run_id,
      {node.boot_id, policy.digest, digest_of(read_whole(words[4], {.bytes = 1u << 30, .seconds = 120})),
       plan_name},
      policy.text);
  for (const auto& stage : plan->stages) {
    if (words.size() > 8 && words[8] != stage.name) continue;
    const bool good = words.size() < 8 || words[7] != stage.name;
    for (int launch = 1; launch <= stage.launches; ++launch) {
      Report report = stage.command.front() == "validate" ? report_from_json(read_whole(validate_file, {}))
                                                          : measured(stage, policy, node, good);
      for (auto& series : report.series)
        series.time_us.p99 *= 1 + 1e-6 * launch;  // no two launches are alike
      write_whole(directory.stage_report(stage, launch), to_json(report));
      directory.mark(stage, launch, {static_cast<int>(exit_code_of(report.verdict.decision)), one_launch_s});
      if (report.verdict.decision == Decision::inconclusive)
        std::printf("%s: inconclusive: %s\n", stage.name.c_str(),
                    report.verdict.because.empty() ? "" : report.verdict.because.front().c_str());
    }
  }
  return 0;
}

}  // namespace
}  // namespace mlc

int main(int argc, char** argv) {
  if (argc < 8) return 64;
  try {
    return mlc::record({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "recorded_stages: %s\n", error.what());
    return 3;
  }
}
