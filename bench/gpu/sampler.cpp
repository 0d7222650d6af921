#include "bench/gpu/sampler.hpp"

#include <chrono>

namespace mlc {

Sampler::Sampler(Telemetry& telemetry, Clock& clock, std::vector<TelemetryTrack> tracks, double period_s)
    : telemetry_(telemetry),
      clock_(clock),
      period_s_(period_s),
      start_s_(clock.now()),
      tracks_(std::move(tracks)) {
  for (auto& track : tracks_) {
    track.before = telemetry_.counters(track.uuid);
    const GpuState state = telemetry_.state(track.uuid);
    track.power_limit_w = state.power_limit_w, track.slowdown_temperature_c = state.slowdown_temperature_c;
  }
  if (!telemetry_.absent().empty()) return;
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      lock.unlock();
      take();
      lock.lock();
      wake_.wait_for(lock, std::chrono::duration<double>(period_s_), [this] { return stop_; });
    }
  });
}

void Sampler::take() {
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    TelemetrySample sample = telemetry_.sample(tracks_[i].uuid);  // slow: outside the lock
    sample.time_s = seconds();
    const std::lock_guard lock(mutex_);
    tracks_[i].samples.push_back(sample);
  }
}

double Sampler::seconds() const { return clock_.now() - start_s_; }

void Sampler::begin(const std::string& test) {
  const std::lock_guard lock(mutex_);
  for (auto& track : tracks_)
    track.phases.push_back({test, seconds(), seconds()});
}

void Sampler::end() {
  const std::lock_guard lock(mutex_);
  for (auto& track : tracks_)
    if (!track.phases.empty()) track.phases.back().end_s = seconds();
}

TelemetrySample Sampler::latest(std::size_t gpu) {
  const std::lock_guard lock(mutex_);
  const auto& samples = tracks_[gpu].samples;
  return samples.empty() ? TelemetrySample{} : samples.back();
}

std::vector<TelemetrySample> Sampler::since(std::size_t gpu, double time_s) {
  const std::lock_guard lock(mutex_);
  std::vector<TelemetrySample> samples;
  for (const auto& sample : tracks_[gpu].samples)
    if (sample.time_s >= time_s - start_s_) samples.push_back(sample);
  return samples;
}

std::vector<TelemetryTrack> Sampler::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return tracks_;
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
    take();  // so that what happened since the last sample counts, also in a very short run
  }
  for (auto& track : tracks_)
    track.after = telemetry_.counters(track.uuid);
  return tracks_;
}

}  // namespace mlc
