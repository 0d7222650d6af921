#include "k8s/ipam/whereabouts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/record/text.hpp"
#include "validators/host/file_tree.hpp"
#include "validators/host/pod.hpp"

namespace mlc::ipam {

namespace {

constexpr const char* network_status = "k8s.v1.cni.cncf.io/network-status";

// Calls `each` for every item; a list that is none is unreadable, not empty.
template <class Each>
std::string for_items(const nlohmann::json& page, const char* what, Each each) {
  try {
    for (const auto& item : page.at("items"))
      each(item);
  } catch (const nlohmann::json::exception& error) {
    return std::string(what) + ": " + printable(error.what(), 80);
  }
  return {};
}

// A pool is named "<range>" or "<network_name>-<range>", with / as -.
std::string network_of(const std::string& pool, std::string range) {
  std::ranges::replace(range, '/', '-');
  if (!pool.ends_with("-" + range)) return {};
  return pool.substr(0, pool.size() - range.size() - 1);
}

std::string text_in(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool in_a_pool(const Records& records, Ipv4 address) {
  // With node slices there is a pool for each node, and few lengths.
  for (int length = 0; length <= 32; ++length)
    if (records.ranges.contains(Prefix{address, length}.network())) return true;
  return false;
}

}  // namespace

std::string add_pools(Records& records, const nlohmann::json& page) {
  return for_items(page, "IPPool", [&](const nlohmann::json& item) {
    const auto& spec = item.at("spec");
    const auto text = spec.at("range").get<std::string>();
    const auto range = parse_prefix(text);
    const auto& allocations = spec.at("allocations");  // the resource requires it, empty or not
    if (!range) {
      ++(text.find(':') != text.npos ? records.ipv6_pools : records.malformed);
      return;
    }
    const auto name = item.at("metadata").at("name").get<std::string>();
    const Prefix network = range->network();
    const std::uint64_t size = std::uint64_t{1} << (32 - network.length);
    records.pools.push_back({name, network_of(name, text), network, 0});
    records.ranges.insert(network);
    for (const auto& [offset, allocation] : allocations.items()) {
      const auto number = whole_number(offset);
      if (!number || *number >= size || !allocation.is_object()) {
        ++records.malformed;
        continue;
      }
      ++records.pools.back().allocated;
      records.allocations.push_back({records.pools.size() - 1,
                                     Ipv4{network.address.bits + static_cast<std::uint32_t>(*number)},
                                     text_in(allocation, "podref"), text_in(allocation, "ifname")});
      records.named.insert(records.allocations.back().pod);
    }
  });
}

std::string add_reservations(Records& records, const nlohmann::json& page) {
  return for_items(page, "OverlappingRangeIPReservation", [&](const nlohmann::json& item) {
    const auto name = item.at("metadata").at("name").get<std::string>();
    // With network_name set the name is "<network_name>-<address>".
    const auto address = parse_ipv4(std::string_view(name).substr(name.rfind('-') + 1));
    if (!address) return;
    records.reservations.push_back({*address, text_in(item.at("spec"), "podref")});
    records.named.insert(records.reservations.back().pod);
  });
}

std::string add_pods(Records& records, const nlohmann::json& page) {
  return for_items(page, "Pod", [&](const nlohmann::json& item) {
    const auto& metadata = item.at("metadata");
    const std::string name =
        metadata.at("namespace").get<std::string>() + "/" + metadata.at("name").get<std::string>();
    ++records.pods_seen;
    PodAddresses pod;
    if (const auto annotations = metadata.find("annotations"); annotations != metadata.end()) {
      if (const auto status = text_in(*annotations, network_status); !status.empty()) {
        const auto attachments = parse_network_status(status);
        pod.settled = static_cast<bool>(attachments);
        for (const auto& attachment : attachments.value)
          for (const auto& ip : attachment.ips)
            if (const auto address = parse_ipv4(ip);
                address && !attachment.is_default && in_a_pool(records, *address))
              pod.addresses.push_back(*address);
      }
    }
    if (!pod.addresses.empty() || records.named.contains(name)) records.pods[name] = std::move(pod);
  });
}

std::string node_in_table(const nlohmann::json& table) {
  try {
    const auto& columns = table.at("columnDefinitions");
    const auto& rows = table.at("rows");
    if (!columns.is_array() || !rows.is_array() || rows.size() != 1) return {};
    const auto& cells = rows.at(0).at("cells");
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (text_in(columns.at(i), "name") == "Node" && cells.at(i).is_string())
        return cells.at(i).get<std::string>() == "<none>" ? std::string() : cells.at(i).get<std::string>();
  } catch (const nlohmann::json::exception&) {
  }
  return {};
}

}  // namespace mlc::ipam
