// Any text as a recording of GPU telemetry: refused, or one that is written and read again the same; and what
// is made of it.
#include <cstdint>
#include <cstdlib>

#include "bench/gpu/judge_telemetry.hpp"
#include "bench/gpu/telemetry.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<mlc::TelemetryTrack> tracks;
  try {
    tracks = mlc::tracks_from_json({reinterpret_cast<const char*>(data), size});
  } catch (const std::runtime_error&) {
    return 0;
  }
  if (mlc::tracks_from_json(mlc::to_json(tracks)) != tracks) std::abort();
  for (const auto& track : tracks) {
    mlc::judge_throttling(track, 0.01);
    mlc::judge_counters(track);
    mlc::judge_link(track, {});
  }
  return 0;
}
