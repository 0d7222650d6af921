// The versions that a node had when it was accepted. `validate --write-lock` writes them, image.drift
// compares.
#pragma once

#include <map>
#include <string>

#include "validators/host/host.hpp"
#include "validators/policy/yaml_reader.hpp"

namespace mlc {

struct LockFile {
  std::map<std::string, std::string> versions;  // "kernel": "5.15.0-113-generic"
  bool operator==(const LockFile&) const = default;
};

// The key of a device's firmware: of what one may put into another node, and not of what is installed.
std::string firmware_of(const std::string& device);  // "firmware 0000:17:00.0"
bool is_firmware(const std::string& key);

LockFile read_lock(const std::string& content, const std::string& file);  // strict; throws PolicyError
std::string lock_text(const LockFile& lock);                              // what read_lock() reads back
// Kernel, drivers, firmware, container runtime, kubelet and CNI. What this machine does not have is left out;
// what is there and cannot be read is in `unread`, with the reason.
LockFile collect_versions(const Host& host, std::map<std::string, std::string>& unread);

}  // namespace mlc
