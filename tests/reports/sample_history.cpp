#include "tests/reports/sample_history.hpp"

#include <cmath>
#include <numbers>

namespace mlc::test {

double Noise::uniform() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

double Noise::normal() {
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::string node_name(int node) { return "gpu-" + std::to_string(1000 + node); }

void each_run(const FleetPlan& plan, const std::function<void(HistoryRun&&)>& take) {
  const std::int64_t start = *parse_utc("2026-01-01T03:00:00Z");
  Noise noise(plan.seed);
  for (int day = 0; day < plan.days; ++day)
    for (int node = 0; node < plan.nodes; ++node) {
      HistoryRun run{.id = node_name(node) + "-day-" + std::to_string(day),
                     .time_s = start + day * 86400LL + node % 600,
                     .node = node_name(node),
                     .stratum = "8 x NVIDIA H100 80GB HBM3 · nccl",
                     .versions = plan.versions(node, day),
                     .readings = {}};
      run.readings.push_back({"", -1, "allreduce float sum 8 GiB, 8 ranks", "gb_s",
                              480 * plan.factor(node, -1, day) * (1 + plan.spread * noise.normal())});
      for (int rail = 0; rail < plan.rails; ++rail)
        run.readings.push_back({"", rail, "write 1 MiB", "gbit_s",
                                195 * plan.factor(node, rail, day) * (1 + plan.spread * noise.normal())});
      take(std::move(run));
    }
}

History fleet_history(const FleetPlan& plan) {
  History history;
  each_run(plan, [&](HistoryRun&& run) { history.add(run); });
  history.sort();
  return history;
}

FleetPlan eventful_fleet() {
  FleetPlan plan;
  plan.factor = [](int node, int rail, int day) {
    double factor = day >= 40 ? 0.95 : 1;
    if (node == 7 && rail == 2 && day >= 60) factor *= 0.88;
    if (node == 3 && day == 89) factor *= 0.9;
    return factor;
  };
  plan.versions = [](int node, int day) {
    return Versions{{"driver", day >= 40 ? "580.95.05" : "580.65.06"},
                    {"firmware", node == 7 && day >= 60 ? "28.45.1200" : "28.43.2566"},
                    {"kernel", "6.1.0-28"},
                    {"policy", "h100-4x200g"}};
  };
  return plan;
}

}  // namespace mlc::test
