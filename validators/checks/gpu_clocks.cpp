// Why a GPU would run slower than its neighbours: throttling now, clocks that were locked, persistence off.
#include <algorithm>
#include <map>

#include "validators/checks/gpu_reading.hpp"

namespace mlc::checks {

namespace {

// nvmlClocksEventReasons: what hardware imposes. Idle (1), application clocks (2), software power cap (4),
// sync boost (0x10) and display (0x100) are no fault.
constexpr std::uint64_t hw_slowdown = 0x8, sw_thermal = 0x20, hw_thermal = 0x40, hw_power_brake = 0x80;
constexpr std::uint64_t bad_reasons = hw_slowdown | sw_thermal | hw_thermal | hw_power_brake;

std::string reasons_text(std::uint64_t reasons) {
  std::string text;
  const auto add = [&](std::uint64_t bit, const char* name) {
    if (reasons & bit) text += (text.empty() ? "" : ", ") + std::string(name);
  };
  add(hw_slowdown, "hardware slowdown");
  add(sw_thermal, "software thermal slowdown");
  add(hw_thermal, "hardware thermal slowdown");
  add(hw_power_brake, "power brake");
  return text.empty() ? "not throttled" : text;
}

std::uint64_t usual(const std::vector<GpuFacts>& gpus, std::optional<std::uint64_t> GpuFacts::*clock) {
  std::map<std::uint64_t, int> count;
  for (const auto& gpu : gpus)
    if (gpu.*clock) ++count[*(gpu.*clock)];
  std::uint64_t usual = 0;
  int most = 0;
  for (const auto& [value, times] : count)
    if (times >= most) usual = value, most = times;
  return usual;
}

// What the application clock should be: the factory's, which is below the maximum on some cards; where that
// is not known, the neighbours' default or what most of them have.
std::uint64_t proper_application(const GpuFacts& gpu, std::uint64_t of_neighbours) {
  return gpu.sm_clock_application_default.value_or(of_neighbours);
}

bool is_held_down(const GpuFacts& gpu, std::uint64_t of_neighbours) {
  return gpu.sm_clock_application && *gpu.sm_clock_application < proper_application(gpu, of_neighbours);
}

// As its neighbours or more of them, where one has a higher application clock and no default says which of
// them is right; or at a default that is below its neighbours', as of another VBIOS.
bool may_be_held_down(const GpuFacts& gpu, std::uint64_t highest_application, std::uint64_t usual_default) {
  if (!gpu.sm_clock_application) return false;
  if (gpu.sm_clock_application_default) return *gpu.sm_clock_application_default < usual_default;
  return *gpu.sm_clock_application < highest_application;
}

}  // namespace

extern const Check gpu_throttle{
    .name = "gpu.throttle",
    .summary = "no GPU is slowed down by heat or power",
    .why = "One hot GPU runs at half clock, and every rank waits for it at every collective.",
    .reads = "NVML: current clocks event reasons",
    .fix = "Check fans, airflow and power supplies; a power brake comes from the chassis.",
    .run =
        [](const Host& host, const Policy& policy) {
          return each_gpu(
              host, policy,
              {"gpu.throttle", "throttle reasons", "nvmlDeviceGetCurrentClocksEventReasons", "not throttled",
               "check fans, airflow and power supplies (ipmitool sdr); compare temperatures: nvidia-smi -q "
               "-d TEMPERATURE,POWER",
               [](const GpuFacts& gpu) -> std::optional<Status> {
                 return gpu.throttle_reasons
                            ? std::optional((*gpu.throttle_reasons & bad_reasons) != 0 ? Status::fail
                                                                                       : Status::pass)
                            : std::nullopt;
               },
               [](const GpuFacts& gpu) {
                 return reasons_text(*gpu.throttle_reasons) +
                        (gpu.temperature ? ", " + std::to_string(*gpu.temperature) + " C" : "");
               }});
        },
};

extern const Check gpu_clocks{
    .name = "gpu.clocks",
    .summary = "every GPU may run at the clock of the policy, and of its neighbours",
    .why = "A clock lock that somebody forgot makes a node slow for weeks; nothing reports it.",
    .reads = "NVML: maximum SM clock, application clock and its default",
    .fix = "nvidia-smi -rgc; nvidia-smi -rac.",
    .keys = "gpus.sm_clock_max",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const auto& reading = host.gpus();
          const std::uint64_t wanted = node && node->sm_clock_max
                                           ? static_cast<std::uint64_t>(*node->sm_clock_max)
                                           : usual(reading->gpus, &GpuFacts::sm_clock_max);
          std::uint64_t application = usual(reading->gpus, &GpuFacts::sm_clock_application), highest = 0;
          const auto usual_default = usual(reading->gpus, &GpuFacts::sm_clock_application_default);
          for (const auto& gpu : reading->gpus) {
            application = std::max(application, gpu.sm_clock_application_default.value_or(0));
            highest = std::max(highest, gpu.sm_clock_application.value_or(0));
          }
          return each_gpu(host, policy,
                          {"gpu.clocks", "its clocks",
                           "nvmlDeviceGetMaxClockInfo, nvmlDeviceGet[Default]ApplicationsClock",
                           std::to_string(wanted) + " MHz or more",
                           "nvidia-smi -rgc and nvidia-smi -rac, then find who locked the clocks",
                           [=](const GpuFacts& gpu) -> std::optional<Status> {
                             if (!gpu.sm_clock_max) return std::nullopt;
                             if (*gpu.sm_clock_max < wanted || is_held_down(gpu, application))
                               return Status::fail;
                             return may_be_held_down(gpu, highest, usual_default) ? Status::unknown
                                                                                  : Status::pass;
                           },
                           [=](const GpuFacts& gpu) {
                             std::string most = std::to_string(*gpu.sm_clock_max) + " MHz at most";
                             const auto set = [&] {
                               return ", application clock " + std::to_string(*gpu.sm_clock_application);
                             };
                             if (is_held_down(gpu, application))
                               return most + set() + " where " +
                                      std::to_string(proper_application(gpu, application)) + " is usual";
                             if (may_be_held_down(gpu, highest, usual_default))
                               return most + set() +
                                      (gpu.sm_clock_application_default
                                           ? " by a default that is below its neighbours'"
                                           : " where a neighbour has " + std::to_string(highest) +
                                                 ", and no default is known");
                             return most;
                           }});
        },
};

extern const Check gpu_persistence{
    .name = "gpu.persistence",
    .summary = "persistence mode is on, or off, as the policy says",
    .why =
        "Without persistence the driver unloads between jobs: slow starts, and clock and ECC settings lost.",
    .reads = "NVML: persistence mode",
    .fix = "systemctl enable --now nvidia-persistenced.",
    .keys = "gpus.persistence",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const auto wanted = node ? node->persistence : std::nullopt;
          return each_gpu(
              host, policy,
              {"gpu.persistence", "persistence mode", "nvmlDeviceGetPersistenceMode",
               wanted.value_or(true) ? "on" : "off",
               "systemctl enable --now nvidia-persistenced (or nvidia-smi -pm 1)",
               [wanted](const GpuFacts& gpu) -> std::optional<Status> {
                 if (!gpu.persistence) return std::nullopt;
                 if ((*gpu.persistence != 0) == wanted.value_or(true)) return Status::pass;
                 return wanted ? Status::fail : Status::warn;
               },
               [](const GpuFacts& gpu) { return std::string(*gpu.persistence != 0 ? "on" : "off"); }});
        },
};

}  // namespace mlc::checks
