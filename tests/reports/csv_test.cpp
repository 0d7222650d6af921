// The tables of a report against its JSON.
#include "reports/faces/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "reports/faces/json_lines.hpp"
#include "reports/record/json.hpp"
#include "tests/reports/sample_campaign.hpp"
#include "tests/reports/sample_report.hpp"

namespace mlc {
namespace {

using Json = nlohmann::json;

// Fields of RFC 4180, line by line.
std::vector<std::vector<std::string>> parsed(const std::string& text) {
  std::vector<std::vector<std::string>> lines(1, {""});
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    auto& field = lines.back().back();
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"')
      field += c, ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && c == ',')
      lines.back().emplace_back();
    else if (!quoted && c == '\r')
      continue;
    else if (!quoted && c == '\n')
      lines.push_back({""});
    else
      field += c;
  }
  lines.pop_back();
  return lines;
}

std::vector<Report> samples() {
  return {test::sick_report(),
          test::healthy_report(),
          test::rails_in_launches(test::sick_report()),
          test::fleet_report(8),
          test::hostile_report("a,\"b\"\r\n=c\x1b[0m"),
          Report{}};
}

TEST(Csv, EveryTableHasTheFieldsOfItsHeader) {
  for (const auto& report : samples())
    for (const auto& table : csv_tables()) {
      SCOPED_TRACE(std::string(table.name));
      const auto lines = parsed(csv_table(report, table.name));
      ASSERT_FALSE(lines.empty());
      std::set<std::string> names(lines[0].begin(), lines[0].end());
      EXPECT_EQ(names.size(), lines[0].size()) << "a name is there twice";
      for (const auto& line : lines)
        EXPECT_EQ(line.size(), lines[0].size());
    }
}

TEST(Csv, ATableThatDoesNotExistIsNone) { EXPECT_EQ(find_csv_table("rail"), nullptr); }

TEST(Csv, NumbersAreNumbersAndFormulasAreText) {
  Report report;
  report.findings = {{.check = "c", .subject = "-1+2", .observed = "=1+1"}};
  report.figures.rails = {{.node = "n", .gbit_s = 1e-7, .peer_rail = -1}};
  const auto findings = csv_table(report, "findings"), rails = csv_table(report, "rails");
  EXPECT_THAT(findings, testing::HasSubstr("'=1+1"));
  EXPECT_THAT(rails, testing::HasSubstr(",-1,")) << rails;
  EXPECT_THAT(rails, testing::HasSubstr(",1e-07,")) << rails;
}

// Whatever JSON says of a run is in some table: a reader of CSV needs no JSON.
void leaves(const Json& json, const std::string& path,
            std::vector<std::pair<std::string, std::string>>& out) {
  if (json.is_object())
    for (const auto& [key, value] : json.items())
      leaves(value, path + "/" + key, out);
  else if (json.is_array())
    for (const auto& value : json)
      leaves(value, path, out);
  else if (json.is_string())
    out.emplace_back(path, json.get<std::string>());
  else if (json.is_number_integer())
    out.emplace_back(path, json.dump());
  else if (json.is_number())
    out.emplace_back(path, csv_number(json.get<double>()));
}

TEST(Csv, CarriesWhatJsonDoes) {
  // Of the program, not of what was measured; and what stands in a line in another form.
  const std::vector<std::string> without{
      "/schema", "/tool/name", "/tool/built", "/figures/policy", "/environment/variables", "/verdict/about",
      "/verdict/unmeasured", "/run/fault", "/figures/interconnect", "/figures/fleet",
      // The words of what was run are one field, as are counters, warnings and versions of a node.
      "/run/command", "/stages/command", "/figures/rails/counters", "/series/warnings",
      "/environment/nodes/versions", "/environment/nodes/ranks", "/figures/matrices/culprits",
      "/series/renewed"};
  for (const auto& report : {test::sick_report(), test::rails_in_launches(test::sick_report())}) {
    std::set<std::string> fields;
    for (const auto& table : csv_tables())
      for (const auto& line : parsed(csv_table(report, table.name)))
        fields.insert(line.begin(), line.end());
    std::vector<std::pair<std::string, std::string>> all;
    leaves(Json::parse(to_json(report)), "", all);
    ASSERT_GT(all.size(), 500u);
    for (const auto& [path, value] : all) {
      if (value.empty() ||
          std::ranges::any_of(without, [&](const auto& part) { return path.starts_with(part); }))
        continue;
      EXPECT_TRUE(fields.contains(value) || fields.contains("'" + value)) << path << ": " << value;
    }
  }
}

TEST(Csv, ACampaignIsInItToo) {
  const Report report = test::campaign_report(true);
  const auto standings = parsed(csv_table(report, "standings"));
  EXPECT_EQ(standings.size(), report.figures.fleet->nodes.size() + 1);
  std::size_t flows = 0;
  for (const auto& test : report.figures.fleet->held)
    flows += test.ratios.size();
  EXPECT_EQ(parsed(csv_table(report, "flows")).size(), flows + 1);
  EXPECT_EQ(parsed(csv_table(report, "places")).size(), report.figures.fleet->places.size() + 1);
}

TEST(JsonLines, AreTheReportPutApart) {
  for (const auto& report : samples()) {
    const Json whole = Json::parse(to_json(report));
    Json again{{"series", Json::array()},
               {"findings", Json::array()},
               {"errors", Json::array()},
               {"stages", Json::array()}};
    std::istringstream lines(to_json_lines(report));
    std::string last;
    for (std::string line; std::getline(lines, line); last = line) {
      const Json entry = Json::parse(line);
      ASSERT_TRUE(entry.is_object()) << line;
      if (again.size() == 4) {
        EXPECT_EQ(entry.at("schema"), whole.at("schema")) << "the first line says what follows";
        again["run"] = entry.at("run");
      }
      for (const auto& [one, list] : {std::pair{"series", "series"}, std::pair{"finding", "findings"},
                                      std::pair{"error", "errors"}, std::pair{"stage", "stages"}})
        if (entry.contains(one)) again[list].push_back(entry.at(one));
      if (entry.contains("figure"))
        again["figures"][entry.at("figure").get<std::string>()] =
            entry.at(entry.at("figure").get<std::string>());
    }
    EXPECT_EQ(Json::parse(last).at("verdict"), whole.at("verdict"))
        << "whoever reads to the end has the verdict";
    for (const char* list : {"series", "findings", "errors", "stages"})
      EXPECT_EQ(again.at(list), whole.value(list, Json::array())) << list;
    EXPECT_EQ(again.value("figures", Json::object()), whole.value("figures", Json::object()));
  }
}

}  // namespace
}  // namespace mlc
