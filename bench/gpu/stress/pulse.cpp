#include <algorithm>
#include <chrono>
#include <thread>

#include "bench/gpu/burnin.hpp"
#include "bench/gpu/judge_tiles.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr double half_period_s =
    0.075;  // on, then off: what power supplies and voltage regulators like least

// Repeats that load the GPU for half a period, from how long a few of them took.
int repeats_for(double seconds, int measured, double target) {
  return std::clamp(static_cast<int>(measured * target / std::max(seconds, 1e-6)), 1, 100'000);
}

void run(Burnin& node, double seconds) {
  auto& cards = node.cards();
  const bool products = std::ranges::all_of(
      cards, [](auto& card) { return card.lost || card.device->gemm_absent(GemmType::bf16).empty(); });
  const tile::Spec spec{node.options().seed, sizes::tile_rounds};
  std::vector<int> repeats(cards.size(), 1);
  std::vector<std::vector<tile::Digest>> digests(cards.size());
  std::vector<TileTable> tables(cards.size());
  const auto burst = [&](Burnin::Card& card, int count) {
    const auto at = static_cast<std::size_t>(&card - cards.data());
    if (products) {
      const auto run = card.device->gemm(GemmType::bf16, count, node.options().seed);
      digests[at].insert(digests[at].end(), run.digests.begin(), run.digests.end());
    } else {
      const auto results = card.device->tiles(tile::Engine::tensor, spec, count);
      tables[at].results.insert(tables[at].results.end(), results.begin(), results.end());
    }
  };
  node.say("finding the length of a pulse");
  node.each([&](Burnin::Card& card) {
    burst(card, 2);  // the first call loads the code
    const double start = node.now();
    burst(card, 8);
    repeats[static_cast<std::size_t>(&card - cards.data())] =
        repeats_for(node.now() - start, 8, half_period_s);
  });
  // All GPUs follow one clock: they step up at the same instants, also where one is late out of the burst
  // before.
  const double start = node.now() + 0.1, until = start + seconds;
  int pulses = 0;
  for (; start + 2 * half_period_s * pulses < until; pulses += 10) {
    if (std::ranges::all_of(cards, &Burnin::Card::lost)) break;
    node.say(std::to_string(pulses) + " steps of power, all GPUs in phase");
    node.each([&](Burnin::Card& card) {
      for (int i = 0; i < 10; ++i) {
        const double at = start + 2 * half_period_s * (pulses + i);
        const double wait = at - node.now();
        if (wait > 0) std::this_thread::sleep_for(std::chrono::duration<double>(std::min(wait, 1.0)));
        burst(card, repeats[static_cast<std::size_t>(&card - cards.data())]);
      }
    });
  }
  for (std::size_t i = 0; i < cards.size(); ++i) {
    if (!products) {
      tables[i].subject = cards[i].subject, tables[i].sms = cards[i].device->identity().sms;
      continue;
    }
    if (digests[i].empty()) continue;
    const auto wrong =
        std::ranges::count_if(digests[i], [&](const auto& one) { return one != digests[i].front(); });
    // To fall off the bus under these steps is what is looked for, and a finding of its own.
    if (cards[i].lost && wrong == 0) continue;
    node.add(Finding{
        .check = "burnin.pulse",
        .subject = cards[i].subject,
        .status = wrong > 0 ? Status::fail : Status::pass,
        .observed = wrong > 0 ? std::to_string(wrong) + " of " + std::to_string(digests[i].size()) +
                                    " products differ under steps of power"
                              : std::to_string(pulses) + " steps of power in phase, every result equal",
        .expected = "no drop-out and the same result from every product",
        .source = "cuBLASLt in bursts of 75 ms",
        .remedy = wrong > 0 ? "voltage or power supply: check the power supplies; take the GPU out of service"
                            : ""});
  }
  if (products) return;
  std::erase_if(tables, [](const TileTable& table) { return table.results.empty(); });
  auto findings = judge_tiles(tile::Engine::tensor, spec, tables);
  for (auto& finding : findings)
    finding.check = "burnin.pulse";
  for (const auto& card : cards)
    if (card.lost)
      std::erase_if(findings, [&](const Finding& finding) {
        return finding.subject.starts_with(card.subject) && finding.status == Status::pass;
      });
  node.add(std::move(findings));
}

}  // namespace

extern const GpuTest pulse_test{
    .name = "pulse",
    .summary = "all GPUs step between idle and full load in phase: power supplies, voltage, results",
    .limit = "none: no power brake, no drop-out, results equal",
    .quick_s = 0,
    .full_s = 20,
    .run = run};

}  // namespace mlc
