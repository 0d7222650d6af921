#include "validators/deciding/figure_evidence.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

// A key of the policy, the figure that answers it, and what it has to be.
struct AskedOfGpu {
  std::string key, test, metric;
  enum class Of { value, least_share, most } of = Of::value;
  std::optional<double> bound;
};

// As the stress tests name their figures (bench/gpu/stress).
std::vector<AskedOfGpu> asked_of_gpus(const GpuExpectation& gpu) {
  using Of = AskedOfGpu::Of;
  std::vector<AskedOfGpu> all{{"hbm.read", "hbm", "read", Of::least_share, gpu.hbm_read},
                              {"hbm.write", "hbm", "write", Of::least_share, gpu.hbm_write},
                              {"hbm.copy", "hbm", "copy", Of::least_share, gpu.hbm_copy},
                              {"hbm.triad", "hbm", "triad", Of::least_share, gpu.hbm_triad},
                              {"gemm.bf16_tflop_s_at_least", "gemm", "bf16", Of::value, gpu.gemm_bf16_tflop_s},
                              {"gemm.fp8_tflop_s_at_least", "gemm", "fp8", Of::value, gpu.gemm_fp8_tflop_s},
                              {"pcie.gb_s_at_least", "pcie", "to-device", Of::value, gpu.pcie_gb_s},
                              {"pcie.gb_s_at_least", "pcie", "to-host", Of::value, gpu.pcie_gb_s},
                              {"launch.latency_us_at_most", "launch", "latency", Of::most, gpu.launch_us}};
  std::erase_if(all, [](const AskedOfGpu& one) { return !one.bound; });
  return all;
}

std::string name_of(const GpuResult& figure) {
  return "GPU " + std::to_string(figure.gpu) + ": " + figure.test + " " + figure.metric;
}

std::string value_of(const GpuResult& figure) { return shortest(figure.value) + " " + figure.unit; }

// Why it is not what the policy asks; empty where it is.
std::string beyond(const GpuResult& figure, const AskedOfGpu& asked) {
  const double bound = *asked.bound;
  if (asked.of == AskedOfGpu::Of::least_share) {
    if (!figure.share_of_limit) return "does not say its share of what the card can do";
    return *figure.share_of_limit >= bound ? "" : "is " + percent_text(*figure.share_of_limit) + " of what the card can do, and the policy asks for " + percent_text(bound);
  }
  const bool good = asked.of == AskedOfGpu::Of::most ? figure.value <= bound : figure.value >= bound;
  return good ? "" : "is " + value_of(figure) + ", and the policy asks for " + shortest(bound);
}

// What the rail has to carry, in Gbit/s, as `rdma` is asked to judge it.
std::optional<double> asked_of_rail(const Policy& policy) {
  if (!policy.rdma) return std::nullopt;
  if (policy.rdma->rail_gbit_s) return policy.rdma->rail_gbit_s;
  if (policy.rdma->share_of_ceiling && policy.target)
    return *policy.rdma->share_of_ceiling * policy.target->ceiling_gb_s() * 8 / policy.target->rails;
  return std::nullopt;
}

bool is_judged_by_rate(const RailResult& figure, const Policy& policy) {
  return asked_of_rail(policy) && !figure.p50_us && figure.bytes >= policy.rdma->from_size;
}

void judge_rail(const RailResult& figure, const Policy& policy, FigureReasons& reasons) {
  const std::string name = figure.node + " rail " + std::to_string(figure.rail) + ": ";
  if (figure.wrong.value_or(0) > 0) {
    reasons.failed.push_back(name + std::to_string(*figure.wrong) + " wrong elements");
  } else if (figure.status == Status::fail) {
    reasons.failed.push_back(name + (figure.why.empty() ? "failed" : figure.why));
  } else if (is_judged_by_rate(figure, policy) && !(figure.gbit_s >= 0.999 * *asked_of_rail(policy))) {
    if (figure.status == Status::pass)
      reasons.undecided.push_back(name + "is said to be good at " + fixed(figure.gbit_s, 2) +
                                  " Gbit/s, and the policy asks for " + fixed(*asked_of_rail(policy), 2));
  }
}

// Does a finding of the same test tell it already?
bool is_told(const Report& report, const std::string& prefix) {
  return std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.status == Status::fail && finding.check.starts_with(prefix);
  });
}

}  // namespace

FigureReasons judge_figures(const Report& report, const Policy& policy, const Wanted& wanted) {
  FigureReasons reasons;
  for (const auto& figure : report.figures.rails)
    if (figure.peer.empty() || (wanted.plan && wanted.kind != RunKind::fabric))
      judge_rail(figure, policy, reasons);
  if (is_told(report, "rdma.")) reasons.failed.clear();
  const auto asked = policy.gpu ? asked_of_gpus(*policy.gpu) : std::vector<AskedOfGpu>{};
  for (const auto& figure : report.figures.gpu_results) {
    if (figure.status == Status::fail) {
      if (!is_told(report, "burnin." + figure.test))
        reasons.failed.push_back(name_of(figure) + " " + value_of(figure) + " failed");
      continue;
    }
    for (const auto& one : asked)
      if (figure.test == one.test && figure.metric == one.metric)
        if (const auto why = beyond(figure, one); !why.empty())
          reasons.undecided.push_back(name_of(figure) + " is said to be good, and " + why);
  }
  return reasons;
}

std::vector<std::string> figures_never_judged(const Report& report, const Policy& policy) {
  std::vector<std::string> missing;
  const auto asked = policy.gpu ? asked_of_gpus(*policy.gpu) : std::vector<AskedOfGpu>{};
  for (const auto& one : asked) {
    std::set<int> gpus;
    for (const auto& figure : report.figures.gpu_results)
      if (figure.test == one.test && figure.metric == one.metric && figure.samples > 0 && tested(figure.status))
        gpus.insert(figure.gpu);
    const int all = policy.node && policy.node->gpus ? *policy.node->gpus : 1;
    if (static_cast<int>(gpus.size()) < all)
      missing.push_back("gpu." + one.key + ": " + one.test + " " + one.metric + " was judged of " +
                        std::to_string(gpus.size()) + " of " + std::to_string(all) + " GPUs");
  }
  const auto& rails = report.figures.rails;
  const bool rate = std::ranges::any_of(rails, [&](const RailResult& figure) {
    return is_judged_by_rate(figure, policy) && tested(figure.status);
  });
  if (asked_of_rail(policy) && !rails.empty() && !rate)
    missing.emplace_back("rdma: no rail's bandwidth was judged, and the policy asks for " +
                         fixed(*asked_of_rail(policy), 2) + " Gbit/s");
  return missing;
}

}  // namespace mlc
