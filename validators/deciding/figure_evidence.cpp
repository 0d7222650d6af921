#include "validators/deciding/figure_evidence.hpp"

#include <algorithm>
#include <functional>
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
  std::vector<AskedOfGpu> all{
      {"hbm.read", "hbm", "read", Of::least_share, gpu.hbm_read},
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
    return *figure.share_of_limit >= bound
               ? ""
               : "is " + percent_text(*figure.share_of_limit) +
                     " of what the card can do, and the policy asks for " + percent_text(bound);
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

// What a stage of `rdma` measures of each rail: bandwidth, unless its words say otherwise.
bool measures(const BurninStage& stage, std::string_view mode) {
  if (stage.command.front() != "rdma") return false;
  std::string has = "bandwidth";
  for (std::size_t i = 0; i < stage.command.size(); ++i) {
    const std::string& word = stage.command[i];
    if (word.starts_with("--latency")) has = "latency";
    if (word.starts_with("--message-rate")) has = "rate";
    if (word.starts_with("--mode=")) has = word.substr(std::string_view("--mode=").size());
    if (word == "--mode" && i + 1 < stage.command.size()) has = stage.command[i + 1];
  }
  return has == mode;
}

bool is_judged_by_rate(const RailResult& figure, const Policy& policy) {
  return asked_of_rail(policy) && !figure.p50_us && figure.bytes >= policy.rdma->from_size;
}

// Of the node that the report is of; others meet it in a fabric stage.
bool is_own(const std::string& node, const Report& report) {
  return node.empty() || report.environment.nodes.empty() || node == report.environment.nodes.front().name;
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
  } else if (figure.status == Status::pass && !figure.p50_us && !figure.wrong) {
    reasons.undecided.push_back(name + "is said to be good, and its data was not verified");
  }
  if (!policy.rdma || figure.status != Status::pass) return;
  const auto& asked = *policy.rdma;
  if (asked.share_of_siblings && figure.over_siblings && *figure.over_siblings < *asked.share_of_siblings)
    reasons.undecided.push_back(name + "is said to be good at " + percent_text(*figure.over_siblings) +
                                " of its siblings, and the policy asks for " +
                                percent_text(*asked.share_of_siblings));
  if (asked.latency_us && figure.p50_us && *figure.p50_us > *asked.latency_us)
    reasons.undecided.push_back(name + "is said to be good at " + time_text(*figure.p50_us) +
                                ", and the policy asks for " + time_text(*asked.latency_us));
}

// All rails of a node at once, against what they carry one by one.
void judge_sum(const RailSum& sum, const Policy& policy, FigureReasons& reasons) {
  const std::string name = sum.node + ": all rails at once, " + bytes_text(sum.bytes) + ", ";
  if (sum.status == Status::fail) {
    reasons.failed.push_back(name + (sum.why.empty() ? "failed" : sum.why));
  } else if (sum.status == Status::pass && policy.rdma && policy.rdma->share_of_solo) {
    if (!sum.solo_gbit_s || !sum.together_gbit_s)
      reasons.undecided.push_back(name + "are said to be good, and were not measured");
    else if (*sum.together_gbit_s < *policy.rdma->share_of_solo * *sum.solo_gbit_s)
      reasons.undecided.push_back(name + "are said to be good at " +
                                  percent_text(*sum.together_gbit_s / *sum.solo_gbit_s) +
                                  " of what they carry one by one, and the policy asks for " +
                                  percent_text(*policy.rdma->share_of_solo));
  }
}

// Pairs of GPUs that are slower than the policy asks, and are said to be good.
void judge_pairs(const Report& report, double bound, FigureReasons& reasons) {
  for (const auto& matrix : report.figures.matrices) {
    if (matrix.kind != "gpu_pair" || matrix.by != copy_engine_pairs) continue;
    for (std::size_t i = 0; i < matrix.values.size(); ++i)
      if (!matrix.columns.empty() && i / matrix.columns.size() != i % matrix.columns.size() &&
          matrix.values[i] && *matrix.values[i] < bound)
        return reasons.undecided.push_back(matrix.title + " is said to be good, and has " +
                                           shortest(*matrix.values[i]) + " GB/s where the policy asks for " +
                                           shortest(bound));
  }
}

