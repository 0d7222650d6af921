#include "validators/host/whereabouts.hpp"

#include <nlohmann/json.hpp>

#include "reports/record/text.hpp"
#include "validators/host/file_tree.hpp"
#include "validators/host/pod.hpp"

namespace mlc {

namespace {

// Calls `each` for every item of a Kubernetes list; a list that is none is unreadable, not empty.
template <class Value, class Each>
Read<std::vector<Value>> items(const nlohmann::json& list, const char* what, Each each) {
  std::vector<Value> values;
  try {
    for (const auto& item : list.at("items"))
      each(item, values);
  } catch (const nlohmann::json::exception& error) {
    return Read<std::vector<Value>>::unreadable(std::string(what) + ": " + printable(error.what(), 80));
  }
  return Read<std::vector<Value>>::of(std::move(values));
}

}  // namespace

Read<std::vector<Allocation>> parse_ip_pools(const nlohmann::json& list) {
  return items<Allocation>(list, "IPPool", [](const nlohmann::json& item, std::vector<Allocation>& all) {
    const auto& spec = item.at("spec");
    const auto range = parse_prefix(spec.at("range").get<std::string>());
    if (!range) return;                                // an IPv6 pool
    const auto& allocations = spec.at("allocations");  // the resource requires it, empty or not
    for (const auto& [offset, allocation] : allocations.items()) {
      const auto number = whole_number(offset);
      if (!number || *number > 0xffffffffu) continue;
      all.push_back({item.at("metadata").at("name").get<std::string>(),
                     Ipv4{range->network().address.bits + static_cast<std::uint32_t>(*number)},
                     allocation.value("podref", ""), allocation.value("ifname", "")});
    }
  });
}

Read<std::vector<Reservation>> parse_reservations(const nlohmann::json& list) {
  return items<Reservation>(list, "OverlappingRangeIPReservation",
                            [](const nlohmann::json& item, std::vector<Reservation>& all) {
                              std::string name = item.at("metadata").at("name").get<std::string>();
                              // With network_name set the name is "<network_name>-<address>".
                              const auto address = parse_ipv4(name.substr(name.rfind('-') + 1));
                              if (address) all.push_back({*address, item.at("spec").value("podref", "")});
                            });
}

Read<std::vector<PodAddresses>> parse_pods(const nlohmann::json& list) {
  return items<PodAddresses>(list, "Pod", [](const nlohmann::json& item, std::vector<PodAddresses>& all) {
    const auto& metadata = item.at("metadata");
    PodAddresses pod;
    pod.pod = metadata.at("namespace").get<std::string>() + "/" + metadata.at("name").get<std::string>();
    pod.live = item.value("status", nlohmann::json::object()).value("phase", "") == "Running";
    const auto annotations = metadata.value("annotations", nlohmann::json::object());
    if (const auto status = annotations.find("k8s.v1.cni.cncf.io/network-status");
        status != annotations.end()) {
      const auto attachments = parse_network_status(status->get<std::string>());
      pod.settled = static_cast<bool>(attachments);
      for (const auto& attachment : *attachments)
        for (const auto& ip : attachment.ips)
          if (const auto address = parse_ipv4(ip); address && !attachment.is_default)
            pod.addresses.push_back(*address);
    }
    all.push_back(std::move(pod));
  });
}

}  // namespace mlc
