#include "bench/gpu/judge_telemetry.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct Reason {
  std::uint64_t bit;
  std::string_view name, remedy;
};

// What must not happen. The software power cap is how a soak runs; idle and application clocks are no fault.
constexpr std::array<Reason, 4> reasons{
    {{throttle::hw_thermal, "hardware thermal slowdown",
      "check fans, airflow and heat sinks (ipmitool sdr type fan)"},
     {throttle::sw_thermal, "software thermal slowdown", "check fans, airflow and inlet temperature"},
     {throttle::hw_power_brake, "power brake",
      "the chassis limits power: check power supplies and their cables (ipmitool sdr type 'power supply')"},
     {throttle::hw_slowdown, "hardware slowdown", "check power supplies, cables and temperatures"}}};

// The hardware slowdown bit is also set while the thermal or the brake bit is: then those say what it is.
bool active(const Reason& reason, std::uint64_t mask) {
  if (reason.bit == throttle::hw_slowdown && (mask & (throttle::hw_thermal | throttle::hw_power_brake)) != 0)
    return false;
  return (mask & reason.bit) != 0;
}

// Time that a sample stands for: up to the next one.
double lasts(const std::vector<TelemetrySample>& samples, std::size_t i) {
  return i + 1 < samples.size() ? std::max(0.0, samples[i + 1].time_s - samples[i].time_s) : 0;
}

// By how much the driver's own count of seconds under thermal limits grew.
std::optional<double> accumulated_heat(const std::vector<TelemetrySample>& samples) {
  std::optional<double> first, last;
  for (const auto& sample : samples)
    if (sample.thermal_violation_s) {
      if (!first) first = sample.thermal_violation_s;
      last = sample.thermal_violation_s;
    }
  return first ? std::optional(*last - *first) : std::nullopt;
}

}  // namespace

std::vector<Finding> judge_throttling(const TelemetryTrack& track, double at_most) {
  Finding finding{.check = "burnin.throttle",
                  .subject = track.subject,
                  .expected = "no heat slowdown and no power brake for more than " + percent_text(at_most) +
                              " of the time",
                  .source = "NVML: clocks event reasons and violation times, sampled through the burn-in"};
  double watched = 0;
  std::array<double, reasons.size()> seconds{};
  for (std::size_t i = 0; i < track.samples.size(); ++i) {
    const auto& mask = track.samples[i].reasons;
    if (!mask) continue;
    const double time = lasts(track.samples, i);
    watched += time;
    for (std::size_t r = 0; r < reasons.size(); ++r)
      if (active(reasons[r], *mask)) seconds[r] += time;
  }
  if (!(watched > 0)) {
    finding.observed = "the driver gave no throttle reasons";
    finding.remedy = "nvidia-smi -q -d PERFORMANCE; is libnvidia-ml.so.1 the driver's own?";
    return {finding};
  }
  // The accumulated time has no gaps between samples; where it says more than the samples, it counts.
  if (const auto violation = accumulated_heat(track.samples))
    seconds[0] = std::max(seconds[0], *violation - seconds[1]);
  std::string observed;
  Status status = Status::pass;
  for (std::size_t r = 0; r < reasons.size(); ++r) {
    if (!(seconds[r] > 0)) continue;
    const double share = seconds[r] / watched;
    observed += (observed.empty() ? "" : ", ") + std::string(reasons[r].name) + " for " +
                percent_text(share) + " of " + fixed(watched, 0) + " s";
    finding.remedy += (finding.remedy.empty() ? "" : "; ") + std::string(reasons[r].remedy);
    status = share > at_most ? Status::fail : status == Status::fail ? status : Status::warn;
  }
  finding.status = status;
  finding.observed = observed.empty() ? "not throttled in " + fixed(watched, 0) + " s" : observed;
  return {finding};
}

