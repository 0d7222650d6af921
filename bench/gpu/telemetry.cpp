#include "bench/gpu/telemetry.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/record/json_reader.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

template <class Struct, class T>
struct Field {
  const char* key;
  std::optional<T> Struct::*value;
};

constexpr std::array<Field<TelemetrySample, double>, 6> numbers{
    {{"power_w", &TelemetrySample::power_w},
     {"energy_j", &TelemetrySample::energy_j},
     {"sm_clock_mhz", &TelemetrySample::sm_clock_mhz},
     {"memory_clock_mhz", &TelemetrySample::memory_clock_mhz},
     {"temperature_c", &TelemetrySample::temperature_c},
     {"thermal_violation_s", &TelemetrySample::thermal_violation_s}}};
constexpr std::array<Field<TelemetrySample, int>, 2> links{
    {{"pcie_generation", &TelemetrySample::pcie_generation}, {"pcie_width", &TelemetrySample::pcie_width}}};
constexpr std::array<Field<TelemetrySample, std::uint64_t>, 1> masks{
    {{"reasons", &TelemetrySample::reasons}}};
constexpr std::array<Field<TelemetryCounters, std::uint64_t>, 8> counts{
    {{"ecc_corrected", &TelemetryCounters::ecc_corrected},
     {"ecc_uncorrected", &TelemetryCounters::ecc_uncorrected},
     {"remapped_correctable", &TelemetryCounters::remapped_correctable},
     {"remapped_uncorrectable", &TelemetryCounters::remapped_uncorrectable},
     {"remap_pending", &TelemetryCounters::remap_pending},
     {"remap_failed", &TelemetryCounters::remap_failed},
     {"pcie_replays", &TelemetryCounters::pcie_replays},
     {"nvlink_errors", &TelemetryCounters::nvlink_errors}}};

// A key that is spelled otherwise would be a value that the driver did not give.
constexpr std::array<std::string_view, 2> file_keys{"schema", "gpus"};
constexpr std::array<std::string_view, 8> track_keys{
    "subject", "uuid", "power_limit_w", "slowdown_temperature_c", "before", "after", "phases", "samples"};
constexpr std::array<std::string_view, 3> phase_keys{"test", "begin_s", "end_s"};

std::vector<std::string_view> sample_keys() {
  std::vector<std::string_view> keys{"time_s"};
  const auto add = [&keys](const auto& fields) {
    for (const auto& field : fields)
      keys.push_back(field.key);
  };
  add(numbers), add(links), add(masks);
  return keys;
}

std::vector<std::string_view> counter_keys() {
  std::vector<std::string_view> keys;
  for (const auto& field : counts)
    keys.push_back(field.key);
  return keys;
}

template <class Struct, class T, std::size_t n>
void write(Json& json, const Struct& value, const std::array<Field<Struct, T>, n>& fields) {
  for (const auto& field : fields)
    if (const auto& one = value.*field.value) json[field.key] = *one;
}

template <class Struct, class T, std::size_t n>
void read(const Json& json, Struct& value, const std::array<Field<Struct, T>, n>& fields) {
  for (const auto& field : fields)
    if (json.contains(field.key)) value.*field.value = json.at(field.key).template get<T>();
}

TelemetryCounters read_counters(const Json& json) {
  TelemetryCounters counters;
  refuse_other_keys(json, counter_keys());
  read(json, counters, counts);
  return counters;
}

Json to_json_object(const TelemetryCounters& counters) {
  Json json = Json::object();
  write(json, counters, counts);
  return json;
}

}  // namespace

std::string to_json(const std::vector<TelemetryTrack>& tracks) {
  Json all = Json::array();
  for (const auto& track : tracks) {
    Json json{{"subject", track.subject}, {"uuid", track.uuid}};
    if (track.power_limit_w) json["power_limit_w"] = *track.power_limit_w;
    if (track.slowdown_temperature_c) json["slowdown_temperature_c"] = *track.slowdown_temperature_c;
    json["before"] = to_json_object(track.before), json["after"] = to_json_object(track.after);
    json["phases"] = Json::array(), json["samples"] = Json::array();
    for (const auto& phase : track.phases)
      json["phases"].push_back({{"test", phase.test}, {"begin_s", phase.begin_s}, {"end_s", phase.end_s}});
    for (const auto& sample : track.samples) {
      Json one{{"time_s", sample.time_s}};
      write(one, sample, numbers), write(one, sample, links), write(one, sample, masks);
      json["samples"].push_back(one);
    }
    all.push_back(json);
  }
  return Json{{"schema", "mlc-bench/gpu-telemetry/v1"}, {"gpus", all}}.dump(1) + "\n";
}

std::vector<TelemetryTrack> tracks_from_json(const std::string& text) {
  std::vector<TelemetryTrack> tracks;
  try {
    const Json json = read_ordered_json(text);
    if (json.at("schema").get<std::string>() != "mlc-bench/gpu-telemetry/v1")
      throw std::runtime_error("another schema");
    refuse_other_keys(json, file_keys);
    const auto known = sample_keys();
    for (const auto& gpu : json.at("gpus")) {
      refuse_other_keys(gpu, track_keys);
      TelemetryTrack track;
      track.subject = gpu.at("subject").get<std::string>(), track.uuid = gpu.at("uuid").get<std::string>();
      if (gpu.contains("power_limit_w")) track.power_limit_w = gpu.at("power_limit_w").get<double>();
      if (gpu.contains("slowdown_temperature_c"))
        track.slowdown_temperature_c = gpu.at("slowdown_temperature_c").get<double>();
      track.before = read_counters(gpu.at("before")), track.after = read_counters(gpu.at("after"));
      for (const auto& phase : gpu.at("phases")) {
        refuse_other_keys(phase, phase_keys);
        track.phases.push_back({phase.at("test").get<std::string>(), phase.at("begin_s").get<double>(),
                                phase.at("end_s").get<double>()});
      }
      for (const auto& one : gpu.at("samples")) {
        refuse_other_keys(one, known);
        TelemetrySample sample;
        sample.time_s = one.at("time_s").get<double>();
        read(one, sample, numbers), read(one, sample, links), read(one, sample, masks);
        track.samples.push_back(sample);
      }
      tracks.push_back(std::move(track));
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string("no recording of GPU telemetry: ") + error.what());
  }
  return tracks;
}

}  // namespace mlc