// Does a finding of the same test tell it already?
bool is_told(const Report& report, const std::string& prefix) {
  return std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.status == Status::fail && finding.check.starts_with(prefix);
  });
}

std::vector<std::string> gpus_never_judged(const Report& report, const Policy& policy) {
  std::vector<std::string> missing;
  // Where the policy does not count them, as many as the report knows.
  std::set<int> known;
  for (const auto& figure : report.figures.gpu_results)
    known.insert(figure.gpu);
  for (const auto& matrix : report.figures.matrices)
    if (matrix.kind == "gpu_pair")
      for (std::size_t i = 0; i < matrix.rows.size(); ++i)
        known.insert(static_cast<int>(i));
  const std::size_t listed =
      report.environment.nodes.empty() ? 0 : report.environment.nodes.front().gpus.size();
  const int all = policy.node && policy.node->gpus
                      ? *policy.node->gpus
                      : std::max({1, static_cast<int>(known.size()), static_cast<int>(listed)});
  // A pair takes two; that there is one may be all that is left, unless the policy counts one.
  const bool of_one = policy.node && policy.node->gpus && *policy.node->gpus == 1;
  for (const auto& test : policy.gpu->tests) {
    if (test == "nvlink" && of_one) continue;
    // What a stage of that name says of itself is of no stage.
    if (std::ranges::none_of(report.findings, [&](const Finding& finding) {
          return !finding.stage.empty() && finding.check.starts_with("burnin." + test);
        }))
      missing.push_back("gpu." + test + ": no stage ran that test, and the policy asks for it");
  }
  const bool any_pair = std::ranges::any_of(report.figures.matrices, [](const Matrix& matrix) {
    return matrix.kind == "gpu_pair" && matrix.by == copy_engine_pairs &&
           std::ranges::any_of(matrix.values, [](const auto& value) { return value.has_value(); });
  });
  if (policy.gpu->nvlink_gb_s && !of_one && !any_pair)
    missing.emplace_back("gpu.nvlink.gb_s_at_least: no pair of GPUs was measured");
  for (const auto& one : asked_of_gpus(*policy.gpu)) {
    std::set<int> gpus;
    std::set<std::string> cards;
    for (const auto& figure : report.figures.gpu_results)
      if (figure.test == one.test && figure.metric == one.metric && figure.samples > 0 &&
          tested(figure.status) && is_own(figure.node, report))
        gpus.insert(figure.gpu), cards.insert(figure.uuid.empty() ? std::to_string(figure.gpu) : figure.uuid);
    if (const auto judged = std::min(gpus.size(), cards.size()); static_cast<int>(judged) < all)
      missing.push_back("gpu." + one.key + ": " + one.test + " " + one.metric + " was judged of " +
                        std::to_string(judged) + " of " + std::to_string(all) + " GPUs");
  }
  return missing;
}

bool any_stage(const std::optional<BurninPlan>& plan, const std::function<bool(const BurninStage&)>& is) {
  return plan && std::ranges::any_of(plan->stages, is);
}

