#include "bench/gpu/burnin.hpp"

#include <algorithm>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "bench/gpu/judge_telemetry.hpp"
#include "reports/record/text.hpp"

namespace mlc {

std::string gpu_text(const GpuIdentity& gpu) {
  return "GPU " + std::to_string(gpu.index) + (gpu.pci.empty() ? "" : " (" + gpu.pci + ")");
}

Burnin::Burnin(std::vector<std::unique_ptr<GpuDevice>> devices, const GpuExpectation& expected,
               BurninOptions options, Telemetry& telemetry, Clock& clock, Pulse& pulse,
               std::function<void(const std::string&)> live)
    : expected_(expected),
      options_(std::move(options)),
      telemetry_(telemetry),
      clock_(clock),
      pulse_(pulse),
      live_(std::move(live)) {
  for (auto& device : devices) {
    std::string subject = gpu_text(device->identity());
    cards_.push_back({.device = std::move(device), .subject = std::move(subject)});
  }
}

Finding trouble_finding(const std::string& subject, const GpuError& error, const std::string& phase) {
  const auto [proves, what, remedy] = text_of(error.trouble);
  return {.check = "burnin.device",
          .subject = subject,
          .status = proves ? Status::fail : Status::unknown,
          .observed = what + (what.empty() ? "" : ": ") + error.what() + " (while: " + phase + ")",
          .expected = "the GPU works from the first test to the last",
          .source = "CUDA runtime",
          .remedy = remedy};
}

void Burnin::each(const std::function<void(Card&)>& work) {
  std::exception_ptr broken;  // the tool itself
  {
    std::vector<std::jthread> threads;
    for (auto& card : cards_) {
      if (card.lost) continue;
      {
        const std::lock_guard lock(working_);
        at_work_.push_back(card.subject);
      }
      threads.emplace_back([&, card = &card] {
        try {
          work(*card);
        } catch (const GpuError& error) {
          lose(*card, error);
        } catch (...) {
          const std::lock_guard lock(failing_);
          broken = std::current_exception();
        }
        const std::lock_guard lock(working_);
        std::erase(at_work_, card->subject);
      });
    }
  }
  if (broken) std::rethrow_exception(broken);
  std::ranges::stable_sort(failed_, {}, [](const Failed& one) {
    return std::pair(one.card->device->identity().index, one.known);
  });
  for (auto& [card, error, known] : std::exchange(failed_, {}))
    if (!std::exchange(card->lost, true)) add(trouble_finding(card->subject, error, test_));
  tick();
}

void Burnin::lose(Card& card, const GpuError& error, Known known) {
  const std::lock_guard lock(failing_);
  failed_.push_back({&card, error, known});
  tell_all();  // another GPU's driver may never return
}

void Burnin::tell(std::vector<Finding> so_far) {
  const std::lock_guard lock(failing_);
  so_far_ = std::move(so_far);
  tell_all();
}

void Burnin::tell_all() {
  if (!on_test_) return;
  BurninOutcome told = outcome_;
  told.findings.insert(told.findings.end(), so_far_.begin(), so_far_.end());
  for (const auto& one : failed_)
    if (one.known == Known::by_itself && !one.card->lost)
      told.findings.push_back(trouble_finding(one.card->subject, one.error, test_));
  on_test_(told);
}

std::vector<std::string> Burnin::at_work() {
  const std::lock_guard lock(working_);
  return at_work_;
}

TelemetrySample Burnin::latest(const Card& card) {
  return sampler_ ? sampler_->latest(static_cast<std::size_t>(&card - cards_.data())) : TelemetrySample{};
}

std::optional<double> Burnin::mean_clock_mhz(const Card& card, double since) {
  if (!sampler_) return std::nullopt;
  std::vector<double> clocks;
  for (const auto& sample : sampler_->since(static_cast<std::size_t>(&card - cards_.data()), since))
    if (sample.sm_clock_mhz) clocks.push_back(*sample.sm_clock_mhz);
  if (clocks.size() < 20) return std::nullopt;
  return std::accumulate(clocks.begin(), clocks.end(), 0.0) / static_cast<double>(clocks.size());
}

void Burnin::say(const std::string& what) {
  pulse_.tick();
  if (!live_) return;
  double watts = 0, hottest = 0;
  for (std::size_t i = 0; i < cards_.size() && sampler_; ++i) {
    const TelemetrySample sample = sampler_->latest(i);
    watts += sample.power_w.value_or(0);
    hottest = std::max(hottest, sample.temperature_c.value_or(0));
  }
  live_(test_ + "  " + what + (watts > 0 ? "  " + fixed(watts, 0) + " W" : "") +
        (hottest > 0 ? "  " + fixed(hottest, 0) + " °C" : ""));
}

void Burnin::add(std::vector<Finding> findings) {
  outcome_.findings.insert(outcome_.findings.end(), std::make_move_iterator(findings.begin()),
                           std::make_move_iterator(findings.end()));
  // What is found is told at once: a test may last a minute and a half, and be ended by Ctrl-C or a driver
  // that does not return.
  if (on_test_) on_test_(outcome_);
}

void Burnin::judge(const RateRule& rule, const std::string& test, const std::string& metric,
                   const std::vector<std::vector<double>>& samples, const std::vector<double>& limits,
                   const std::vector<std::string>& absent) {
  std::vector<NamedValue> values;
  // A GPU that was lost, or does not do it, has its finding already; what it had done of this test is of
  // other parts of it than the others' whole, and no measure for them.
  const auto left_out = [&](std::size_t i) {
    return cards_[i].lost || (samples[i].empty() && i < absent.size() && !absent[i].empty());
  };
  for (std::size_t i = 0; i < cards_.size(); ++i)
    if (!left_out(i))
      values.push_back(
          {cards_[i].subject, samples[i].empty() ? std::nullopt : std::optional(median_of(samples[i]))});
  const auto findings = judge_rates(rule, values);
  for (std::size_t i = 0, at = 0; i < cards_.size(); ++i) {
    if (left_out(i)) continue;
    const Finding& finding = findings[at++];
    if (samples[i].empty()) continue;
    const auto [low, high] = std::ranges::minmax(samples[i]);
    const double value = median_of(samples[i]);
    GpuResult result{.node = options_.node,
                     .gpu = cards_[i].device->identity().index,
                     .uuid = cards_[i].device->identity().uuid,
                     .test = test,
                     .metric = metric,
                     .unit = rule.unit,
                     .value = value,
                     .min = low,
                     .max = high,
                     .samples = samples[i].size(),
                     .bound = rule.bound,
                     .status = finding.status};
    if (i < limits.size() && limits[i] > 0) result.share_of_limit = value / limits[i];
    outcome_.results.push_back(std::move(result));
  }
  add(findings);
}

void Burnin::check_planted(const Fault& fault) const {
  std::vector<int> indices;
  for (const auto& card : cards_)
    indices.push_back(card.device->identity().index);
  check_among("gpu", fault.place, indices);
  const Card& card =
      cards_[static_cast<std::size_t>(std::ranges::find(indices, fault.place) - indices.begin())];
  if (card.lost) return;
  if (fault.kind == Fault::Kind::sm)
    return check_below("sm", fault.index, static_cast<std::uint64_t>(card.device->identity().sms),
                       "the SMs of " + card.subject);
  std::uint64_t words = 0;
  for (const auto& stretch : card.device->memory())
    words += stretch.bytes / 8;
  check_below("word", fault.index, words, "the words of " + card.subject + " under test");
}

void Burnin::run(std::span<const GpuTest* const> tests, bool quick) {
  test_ = "preparing", quick_ = quick;
  pulse_.enter("taking GPU memory");
  std::vector<TelemetryTrack> tracks;
  for (const auto& card : cards_)
    tracks.push_back({.subject = card.subject, .uuid = card.device->identity().uuid});
  sampler_ = std::make_unique<Sampler>(telemetry_, clock_, std::move(tracks), options_.sample_s);
  each([&](Card& card) { card.device->take_memory(options_.most_memory); });
  if (options_.fault) check_planted(*options_.fault);
  for (const GpuTest* test : tests) {
    if (std::ranges::all_of(cards_, &Card::lost)) break;
    test_ = test->name;
    pulse_.enter("gpu " + test_);
    say("");
    sampler_->begin(test_);
    const double seconds = quick ? test->quick_s : test->full_s;
    // Asked for by name, a test that is no part of the form runs as long as in the other.
    test->run(*this, sizes::time * (seconds > 0 ? seconds : std::max(test->quick_s, test->full_s)));
    sampler_->end();
    if (on_test_) on_test_(outcome_);
  }
  test_ = "judging";
  pulse_.enter("reading counters");
  outcome_.tracks = sampler_->stop();
  if (!telemetry_.absent().empty()) {
    add(Finding{.check = "burnin.telemetry",
                .subject = "node",
                .status = Status::unknown,
                .observed = telemetry_.absent(),
                .expected = "clocks, power, heat and error counters of every GPU",
                .source = "NVML (libnvidia-ml.so.1)",
                .remedy = "in a container ask for the GPUs, so that the runtime mounts the library"});
    return;
  }
  for (std::size_t i = 0; i < outcome_.tracks.size(); ++i) {
    const auto& track = outcome_.tracks[i];
    add(judge_throttling(track, expected_.throttled));
    add(judge_counters(track));
    add(judge_link(track, expected_));
    for (const auto& phase : power_by_phase(track)) {
      const auto record = [&](const char* metric, const char* unit, const std::optional<double>& value) {
        if (value)
          outcome_.results.push_back({.node = options_.node,
                                      .gpu = cards_[i].device->identity().index,
                                      .uuid = track.uuid,
                                      .test = phase.test,
                                      .metric = metric,
                                      .unit = unit,
                                      .value = *value,
                                      .min = *value,
                                      .max = *value,
                                      .samples = 1});
      };
      record("mean power", "W", phase.mean_w);
      record("mean SM clock", "MHz", phase.mean_sm_clock_mhz);
    }
  }
}

BurninOutcome Burnin::outcome() { return outcome_; }

}  // namespace mlc
