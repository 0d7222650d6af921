// The burn-in of a node's GPUs: a table of tests, run one after another on all GPUs at once, sampled from
// outside. A bad GPU becomes a finding and is left out of what follows; nothing of it ends the run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/engine/fault.hpp"
#include "bench/gpu/device.hpp"
#include "bench/gpu/judge_rates.hpp"
#include "bench/gpu/sampler.hpp"
#include "bench/gpu/telemetry.hpp"
#include "bench/ranks/pulse.hpp"
#include "reports/history/change_point.hpp"
#include "reports/record/figures.hpp"
#include "reports/record/finding.hpp"
#include "validators/host/clock.hpp"
#include "validators/policy/gpu_expectation.hpp"

namespace mlc {

class Burnin;

struct GpuTest {
  std::string_view name;
  std::string_view summary;
  std::string_view limit;          // what bounds the figure, and where it comes from, for `explain`
  double quick_s = 0, full_s = 0;  // time it takes, about; 0: not part of that form
  void (*run)(Burnin& node, double seconds) = nullptr;
};

struct BurninOptions {
  std::uint64_t seed = 1;
  std::string node;
  std::uint64_t most_memory = ~std::uint64_t{0};  // bytes of each GPU to test at most
  std::optional<Fault> fault;                     // Fault::place is the GPU by CUDA's index
  double sample_s = 0.1;                          // between two looks at clocks, power and heat
};

struct BurninOutcome {
  std::vector<Finding> findings;
  std::vector<GpuResult> results;
  std::vector<Matrix> matrices;
  std::vector<TelemetryTrack> tracks;
};

// A GPU that cannot go on, while doing `phase`.
Finding trouble_finding(const std::string& subject, const GpuError& error, const std::string& phase);

class Burnin {
 public:
  struct Card {
    std::unique_ptr<GpuDevice> device;
    std::string subject;
    bool lost = false;
    double copy_bytes_s = 0;  // median of hbm's copy, against which the memory test is held
  };

  // `live` hears of progress; both it and `pulse` are told from the working thread only.
  Burnin(std::vector<std::unique_ptr<GpuDevice>> devices, const GpuExpectation& expected,
         BurninOptions options, Telemetry& telemetry, Clock& clock, Pulse& pulse,
         std::function<void(const std::string&)> live);

  // Throws UsageError where a fault is to be planted that has no place here.
  void run(std::span<const GpuTest* const> tests, bool quick);
  BurninOutcome outcome();  // so far; after run(), with what the telemetry says
  // The GPUs that an each() waits for, by any thread: where the run ends while they are at work, a call into
  // their driver does not return.
  std::vector<std::string> at_work();
  void take_progress(const std::function<void(const BurninOutcome&)>& on_test) { on_test_ = on_test; }

  // For the tests.
  const GpuExpectation& expected() const { return expected_; }
  const BurninOptions& options() const { return options_; }
  std::vector<Card>& cards() { return cards_; }
  double now() { return clock_.now(); }
  bool quick() const { return quick_; }
  TelemetrySample latest(const Card& card);  // empty without telemetry
  // Mean SM clock that was sampled since then, by now(); empty of less than twenty samples.
  std::optional<double> mean_clock_mhz(const Card& card, double since);

  // Runs `work` on every GPU that is still there, each on a thread of its own, and returns when all have
  // ended. A GpuError becomes a finding on its GPU, which is then left out.
  void each(const std::function<void(Card&)>& work);
  // How a GPU is known to be in trouble: it shows it, it waits for one that shows it, nothing else explains
  // what two did together, or it was the other one of these two. The first counts where there are several: so
  // GPUs that all hang do not excuse each other.
  enum class Known : std::uint8_t { by_itself, beside_it, by_elimination, beside_eliminated };
  // From within each(), of any GPU: a finding of its own.
  void lose(Card& card, const GpuError& error, Known known = Known::by_itself);
  // What this test knows by now and will add() in the end, should the run end before; until another is told.
  void tell(std::vector<Finding> so_far);
  void say(const std::string& what);  // the live line, with clocks and power
  void tick() { pulse_.tick(); }

  void add(Finding finding) { outcome_.findings.push_back(std::move(finding)); }
  void add(std::vector<Finding> findings);
  void add(Matrix matrix) { outcome_.matrices.push_back(std::move(matrix)); }

  // The figures of one metric, one list a card (empty: not measured), judged by `rule` and kept as results.
  // `limits`: what each card's figure could be at most, in the rule's unit; 0: not known. `absent`: why a
  // card has none, which its own finding says.
  void judge(const RateRule& rule, const std::string& test, const std::string& metric,
             const std::vector<std::vector<double>>& samples, const std::vector<double>& limits = {},
             const std::vector<std::string>& absent = {});

 private:
  void check_planted(const Fault& fault) const;
  void tell_all();  // with failing_ held

  std::vector<Card> cards_;
  const GpuExpectation& expected_;
  BurninOptions options_;
  Telemetry& telemetry_;
  Clock& clock_;
  Pulse& pulse_;
  std::function<void(const std::string&)> live_;
  std::function<void(const BurninOutcome&)> on_test_;
  std::unique_ptr<Sampler> sampler_;
  std::mutex failing_;
  struct Failed {
    Card* card;
    GpuError error;
    Known known;
  };
  std::vector<Failed> failed_;   // in this each()
  std::vector<Finding> so_far_;  // of this test, not added yet
  std::mutex working_;
  std::vector<std::string> at_work_;  // guarded by working_
  std::string test_;
  bool quick_ = true;
  BurninOutcome outcome_;
};

}  // namespace mlc