// Rails of which what `rdma` asks was not judged, where that is for this kind of run to do.
std::vector<std::string> rails_never_judged(const Report& report, const Policy& policy,
                                            const Wanted& wanted) {
  std::vector<std::string> missing;
  const bool in_fabric = wanted.kind == RunKind::fabric;
  // Where the fabric stage measures it, the local stages need not.
  const auto comes = [&](std::string_view mode) {
    return !in_fabric &&
           any_stage(policy.fabric, [&](const BurninStage& stage) { return measures(stage, mode); });
  };
  const int all = policy.node && policy.node->rails ? *policy.node->rails
                  : policy.target                   ? policy.target->rails
                                                    : 1;
  const auto want = [&](const std::string& what, const std::string& asked,
                        const std::function<bool(const RailResult&)>& by) {
    std::set<int> rails;
    std::set<std::string> devices;
    for (const auto& figure : report.figures.rails)
      if (tested(figure.status) && is_own(figure.node, report) && by(figure))
        rails.insert(figure.rail),
            devices.insert(figure.device.empty() ? std::to_string(figure.rail) : figure.device);
    if (const auto of = std::min(rails.size(), devices.size()); static_cast<int>(of) < all)
      missing.push_back("rdma: " + what + " of " + std::to_string(of) + " of " + std::to_string(all) +
                        " rails was judged, and the policy asks for " + asked);
  };
  const bool of_this_run =
      any_stage(wanted.plan, [&](const BurninStage& stage) { return stage.command.front() == "rdma"; });
  if (const auto rate = asked_of_rail(policy); rate && of_this_run && !comes("bandwidth"))
    want("the bandwidth" + std::string(in_fabric ? " to another node" : ""),
         fixed(*rate, 2) + " Gbit/s of each", [&](const RailResult& figure) {
           return is_judged_by_rate(figure, policy) && !(in_fabric && figure.peer.empty());
         });
  const bool of_several = all > 1 && of_this_run && !comes("bandwidth");
  if (policy.rdma->share_of_solo && of_several &&
      std::ranges::none_of(report.figures.rail_sums, [&](const RailSum& sum) {
        // Of two nodes it is measured from one to the other, and so of both.
        const bool own = is_own(sum.node, report) || (in_fabric && is_own(sum.peer, report));
        return tested(sum.status) && own && !(in_fabric && sum.peer.empty());
      }))
    missing.push_back(
        "rdma: all rails at once were not judged against each by itself, and the policy asks for " +
        percent_text(*policy.rdma->share_of_solo));
  if (const auto& most = policy.rdma->latency_us; most && !comes("latency"))
    want("the latency", "at most " + time_text(*most),
         [](const RailResult& figure) { return figure.p50_us.has_value(); });
  return missing;
}

}  // namespace

FigureReasons judge_figures(const Report& report, const Policy& policy, const Wanted& wanted) {
  FigureReasons reasons;
  for (const auto& figure : report.figures.rails)
    if (figure.peer.empty() || (wanted.plan && wanted.kind != RunKind::fabric))
      judge_rail(figure, policy, reasons);
  for (const auto& sum : report.figures.rail_sums)
    if (sum.peer.empty() || (wanted.plan && wanted.kind != RunKind::fabric)) judge_sum(sum, policy, reasons);
  if (is_told(report, "rdma.")) reasons.failed.clear();
  const auto asked = policy.gpu ? asked_of_gpus(*policy.gpu) : std::vector<AskedOfGpu>{};
  if (policy.gpu && policy.gpu->nvlink_gb_s && !is_told(report, "burnin.nvlink"))
    judge_pairs(report, *policy.gpu->nvlink_gb_s, reasons);
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

bool fabric_measures_rails(const Policy& policy) {
  return policy.fabric && std::ranges::any_of(policy.fabric->stages, [](const BurninStage& stage) {
           return measures(stage, "bandwidth");
         });
}

std::vector<std::string> figures_never_judged(const Report& report, const Policy& policy,
                                              const Wanted& wanted) {
  std::vector<std::string> missing;
  if (policy.gpu) missing = gpus_never_judged(report, policy);
  if (policy.rdma && wanted.plan && admits(wanted.kind) && !report.figures.rails.empty())
    std::ranges::move(rails_never_judged(report, policy, wanted), std::back_inserter(missing));
  return missing;
}

}  // namespace mlc
