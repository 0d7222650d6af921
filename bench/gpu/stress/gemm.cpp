#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "bench/gpu/burnin.hpp"
#include "kernels/gemm_data.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct Soak {
  GemmType type;
  std::string_view name;
  double share;  // of the test's time
};
constexpr Soak soaks[] = {{GemmType::bf16, "bf16", 2.0 / 3}, {GemmType::fp8, "fp8", 1.0 / 3}};

using Key = std::pair<std::uint64_t, std::uint64_t>;
Key key_of(const tile::Digest& digest) { return {digest.sum, digest.parity}; }

// What more than half of the GPUs of a kind compute; empty where no result is: two GPUs that disagree. Each
// has one vote, shared out over its products: one that is wrong must not win by living longer.
std::optional<Key> usual_of(const std::map<Key, double>& votes) {
  double all = 0;
  for (const auto& [key, share] : votes)
    all += share;
  const auto most = std::ranges::max_element(votes, {}, [](const auto& entry) { return entry.second; });
  return most != votes.end() && most->second * 2 > all * (1 + 1e-9) ? std::optional(most->first)
                                                                    : std::nullopt;
}

// Every product of the same inputs must be the same, bit for bit, on one GPU, and on GPUs of the same kind:
// cuBLAS promises it for the same architecture and number of SMs.
void judge_digests(Burnin& node, std::string_view type,
                   const std::vector<std::vector<tile::Digest>>& digests) {
  auto& cards = node.cards();
  std::map<std::string, std::map<Key, double>> votes;
  const auto kind = [&](std::size_t i) {
    const auto& gpu = cards[i].device->identity();
    return gpu.name + "/" + std::to_string(gpu.sms);
  };
  for (std::size_t i = 0; i < cards.size(); ++i)
    for (const auto& digest : digests[i])
      votes[kind(i)][key_of(digest)] += 1 / static_cast<double>(digests[i].size());
  for (std::size_t i = 0; i < cards.size(); ++i) {
    if (digests[i].empty()) continue;
    const auto usual = usual_of(votes[kind(i)]);
    std::set<Key> own;
    std::size_t other = 0;
    for (const auto& digest : digests[i])
      own.insert(key_of(digest)), other += !usual || key_of(digest) != *usual;
    Finding finding{.check = "burnin.gemm-" + std::string(type) + "-repeats",
                    .subject = cards[i].subject,
                    .status = other > 0 ? Status::fail : Status::pass,
                    .observed = std::to_string(digests[i].size()) + " products, all bitwise equal",
                    .expected = "the same result from every repeat, and from every GPU of this kind",
                    .source = "cuBLASLt, digests of the whole result"};
    if (other > 0) {
      const std::string products = std::to_string(digests[i].size()) + " products";
      finding.observed =
          own.size() > 1
              ? products + " of the same inputs have " + std::to_string(own.size()) + " different results"
          : usual ? products + " differ from what the node's GPUs mostly compute"
                  : products + " are not those of the other GPUs: which of them are wrong cannot be told";
      finding.remedy =
          own.size() > 1 || usual
              ? "silent data corruption: mlc-bench gpu sm names the SM; take the GPU out of service"
              : "silent data corruption on one of them: mlc-bench gpu sm says on which";
    }
    node.add(std::move(finding));
  }
}

// What a GPU computes at each GHz of its clock is the same on every card of a kind, however hot it is and
// however much power it is given: a card that is slow by its clock wants cooling or power, one that is slow
// at its clock is at fault. Dense operations of an SM and cycle: NVIDIA's H100 white paper (4096 in bf16,
// twice that in fp8); half of it on an A100, twice on a B200, by their data sheets.
double operations_per_cycle(const GpuIdentity& gpu, GemmType type) {
  const double bf16 = gpu.major == 8 && gpu.minor == 0 ? 2048
                      : gpu.major == 9                 ? 4096
                      : gpu.major == 10                ? 8192
                                                       : 0;
  return bf16 * (type == GemmType::fp8 ? 2 : 1) * gpu.sms;
}

void judge_by_clock(Burnin& node, GemmType type, std::string_view name,
                    const std::vector<std::vector<double>>& rates, const std::vector<std::string>& absent,
                    double since) {
  auto& cards = node.cards();
  std::vector<std::vector<double>> per_ghz(cards.size());
  std::vector<double> limits(cards.size());
  for (std::size_t i = 0; i < cards.size(); ++i) {
    if (cards[i].lost || rates[i].empty()) continue;
    const auto clock = node.mean_clock_mhz(cards[i], since);
    if (!clock || *clock <= 0) continue;
    per_ghz[i] = {median_of(rates[i]) / (*clock / 1e3)};
    limits[i] = operations_per_cycle(cards[i].device->identity(), type) / 1e3;
  }
  // Too short for any, or a driver that does not say.
  if (std::ranges::all_of(per_ghz, &std::vector<double>::empty)) return;
  node.judge(
      {.check = "burnin.gemm-" + std::string(name) + "-clock",
       .unit = "TFLOP/s per GHz",
       .decimals = 0,
       .spread = node.expected().gemm_clock_spread,
       .source = "cuBLASLt, by the mean SM clock of the same time (NVML)",
       .remedy =
           "this GPU computes less at the same clock than its siblings: it is at fault, not its cooling "
           "or power; mlc-bench gpu sm, then take it out of service"},
      "gemm", std::string(name) + " per GHz", per_ghz, limits, absent);
}

