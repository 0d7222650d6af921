#include "bench/gpu/burnin.hpp"

namespace mlc {

namespace {

constexpr std::uint64_t threads = sizes::adding_threads;
static_assert(threads <= atomics::most_threads);

void run(Burnin& node, double) {
  auto& cards = node.cards();
  for (const auto& [spread, name] : atomics::spread_names) {
    std::vector<std::vector<double>> rates(cards.size());
    std::vector<int> wrong(cards.size());
    atomics::Counters expected{};
    atomics::expected(spread, threads, expected);
    node.say(std::string(name));
    node.each([&, spread = spread](Burnin::Card& card) {
      const auto at = static_cast<std::size_t>(&card - cards.data());
      for (int repeat = 0; repeat < 10; ++repeat) {
        const AtomicsRun run = card.device->atomic_adds(spread, threads);
        wrong[at] += atomics::differing(run.counters, expected);
        if (repeat > 0 && run.seconds > 0)
          rates[at].push_back(3 * static_cast<double>(threads) / run.seconds / 1e9);
      }
    });
    node.judge({.check = "burnin.atomics-" + std::string(name),
                .unit = "G/s",
                .decimals = 2,
                .spread = 0.1,
                .source = "u32, u64 and f32 additions in global memory",
                .remedy = "look for throttling; compare burnin.hbm-read of this GPU"},
               "atomics", std::string(name), rates);
    for (std::size_t i = 0; i < cards.size(); ++i)
      if (wrong[i] > 0)
        node.add(
            Finding{.check = "burnin.atomics-sums",
                    .subject = cards[i].subject,
                    .status = Status::fail,
                    .observed = std::to_string(wrong[i]) + " wrong sums (" + std::string(name) + ")",
                    .expected = "every sum exact",
                    .source = "own kernel against the host",
                    .remedy = "the L2 cache or its atomic units are at fault: take the GPU out of service"});
  }
}

}  // namespace

extern const GpuTest atomics_test{
    .name = "atomics",
    .summary = "atomic additions at one address, one a warp, and spread out: every sum exact",
    .limit = "the L2 cache's atomic units; no figure is asked for",
    .quick_s = 2,
    .full_s = 3,
    .run = run};

}  // namespace mlc
