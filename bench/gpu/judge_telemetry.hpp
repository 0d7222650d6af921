// What the telemetry of a burn-in says: throttling, error counters, the PCIe link under load. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/gpu/telemetry.hpp"
#include "reports/record/figures.hpp"
#include "reports/record/finding.hpp"
#include "validators/policy/gpu_expectation.hpp"

namespace mlc {

std::vector<Finding> judge_throttling(const TelemetryTrack& track, double at_most);
std::vector<Finding> judge_counters(const TelemetryTrack& track);
std::vector<Finding> judge_link(const TelemetryTrack& track, const GpuExpectation& expected);

// Whether this GPU can be tested at all: MIG, ECC, other processes. Empty if nothing speaks against it.
std::vector<Finding> judge_state(const std::string& subject, const GpuState& state, bool ecc_wanted);

struct PhasePower {
  std::string test;
  std::optional<double> mean_w;  // from the energy counter, else from the samples
  std::optional<double> mean_sm_clock_mhz;
};
std::vector<PhasePower> power_by_phase(const TelemetryTrack& track);

GpuTrace trace_of(const TelemetryTrack& track, const std::string& node, int gpu);

}  // namespace mlc
