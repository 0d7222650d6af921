#include <array>
#include <memory>

#include "bench/gpu/burnin.hpp"
#include "bench/gpu/judge_memory.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using memory::Pattern, memory::Step, memory::Sweep;

// Cheap and telling first: a run that is cut short has done them.
constexpr std::array<Pattern, 5> order{Pattern::own_address, Pattern::random, Pattern::walking_bit,
                                       Pattern::switching, Pattern::modulo_20};

struct Tally {
  std::uint64_t rounds = 0;
  double seconds = 0, bytes = 0;  // of sweeps that found nothing, and what they moved
  std::vector<double> rates;      // GB/s of each such sweep
  // What the last whole sweep had found: of a GPU that is lost another may still be under way.
  std::unique_ptr<memory::ErrorLog> found;
};

// `passes`: how often it moves every byte, for its rate; 0: of a part of them, which has none.
void timed_sweep(GpuDevice& device, const Sweep& sweep, std::uint32_t round, std::uint64_t bytes,
                 double passes, Tally& tally) {
  const auto before = device.errors().wrong;
  const double seconds = device.sweep(sweep, round);
  if (device.errors().wrong != before) {
    tally.found = std::make_unique<memory::ErrorLog>(device.errors());
    device.look_again();
    *tally.found = device.errors();
  } else if (seconds > 0 && passes > 0) {
    tally.rates.push_back(static_cast<double>(bytes) * passes / seconds / 1e9);
  }
}

// March: write up, check and invert up, check the inverse down. Modulo 20 writes the neighbours of the marked
// words twice between, so that a cell that is disturbed by its neighbours shows.
void one_round(GpuDevice& device, Pattern pattern, std::uint64_t seed, std::uint32_t round,
               std::uint64_t bytes, const std::function<void()>& planted, Tally& tally) {
  const memory::Spec spec{pattern, seed, false};
  if (pattern == Pattern::modulo_20) {
    // One word of twenty, then all others.
    timed_sweep(device, {spec, Step::write_marked}, round, bytes, 0, tally);
    for (int twice = 0; twice < 2; ++twice)
      timed_sweep(device, {spec, Step::write_unmarked}, round, bytes, 1, tally);
  } else {
    timed_sweep(device, {spec, Step::write}, round, bytes, 1, tally);
  }
  planted();
  timed_sweep(device, {spec, Step::check_and_invert}, round, bytes, 2, tally);
  timed_sweep(device, {spec.inverse(), Step::check, true}, round, bytes, 1, tally);
  ++tally.rounds;
}

std::uint64_t tested_bytes(const GpuDevice& device) {
  std::uint64_t bytes = 0;
  for (const auto& stretch : device.memory())
    bytes += stretch.bytes;
  return bytes;
}

// Random words and their inverse, each left alone for a while: a cell that leaks faster than it is refreshed
// keeps them only as long as it is touched.
void hold(Burnin& node, std::uint32_t round, std::vector<Tally>& tallies) {
  auto& cards = node.cards();
  const memory::Spec spec{Pattern::random, node.options().seed + round, false};
  const auto sweep = [&](const Sweep& what, double passes) {
    node.each([&](Burnin::Card& card) {
      timed_sweep(*card.device, what, round, tested_bytes(*card.device), passes,
                  tallies[static_cast<std::size_t>(&card - cards.data())]);
    });
  };
  const double seconds = sizes::time * sizes::hold;
  const auto rest = [&] {
    constexpr int parts = 10;  // so that the live line moves
    for (int i = 0; i < parts; ++i) {
      node.say("held for " + fixed(seconds * i / parts, 0) + " of " + fixed(seconds, 0) + " s");
      node.each([&](Burnin::Card& card) { card.device->rest(seconds / parts); });
    }
  };
  sweep({spec, Step::write}, 1);
  rest();
  sweep({spec, Step::check_and_invert}, 2);
  rest();
  sweep({spec.inverse(), Step::check, true}, 1);
  for (std::size_t i = 0; i < cards.size(); ++i)
    if (!cards[i].lost) ++tallies[i].rounds;
}

std::vector<MemoryOutcome> outcomes_of(const std::vector<Burnin::Card>& cards,
                                       const std::vector<Tally>& tallies) {
  static const memory::ErrorLog nothing;
  std::vector<MemoryOutcome> outcomes;
  for (std::size_t i = 0; i < cards.size(); ++i)
    outcomes.push_back({.subject = cards[i].subject,
                        .tested = tested_bytes(*cards[i].device),
                        .total = cards[i].device->identity().memory_bytes,
                        .rounds = tallies[i].rounds,
                        .lost = cards[i].lost,
                        .log = !cards[i].lost                ? &cards[i].device->errors()
                               : tallies[i].found != nullptr ? tallies[i].found.get()
                                                             : &nothing});
  return outcomes;
}

void run(Burnin& node, double seconds) {
  auto& cards = node.cards();
  const bool held = !node.quick();
  const double until = node.now() + seconds - (held ? sizes::time * 2 * sizes::hold : 0);
  std::vector<Tally> tallies(cards.size());
  std::uint32_t round = 0;
  for (; round == 0 || node.now() < until; ++round) {
    const Pattern pattern = order[round % order.size()];
    node.say("round " + std::to_string(round + 1) + ", " + std::string(to_string(pattern)));
    node.each([&](Burnin::Card& card) {
      const auto at = static_cast<std::size_t>(&card - cards.data());
      const std::uint64_t bytes = tested_bytes(*card.device);
      const auto& fault = node.options().fault;
      one_round(
          *card.device, pattern, node.options().seed + round, round, bytes,
          [&] {
            if (round == 0 && fault && fault->kind == Fault::Kind::memory &&
                fault->place == card.device->identity().index)
              card.device->flip_bit(fault->index, fault->bit);
          },
          tallies[at]);
    });
    if (std::ranges::all_of(cards, &Burnin::Card::lost)) break;
    auto wrong = judge_memory(outcomes_of(cards, tallies), node.expected().memory_tested);
    std::erase_if(wrong, [](const Finding& finding) { return finding.status != Status::fail; });
    node.tell(std::move(wrong));
  }
  if (held) hold(node, round, tallies);
  std::vector<std::vector<double>> rates(cards.size());
  std::optional<double> slowest_copy;
  for (std::size_t i = 0; i < cards.size(); ++i) {
    rates[i] = std::move(tallies[i].rates);
    if (cards[i].copy_bytes_s > 0 && (!slowest_copy || cards[i].copy_bytes_s < *slowest_copy))
      slowest_copy = cards[i].copy_bytes_s;
  }
  node.tell({});
  node.add(judge_memory(outcomes_of(cards, tallies), node.expected().memory_tested));
  const auto& share = node.expected().memory_rate_of_copy;
  node.judge({.check = "burnin.memory-rate",
              .unit = "GB/s",
              .decimals = 0,
              .bound = share && slowest_copy ? std::optional(*share * *slowest_copy / 1e9) : std::nullopt,
              .spread = node.expected().hbm_spread * 2,
              .source = "own kernels; bound: a share of the copy rate of burnin.hbm-copy",
              .remedy = "compare with burnin.hbm-read of this GPU; look for throttling"},
             "memory", "sweep", rates);
}

}  // namespace

extern const GpuTest memory_test{.name = "memory",
                                 .summary =
                                     "patterns over at least 97 % of the memory, marched up, inverted, down; "
                                     "--full holds one for 10 s each way",
                                 .limit = "memory bandwidth: a sweep over 80 GB takes about 27 ms",
                                 .quick_s = 20,
                                 .full_s = 60,
                                 .run = run};

}  // namespace mlc
