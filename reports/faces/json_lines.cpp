#include "reports/faces/json_lines.hpp"

#include <nlohmann/json.hpp>

#include "reports/faces/face.hpp"
#include "reports/record/json.hpp"

namespace mlc {

namespace {

using Json = nlohmann::ordered_json;

std::string line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string json_lines_beginning(const Report& report) {
  Report bare;
  bare.tool = report.tool, bare.run = report.run;
  const Json whole = json_of(bare);
  return line({{"schema", whole.at("schema")}, {"tool", whole.at("tool")}, {"run", whole.at("run")}});
}

std::string json_line(const Series& series) {
  Report only;
  only.series = {series};
  return line({{"series", json_of(only).at("series").at(0)}});
}

std::string json_lines_ending(const Report& report) {
  Report rest = report;
  rest.series.clear();
  const Json whole = json_of(rest);
  std::string text = line({{"environment", whole.at("environment")}});
  for (const auto& [list, one] :
       {std::pair{"findings", "finding"}, std::pair{"stages", "stage"}, std::pair{"errors", "error"}})
    if (whole.contains(list))
      for (const auto& entry : whole.at(list))
        text += line({{one, entry}});
  if (whole.contains("figures"))
    for (const auto& [name, figure] : whole.at("figures").items())
      text += line({{"figure", name}, {name, figure}});
  return text + line({{"run", whole.at("run")}, {"verdict", whole.at("verdict")}});
}

std::string to_json_lines(const Report& report) {
  std::string text = json_lines_beginning(report);
  for (const auto& series : report.series)
    text += json_line(series);
  return text + json_lines_ending(report);
}

extern const Face json_lines_face{
    .name = "jsonl",
    .endings = {".jsonl", ".ndjson"},
    .render = [](const Report& report, const Style&) { return to_json_lines(report); },
};

}  // namespace mlc
