#include <array>

#include "bench/gpu/burnin.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct Way {
  CopyKind kind;
  std::string_view name;
  double directions;  // bytes moved for each byte of the buffer
};
constexpr std::array<Way, 3> ways{{{CopyKind::to_device, "to-device", 1},
                                   {CopyKind::to_host, "to-host", 1},
                                   {CopyKind::both_ways, "both-ways", 2}}};

using sizes::copied;

void run(Burnin& node, double seconds) {
  auto& cards = node.cards();
  std::vector<std::uint64_t> wrong(cards.size());
  const auto copies = [&](Burnin::Card& card, const Way& way, int repeats, std::vector<double>& rates) {
    const CopyRun run = card.device->copy(way.kind, copied, repeats);
    wrong[static_cast<std::size_t>(&card - cards.data())] += run.wrong;
    for (double s : run.seconds)
      rates.push_back(way.directions * static_cast<double>(copied) / s / 1e9);
  };
  // Each GPU alone: its own link. Then all at once: what they share on the way to memory.
  for (const bool together : {false, true})
    for (const Way& way : ways) {
      std::vector<std::vector<double>> rates(cards.size());
      node.say(std::string(way.name) + (together ? ", all GPUs at once" : ", one GPU after another"));
      if (together) {
        const double until = node.now() + seconds / 8;
        do
          node.each([&](Burnin::Card& card) {
            copies(card, way, 20, rates[static_cast<std::size_t>(&card - cards.data())]);
          });
        while (node.now() < until);
      } else {
        for (std::size_t i = 0; i < cards.size(); ++i)
          node.each([&](Burnin::Card& card) {
            if (&card == &cards[i]) copies(card, way, 20, rates[i]);
          });
      }
      node.judge(
          {.check = "burnin.pcie-" + std::string(way.name) + (together ? "-all" : ""),
           .unit = "GB/s",
           // The floor is for one direction of one link; both ways and all at once share the root complex.
           .bound = together || way.kind == CopyKind::both_ways ? std::nullopt : node.expected().pcie_gb_s,
           .spread = together ? 2 * node.expected().pcie_spread : node.expected().pcie_spread,
           .source = "copy engine, 256 MiB, pinned memory of the GPU's own NUMA node",
           .remedy = "see burnin.pcie-link and pci.link; reseat the GPU or its riser; check that the IOMMU "
                     "is off or "
                     "in passthrough"},
          "pcie", std::string(way.name) + (together ? ", all at once" : ""), rates);
    }
  for (std::size_t i = 0; i < cards.size(); ++i)
    if (!cards[i].lost || wrong[i] > 0)
      node.add(Finding{
          .check = "burnin.pcie-data",
          .subject = cards[i].subject,
          .status = wrong[i] > 0 ? Status::fail : Status::pass,
          .observed = wrong[i] > 0 ? std::to_string(wrong[i]) + " wrong bytes" : "every byte as it was sent",
          .expected = "every byte as it was sent",
          .source = "generated on one side, verified on the other",
          .remedy = wrong[i] > 0 ? "compare with burnin.memory and the node's own memory (edac-util)" : ""});
}

}  // namespace

extern const GpuTest pcie_test{
    .name = "pcie",
    .summary = "copies from and to host memory: one GPU, both ways, all GPUs at once",
    .limit = "63 GB/s each way on Gen5 x16; healthy GPUs copy at 55 to 57",
    .quick_s = 12,
    .full_s = 20,
    .run = run};

}  // namespace mlc
