// What is known of a GPU from outside while it works: clocks, power, heat, throttling, error counters. Read
// by nvml_telemetry.cpp, or from a recording of it. A value that the driver does not give is empty, never
// zero.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mlc {

// nvmlClocksEventReasons, by bit: several at once are usual.
namespace throttle {
inline constexpr std::uint64_t sw_power_cap = 0x4, hw_slowdown = 0x8, sw_thermal = 0x20, hw_thermal = 0x40,
                               hw_power_brake = 0x80;
}

struct TelemetrySample {
  double time_s = 0;               // since the burn-in began
  std::optional<double> power_w;   // instant, where the driver gives it
  std::optional<double> energy_j;  // since the driver was loaded
  std::optional<double> sm_clock_mhz, memory_clock_mhz, temperature_c;
  std::optional<std::uint64_t> reasons;
  std::optional<int> pcie_generation, pcie_width;
  std::optional<double> thermal_violation_s;  // accumulated: nothing is missed between samples
  bool operator==(const TelemetrySample&) const = default;
};

struct TelemetryCounters {
  std::optional<std::uint64_t> ecc_corrected, ecc_uncorrected;
  std::optional<std::uint64_t> remapped_correctable, remapped_uncorrectable, remap_pending, remap_failed;
  std::optional<std::uint64_t> pcie_replays, nvlink_errors;
  bool operator==(const TelemetryCounters&) const = default;
};

// What decides whether a GPU may be tested at all.
struct GpuState {
  std::optional<bool> mig, ecc;
  std::vector<std::uint64_t> processes;      // ids of others that use it
  std::optional<std::uint64_t> memory_used;  // bytes, before anything of ours
  std::optional<int> utilisation;            // per cent, over the last second
  std::optional<double> power_limit_w, slowdown_temperature_c;
};

// `uuid` names a GPU: NVML's numbers are not CUDA's.
class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual std::string absent() const = 0;  // why there is none; empty if there is
  virtual std::string driver() const = 0;  // version
  virtual GpuState state(const std::string& uuid) = 0;
  virtual TelemetrySample sample(const std::string& uuid) = 0;
  virtual TelemetryCounters counters(const std::string& uuid) = 0;
};

std::unique_ptr<Telemetry> nvml_telemetry();

// All of one GPU's burn-in.
struct TelemetryTrack {
  struct Phase {
    std::string test;
    double begin_s = 0, end_s = 0;
    bool operator==(const Phase&) const = default;
  };
  std::string subject, uuid;
  std::optional<double> power_limit_w, slowdown_temperature_c;
  TelemetryCounters before, after;
  std::vector<TelemetrySample> samples;
  std::vector<Phase> phases;
  bool operator==(const TelemetryTrack&) const = default;
};

// A recording: what --write-telemetry writes and the tests replay.
std::string to_json(const std::vector<TelemetryTrack>& tracks);
std::vector<TelemetryTrack> tracks_from_json(const std::string& text);  // throws std::runtime_error

}  // namespace mlc
