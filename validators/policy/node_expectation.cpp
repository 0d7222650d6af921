#include "validators/policy/node_expectation.hpp"

#include <charconv>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::optional<int> small(YamlMap& map, std::string_view key, int least, int most) {
  const auto number = map.integer_if(key, least, most);
  return number ? std::optional<int>(static_cast<int>(*number)) : std::nullopt;
}

std::optional<unsigned> natural(YamlMap& map, std::string_view key, int most) {
  const auto number = small(map, key, 0, most);
  return number ? std::optional<unsigned>(static_cast<unsigned>(*number)) : std::nullopt;
}

std::optional<std::uint64_t> size(YamlMap& map, std::string_view key) {
  const auto text = map.text_if(key);
  if (!text) return std::nullopt;
  const auto bytes = parse_bytes(*text);
  if (!bytes)
    map.reject(key, "'" + std::string(key) + "': '" + printable(*text) + "' is no size; write 64M or 8GiB");
  return bytes;
}

std::optional<double> duration(YamlMap& map, std::string_view key) {
  auto text = map.text_if(key);
  if (!text) return std::nullopt;
  std::erase(*text, ' ');
  const auto seconds = parse_seconds(*text);
  if (!seconds || *seconds > 86400)
    map.reject(key, "'" + std::string(key) + "' must be a duration such as 250 ms or 5 s, got '" +
                        printable(*text) + "'");
  return seconds;
}

IpPrefix prefix_of(const YamlMap& map, std::string_view key, const std::string& text) {
  const auto prefix = parse_ip_prefix(text);
  if (!prefix || prefix->network() != *prefix)
    map.reject(key, "'" + std::string(key) + "': '" + printable(text) +
                        "' is no prefix; write 10.10.0.0/16 or 2001:db8:a::/48");
  return *prefix;
}

Ipv4 address_of(const YamlMap& map, std::string_view key, const std::string& text) {
  const auto address = parse_ipv4(text);
  if (!address) map.reject(key, "'" + std::string(key) + "': '" + printable(text) + "' is no IPv4 address");
  return *address;
}

std::optional<unsigned> parse_hex(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return error == std::errc{} && end == digits.data() + digits.size() ? std::optional(value) : std::nullopt;
}

RailExpectation read_site(YamlMap& map) {
  RailExpectation rail;
  rail.prefix = prefix_of(map, "prefix", map.text("prefix"));
  const auto of_the_family = [&](std::string_view key, const IpAddress& address, const std::string& text) {
    if (address.family != rail.prefix.family())
      map.reject(key, "'" + std::string(key) + "': '" + printable(text) +
                          "' is not of the family of prefix " + to_string(rail.prefix));
  };
  const auto gateway = map.text_if("gateway");
  rail.first_is_gateway = gateway == "first";
  if (gateway && !rail.first_is_gateway) {
    rail.gateway = parse_ip(*gateway);
    if (!rail.gateway)
      map.reject("gateway", "'gateway': '" + printable(*gateway) + "' is neither an IP address nor 'first'");
    of_the_family("gateway", *rail.gateway, *gateway);
  }
  for (const auto& text : map.texts_if("destinations")) {
    rail.destinations.push_back(prefix_of(map, "destinations", text));
    of_the_family("destinations", rail.destinations.back().address, text);
  }
  map.finish();
  return rail;
}

