// The record's figures in JSON and back, and the reasons with their remedies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/faces/html.hpp"
#include "reports/record/figures_json.hpp"
#include "reports/record/json.hpp"
#include "reports/record/reasons.hpp"
#include "tests/reports/sample_report.hpp"

namespace mlc {
namespace {

TEST(Figures, RoundTrip) {
  for (const Report& report :
       {test::sick_report(), test::healthy_report(), test::fleet_report(5), test::hostile_report("x\ny")})
    EXPECT_EQ(report_from_json(to_json(report)), report);
}

TEST(Figures, AbsentPartsAreAbsentKeys) {
  EXPECT_TRUE(figures_to_json({}).empty());
  EXPECT_FALSE(nlohmann::json::parse(to_json(Report{})).contains("figures"));
}

TEST(Figures, WhatIsNotFiniteIsNotMeasured) {
  Report report = test::sick_report();
  report.figures.rails[0].gbit_s = NAN;
  report.figures.matrices[0].values[0] = INFINITY;
  report.figures.gpu_traces[0].power_w[3] = NAN;
  const Report back = report_from_json(to_json(report));
  EXPECT_TRUE(std::isnan(back.figures.rails[0].gbit_s));
  EXPECT_FALSE(back.figures.matrices[0].values[0]);
  EXPECT_TRUE(std::isnan(back.figures.gpu_traces[0].power_w[3]));
}

TEST(Report, NumbersThatDoNotFitAndListsThatAreNoneAreDamage) {
  for (const auto& [pointer, value] :
       std::vector<std::pair<const char*, nlohmann::json>>{{"/run/ranks", 4294967298},
                                                           {"/run/nodes", 4294967297},
                                                           {"/run/ranks", 2.5},
                                                           {"/series/0/ranks", 4294967298},
                                                           {"/series/0/samples", -1},
                                                           {"/errors", nullptr},
                                                           {"/errors", nlohmann::json::object()},
                                                           {"/findings", nullptr},
                                                           {"/series", "none"},
                                                           {"/environment/nodes", 3}}) {
    auto json = nlohmann::json::parse(to_json(test::sick_report()));
    json[nlohmann::json::json_pointer(pointer)] = value;
    EXPECT_THROW((void)report_from_json(json.dump()), ReportError) << pointer << " " << value;
  }
}

TEST(Figures, AShapeThatContradictsItselfIsDamage) {
  const auto damaged = [](const char* pointer, nlohmann::json value) {
    auto json = nlohmann::json::parse(to_json(test::sick_report()));
    json[nlohmann::json::json_pointer(pointer)] = std::move(value);
    return json.dump();
  };
  for (const auto& text :
       {damaged("/figures/matrices/0/values", {1, 2}), damaged("/figures/matrices/0/culprits/0/row", 99),
        damaged("/figures/matrices/0/culprits/0/row", -1), damaged("/figures/histograms/0/edges_us", {1}),
        damaged("/figures/gpu_traces/0/power_w", {1}), damaged("/figures/rails/0/status", "fine"),
        damaged("/figures/rails/0/ci_gbit_s", {1}), damaged("/figures/rails", 3), damaged("/figures", "x"),
        damaged("/figures/interconnect", {{"rails", "four"}})})
    EXPECT_THROW((void)report_from_json(text), ReportError) << text.size();
}

TEST(Reasons, EveryReasonOfTheSickRunHasItsRemedy) {
  const auto list = reasons(test::sick_report());
  ASSERT_EQ(list.size(), 5u);
  for (const auto& reason : list)
    EXPECT_FALSE(reason.remedy.empty()) << reason.text;
  EXPECT_THAT(list[0].remedy, ::testing::HasSubstr("cable on rail 2"));
  EXPECT_EQ(list[0].where, "finding-5");
  EXPECT_THAT(list[1].remedy, ::testing::HasSubstr("rank 11 (gpu-b)"));
  EXPECT_EQ(list[4].where, "error-0");
}

TEST(Reasons, AreReferredToAndNotReadFromProse) {
  Report report;
  report.findings = {{"rdma.link", "mlx5_1", Status::fail, "DOWN", "", "", "one"},
                     {"rdma.link", "mlx5_10", Status::fail, "DOWN", "", "", "ten"}};
  report.verdict = {
      .decision = Decision::fail,
      .because = {"rdma.link: mlx5_10 DOWN", "rdma.link: mlx5_1 DOWN", "something else", ""},
      .about = {{About::List::findings, 1}, {About::List::findings, 0}, {}, {About::List::series, 9}}};
  const auto list = reasons(report);
  EXPECT_EQ(list[0].remedy, "ten");
  EXPECT_EQ(list[1].remedy, "one");
  EXPECT_EQ(list[2].remedy, "");
  EXPECT_EQ(list[3].where, "") << "there is no such series";
  EXPECT_EQ(report_from_json(to_json(report)).verdict, report.verdict);
  report.verdict.about.pop_back();
  EXPECT_EQ(reasons(report)[0].remedy, "") << "an older report: nothing is guessed";
}

TEST(Page, FaultsComeFirst) {
  const std::string page = to_html(test::sick_report());
  const auto at = [&](const std::string& text) {
    const auto found = page.find(text);
    EXPECT_NE(found, std::string::npos) << text;
    return found;
  };
  EXPECT_LT(at("✗</span> fail"), at("Why, and what to do"));
  EXPECT_LT(at("Why, and what to do"), at("reseat or replace the cable on rail 2"));
  EXPECT_LT(at("reseat or replace the cable on rail 2"), at(">Findings<"));
  EXPECT_LT(at("id=\"finding-5\""), at("id=\"finding-2\""));  // the fault before the passes of its room
}

TEST(Page, AFleetStaysUnderFiveMegabytes) { EXPECT_LT(to_html(test::fleet_report(512)).size(), 5'000'000u); }

TEST(Page, AnEmptyReportIsAPageToo) {
  const std::string page = to_html(Report{});
  EXPECT_THAT(page, ::testing::HasSubstr("inconclusive"));
  EXPECT_THAT(page, ::testing::Not(::testing::HasSubstr("<figure")));
}

}  // namespace
}  // namespace mlc
