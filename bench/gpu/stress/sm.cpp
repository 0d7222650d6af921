#include <algorithm>

#include "bench/gpu/burnin.hpp"
#include "bench/gpu/judge_tiles.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Rounds of one tile and repeats of one call: each engine works for about as long.
constexpr int rounds_of(tile::Engine engine) {
  return engine == tile::Engine::tensor || engine == tile::Engine::fp8 ? sizes::tile_rounds : 1;
}
constexpr int repeats_of(tile::Engine engine) {
  return engine == tile::Engine::product ? sizes::dealings : sizes::tile_repeats;
}

bool computes(const Burnin::Card& card, tile::Engine engine) {
  return engine != tile::Engine::fp8 || computes_fp8(card.device->identity());
}

void run(Burnin& node, double seconds) {
  auto& cards = node.cards();
  for (const auto& [engine, name] : tile::engine_names) {
    const tile::Spec spec{node.options().seed, rounds_of(engine), sizes::dealt};
    if (std::ranges::none_of(cards, [engine = engine](const auto& card) { return computes(card, engine); }))
      continue;
    std::vector<TileTable> tables(cards.size());
    const double until = node.now() + seconds / static_cast<double>(tile::engine_names.size());
    int launches = 0;
    do {
      node.say(std::string(name) + ", " + std::to_string(launches * repeats_of(engine)) + " repeats");
      node.each([&, engine = engine](Burnin::Card& card) {
        if (!computes(card, engine)) return;
        auto& table = tables[static_cast<std::size_t>(&card - cards.data())];
        auto results = card.device->tiles(engine, spec, repeats_of(engine));
        const auto& fault = node.options().fault;
        if (fault && fault->kind == Fault::Kind::sm && fault->place == card.device->identity().index)
          for (auto& result : results)
            if (result.sm == fault->index) result.digest.sum ^= 1;
        table.results.insert(table.results.end(), results.begin(), results.end());
      });
      ++launches;
    } while (node.now() < until && !std::ranges::all_of(cards, &Burnin::Card::lost));
    std::vector<TileTable> seen;
    for (std::size_t i = 0; i < cards.size(); ++i) {
      if (tables[i].results.empty()) continue;
      tables[i].subject = cards[i].subject, tables[i].sms = cards[i].device->identity().sms;
      seen.push_back(std::move(tables[i]));
    }
    node.add(judge_tiles(engine, spec, seen));
  }
}

}  // namespace

extern const GpuTest sm_test{
    .name = "sm",
    .summary =
        "every SM computes what the host does, bit for bit: tensor cores (bf16, fp8), FP32, "
        "integers, shared memory, and tiles of a matrix product dealt anew each time",
    .limit = "none: one wrong bit is a failure",
    .quick_s = 20,
    .full_s = 60,
    .run = run};

}  // namespace mlc