std::vector<Finding> judge_counters(const TelemetryTrack& track) {
  struct Counter {
    std::string_view name;
    std::optional<std::uint64_t> TelemetryCounters::*value;
    Status when_grown;
    std::string_view remedy;
  };
  static constexpr std::array<Counter, 6> counters{
      {{"uncorrectable ECC errors", &TelemetryCounters::ecc_uncorrected, Status::fail,
        "reset or power-cycle the GPU so that the row is remapped, run again; open an RMA if it comes back"},
       {"corrected ECC errors", &TelemetryCounters::ecc_corrected, Status::warn,
        "watch it: many corrected errors come before uncorrectable ones"},
       {"rows remapped for uncorrectable errors", &TelemetryCounters::remapped_uncorrectable, Status::fail,
        "nvidia-smi -q -d ROW_REMAPPER; reset the GPU and run again"},
       {"rows remapped for correctable errors", &TelemetryCounters::remapped_correctable, Status::warn,
        "nvidia-smi -q -d ROW_REMAPPER; reset the GPU and run again"},
       {"PCIe replays", &TelemetryCounters::pcie_replays, Status::warn,
        "reseat the GPU or its riser; compare with pci.errors"},
       {"NVLink errors", &TelemetryCounters::nvlink_errors, Status::fail,
        "nvidia-smi nvlink -e; dmesg | grep -i -e nvlink -e xid; restart the fabric manager, then open an "
        "RMA"}}};
  std::vector<Finding> findings;
  const auto add = [&](Status status, const std::string& observed, std::string_view remedy) {
    findings.push_back({.check = "burnin.counters",
                        .subject = track.subject,
                        .status = status,
                        .observed = observed,
                        .expected = "no counter grows, no row waits to be remapped",
                        .source = "NVML, before and after",
                        .remedy = std::string(remedy)});
  };
  int read = 0;
  for (const auto& counter : counters) {
    const auto &before = track.before.*counter.value, &after = track.after.*counter.value;
    if (before && !after)
      add(Status::unknown, std::string(counter.name) + " could be read before the burn-in, and not after it",
          "nvidia-smi -q; dmesg | grep -i xid: the GPU or its driver may have gone");
    if (!before || !after) continue;
    ++read;
    // A counter that fell was reset in between, by a driver reload or by somebody: what it had counted is
    // lost.
    if (*after < *before)
      add(Status::unknown,
          std::string(counter.name) + " fell from " + std::to_string(*before) + " to " +
              std::to_string(*after),
          "somebody reset the GPU or its counters while it was tested: run again");
    else if (*after > *before)
      add(counter.when_grown, std::to_string(*after - *before) + " new " + std::string(counter.name),
          counter.remedy);
  }
  if (track.after.remap_failed.value_or(0) > 0) {
    ++read;
    add(Status::fail, "a row could not be remapped", "open an RMA: the spare rows are used up");
  } else if (track.after.remap_pending.value_or(0) > 0) {
    ++read;
    add(Status::fail, "a row waits to be remapped",
        "drain the node and reset the GPU (nvidia-smi -r), then run again");
  }
  if ((track.before.remap_failed && !track.after.remap_failed) ||
      (track.before.remap_pending && !track.after.remap_pending))
    add(Status::unknown,
        "whether a row waits to be remapped could be read before the burn-in, and not after it",
        "nvidia-smi -q -d ROW_REMAPPER");
  if (findings.empty() && read == 0)
    add(Status::unknown, "the driver gave no counters", "nvidia-smi -q -d ECC,ROW_REMAPPER");
  if (findings.empty()) add(Status::pass, "no counter grew", "");
  return findings;
}

std::vector<Finding> judge_link(const TelemetryTrack& track, const GpuExpectation& expected) {
  const auto phase = std::ranges::find(track.phases, "pcie", &TelemetryTrack::Phase::test);
  if (phase == track.phases.end()) return {};
  Finding finding{.check = "burnin.pcie-link",
                  .subject = track.subject,
                  .source = "NVML: current PCIe link while the copy engines run (it is slower when idle)"};
  if (expected.pcie_generation || expected.pcie_width)
    finding.expected = (expected.pcie_generation ? "Gen" + std::to_string(*expected.pcie_generation) : "") +
                       (expected.pcie_width ? " x" + std::to_string(*expected.pcie_width) : "");
  // The best seen in the phase: the link needs a moment to wake up.
  int generation = 0, width = 0;
  for (const auto& sample : track.samples) {
    if (sample.time_s < phase->begin_s || sample.time_s > phase->end_s) continue;
    generation = std::max(generation, sample.pcie_generation.value_or(0));
    width = std::max(width, sample.pcie_width.value_or(0));
  }
  if (generation == 0 || width == 0) {
    finding.observed = "the driver did not say";
    finding.remedy = "nvidia-smi -q -d PCI while a copy runs";
    return {finding};
  }
  finding.observed = "Gen" + std::to_string(generation) + " x" + std::to_string(width);
  const bool bad =
      generation < expected.pcie_generation.value_or(0) || width < expected.pcie_width.value_or(0);
  finding.status = bad ? Status::fail : Status::pass;
  if (bad)
    finding.remedy =
        "reseat the GPU or its riser; check the slot's setting in the BIOS; compare with pci.link";
  return {finding};
}