// A card without 8-bit tensor cores is asked for none, unless the policy wants a figure of it.
Status without(const Burnin& node, GemmType type, const GpuIdentity& gpu) {
  return type == GemmType::fp8 && !computes_fp8(gpu) && !node.expected().gemm_fp8_tflop_s ? Status::skip
                                                                                          : Status::unknown;
}

void run(Burnin& node, double seconds) {
  auto& cards = node.cards();
  for (const auto& [type, name, share] : soaks) {
    std::vector<std::vector<double>> rates(cards.size());
    std::vector<std::vector<tile::Digest>> digests(cards.size());
    std::vector<std::string> absent(cards.size());
    const double start = node.now(), until = start + seconds * share;
    // In bursts of about a second, so that the live line moves; the GPU is not idle long enough between to
    // cool down.
    bool warm = false;
    double warm_since = start;
    do {
      node.say(std::string(name) + ", " + fixed(node.now() - start, 0) + " s");
      node.each([&, type = type](Burnin::Card& card) {
        const auto at = static_cast<std::size_t>(&card - cards.data());
        absent[at] = card.device->gemm_absent(type);
        if (!absent[at].empty()) return;
        const GemmRun run = card.device->gemm(type, warm ? sizes::later_products : sizes::first_products,
                                              node.options().seed);
        constexpr int n = GpuDevice::gemm_size;
        // The first burst runs at boost clocks that no soak holds.
        if (warm)
          for (double s : run.seconds)
            rates[at].push_back(gemm::operations(n, n, n) / s / 1e12);
        digests[at].insert(digests[at].end(), run.digests.begin(), run.digests.end());
      });
      // What is lost has not said that it lacks the product.
      const auto idle = [&](const Burnin::Card& card) {
        return card.lost || !absent[static_cast<std::size_t>(&card - cards.data())].empty();
      };
      if (std::ranges::all_of(cards, idle)) break;
      if (!std::exchange(warm, true)) warm_since = node.now();
    } while (node.now() < until || std::ranges::all_of(rates, &std::vector<double>::empty));
    const bool none = std::ranges::all_of(digests, &std::vector<tile::Digest>::empty);
    for (std::size_t i = 0; i < cards.size(); ++i) {
      if (!absent[i].empty() && !cards[i].lost)
        node.add(Finding{
            .check = "burnin.gemm-" + std::string(name),
            .subject = cards[i].subject,
            .status = without(node, type, cards[i].device->identity()),
            .observed = absent[i],
            .expected = "a soak of matrix products",
            .source = "cuBLASLt",
            .remedy =
                type == GemmType::fp8 && !computes_fp8(cards[i].device->identity())
                    ? ""
                    : "install cuBLAS of the toolkit's major version (libcublasLt.so), or leave gemm out"});
    }
    if (none) continue;
    judge_digests(node, name, digests);
    node.judge({.check = "burnin.gemm-" + std::string(name),
                .unit = "TFLOP/s",
                .decimals = 0,
                .bound = type == GemmType::bf16 ? node.expected().gemm_bf16_tflop_s
                                                : node.expected().gemm_fp8_tflop_s,
                .spread = node.expected().gemm_spread,
                .source = "cuBLASLt, 8192 x 8192 x 8192, random data, after warm-up",
                .remedy = "burnin.gemm-" + std::string(name) +
                          "-clock says whether it is slow at its clock, and so at fault; else it is its "
                          "clock: see burnin.throttle, "
                          "power and heat of this GPU"},
               "gemm", std::string(name), rates, {}, absent);
    judge_by_clock(node, type, name, rates, absent, warm_since);
  }
}

}  // namespace

extern const GpuTest gemm_test{
    .name = "gemm",
    .summary = "matrix products in bf16 and fp8 on random data: power soak, every repeat bitwise equal",
    .limit =
        "989 (bf16) and 1979 (fp8) TFLOP/s on an H100 SXM; random data holds about 730 and 1400 at 700 W",
    .quick_s = 30,
    .full_s = 90,
    .run = run};

}  // namespace mlc
