#include <algorithm>
#include <array>

#include "bench/gpu/burnin.hpp"
#include "bench/gpu/judge_pairs.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct Mover {
  PeerKind kind;
  std::string_view name;
};
constexpr std::array<Mover, 3> movers{{{PeerKind::copy_engine, copy_engine_pairs},
                                       {PeerKind::sm_write, "sm-write"},
                                       {PeerKind::sm_read, "sm-read"}}};

using sizes::copied;

void judge(Burnin& node, std::string_view mover, const std::vector<bool>& reached,
           const std::vector<std::optional<double>>& values, std::optional<double> bound) {
  auto& cards = node.cards();
  PairRates rates{.subjects = {}, .asked = reached, .values = values};
  Matrix matrix{.kind = "gpu_pair",
                .title = "GPU to GPU, " + std::string(mover),
                .by = std::string(mover),
                .unit = "gb_s",
                .rows = {},
                .columns = {},
                .values = values,
                .culprits = {}};
  for (std::size_t from = 0; from < cards.size(); ++from) {
    rates.subjects.push_back(cards[from].subject);
    matrix.rows.push_back("GPU " + std::to_string(cards[from].device->identity().index));
    for (std::size_t to = 0; to < cards.size(); ++to)
      if (cards[from].lost || cards[to].lost) rates.asked[from * cards.size() + to] = false;
  }
  matrix.columns = matrix.rows;
  const RateRule rule{
      .check = "burnin.nvlink-" + std::string(mover),
      .unit = "GB/s",
      .decimals = 0,
      .bound = bound,
      .spread = node.expected().nvlink_spread,
      .source = "256 MiB from GPU to GPU",
      .remedy =
          "nvidia-smi nvlink -s and -e on both; systemctl status nvidia-fabricmanager; dmesg | grep -i xid"};
  auto judged = judge_pairs(rule, rates);
  if (judged.findings.empty()) return;
  matrix.culprits = std::move(judged.culprits);
  node.add(std::move(judged.findings));
  node.add(std::move(matrix));
}

// It takes two: whichever does not even read its own memory is the one that is gone.
std::optional<GpuError> trouble_of_card(const Burnin::Card& card) {
  try {
    card.device->probe(3);
    return std::nullopt;
  } catch (const GpuError& error) {
    return error;
  }
}

// Of two that copied together.
void blame(Burnin& node, Burnin::Card& card, Burnin::Card& other, const GpuError& error) {
  using Known = Burnin::Known;
  // What hangs half way may still come to an end, and then writes to the memory of the other one, or of the
  // host that the other one counts in.
  const auto set_aside = [&](Burnin::Card& healthy, const Burnin::Card& gone, Known known) {
    node.lose(healthy, GpuError(GpuTrouble::held, "copies between it and " + gone.subject), known);
  };
  const auto mine = trouble_of_card(card), theirs = trouble_of_card(other);
  if (mine) node.lose(card, *mine);
  if (theirs) node.lose(other, *theirs);
  if (mine && !theirs && mine->trouble == GpuTrouble::hung) set_aside(other, card, Known::beside_it);
  if (theirs && !mine && theirs->trouble == GpuTrouble::hung) set_aside(card, other, Known::beside_it);
  // What one of them had to do alone is its own, unless it shows a trouble or waits for the other one.
  const bool of_other = error.of_gpu == other.device->identity().index;
  if (mine || theirs) {
    if (error.of_gpu && !(of_other ? theirs : mine))
      node.lose(of_other ? other : card, error, Known::by_elimination);
    return;
  }
  // The copy engines of both answer: the copy is of who makes it.
  Burnin::Card &gone = of_other ? other : card, &healthy = of_other ? card : other;
  node.lose(gone, error, Known::by_elimination);
  if (error.trouble == GpuTrouble::hung) set_aside(healthy, gone, Known::beside_eliminated);
}