std::vector<Finding> judge_state(const std::string& subject, const GpuState& state, bool ecc_wanted) {
  std::vector<Finding> findings;
  const auto add = [&](Status status, const std::string& observed, const std::string& expected,
                       const std::string& remedy) {
    findings.push_back({.check = "burnin.state",
                        .subject = subject,
                        .status = status,
                        .observed = observed,
                        .expected = expected,
                        .source = "NVML",
                        .remedy = remedy});
  };
  if (state.mig.value_or(false))
    add(Status::fail, "MIG is on: a slice cannot be tested as a GPU", "MIG off",
        "nvidia-smi -mig 0 on a drained node, then reset the GPU");
  if (state.ecc && !*state.ecc)
    add(Status::fail, "ECC is off: memory errors would go unseen", "ECC on",
        "nvidia-smi -e 1 on a drained node, then reset the GPU");
  if (!state.ecc && ecc_wanted)
    add(Status::unknown, "the driver does not say whether ECC is on", "ECC on", "nvidia-smi -q -d ECC");
  if (!state.processes.empty()) {
    std::string list;
    for (std::size_t i = 0; i < state.processes.size() && i < 8; ++i)
      list += (i == 0 ? "" : ", ") + std::to_string(state.processes[i]);
    add(Status::unknown,
        "other processes use it (" + list + (state.processes.size() > 8 ? ", ..." : "") + ")" +
            (state.memory_used
                 ? " and hold " + fixed(static_cast<double>(*state.memory_used) / 1e9, 1) + " GB"
                 : ""),
        "an idle GPU", "drain the node (kubectl drain), end what runs there, and run again");
  } else if (state.utilisation.value_or(0) > 10) {
    // In a container other processes cannot be seen; their load can.
    add(Status::unknown,
        "it is busy: " + std::to_string(*state.utilisation) + " % utilisation before the test began",
        "an idle GPU", "nvidia-smi on the node; drain it and run again");
  }
  return findings;
}

std::vector<PhasePower> power_by_phase(const TelemetryTrack& track) {
  std::vector<PhasePower> all;
  for (const auto& phase : track.phases) {
    PhasePower power{.test = phase.test, .mean_w = {}, .mean_sm_clock_mhz = {}};
    std::optional<double> first_j, last_j;
    double first_s = 0, last_s = 0, watts = 0, mhz = 0;
    int watt_samples = 0, mhz_samples = 0;
    for (const auto& sample : track.samples) {
      if (sample.time_s < phase.begin_s || sample.time_s > phase.end_s) continue;
      if (sample.energy_j) {
        if (!first_j) first_j = sample.energy_j, first_s = sample.time_s;
        last_j = sample.energy_j, last_s = sample.time_s;
      }
      if (sample.power_w) watts += *sample.power_w, ++watt_samples;
      if (sample.sm_clock_mhz) mhz += *sample.sm_clock_mhz, ++mhz_samples;
    }
    // The power reading of A100 and H100 looks at a quarter of the time only; the energy counter at all of
    // it.
    if (first_j && last_s - first_s > 0.5)
      power.mean_w = (*last_j - *first_j) / (last_s - first_s);
    else if (watt_samples > 0)
      power.mean_w = watts / watt_samples;
    if (mhz_samples > 0) power.mean_sm_clock_mhz = mhz / mhz_samples;
    all.push_back(power);
  }
  return all;
}

GpuTrace trace_of(const TelemetryTrack& track, const std::string& node, int gpu) {
  GpuTrace trace{.node = node,
                 .gpu = gpu,
                 .power_limit_w = track.power_limit_w,
                 .slowdown_temperature_c = track.slowdown_temperature_c};
  // A page of charts needs no more than so many points.
  const std::size_t step = std::max<std::size_t>(1, track.samples.size() / 600);
  const double missing = std::numeric_limits<double>::quiet_NaN();
  std::uint64_t before = 0;
  const auto shorten = [](std::vector<double>& values) {
    if (std::ranges::all_of(values, [](double v) { return std::isnan(v); })) values.clear();
  };
  for (std::size_t i = 0; i < track.samples.size(); ++i) {
    const auto& sample = track.samples[i];
    const std::uint64_t now = sample.reasons.value_or(before);
    for (const auto& reason : reasons)
      if (active(reason, now) && !active(reason, before))
        trace.events.push_back({sample.time_s, std::string(reason.name)});
    before = now;
    if (i % step != 0) continue;
    trace.time_s.push_back(sample.time_s);
    trace.sm_clock_mhz.push_back(sample.sm_clock_mhz.value_or(missing));
    trace.power_w.push_back(sample.power_w.value_or(missing));
    trace.temperature_c.push_back(sample.temperature_c.value_or(missing));
  }
  for (auto* values : {&trace.sm_clock_mhz, &trace.power_w, &trace.temperature_c})
    shorten(*values);
  return trace;
}

}  // namespace mlc
