#include "validators/policy/burnin_plan.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

double read_seconds(YamlMap& map, std::string_view key, double otherwise) {
  const auto text = map.text_if(key);
  if (!text) return otherwise;
  const auto seconds = parse_seconds(*text);
  if (!seconds || !(*seconds > 0) || *seconds > 7 * 86400)
    map.reject(key, "'" + std::string(key) + "' must be a time up to a week, as in '5 min', got '" +
                        printable(*text) + "'");
  return *seconds;
}

BurninStage read_stage(YamlMap map) {
  BurninStage stage;
  stage.name = map.text("stage");
  // It becomes a part of file names and of the names of findings.
  if (stage.name.empty() || stage.name.size() > 40 || !std::ranges::all_of(stage.name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      }))
    map.reject("stage", "a stage's name is of a-z, 0-9 and '-', got '" + printable(stage.name) + "'");
  stage.command = map.texts_if("command");
  if (stage.command.empty()) map.reject("command", "'command' must list the words of a command: [validate]");
  // Words of others, or this very one: what a stage says has to be measured by it, now.
  static constexpr std::array<std::string_view, 5> none{"burnin", "admit", "report", "compare", "history"};
  if (std::ranges::find(none, stage.command.front()) != none.end() || stage.command.front().starts_with('-'))
    map.reject("command", "a stage runs a command that measures or checks, not '" +
                              printable(stage.command.front()) + "'");
  stage.limit_s = read_seconds(map, "limit", stage.limit_s);
  stage.launches = static_cast<int>(map.integer_if("launches", 1, 100).value_or(stage.launches));
  stage.stop_on_fail = map.boolean_if("stop_on_fail").value_or(stage.stop_on_fail);
  stage.required = map.boolean_if("required").value_or(stage.required);
  map.finish();
  return stage;
}

}  // namespace

BurninPlan read_burnin_plan(YamlMap map) {
  BurninPlan plan;
  plan.budget_s = read_seconds(map, "budget", plan.budget_s);
  std::set<std::string> names;
  for (auto& entry : map.maps_if("stages")) {
    plan.stages.push_back(read_stage(entry));
    if (plan.stages.back().limit_s > plan.budget_s)
      entry.reject("limit", "stage " + plan.stages.back().name +
                                " may take longer than the whole budget, and so is never run");
    if (!names.insert(plan.stages.back().name).second)
      entry.reject("stage", "there are two stages '" + plan.stages.back().name + "'");
  }
  if (plan.stages.empty()) map.reject("stages", "'stages' must list what is run");
  map.finish();
  return plan;
}

}  // namespace mlc
