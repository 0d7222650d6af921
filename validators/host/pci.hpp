// PCI devices as values: identity, the path up to the root, and the few registers that matter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validators/host/file_tree.hpp"

namespace mlc {

struct PciDevice {
  std::string address;  // "0000:1a:00.0"
  std::uint64_t vendor = 0, device = 0, class_code = 0;
  bool network() const { return class_code >> 8 == 0x0200 || class_code >> 8 == 0x0207; }
  bool gpu() const { return vendor == 0x10de && (class_code >> 8 == 0x0300 || class_code >> 8 == 0x0302); }
};

// What can be had of the link at one device. VFs and virtual bridges answer "Unknown" and 0: then empty.
struct PciLink {
  std::string address;
  std::optional<double> speed, max_speed;  // GT/s
  std::optional<int> width, max_width;
  bool silent = false;  // its link status is all ones: the device does not answer
};

struct PciRegisters {
  std::optional<std::uint16_t> device_control;  // PCI Express capability (0x10), offset 8
  std::optional<std::uint16_t> acs_control;     // extended capability 0x000d, offset 6
  bool extended = false;                        // the extended space could be read at all
  int max_read_request() const { return 128 << ((*device_control >> 12) & 7); }
  bool relaxed_ordering() const { return (*device_control >> 4) & 1; }
};

Read<std::vector<PciDevice>> read_pci_devices(const FileTree& files);
// From the root port down to the device itself: {"0000:17:01.0", "0000:18:00.0", ...}.
Read<std::vector<std::string>> read_pci_path(const FileTree& files, const std::string& address);
PciLink read_pci_link(const FileTree& files, const std::string& address);
Read<PciRegisters> read_pci_registers(const FileTree& files, const std::string& address);

bool is_pci_address(std::string_view text);
std::optional<double> parse_link_speed(std::string_view text);  // "32.0 GT/s PCIe"
Read<PciRegisters> parse_pci_config(std::string_view config);   // pure: walks both capability lists

}  // namespace mlc
