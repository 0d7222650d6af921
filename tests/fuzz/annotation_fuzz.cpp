// Any text as a network-status annotation, as a downward-API file, as a PCI configuration space and as
// /proc/net/if_inet6.
#include <cstdint>

#include "validators/host/inet6.hpp"
#include "validators/host/pci.hpp"
#include "validators/host/pod.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  mlc::parse_network_status(text);
  mlc::parse_pci_config(text);
  mlc::parse_if_inet6(text);
  if (const auto value = mlc::parse_annotation(text, "k8s.v1.cni.cncf.io/network-status"))
    mlc::parse_network_status(*value);
  return 0;
}
