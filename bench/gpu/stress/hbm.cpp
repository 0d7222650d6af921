#include <algorithm>

#include "bench/gpu/burnin.hpp"
#include "bench/gpu/steadiness.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using hbm::Operation;

double theoretical(const GpuIdentity& gpu) {
  return hbm::theoretical(gpu.memory_clock_hz, gpu.bus_width_bits);
}

std::optional<double> bound_of(const GpuExpectation& expected, Operation operation) {
  switch (operation) {
    case Operation::read:
      return expected.hbm_read;
    case Operation::write:
      return expected.hbm_write;
    case Operation::copy:
      return expected.hbm_copy;
    case Operation::triad:
      return expected.hbm_triad;
  }
  return std::nullopt;
}

// The large pieces: small ones would measure the caches and the launches.
std::vector<Stretch> windows_of(const GpuDevice& device) {
  std::uint64_t largest = 0;
  for (const auto& stretch : device.memory())
    largest = std::max(largest, stretch.bytes);
  std::vector<Stretch> windows;
  for (const auto& stretch : device.memory())
    if (stretch.bytes == largest) windows.push_back(stretch);
  return windows;
}

// The first of them that a pass goes over: at least 4 GiB, so that its end is no matter of launches.
std::span<const Stretch> pass_of(std::span<const Stretch> windows) {
  std::size_t count = 0;
  for (std::uint64_t bytes = 0; count < windows.size() && bytes < sizes::pass; ++count)
    bytes += windows[count].bytes;
  return windows.first(count);
}

double rate_of(Operation operation, std::span<const Stretch> regions, double seconds) {
  double bytes = 0;
  for (const auto& region : regions)
    bytes += static_cast<double>(hbm::bytes_moved(operation, region.bytes));
  return bytes / seconds / 1e9;
}

// Until clocks and rate stand still: figures of a cold GPU are not those of a working one.
void warm_up(Burnin& node, Burnin::Card& card, std::span<const Stretch> regions) {
  const double start = node.now(), least = start + sizes::time * sizes::warm_up,
               most = start + sizes::time * sizes::longest_warm_up;
  constexpr int passes = 50;  // of 4 GiB at 3 TB/s: 0.07 s
  Steadiness steadiness;
  for (;;) {
    const auto times = card.device->hbm(Operation::read, regions, passes);
    steadiness.add(rate_of(Operation::read, regions, median_of(times)), node.latest(card).sm_clock_mhz);
    const double now = node.now();
    if (now > most || (now > least && steadiness.steady())) return;
  }
}

void run(Burnin& node, double) {
  auto& cards = node.cards();
  std::vector<std::vector<Stretch>> windows(cards.size());
  node.say("warming up");
  node.each([&](Burnin::Card& card) {
    auto& mine = windows[static_cast<std::size_t>(&card - cards.data())];
    mine = windows_of(*card.device);
    if (!mine.empty()) warm_up(node, card, pass_of(mine));
  });
  std::vector<std::vector<double>> window_rates(cards.size());
  for (const auto& [operation, name, buffers] : hbm::operations) {
    std::vector<std::vector<double>> rates(cards.size());
    std::vector<double> limits(cards.size());
    std::vector<std::uint64_t> differing(cards.size());
    node.say(std::string(name));
    node.each([&, operation = operation](Burnin::Card& card) {
      const auto at = static_cast<std::size_t>(&card - cards.data());
      limits[at] = theoretical(card.device->identity()) / 1e9;
      if (windows[at].empty()) return;
      const auto regions = pass_of(windows[at]);
      (void)card.device->hbm(operation, regions, 2);
      for (double s : card.device->hbm(operation, regions, 20))
        rates[at].push_back(rate_of(operation, regions, s));
      if (operation == Operation::copy) {
        for (const auto& region : regions)
          differing[at] += card.device->copy_differs(region);
        card.copy_bytes_s = median_of(rates[at]) * 1e9;
      }
      if (operation != Operation::read) return;
      // Every window of the memory, by reading: a fraction of a second.
      for (const auto& window : windows[at]) {
        const std::span<const Stretch> one(&window, 1);
        window_rates[at].push_back(rate_of(operation, one, median_of(card.device->hbm(operation, one, 5))));
      }
    });
    const auto share = bound_of(node.expected(), operation);
    // One bound for all: they are cards of one kind, and a card with another limit is a finding of gpu.count.
    const double limit = limits.empty() ? 0 : *std::ranges::max_element(limits);
    node.judge(
        {.check = "burnin.hbm-" + std::string(name),
         .unit = "GB/s",
         .decimals = 0,
         .bound = share && limit > 0 ? std::optional(*share * limit) : std::nullopt,
         .spread = node.expected().hbm_spread,
         .source =
             "own kernel, 20 passes over 4 GiB after warm-up; limit: the device's memory clock and bus width",
         .remedy =
             "look for throttling, ECC errors and remapped rows on this GPU; run it alone: mlc-bench gpu hbm "
             "--gpus N; then take it out of service"},
        "hbm", std::string(name), rates, limits);
    if (operation != Operation::copy) continue;
    for (std::size_t i = 0; i < cards.size(); ++i)
      if (differing[i] > 0)
        node.add(Finding{.check = "burnin.hbm-copy",
                         .subject = cards[i].subject,
                         .status = Status::fail,
                         .observed = std::to_string(differing[i]) +
                                     " slices of 16 bytes of the copy are not those of its source",
                         .expected = "an exact copy",
                         .source = "compared on the GPU",
                         .remedy = "mlc-bench gpu memory localises it; take the GPU out of service"});
  }
  for (std::size_t i = 0; i < cards.size(); ++i) {
    if (window_rates[i].size() < 3) continue;
    const double usual = median_of(window_rates[i]);
    const auto slowest = std::ranges::min_element(window_rates[i]);
    const double below = 1 - *slowest / usual;
    const bool slow = below > node.expected().hbm_window_spread;
    node.add(Finding{
        .check = "burnin.hbm-windows",
        .subject = cards[i].subject,
        .status = slow ? Status::fail : Status::pass,
        .observed = (slow ? "window " + std::to_string(slowest - window_rates[i].begin()) + " of " +
                                std::to_string(window_rates[i].size()) + " reads at " + fixed(*slowest, 0) +
                                " GB/s, " + percent_text(below) + " under their " + fixed(usual, 0)
                          : std::to_string(window_rates[i].size()) + " windows, slowest " +
                                percent_text(std::max(0.0, below)) + " under their median"),
        .expected =
            "no window more than " + percent_text(node.expected().hbm_window_spread) + " under the median",
        .source = "own kernel, window by window over all memory",
        .remedy = slow ? "part of the memory is slow: nvidia-smi -q -d ECC,ROW_REMAPPER; open an RMA" : ""});
  }
}

}  // namespace

extern const GpuTest hbm_test{
    .name = "hbm",
    .summary = "memory bandwidth: read, write, copy, triad, then every 1 GiB window",
    .limit = "2 x memory clock x bus width: 3.352 TB/s on an H100 SXM; a healthy one copies at 90 % of it",
    .quick_s = 8,
    .full_s = 15,
    .run = run};

}  // namespace mlc
