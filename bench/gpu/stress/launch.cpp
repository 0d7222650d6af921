#include <array>

#include "bench/gpu/burnin.hpp"

namespace mlc {

namespace {

struct Way {
  LaunchKind kind;
  std::string_view name;
};
constexpr std::array<Way, 3> ways{
    {{LaunchKind::throughput, "throughput"}, {LaunchKind::latency, "latency"}, {LaunchKind::graph, "graph"}}};

void run(Burnin& node, double) {
  auto& cards = node.cards();
  for (const auto& [kind, name] : ways) {
    std::vector<std::vector<double>> times(cards.size());
    node.say(std::string(name));
    // One after another: eight threads that launch at once would measure the host.
    for (std::size_t i = 0; i < cards.size(); ++i)
      node.each([&, kind = kind](Burnin::Card& card) {
        if (&card != &cards[i]) return;
        (void)card.device->launches(kind, 100);
        for (double s : card.device->launches(kind, sizes::launches))
          times[i].push_back(s * 1e6);
      });
    node.judge({.check = "burnin.launch-" + std::string(name),
                .unit = "µs",
                .decimals = 2,
                .bound = kind == LaunchKind::latency ? node.expected().launch_us : std::nullopt,
                .spread = node.expected().launch_spread,
                .less_is_better = true,
                .source = "an empty kernel",
                .remedy = "a matter of the host: CPU governor (cpupower frequency-info), IOMMU, a busy core; "
                          "not of the GPU"},
               "launch", std::string(name), times);
  }
}

}  // namespace

extern const GpuTest launch_test{
    .name = "launch",
    .summary = "latency of a kernel launch, of launch and wait, of a kernel in a graph",
    .limit = "none known for H100; an A100 takes 5.5 µs by events. Finds a wrong CPU governor or IOMMU",
    .quick_s = 3,
    .full_s = 3,
    .run = run};

}  // namespace mlc
