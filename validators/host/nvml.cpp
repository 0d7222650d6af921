#include "validators/host/nvml.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "validators/host/live_sources.hpp"
#include "validators/host/nvml_library.hpp"

namespace mlc {

namespace nvml {

const Library& library() {
  static const Library loaded;
  return loaded;
}

Session::Session() {
  const Library& nvml = library();
  if (!nvml.so)
    error_ = ENOENT, why_ = "NVML cannot be loaded: " + nvml.so.why();
  else if (!nvml.complete())
    error_ = ENOSYS, why_ = "NVML lacks a basic symbol; the library is too old or not NVML";
  else if (const int rc = nvml.init(); rc != ok)
    error_ = rc == version_mismatch ? ELIBBAD : EIO, why_ = std::string("nvmlInit: ") + nvml.error_text(rc);
}

Session::~Session() {
  if (error_ == 0) library().shutdown();
}

}  // namespace nvml

namespace {

using nvml::Device;
using nvml::Library;
using nvml::ok;

template <class T>
void put(nlohmann::json& gpu, const char* field, const std::optional<T>& value) {
  if (value) gpu[field] = *value;
}

std::string spelled(const char* text, std::size_t most) {
  return std::string(text, static_cast<std::size_t>(std::find(text, text + most, '\0') - text));
}

// "00000000:1B:00.0" is sysfs' "0000:1b:00.0".
std::string sysfs_address(const nvml::PciInfo& pci) {
  std::string address = spelled(pci.bus_id, sizeof pci.bus_id);
  std::ranges::transform(address, address.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (address.find(':') == 8 && address.starts_with("0000")) address.erase(0, 4);
  return address;
}

void put_identity(nlohmann::json& gpu, const Library& nvml, Device device) {
  const auto text = [&](const char* field, Library::Text* get) {
    std::array<char, 128> value{};
    if (get && get(device, value.data(), value.size()) == ok)
      gpu[field] = spelled(value.data(), value.size());
  };
  text("name", nvml.name);
  text("uuid", nvml.uuid);
  if (const auto pci = nvml.pci(device)) gpu["pci"] = sysfs_address(*pci);
}

void put_memory_errors(nlohmann::json& gpu, const Library& nvml, Device device) {
  unsigned current = 0, pending = 0;
  if (nvml.ecc_mode && nvml.ecc_mode(device, &current, &pending) == ok) gpu["ecc_enabled"] = current;
  put(gpu, "ecc_corrected", nvml.ecc_errors(device, nvml::corrected, nvml::since_driver_load));
  put(gpu, "ecc_uncorrected", nvml.ecc_errors(device, nvml::uncorrected, nvml::since_driver_load));
  unsigned correctable = 0, uncorrectable = 0, is_pending = 0, has_failed = 0;
  if (nvml.remapped_rows &&
      nvml.remapped_rows(device, &correctable, &uncorrectable, &is_pending, &has_failed) == ok) {
    gpu["remapped_correctable"] = correctable, gpu["remapped_uncorrectable"] = uncorrectable;
    gpu["remap_pending"] = is_pending, gpu["remap_failed"] = has_failed;
  }
}

void put_modes_and_clocks(nlohmann::json& gpu, const Library& nvml, Device device) {
  unsigned current = 0, pending = 0;
  if (nvml.mig_mode && nvml.mig_mode(device, &current, &pending) == ok) gpu["mig"] = current;
  put(gpu, "persistence", nvml.persistence(device));
  put(gpu, "throttle_reasons", nvml.reasons(device));
  put(gpu, "sm_clock_max", nvml.clock_max(device, nvml::clock_sm));
  put(gpu, "memory_clock_max", nvml.clock_max(device, nvml::clock_memory));
  put(gpu, "sm_clock_application", nvml.clock_application(device, nvml::clock_sm));
  put(gpu, "sm_clock_application_default", nvml.clock_application_default(device, nvml::clock_sm));
  put(gpu, "temperature", nvml.temperature(device, nvml::sensor_gpu));
}

void put_links(nlohmann::json& gpu, const Library& nvml, Device device) {
  put(gpu, "pcie_generation", nvml.pcie_generation(device));
  put(gpu, "pcie_generation_max", nvml.pcie_generation_max(device));
  put(gpu, "pcie_width", nvml.pcie_width(device));
  put(gpu, "pcie_width_max", nvml.pcie_width_max(device));
  put(gpu, "pcie_replays", nvml.pcie_replays(device));
  unsigned total = 0, active = 0;
  std::optional<unsigned long long> errors;
  for (unsigned link = 0; link < nvml::most_nvlinks; ++link) {
    const auto state = nvml.link_state(device, link);
    if (!state) continue;
    ++total;
    active += *state == 1;
    for (unsigned counter = 0; counter < nvml::nvlink_counters; ++counter)
      if (const auto value = nvml.link_errors(device, link, static_cast<int>(counter)))
        errors = errors.value_or(0) + *value;
  }
  if (total > 0) gpu["nvlinks_total"] = total, gpu["nvlinks_active"] = active;
  put(gpu, "nvlink_errors", errors);
  if (const auto fabric = nvml.fabric(device))
    gpu["fabric_state"] = fabric->state, gpu["fabric_status"] = fabric->status;
}

}  // namespace

Answer ask_nvml() {
  const nvml::Session session;
  if (session.error() != 0) return {session.error(), session.why(), nullptr};
  const Library& nvml = nvml::library();
  std::array<char, 128> driver{};
  if (const int rc = nvml.driver(driver.data(), driver.size()); rc != ok)
    return {EIO, std::string("NVML driver version: ") + nvml.error_text(rc), nullptr};
  unsigned devices = 0;
  if (const int rc = nvml.count(&devices); rc != ok)
    return {EIO, std::string("NVML device count: ") + nvml.error_text(rc), nullptr};
  nlohmann::json reading{{"driver", spelled(driver.data(), driver.size())},
                         {"gpus", nlohmann::json::array()}};
  for (unsigned i = 0; i < devices; ++i) {
    nlohmann::json gpu{{"index", i}};
    Device device = nullptr;
    if (const int rc = nvml.by_index(i, &device); rc != ok) {
      gpu["error"] = nvml.error_text(rc);  // "GPU is lost": it is counted, its fields stay unknown
    } else {
      put_identity(gpu, nvml, device);
      put_memory_errors(gpu, nvml, device);
      put_modes_and_clocks(gpu, nvml, device);
      put_links(gpu, nvml, device);
    }
    reading["gpus"].push_back(gpu);
  }
  return {0, {}, reading};
}

}  // namespace mlc
