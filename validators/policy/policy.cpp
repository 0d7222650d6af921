#include "validators/policy/policy.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "reports/record/text.hpp"
#include "validators/host/digest.hpp"
#include "validators/host/whole_file.hpp"
#include "validators/policy/yaml_document.hpp"

namespace mlc {

namespace {

struct Quantity {
  double number;
  std::string unit;
};

Quantity quantity(YamlMap& map, std::string_view key, std::string_view example) {
  const std::string text = map.text(key);
  Quantity result{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result.number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' '))
    unit.remove_prefix(1);
  if (error != std::errc{} || unit.empty())
    map.reject(key, "'" + std::string(key) + "' needs a number and a unit, as in '" + std::string(example) +
                        "', got '" + printable(text) + "'");
  if (!(result.number > 0 && result.number < 1e12))
    map.reject(key, "'" + std::string(key) + "' must be above zero, got '" + printable(text) + "'");
  result.unit = unit;
  return result;
}

double bandwidth_gb_s(YamlMap& map, std::string_view key, const std::optional<Target>& target) {
  const auto [number, unit] = quantity(map, key, "90 GB/s");
  if (unit == "GB/s") return number;
  if (unit == "MB/s") return number / 1e3;
  if (unit == "Gbit/s") return number / 8;
  if (unit == "% of target" || unit == "% of ceiling") {
    if (!target)
      map.reject(key, "'" + std::string(key) + "' is a share of the target, but the policy has no 'target'");
    if (number > 200)
      map.reject(key, "'" + std::string(key) + "' asks for " + shortest(number) + " % of the target");
    return number / 100 * (unit == "% of target" ? target->gb_s() : target->ceiling_gb_s());
  }
  map.reject(key, "'" + std::string(key) +
                      "' must be in GB/s, MB/s, Gbit/s, '% of target' or '% of ceiling', got '" +
                      printable(unit) + "'");
}

double duration_s(YamlMap& map, std::string_view key) {
  const auto [number, unit] = quantity(map, key, "20 ms");
  const auto seconds = parse_seconds(shortest(number) + unit);
  if (!seconds)
    map.reject(key,
               "'" + std::string(key) + "' must be in us, ms, s, min or h, got '" + printable(unit) + "'");
  return *seconds;
}

std::uint64_t size_bytes(const YamlMap& map, std::string_view key, const std::string& text) {
  const auto bytes = parse_bytes(text);
  if (!bytes || *bytes == 0)
    map.reject(key, "'" + std::string(key) + "': '" + printable(text) + "' is no size; write 4K, 1M, 1GiB");
  return *bytes;
}

Target read_target(YamlMap map) {
  Target target;
  const auto rails = map.integer_if("rails", 1, 64);
  const auto rate = map.number_if("rail_gbit_s", 0.001, 10'000);
  if (!rails) map.reject("rails", "'rails' is missing");
  if (!rate) map.reject("rail_gbit_s", "'rail_gbit_s' is missing");
  target.rails = static_cast<int>(*rails);
  target.rail_gbit_s = *rate;
  if (const auto mtu = map.integer_if("mtu", 256, 4096)) {
    if ((*mtu & (*mtu - 1)) != 0) map.reject("mtu", "an RDMA MTU is 256, 512, 1024, 2048 or 4096");
    target.mtu = static_cast<int>(*mtu);
  }
  map.finish();
  return target;
}

Confidence read_confidence(YamlMap map) {
  Confidence confidence;
  confidence.false_admit = map.number_if("false_admit", 1e-12, 0.5).value_or(confidence.false_admit);
  confidence.false_reject = map.number_if("false_reject", 1e-12, 0.5).value_or(confidence.false_reject);
  confidence.max_batches =
      static_cast<int>(map.integer_if("max_batches", 5, 100'000).value_or(confidence.max_batches));
  if (map.has("batch")) confidence.batch_s = duration_s(map, "batch");
  if (map.has("observe")) confidence.observe_s = duration_s(map, "observe");
  if (map.has("stall")) confidence.stall_s = duration_s(map, "stall");
  map.finish();
  return confidence;
}

Threshold read_threshold(YamlMap map, const std::optional<Target>& target) {
  Threshold threshold;
  threshold.collective = map.text("collective");
  threshold.backend = map.text_if("backend").value_or("");
  threshold.dtype = map.text_if("dtype").value_or("");
  threshold.redop = map.text_if("redop").value_or("");
  threshold.placement = map.text_if("placement").value_or("");
  if (!threshold.placement.empty() && threshold.placement != "in_place" &&
      threshold.placement != "out_of_place")
    map.reject("placement", "'placement' must be in_place or out_of_place");
  if (const auto nodes = map.integer_if("nodes", 1, 1'000'000)) threshold.nodes = static_cast<int>(*nodes);
  if (const auto ranks = map.integer_if("ranks", 1, 10'000'000)) threshold.ranks = static_cast<int>(*ranks);
  for (const auto& size : map.texts_if("sizes"))
    threshold.sizes.push_back(size_bytes(map, "sizes", size));
  if (const auto size = map.text_if("min_size")) threshold.min_size = size_bytes(map, "min_size", *size);
  if (const auto size = map.text_if("max_size")) threshold.max_size = size_bytes(map, "max_size", *size);
  if (!threshold.sizes.empty() && (threshold.min_size || threshold.max_size))
    map.reject("sizes", "give either 'sizes' or 'min_size' and 'max_size', not both");
  if (threshold.min_size && threshold.max_size && *threshold.min_size > *threshold.max_size)
    map.reject("min_size", "'min_size' is above 'max_size'");
  const bool busbw = map.has("busbw_at_least"), time = map.has("time_at_most");
  if (busbw == time) map.reject("collective", "a threshold needs one of 'busbw_at_least' and 'time_at_most'");
  if (busbw && threshold.ranks == 1)
    map.reject("busbw_at_least",
               "one rank has no bus bandwidth, since nothing crosses: ask for 'time_at_most'");
  if (busbw)
    threshold.busbw_gb_s = bandwidth_gb_s(map, "busbw_at_least", target),
    threshold.asked = map.text("busbw_at_least");
  else
    threshold.time_us = duration_s(map, "time_at_most") * 1e6, threshold.asked = map.text("time_at_most");
  map.finish();
  return threshold;
}

}  // namespace

Policy read_policy(const std::string& content, const std::string& file, std::vector<AskedKey>* asked) {
  YamlMap map = parse_yaml(content, file, asked);
  Policy policy;
  policy.name = map.text("policy");
  policy.about = map.text_if("about").value_or("");
  policy.source = file;
  policy.text = content, policy.digest = digest_of(content);
  if (auto target = map.map_if("target")) policy.target = read_target(*target);
  if (auto confidence = map.map_if("confidence")) policy.confidence = read_confidence(*confidence);
  policy.unknown_blocks = map.boolean_if("unknown_blocks").value_or(true);
  // An empty section asks nothing, and is none.
  if (auto node = map.map_if("node"); node && node->node().size() > 0)
    policy.node = read_node_expectation(*node);
  if (auto gpu = map.map_if("gpu"); gpu && gpu->node().size() > 0) policy.gpu = read_gpu_expectation(*gpu);
  if (auto burnin = map.map_if("burnin")) policy.burnin = read_burnin_plan(*burnin);
  if (auto health = map.map_if("health")) policy.health = read_burnin_plan(*health);
  if (auto passive = map.map_if("passive")) policy.passive = read_burnin_plan(*passive);
  if (auto fabric = map.map_if("fabric")) policy.fabric = read_burnin_plan(*fabric);
  if (auto dispatch = map.map_if("dispatch")) policy.dispatch = read_dispatch_policy(*dispatch);
  if (auto admit = map.map_if("admit")) policy.admit = read_admit_policy(*admit);
  if (auto rdma = map.map_if("rdma")) policy.rdma = read_rdma_expectation(*rdma, policy.target.has_value());
  for (auto& threshold : map.maps_if("thresholds"))
    policy.thresholds.push_back(read_threshold(threshold, policy.target));
  // Their reports become one (run_kind.hpp), in which a stage's name says which it is.
  if (policy.fabric && policy.burnin)
    for (const auto& stage : policy.fabric->stages)
      if (std::ranges::find(policy.burnin->stages, stage.name, &BurninStage::name) !=
          policy.burnin->stages.end())
        map.reject("fabric", "stage '" + stage.name + "' is in 'burnin' and in 'fabric'");
  map.finish();
  return policy;
}

Policy load_policy(const std::string& name_or_path) {
  std::vector<std::string> names;
  for (const auto& policy : built_in_policies()) {
    if (policy.name == name_or_path) {
      Policy read =
          read_policy(std::string(policy.content), "policies/" + std::string(policy.name) + ".yaml");
      read.source = "built in";
      return read;
    }
    names.emplace_back(policy.name);
  }
  std::error_code error;
  const std::string shown = printable(name_or_path);
  const auto status = std::filesystem::status(name_or_path, error);
  if (!std::filesystem::exists(status)) {
    const auto near = nearest(name_or_path, names);
    throw PolicyError(shown + ": no such file, and no built-in policy of that name (" + join(names, ", ") +
                      ")" + (near ? "; did you mean '" + *near + "'?" : ""));
  }
  std::string content;
  try {
    content = read_whole(name_or_path, {.bytes = largest_yaml_bytes});
  } catch (const std::exception& why) {
    throw PolicyError(shown + ": no policy can be read from it: " + why.what());
  }
  return read_policy(content, shown);
}

}  // namespace mlc
