// Captured nodes of tests/fixtures/nodes, each under its own policy and under `local`, against its golden
// answers. MLC_UPDATE_FIXTURES=1 makes the trees anew (odd_nodes.cpp), MLC_UPDATE_GOLDEN=1 the answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "reports/faces/findings_text.hpp"
#include "tests/validators/odd_nodes.hpp"
#include "tests/validators/packed_tree.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/validate.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/scratch_directory.hpp"

namespace mlc::test {

namespace {

std::string fixture(std::string_view name) {
  return std::string(MLC_SOURCE_DIR) + "/tests/fixtures/nodes/" + std::string(name);
}

Report judged(const std::string& tree, Policy policy) {
  // A busy machine is no late check.
  if (policy.node) policy.node->deadline_s = 60;
  Report report;
  report.run.policy = policy.name;
  report.environment.nodes.push_back({});
  report.environment.nodes.front().name = "gpu-a";
  report.findings = validate(captured_host(tree), policy, all_checks());
  report.verdict = decide(report, policy, {});
  return report;
}

std::string screen(const Report& report) {
  static const std::regex count(R"(\d+ (checks|passed|skipped|unknown))");
  return std::regex_replace(findings_text(report, {}), count, "N $1");
}

class Fixture : public testing::TestWithParam<OddNode> {
 protected:
  void SetUp() override {
    if (std::getenv("MLC_UPDATE_FIXTURES")) {
      const auto node = GetParam().make();
      const std::string directory = scratch_ + "/built";
      node->write(directory, own_policy());
      std::ofstream(fixture(GetParam().name) + ".tree.json") << pack_tree(directory).dump(0) << "\n";
    }
    std::ifstream file(fixture(GetParam().name) + ".tree.json");
    unpack_tree(nlohmann::json::parse(file), tree_);
  }
  Policy own_policy() const { return load_policy(fixture(GetParam().policy) + ".yaml"); }

  const ScratchDirectory holder_;
  const std::string scratch_ = holder_.path().string();
  const std::string tree_ = scratch_ + "/tree";
};

TEST_P(Fixture, IsJudgedAsItsGoldenAnswersSay) {
  const std::string text =
      screen(judged(tree_, own_policy())) + "\n" + screen(judged(tree_, load_policy("local")));
  const std::string path = fixture(GetParam().name) + ".txt";
  if (std::getenv("MLC_UPDATE_GOLDEN")) {
    std::ofstream(path) << text;
    GTEST_SKIP() << "written anew: " << path;
  }
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str()) << "MLC_UPDATE_GOLDEN=1 writes " << path << " anew";
}

// What is wired otherwise is no fault, and a fault is one check's.
TEST_P(Fixture, FailsWhereItIsBrokenAndNowhereElse) {
  std::set<std::string> failed;
  for (const auto& finding : judged(tree_, own_policy()).findings)
    if (finding.status == Status::fail) failed.insert(finding.check);
  EXPECT_THAT(failed, testing::UnorderedElementsAreArray(GetParam().fails));
}

INSTANTIATE_TEST_SUITE_P(Nodes, Fixture, testing::ValuesIn(odd_nodes()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace

}  // namespace mlc::test
