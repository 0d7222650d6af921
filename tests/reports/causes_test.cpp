#include "reports/record/causes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/faces/findings_text.hpp"
#include "reports/faces/html.hpp"
#include "reports/faces/junit.hpp"
#include "reports/faces/line.hpp"
#include "reports/faces/markdown.hpp"
#include "reports/record/json.hpp"

namespace mlc {
namespace {

using testing::ElementsAre;

Finding finding(const std::string& check, Status status, const std::string& depends_on = {},
                const std::string& subject = "node") {
  Finding one{.check = check, .subject = subject, .status = status, .observed = "seen"};
  one.depends_on = depends_on;
  return one;
}

TEST(Causes, WhatWaitsIsUnderItsCauseAndTheMostTellingIsFirst) {
  const std::vector<Finding> findings{
      finding("host.name", Status::fail),
      finding("pci.link", Status::unknown, "pci.inventory"),
      finding("pci.inventory", Status::fail),
      finding("host.shm", Status::pass),
      finding("host.clock", Status::warn),
      finding("net.rules", Status::unknown, "pci.inventory"),
      finding("net.path-mtu", Status::unknown, "net.rules"),  // which itself waits
  };
  EXPECT_THAT(causes(findings), ElementsAre(Cause{2, {1, 5, 6}}, Cause{0, {}}, Cause{4, {}}));
  EXPECT_EQ(waiting_text(findings, {1, 5, 6}), "3 checks need it: pci.link, net.rules, net.path-mtu");
}

TEST(Causes, WithoutItsCauseAFindingIsOneItself) {
  const auto waits = finding("pci.link", Status::unknown, "pci.inventory");
  EXPECT_THAT(causes({waits}), ElementsAre(Cause{0, {}}));
  EXPECT_THAT(causes({waits, finding("pci.inventory", Status::pass)}), ElementsAre(Cause{0, {}}));
  auto other = finding("pci.inventory", Status::fail);
  other.stage = "active";  // of another stage
  EXPECT_THAT(causes({waits, other}), ElementsAre(Cause{1, {}}, Cause{0, {}}));
}

TEST(Causes, ThatAStageFailedFollowsFromWhatFailedInIt) {
  auto of = [](const std::string& stage, Finding one) {
    one.stage = stage;
    return one;
  };
  const std::vector<Finding> findings{
      finding("burnin.allreduce", Status::fail, "", "stage"),  // by its bandwidth, which is no finding
      finding("burnin.active", Status::fail, "", "stage"),
      of("active", finding("host.shm", Status::warn)),
      of("active", finding("host.limits", Status::fail)),
      finding("burnin.hbm", Status::fail, "", "GPU 0"),  // a GPU's, and no stage's
  };
  EXPECT_THAT(causes(findings), ElementsAre(Cause{3, {1}}, Cause{4, {}}, Cause{0, {}}, Cause{2, {}}));
  EXPECT_EQ(waiting_text(findings, {1}), "");
}

TEST(Causes, WhatIsWorseThanItsCauseIsNotFoldedUnderIt) {
  EXPECT_THAT(
      causes({finding("pci.affinity", Status::fail, "gpu.count"), finding("gpu.count", Status::unknown)}),
      ElementsAre(Cause{0, {}}, Cause{1, {}}));
  EXPECT_THAT(
      causes({finding("pci.affinity", Status::fail, "gpu.count"), finding("gpu.count", Status::fail)}),
      ElementsAre(Cause{1, {0}}));
}

TEST(Causes, WhatWaitsInACircleIsAllShown) {
  const auto circle = causes({finding("a.a", Status::unknown, "b.b"), finding("b.b", Status::unknown, "a.a"),
                              finding("c.c", Status::unknown, "c.c")});
  std::size_t shown = 0;
  for (const auto& cause : circle)
    shown += 1 + cause.waiting.size();
  EXPECT_EQ(shown, 3U);
}

TEST(Causes, TheWorstFindingOfTheCheckIsTheCause) {
  EXPECT_THAT(
      causes({finding("r.up", Status::warn, "", "rail 0"), finding("r.up", Status::fail, "", "rail 1"),
              finding("r.mtu", Status::unknown, "r.up", "rail 1")}),
      ElementsAre(Cause{1, {2}}, Cause{0, {}}));
}

TEST(Causes, ManyAreCountedByRoomAndACheckOnce) {
  std::vector<Finding> findings{finding("pci.inventory", Status::fail)};
  std::vector<std::size_t> waiting;
  for (const char* check : {"pci.link", "pci.link", "net.rules", "net.mtu", "vf.count", "pci.acs"}) {
    waiting.push_back(findings.size());
    findings.push_back(
        finding(check, Status::unknown, "pci.inventory", "rail " + std::to_string(findings.size())));
  }
  EXPECT_EQ(waiting_text(findings, waiting), "5 checks need it: 2 of pci, 2 of net, 1 of vf");
  EXPECT_EQ(waiting_text(findings, {1, 2}), "1 check needs it: pci.link");
  EXPECT_EQ(waiting_text(findings, {}), "");
}

// Every face for people has the cause, and what waits for it under it alone.
TEST(Causes, EveryFacePutsThemFirst) {
  Report report;
  report.findings = {
      finding("host.name", Status::fail), finding("pci.link", Status::unknown, "pci.inventory"),
      finding("pci.affinity", Status::fail, "pci.inventory"), finding("pci.inventory", Status::fail)};
  report.verdict = {
      .decision = Decision::fail, .because = {"pci.inventory: seen"}, .about = {{About::List::findings, 3}}};
  const std::string needs = "2 checks need it: pci.link, pci.affinity";
  const std::string text = findings_text(report, {});
  EXPECT_LT(text.find("pci.inventory"), text.find("host.name"));
  EXPECT_THAT(text, testing::HasSubstr(needs));
  EXPECT_EQ(text.find("✗ pci.affinity"), std::string::npos) << text;
  EXPECT_EQ(text.find("? pci.link"), std::string::npos) << text;
  EXPECT_THAT(to_markdown(report), testing::HasSubstr(needs));
  EXPECT_THAT(to_html(report), testing::HasSubstr(needs));
  EXPECT_THAT(line_text(report), testing::HasSubstr("pci.inventory"));
  // A failure is one there too, a check that could not be made is not.
  EXPECT_THAT(to_junit(report),
              testing::AllOf(testing::HasSubstr("failures=\"4\""), testing::HasSubstr("errors=\"0\""),
                             testing::HasSubstr("skipped=\"1\"")));
  EXPECT_EQ(report_from_json(to_json(report)).findings, report.findings);
}

TEST(Causes, WhatIsOfTheWholeNodeNamesNoSubject) {
  EXPECT_EQ(observed_of(finding("gpu.count", Status::fail)), "seen");
  EXPECT_EQ(observed_of(finding("rdma.mtu", Status::fail, "", "rail 2")), "rail 2: seen");
}

}  // namespace
}  // namespace mlc