void read_rails(YamlMap map, NodeExpectation& node) {
  node.rails = small(map, "count", 1, 64);
  node.rail_gbit_s = map.number_if("rate_gbit_s", 0.001, 10'000);
  node.active_mtu = small(map, "active_mtu", 256, 4096);
  node.netdev_mtu = small(map, "netdev_mtu", 576, 65535);
  node.nic_board = map.text_if("board").value_or("");
  node.nic_firmware = map.text_if("firmware").value_or("");
  node.max_read_request = small(map, "max_read_request", 128, 4096);
  node.relaxed_ordering = map.boolean_if("relaxed_ordering");
  node.nic_link_gt_s = map.number_if("link_gt_s", 2.5, 256);
  node.nic_link_width = small(map, "link_width", 1, 32);
  node.gpus_per_nic = small(map, "gpus_per_nic", 1, 16);
  node.counters_over_s = duration(map, "counters_over").value_or(node.counters_over_s);
  node.cross_rail = map.boolean_if("cross_rail").value_or(false);
  node.gpudirect = map.boolean_if("gpudirect").value_or(false);
  node.register_bytes = size(map, "register");
  if (const auto mode = map.text_if("netns")) {
    if (*mode != "exclusive" && *mode != "shared") map.reject("netns", "'netns' must be exclusive or shared");
    node.rdma_exclusive = *mode == "exclusive";
  }
  node.link_layer = map.text_if("link_layer").value_or("");
  if (!node.link_layer.empty() && node.link_layer != "Ethernet" && node.link_layer != "InfiniBand")
    map.reject("link_layer", "'link_layer' must be Ethernet or InfiniBand");
  if (const auto key = map.text_if("pkey")) {
    const auto hex = key->starts_with("0x") && key->size() == 6 ? parse_hex(key->substr(2)) : std::nullopt;
    if (!hex || (*hex & 0x7fff) == 0)
      map.reject("pkey",
                 "'pkey' is written as the subnet manager has it: 0x8001, got '" + printable(*key) + "'");
    node.pkey = *hex;
  }
  node.host_addresses = map.boolean_if("host_addresses");
  node.select = read_rail_selectors(map);
  for (auto& entry : map.maps_if("addresses"))
    node.sites.push_back(read_site(entry));
  if (!node.sites.empty() && node.rails && static_cast<int>(node.sites.size()) != *node.rails)
    map.reject("addresses", "'addresses' lists " + std::to_string(node.sites.size()) +
                                " rails, 'count' says " + std::to_string(*node.rails));
  if (!node.select.of_all && !node.select.each.empty() && node.rails &&
      static_cast<int>(node.select.each.size()) != *node.rails)
    map.reject("select", "'select' lists " + std::to_string(node.select.each.size()) +
                             " rails, 'count' says " + std::to_string(*node.rails));
  map.finish();
}

void read_lossless(YamlMap map, NodeExpectation& node) {
  if (map.has("pfc_priorities")) {
    unsigned mask = 0;
    for (const auto& text : map.texts_if("pfc_priorities")) {
      if (text.size() != 1 || text[0] < '0' || text[0] > '7')
        map.reject("pfc_priorities", "a priority is 0 to 7, got '" + printable(text) + "'");
      mask |= 1u << (text[0] - '0');
    }
    node.pfc_mask = mask;
  }
  node.dscp = natural(map, "dscp", 63);
  node.dscp_priority = natural(map, "priority", 7);
  if (node.dscp.has_value() != node.dscp_priority.has_value())
    map.reject("dscp", "'dscp' and 'priority' belong together");
  node.ecn = map.boolean_if("ecn").value_or(false);
  map.finish();
}

void read_vfs(YamlMap map, NodeExpectation& node) {
  node.vfs_per_pf = small(map, "per_pf", 0, 4096);
  node.vf_trust = map.boolean_if("trust");
  node.vf_spoof_check = map.boolean_if("spoof_check");
  node.vf_vlan = natural(map, "vlan", 4094);
  node.vf_max_rate = natural(map, "max_rate", 1'000'000);
  node.vf_mac = map.boolean_if("mac").value_or(false);
  node.eswitch = map.text_if("eswitch").value_or("");
  if (!node.eswitch.empty() && node.eswitch != "legacy" && node.eswitch != "switchdev")
    map.reject("eswitch", "'eswitch' must be legacy or switchdev");
  map.finish();
}

void read_pod(YamlMap map, NodeExpectation& node) {
  node.attachments = small(map, "attachments", 0, 64);
  node.podinfo = map.text_if("podinfo").value_or(node.podinfo);
  if (!node.podinfo.starts_with('/')) map.reject("podinfo", "'podinfo' must be an absolute path");
  node.annotation_wait_s = duration(map, "annotation_wait").value_or(0);
  node.resources = map.texts_if("resources");
  for (const auto& name : map.texts_if("skip"))
    node.skip_in_pod.insert(name);
  map.finish();
}

void read_overlay(YamlMap map, NodeExpectation& node) {
  node.default_device = map.text_if("default_device").value_or("");
  node.vxlan_device = map.text_if("vxlan_device").value_or("");
  node.underlay_mtu = small(map, "underlay_mtu", 576, 65535);
  node.vxlan_overhead = small(map, "overhead", 0, 200).value_or(node.vxlan_overhead);
  map.finish();
}

void read_gpus(YamlMap map, NodeExpectation& node) {
  node.gpus = small(map, "count", 0, 64);
  node.gpu_product = map.text_if("product").value_or("");
  node.driver = map.text_if("driver").value_or("");
  node.nvlinks = small(map, "nvlinks", 0, 72);
  node.fabric = map.boolean_if("fabric");
  node.persistence = map.boolean_if("persistence");
  node.sm_clock_max = small(map, "sm_clock_max", 100, 10'000);
  node.gpu_link_gt_s = map.number_if("link_gt_s", 2.5, 256);
  node.gpu_link_width = small(map, "link_width", 1, 32);
  node.ecc = map.boolean_if("ecc").value_or(false);
  map.finish();
}

void read_host(YamlMap map, NodeExpectation& node) {
  if (const auto memlock = map.text_if("memlock")) {
    if (*memlock != "unlimited") map.reject("memlock", "'memlock' can only be asked to be unlimited");
    node.memlock_unlimited = true;
  }
  if (const auto files = map.integer_if("nofile", 1, 1 << 30))
    node.nofile = static_cast<std::uint64_t>(*files);
  node.shm_bytes = size(map, "shm");
  if (const auto pages = map.integer_if("huge_pages", 0, 1 << 30))
    node.huge_pages = static_cast<std::uint64_t>(*pages);
  node.clock_offset_s = duration(map, "clock_offset");
  node.disks = small(map, "disks", 0, 256);
  node.disk_bytes = size(map, "disk_size");
  if (auto mounts = map.map_if("mounts"))
    for (const auto& [point, type] : mounts->entries()) {
      if (!point.starts_with('/') || !type.IsScalar() || type.Scalar().empty())
        map.reject("mounts", "'mounts' maps a mount point to a file system type or 'any'");
      node.mounts[point] = type.Scalar() == "any" ? "" : type.Scalar();
    }
  node.hostname_resolves = map.boolean_if("hostname_resolves").value_or(false);
  node.resolve = map.texts_if("resolve");
  for (const auto& name : map.texts_if("skip"))
    node.skip_on_host.insert(name);
  map.finish();
}

void read_probe(YamlMap map, NodeExpectation& node) {
  node.probe_gateways = map.boolean_if("gateways").value_or(false);
  node.probe_duplicates = map.boolean_if("duplicates").value_or(false);
  node.probe_path_mtu = map.boolean_if("path_mtu").value_or(false);
  for (auto& peer : map.maps_if("peers")) {
    std::vector<Ipv4> addresses;
    for (const auto& text : peer.texts_if("rails"))
      addresses.push_back(address_of(peer, "rails", text));
    if (addresses.empty()) peer.reject("rails", "a peer needs 'rails': its addresses in rail order");
    peer.finish();
    node.peers.push_back(std::move(addresses));
  }
  map.finish();
}

// Of a section that was read already, and so has only keys that are known.
std::set<std::string> asked_keys(const YAML::Node& section) {
  static const std::set<std::string> how{
      "skip",     "deadline",    "deadlines",           "host.skip",
      "pod.skip", "pod.podinfo", "pod.annotation_wait", "rails.counters_over"};
  std::set<std::string> keys;
  for (const auto& entry : section) {
    const std::string name = entry.first.Scalar();
    if (!entry.second.IsMap())
      keys.insert(name);
    else if (!how.contains(name))
      for (const auto& inner : entry.second)
        keys.insert(name + "." + inner.first.Scalar());
  }
  for (const auto& key : how)
    keys.erase(key);
  return keys;
}

}  // namespace

NodeExpectation read_node_expectation(YamlMap map) {
  NodeExpectation node;
  if (auto section = map.map_if("rails")) read_rails(*section, node);
  if (auto section = map.map_if("lossless")) read_lossless(*section, node);
  if (auto section = map.map_if("vfs")) read_vfs(*section, node);
  if (auto section = map.map_if("pod")) read_pod(*section, node);
  if (auto section = map.map_if("overlay")) read_overlay(*section, node);
  if (auto section = map.map_if("gpus")) read_gpus(*section, node);
  if (auto section = map.map_if("host")) read_host(*section, node);
  if (auto section = map.map_if("probe")) read_probe(*section, node);
  node.lock = map.text_if("lock").value_or("");
  for (const auto& name : map.texts_if("skip"))
    node.skip.insert(name);
  node.deadline_s = duration(map, "deadline").value_or(node.deadline_s);
  if (auto deadlines = map.map_if("deadlines"))
    for (const auto& [check, value] : deadlines->entries())
      if (const auto seconds = duration(*deadlines, check)) node.deadlines_s[check] = *seconds;
  map.finish();
  node.keys = asked_keys(map.node());
  return node;
}

}  // namespace mlc
