#include <algorithm>

#include "bench/gpu/burnin.hpp"
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

void run(Burnin& node, double seconds) {
  auto& cards = node.cards();
  const double until = node.now() + seconds;
  std::vector<std::vector<double>> window_rates(cards.size());
  for (const auto& [operation, name, buffers] : hbm::operations) {
    std::vector<std::vector<double>> rates(cards.size());
    std::vector<double> limits(cards.size());
    std::vector<std::uint64_t> differing(cards.size());
    node.say(std::string(name));
    node.each([&, operation = operation](Burnin::Card& card) {
      const auto at = static_cast<std::size_t>(&card - cards.data());
      limits[at] = theoretical(card.device->identity()) / 1e9;
      const auto windows = windows_of(*card.device);
      if (windows.empty()) return;
      // Warm-up and the figure itself: at least 20 passes over at least four windows.
      const std::size_t measured = std::min<std::size_t>(windows.size(), 4);
      for (std::size_t w = 0; w < measured; ++w) {
        (void)card.device->hbm(operation, windows[w], 2);
        for (double s : card.device->hbm(operation, windows[w], 20))
          rates[at].push_back(static_cast<double>(hbm::bytes_moved(operation, windows[w].bytes)) / s / 1e9);
        if (operation == Operation::copy) differing[at] += card.device->copy_differs(windows[w]);
      }
      if (operation == Operation::copy) card.copy_bytes_s = median_of(rates[at]) * 1e9;
      if (operation != Operation::read) return;
      // Every window of the memory, by reading, as long as there is time.
      for (const auto& window : windows) {
        if (node.now() > until) break;
        std::vector<double> times = card.device->hbm(operation, window, 5);
        window_rates[at].push_back(static_cast<double>(hbm::bytes_moved(operation, window.bytes)) /
                                   median_of(times) / 1e9);
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
         .source = "own kernel over 1 GiB windows; limit: the device's memory clock and bus width",
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
