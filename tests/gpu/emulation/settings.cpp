#include "tests/gpu/emulation/settings.hpp"

#include <cstdlib>
#include <sstream>

#include "tests/gpu/emulation/failure.hpp"

namespace emulation {

namespace {

std::int64_t number_of(const std::string& text, const char* what) {
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') fail("settings", std::string(what) + ": '" + text + "' is no number");
  return value;
}

std::int64_t from_environment(const char* name, std::int64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : number_of(text, name);
}

std::vector<Fault> faults_of(const char* text) {
  std::vector<Fault> faults;
  std::istringstream all(text == nullptr ? "" : text);
  for (std::string one; std::getline(all, one, ';');) {
    std::istringstream parts(one);
    Fault fault;
    std::getline(parts, fault.kind, ':');
    for (std::string pair; std::getline(parts, pair, ',');) {
      const auto equals = pair.find('=');
      if (equals == std::string::npos) fail("settings", "MLC_EMULATED_FAULT: '" + pair + "'");
      fault.numbers[pair.substr(0, equals)] = number_of(pair.substr(equals + 1), "MLC_EMULATED_FAULT");
    }
    faults.push_back(std::move(fault));
  }
  return faults;
}

}  // namespace

std::int64_t Fault::number(const std::string& key, std::int64_t otherwise) const {
  const auto found = numbers.find(key);
  return found == numbers.end() ? otherwise : found->second;
}

const Fault* Settings::fault(const std::string& kind, const std::string& key, std::int64_t value) const {
  for (const auto& fault : faults)
    if (fault.kind == kind && fault.number(key, value) == value) return &fault;
  return nullptr;
}

const Settings& settings() {
  static const Settings all{
      .gpus = static_cast<int>(from_environment("MLC_EMULATED_GPUS", 2)),
      .sms = static_cast<int>(from_environment("MLC_EMULATED_SMS", 3)),
      .memory_bytes = static_cast<std::uint64_t>(from_environment("MLC_EMULATED_MEMORY", 8)) << 20,
      .seed = static_cast<std::uint64_t>(from_environment("MLC_EMULATED_SEED", 1)),
      .faults = faults_of(std::getenv("MLC_EMULATED_FAULT"))};
  return all;
}

}  // namespace emulation
