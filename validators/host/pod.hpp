// What Kubernetes told this Pod: the network-status annotation and the device plugin's variables.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "validators/host/file_tree.hpp"
#include "validators/host/read.hpp"

namespace mlc {

// One entry of k8s.v1.cni.cncf.io/network-status.
struct Attachment {
  std::string network, interface, mac;
  std::vector<std::string> ips;   // without prefix length
  std::string pci;                // device-info.pci.pci-address; optional in the annotation
  std::vector<std::string> rdma;  // device-info.pci.rdma-device, which may be a list
  bool is_default = false;
  bool operator==(const Attachment&) const = default;
};

// The annotation's text, a JSON list. Unreadable if it is anything else.
Read<std::vector<Attachment>> parse_network_status(const std::string& text);

// The annotations file of the downward API (lines of key="go-quoted value"): the value of one annotation.
Read<std::string> parse_annotation(const std::string& file, const std::string& annotation);

// The annotation in a downward API volume: a file of its own, or a line of "annotations".
Read<std::vector<Attachment>> read_network_status(const FileTree& files, const std::string& podinfo);

// PCIDEVICE_<PREFIX>_<NAME> -> PCI addresses; the _INFO twins are left out.
std::map<std::string, std::vector<std::string>> device_plugin_devices(
    const std::map<std::string, std::string>& environment);

}  // namespace mlc
