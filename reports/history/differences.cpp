#include "reports/history/differences.hpp"

#include <map>
#include <set>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Counts = std::map<std::string, std::size_t>;

std::string text_of(const Counts& counts) {
  std::vector<std::string> parts;
  for (const auto& [value, count] : counts)
    parts.push_back(count > 1 ? std::to_string(count) + " x " + value : value);
  return parts.empty() ? "none" : join(parts, ", ");
}

// What every node says of one matter, as a multiset: two fleets are alike if these are.
std::map<std::string, Counts> matters(const Report& report, bool hardware) {
  std::map<std::string, Counts> all;
  for (const auto& node : report.environment.nodes) {
    if (hardware) {
      Counts gpus;
      for (const auto& gpu : node.gpus)
        ++gpus[gpu.name];
      for (const auto& [name, count] : gpus)
        ++all["GPUs"][std::to_string(count) + " x " + name];
      ++all["processors"][node.cpu + ", " + std::to_string(node.cpus) + " usable"];
      continue;
    }
    ++all["kernel"][node.kernel];
    ++all["system"][node.os];
    for (const auto& [name, version] : node.versions)
      ++all[name][version];
    std::set<std::string> drivers;
    for (const auto& gpu : node.gpus)
      if (!gpu.driver.empty()) drivers.insert(gpu.driver);
    for (const auto& driver : drivers)
      ++all["GPU driver"][driver];
  }
  return all;
}

// Of fleets of different size only which values there are can be compared.
std::map<std::string, Counts> uncounted(std::map<std::string, Counts> all) {
  for (auto& [what, counts] : all)
    for (auto& [value, count] : counts)
      count = 1;
  return all;
}

void add_matters(std::vector<Difference>& list, const std::string& kind, const Report& base_report,
                 const Report& next_report) {
  auto base = matters(base_report, kind == "hardware"), next = matters(next_report, kind == "hardware");
  if (base_report.environment.nodes.size() != next_report.environment.nodes.size())
    base = uncounted(std::move(base)), next = uncounted(std::move(next));
  auto names = base;
  names.insert(next.begin(), next.end());
  for (const auto& [name, unused] : names) {
    const Counts none;
    const auto in = [&](const auto& all) -> const Counts& {
      return all.contains(name) ? all.at(name) : none;
    };
    if (in(base) != in(next)) list.push_back({kind, name, text_of(in(base)), text_of(in(next))});
  }
}

// Where series of one run differ, each is told.
std::string renewed_in(const Report& report) {
  std::set<std::string> kinds;
  for (const auto& series : report.series)
    if (series.launches.size() > 1) kinds.insert(std::string(to_string(series.renewed)));
  return join(std::vector<std::string>(kinds.begin(), kinds.end()), ", ");
}

}  // namespace

std::vector<Difference> differences_of(const Report& base, const Report& next) {
  std::vector<Difference> list;
  const auto add = [&](const std::string& kind, const std::string& what, const std::string& a,
                       const std::string& b) {
    if (a != b) list.push_back({kind, what, a.empty() ? "none" : a, b.empty() ? "none" : b});
  };
  add_matters(list, "hardware", base, next);
  add("policy", "name", base.run.policy, next.run.policy);
  if (base.run.policy == next.run.policy && base.figures.policy && next.figures.policy &&
      base.figures.policy->text != next.figures.policy->text)
    list.push_back(
        {"policy", "content of " + base.run.policy, "one text", "another text under the same name"});
  add("tool", "mlc-bench", base.tool.version, next.tool.version);
  auto parts = base.tool.built;
  parts.insert(next.tool.built.begin(), next.tool.built.end());
  for (const auto& [part, unused] : parts) {
    const auto how = [&](const Report& report) {
      const auto found = report.tool.built.find(part);
      return found == report.tool.built.end() ? std::string() : found->second;
    };
    add("tool", "built with " + part, how(base), how(next));
  }
  add_matters(list, "software", base, next);
  add("run", "backend", base.run.backend, next.run.backend);
  add("run", "ranks", std::to_string(base.run.ranks), std::to_string(next.run.ranks));
  add("run", "made anew for each launch", renewed_in(base), renewed_in(next));
  add("run", "nodes", std::to_string(base.run.nodes), std::to_string(next.run.nodes));
  Counts base_names, next_names;
  for (const auto& node : base.environment.nodes)
    ++base_names[node.name];
  for (const auto& node : next.environment.nodes)
    ++next_names[node.name];
  if (base_names != next_names) {
    // Fleets are named by what is not in the other, or the line would be longer than the page.
    const auto only = [](const Counts& in, const Counts& out) {
      std::vector<std::string> names;
      for (const auto& [name, count] : in)
        if (!out.contains(name)) names.push_back(name);
      const std::size_t all = names.size();
      if (all > 5) names.resize(5);
      return names.empty() ? std::string("no other")
                           : join(names, ", ") + (all > 5 ? " and " + std::to_string(all - 5) + " more" : "");
    };
    list.push_back({"run", "nodes taking part", only(base_names, next_names), only(next_names, base_names)});
  }
  auto variables = base.environment.variables;
  variables.insert(next.environment.variables.begin(), next.environment.variables.end());
  for (const auto& [name, unused] : variables) {
    const auto value = [&](const Report& report) {
      const auto found = report.environment.variables.find(name);
      return found == report.environment.variables.end() ? std::string() : found->second;
    };
    add("run", name, value(base), value(next));
  }
  return list;
}

}  // namespace mlc
