// Samples every GPU in the background while the tests run.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/gpu/telemetry.hpp"
#include "validators/host/clock.hpp"

namespace mlc {

class Sampler {
 public:
  // `tracks` have their subject and uuid; their counters before are read now.
  Sampler(Telemetry& telemetry, Clock& clock, std::vector<TelemetryTrack> tracks, double period_s = 0.1);
  ~Sampler() { stop(); }

  void begin(const std::string& test);  // a phase of all GPUs
  void end();
  double seconds() const;  // since the beginning

  // The latest sample of a GPU, for the live line.
  TelemetrySample latest(std::size_t gpu);

  // Those of a GPU that were taken since then, by the clock's time.
  std::vector<TelemetrySample> since(std::size_t gpu, double time_s);

  // Ends the sampling and reads the counters after. Idempotent.
  std::vector<TelemetryTrack> stop();

 private:
  void take();
  Telemetry& telemetry_;
  Clock& clock_;
  const double period_s_, start_s_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<TelemetryTrack> tracks_;
  std::thread thread_;
};

}  // namespace mlc
