// Whole screens of `validate`, compared with the files of tests/golden; MLC_UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "reports/faces/findings_text.hpp"
#include "reports/faces/line.hpp"
#include "tests/validators/built_node.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/validate.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc::test {

namespace {

Report judged(const BuiltNode& node, const Policy& policy) {
  Report report;
  report.run.policy = policy.name;
  report.environment.nodes.push_back({});
  report.environment.nodes.front().name = "gpu-a";
  report.findings = validate(node.host(), policy, all_checks());
  report.verdict = decide(report, policy, {});
  return report;
}

void compare(const std::string& name, const Report& report) {
  // How many checks there are changes with every new one, and is not what a screen is looked at for.
  static const std::regex count(R"(\d+ (checks|passed|skipped|unknown))");
  const std::string text =
      std::regex_replace(findings_text(report, {}) + "\n" + line_text(report) + "\n", count, "N $1");
  const std::string path = std::string(MLC_SOURCE_DIR) + "/tests/golden/validate_" + name + ".txt";
  if (std::getenv("MLC_UPDATE_GOLDEN")) {
    std::ofstream(path) << text;
    GTEST_SKIP() << "written anew: " << path;
  }
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str()) << "MLC_UPDATE_GOLDEN=1 writes " << path << " anew";
}

TEST(Screen, HealthyNode) { compare("healthy", judged(BuiltNode(8), h100_policy())); }
TEST(Screen, HealthyPod) { compare("pod", judged(*BuiltNode::pod(), h100_policy())); }
TEST(Screen, PlainMachineUnderLocal) {
  compare("machine_local", judged(*BuiltNode::machine(), load_policy("local")));
}
TEST(Screen, PlainMachineUnderH100) {
  compare("machine_h100", judged(*BuiltNode::machine(), load_policy("h100-4x200g")));
}
TEST(Screen, HealthyNodeWithoutAPolicy) {
  compare("healthy_local", judged(BuiltNode(8), load_policy("local")));
}

TEST(Screen, SeveralFaults) {
  BuiltNode node(8);
  node.file(node.port(3) + "state", "1: DOWN\n");
  node.file(node.port(3) + "phys_state", "2: Polling\n");
  std::erase_if(node.routes,
                [](const BuiltRoute& route) { return route.destination == parse_prefix("10.21.0.0/16"); });
  node.gpus()["gpus"][5]["nvlinks_active"] = 17;
  node.vfs[4][3].vlan = 100;
  node.file("/proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.06  Release Build\n");
  node.error("kernel-log", "", 1, "/dev/kmsg: Operation not permitted");
  compare("faults", judged(node, h100_policy()));
}

TEST(Line, IsOneShortLineOfPlainText) {
  Report report;
  report.findings = {
      {"rdma.port-state", "rail 3 (ens4f0np0)", Status::fail, "µ\n" + std::string(200, 'x'), "", "s", "r"}};
  report.verdict = decide(report, Policy{}, {});
  const std::string line = line_text(report);
  EXPECT_EQ(line.size(), line_limit);
  EXPECT_EQ(line.substr(0, 23), "FAIL 1: rdma.port-state");
  for (const unsigned char c : line)
    EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  EXPECT_EQ(line_text(Report{}).substr(0, 7), "UNKNOWN");
}

TEST(Screen, ManyFindingsOfOneCheckAreCutAndCounted) {
  Report report;
  for (int i = 0; i < 20; ++i)
    report.findings.push_back(
        {"vf.vlan", "PF " + std::to_string(i), Status::fail, "VLAN\x1b[2J 100", "VLAN 0", "s", "r"});
  report.verdict = decide(report, Policy{}, {});
  const std::string text = findings_text(report, {});
  EXPECT_NE(text.find("12 more of vf.vlan"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace

}  // namespace mlc::test
