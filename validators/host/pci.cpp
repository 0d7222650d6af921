#include "validators/host/pci.hpp"

#include <charconv>

namespace mlc {

namespace {

const std::string devices = "/sys/bus/pci/devices/";

std::optional<std::uint32_t> little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  if (at + size > bytes.size()) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

}  // namespace

bool is_pci_address(std::string_view text) {
  static constexpr std::string_view shape = "xxxx:xx:xx.x";
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const char c = text[i];
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (shape[i] == 'x' ? !digit : c != shape[i]) return false;
  }
  return true;
}

std::optional<double> parse_link_speed(std::string_view text) {
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (error != std::errc{} || speed <= 0 ||
      !std::string_view(end, static_cast<std::size_t>(text.data() + text.size() - end)).starts_with(" GT/s"))
    return std::nullopt;
  return speed;
}

Read<std::vector<PciDevice>> read_pci_devices(const FileTree& files) {
  using Devices = std::vector<PciDevice>;
  const auto names = files.list("/sys/bus/pci/devices");
  if (!names) {
    // A machine without PCI still has /sys/bus; without that nothing is known.
    if (names.missing() && files.exists("/sys/bus")) return Read<Devices>::of({});
    return Read<Devices>::unreadable("/sys/bus/pci/devices: " + names.why);
  }
  Devices found;
  for (const auto& name : *names) {
    if (!is_pci_address(name)) continue;
    const auto class_code = files.number(devices + name + "/class");
    if (!class_code) continue;  // gone while the list was read
    PciDevice device{name, 0, 0, *class_code};
    if (device.class_code >> 16 == 0x02 || device.class_code >> 16 == 0x03) {
      device.vendor = files.number(devices + name + "/vendor").value;
      device.device = files.number(devices + name + "/device").value;
    }
    found.push_back(std::move(device));
  }
  return Read<Devices>::of(std::move(found));
}

Read<std::vector<std::string>> read_pci_path(const FileTree& files, const std::string& address) {
  using Path = std::vector<std::string>;
  const auto resolved = files.resolve(devices + address);
  if (!resolved) return Read<Path>::no(resolved);
  Path path;
  std::string_view left = *resolved;
  while (!left.empty()) {
    const auto slash = left.find('/');
    const std::string_view part = left.substr(0, slash);
    if (is_pci_address(part)) path.emplace_back(part);
    left = slash == left.npos ? std::string_view{} : left.substr(slash + 1);
  }
  if (path.empty() || path.back() != address) return Read<Path>::unreadable("leads to " + *resolved);
  return Read<Path>::of(std::move(path));
}

PciLink read_pci_link(const FileTree& files, const std::string& address) {
  const auto speed = [&](const char* name) -> std::optional<double> {
    const auto text = files.text(devices + address + "/" + name);
    return text ? parse_link_speed(*text) : std::nullopt;
  };
  const auto width = [&](const char* name) -> std::optional<int> {
    const auto number = files.number(devices + address + "/" + name);
    // 255 is what the kernel prints for "unknown"; 0 is what a VF shows.
    return number && *number > 0 && *number <= 32 ? std::optional<int>(static_cast<int>(*number))
                                                  : std::nullopt;
  };
  // All six bits of PCI_EXP_LNKSTA_NLW, and a speed that Linux has no name for.
  constexpr int all_ones = 63;
  const auto raw = files.number(devices + address + "/current_link_width");
  const auto current = speed("current_link_speed");
  return {address,
          current,
          speed("max_link_speed"),
          width("current_link_width"),
          width("max_link_width"),
          raw && *raw == all_ones && !current};
}

Read<PciRegisters> parse_pci_config(std::string_view config) {
  if (config.size() < 64)
    return Read<PciRegisters>::unreadable("the configuration space has only " +
                                          std::to_string(config.size()) + " bytes");
  if (little_endian(config, 0, 2) == 0xffffu)
    return Read<PciRegisters>::unreadable("reads all ones: the device does not answer");
  if (config.size() < 256)
    return Read<PciRegisters>::unreadable(
        "only " + std::to_string(config.size()) +
        " bytes of the configuration space may be read (needs CAP_SYS_ADMIN)");
  PciRegisters registers;
  std::size_t at = *little_endian(config, 0x34, 1) & ~3u;
  for (int steps = 0; at >= 64 && at + 12 <= 256 && steps < 48; ++steps) {
    if (little_endian(config, at, 1) == 0x10u) {
      registers.device_control = static_cast<std::uint16_t>(*little_endian(config, at + 8, 2));
      break;
    }
    at = *little_endian(config, at + 1, 1) & ~3u;
  }
  registers.extended = config.size() >= 4096;
  at = 256;
  for (int steps = 0; registers.extended && at >= 256 && at + 8 <= config.size() && steps < 480; ++steps) {
    const std::uint32_t header = *little_endian(config, at, 4);
    if (header == 0 || header == 0xffffffffu) break;
    if ((header & 0xffff) == 0x000d) {
      registers.acs_control = static_cast<std::uint16_t>(*little_endian(config, at + 6, 2));
      break;
    }
    at = header >> 20;
  }
  return Read<PciRegisters>::of(registers);
}

Read<PciRegisters> read_pci_registers(const FileTree& files, const std::string& address) {
  const auto config = files.bytes(devices + address + "/config", 4096);
  if (!config) return Read<PciRegisters>::no(config);
  return parse_pci_config(*config);
}

}  // namespace mlc