void run(Burnin& node, double seconds) {
  auto& cards = node.cards();
  const std::size_t n = cards.size();
  const auto skip = [&](Status status, const std::string& why, const std::string& remedy) {
    node.add(Finding{.check = "burnin.nvlink",
                     .subject = "node",
                     .status = status,
                     .observed = why,
                     .expected = "",
                     .source = "cudaDeviceCanAccessPeer",
                     .remedy = remedy});
  };
  if (n < 2) return skip(Status::skip, "one GPU has no peer", "");
  std::vector<char> reaches(n * n, 0);  // not bool: each GPU has its own thread
  node.each([&](Burnin::Card& card) {
    const auto from = static_cast<std::size_t>(&card - cards.data());
    for (std::size_t to = 0; to < n; ++to)
      if (from != to && !cards[to].lost) reaches[from * n + to] = card.device->reaches(*cards[to].device);
  });
  std::vector<bool> reached(n * n, false);
  std::size_t apart = 0;
  std::string who;
  for (std::size_t from = 0; from < n; ++from)
    for (std::size_t to = 0; to < n; ++to) {
      if (from == to || cards[from].lost || cards[to].lost) continue;
      // SMs read the other way round: a pair is measured where each reaches the other.
      reached[from * n + to] = reaches[from * n + to] && reaches[to * n + from];
      if (!reaches[from * n + to] && apart++ == 0)
        who = cards[from].subject + " cannot reach " + cards[to].subject;
    }
  if (apart > 1) who += ", and " + std::to_string(apart - 1) + " pairs more";
  // GPUs without NVLink are no fault of their own; a policy that asks for it makes it one. The other pairs
  // are measured all the same.
  if (apart > 0)
    node.expected().nvlink_gb_s
        ? skip(Status::fail, who,
               "nvidia-smi topo -p2p r; systemctl status nvidia-fabricmanager; is ACS off?")
        : skip(Status::skip, who, "");
  if (std::ranges::count(reached, true) == 0) return;
  std::vector<std::optional<std::uint64_t>> wrong(n * n);
  const double until = node.now() + seconds;
  for (const auto& [kind, name] : movers) {
    std::vector<std::optional<double>> rates(n * n);
    // Round s: every GPU sends to the one s after it, all at once but for the first mover, which measures
    // pair by pair.
    for (std::size_t shift = 1; shift < n; ++shift) {
      node.say(std::string(name) + ", to the " + std::to_string(shift) + ". neighbour");
      const auto send = [&, kind = kind](Burnin::Card& card) {
        const auto from = static_cast<std::size_t>(&card - cards.data()), to = (from + shift) % n;
        if (cards[to].lost || !reached[from * n + to]) return;
        CopyRun run;
        try {
          run = card.device->copy_to(*cards[to].device, kind, copied, 20);
        } catch (const GpuError& error) {
          return blame(node, card, cards[to], error);
        }
        // Where SMs read, the bytes come from the other one.
        auto& arrived = kind == PeerKind::sm_read ? wrong[to * n + from] : wrong[from * n + to];
        arrived = arrived.value_or(0) + run.wrong;
        auto& rate = kind == PeerKind::sm_read ? rates[to * n + from] : rates[from * n + to];
        rate = static_cast<double>(copied) / median_of(run.seconds) / 1e9;
      };
      if (kind == PeerKind::copy_engine)
        for (std::size_t i = 0; i < n; ++i)
          node.each([&](Burnin::Card& card) {
            if (&card == &cards[i]) send(card);
          });
      else
        node.each(send);
    }
    judge(node, name, reached, rates,
          kind == PeerKind::copy_engine ? node.expected().nvlink_gb_s : std::nullopt);
    if (node.now() > until) break;
  }
  std::vector<std::string> subjects;
  for (const auto& card : cards)
    subjects.push_back(card.subject);
  node.add(judge_pair_data(subjects, wrong));
}

}  // namespace

extern const GpuTest nvlink_test{
    .name = "nvlink",
    .summary = "every ordered pair of GPUs: copy engine, then SMs writing and reading",
    .limit = "450 GB/s each way over 18 links; healthy pairs copy at 371 to 380",
    .quick_s = 15,
    .full_s = 30,
    .run = run};

}  // namespace mlc
