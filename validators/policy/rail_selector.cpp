#include "validators/policy/rail_selector.hpp"

#include <algorithm>
#include <charconv>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

// One value, or a list of them.
std::vector<std::string> one_or_more(YamlMap& map, const std::string& key) {
  if (!map.has(key)) return {};
  auto values = map.node()[key].IsSequence() ? map.texts_if(key) : std::vector{map.text(key)};
  if (values.empty()) map.reject(key, "'" + key + "' lists nothing");
  for (const auto& value : values)
    if (value.empty()) map.reject(key, "'" + key + "' has an empty value");
  return values;
}

std::vector<std::uint64_t> pci_ids(YamlMap& map, const std::string& key) {
  std::vector<std::uint64_t> ids;
  for (const auto& text : one_or_more(map, key)) {
    const std::string_view digits = text.starts_with("0x") ? std::string_view(text).substr(2) : text;
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
    if (error != std::errc{} || end != digits.data() + digits.size() || digits.size() != 4)
      map.reject(key, "'" + key +
                          "' is a PCI ID of four hexadecimal digits, as lspci -n has it: 15b3; got '" +
                          printable(text) + "'");
    ids.push_back(id);
  }
  return ids;
}

std::vector<int> small_numbers(YamlMap& map, const std::string& key) {
  std::vector<int> numbers;
  for (const auto& text : one_or_more(map, key)) {
    int number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number > 4096)
      map.reject(key, "'" + key + "' is a number from 0, got '" + printable(text) + "'");
    numbers.push_back(number);
  }
  return numbers;
}

RailSelector read_selector(YamlMap map) {
  RailSelector selector;
  selector.interfaces = one_or_more(map, "interface");
  selector.devices = one_or_more(map, "device");
  selector.pci = one_or_more(map, "pci");
  selector.vendors = pci_ids(map, "vendor");
  selector.models = pci_ids(map, "model");
  for (const auto& text : one_or_more(map, "subnet")) {
    const auto four = parse_prefix(text);
    const auto six = parse_ip_prefix(text);
    if (four && four->network() == *four)
      selector.subnets.push_back(*four);
    else if (six && six->network() == *six)
      selector.subnets6.push_back(*six);
    else
      map.reject("subnet",
                 "'subnet': '" + printable(text) + "' is no prefix; write 10.10.0.0/16 or 2001:db8:1::/64");
  }
  selector.numa = small_numbers(map, "numa");
  if (map.has("near_gpu") && map.node()["near_gpu"].IsScalar() && map.text("near_gpu") == "any")
    selector.near_any_gpu = true;
  else
    selector.gpus = small_numbers(map, "near_gpu");
  selector.resource = map.text_if("resource").value_or("");
  selector.network = map.text_if("network").value_or("");
  map.finish();
  if (selector == RailSelector{}) map.reject("select", "a rail is to be known by something, such as 'pci'");
  return selector;
}

}  // namespace

bool RailSelector::by_hardware_or_name() const {
  RailSelector without = *this;
  without.resource.clear(), without.network.clear();
  return without != RailSelector{};
}

std::vector<std::string> RailSelector::names() const {
  std::vector<std::string> names;
  for (const auto* some : {&pci, &interfaces, &devices})
    names.insert(names.end(), some->begin(), some->end());
  for (const auto& subnet : subnets)
    names.push_back(to_string(subnet));
  for (const auto& subnet : subnets6)
    names.push_back(to_string(subnet));
  for (const int node : numa)
    names.push_back("NUMA node " + std::to_string(node));
  for (const int gpu : gpus)
    names.push_back("near GPU " + std::to_string(gpu));
  for (const auto* one : {&resource, &network})
    if (!one->empty()) names.push_back(*one);
  return names;
}

RailSelectors read_rail_selectors(YamlMap& rails) {
  RailSelectors selectors;
  if (!rails.has("select")) return selectors;
  if (rails.node()["select"].IsSequence()) {
    for (auto& entry : rails.maps_if("select")) {
      auto selector = read_selector(entry);
      if (std::ranges::find(selectors.each, selector) != selectors.each.end())
        entry.reject("select", "'select' has this rail twice: one device cannot be two rails");
      selectors.each.push_back(std::move(selector));
    }
    if (selectors.each.empty()) rails.reject("select", "'select' lists no rail");
  } else {
    selectors.each.push_back(read_selector(*rails.map_if("select")));
    selectors.of_all = true;
  }
  return selectors;
}

}  // namespace mlc
