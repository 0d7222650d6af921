#include "validators/policy/policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mlc {
namespace {

const std::string good = R"(policy: test
target: {rails: 4, rail_gbit_s: 200, mtu: 4096}
confidence:
  false_admit: 0.0001
  batch: 5 ms
thresholds:
  - {collective: allreduce, nodes: 2, sizes: [1G, 8G], busbw_at_least: 90 % of target}
  - {collective: alltoall, min_size: 1M, busbw_at_least: 184 Gbit/s}
  - {collective: broadcast, time_at_most: 50 us}
)";

TEST(Policy, IsRead) {
  const Policy p = read_policy(good, "p.yaml");
  EXPECT_EQ(p.name, "test");
  EXPECT_DOUBLE_EQ(p.target->gb_s(), 100);
  EXPECT_NEAR(p.target->ceiling_gb_s(), 98.04, 0.005);  // 4096 / 4178
  EXPECT_EQ(p.confidence.false_admit, 1e-4);
  EXPECT_EQ(p.confidence.batch_s, 5e-3);
  ASSERT_EQ(p.thresholds.size(), 3u);
  EXPECT_DOUBLE_EQ(*p.thresholds[0].busbw_gb_s, 90);
  EXPECT_THAT(p.thresholds[0].sizes, testing::ElementsAre(1ull << 30, 8ull << 30));
  EXPECT_DOUBLE_EQ(*p.thresholds[1].busbw_gb_s, 23);
  EXPECT_DOUBLE_EQ(*p.thresholds[2].time_us, 50);
}

TEST(Policy, SaysForHowLongAdmissionObserves) {
  const auto confidence = [](const std::string& text) {
    return read_policy("policy: x\n" + text, "p").confidence;
  };
  EXPECT_EQ(confidence("").observe_s, 30) << "long enough for heat";
  EXPECT_EQ(confidence("confidence: {observe: 2 s}").observe_s, 2);
  EXPECT_EQ(confidence("confidence: {stall: 50 ms}").stall_s, 0.05);
  EXPECT_THROW(confidence("confidence: {observe: 2}"), PolicyError);
}

// Every mistake is named with its line.
struct Mistake {
  const char *from, *to, *says;
  int line;
};

class PolicyMistake : public testing::TestWithParam<Mistake> {};

TEST_P(PolicyMistake, IsNamedWithItsLine) {
  const auto& [from, to, says, line] = GetParam();
  std::string text = good;
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(from).size(), to);
  try {
    read_policy(text, "p.yaml");
    FAIL() << "accepted: " << to;
  } catch (const PolicyError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(says));
    EXPECT_THAT(error.what(), testing::StartsWith("p.yaml:" + std::to_string(line) + ":"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, PolicyMistake,
    testing::Values(
        Mistake{"confidence:", "confidance:", "did you mean 'confidence'?", 3},
        Mistake{"rails: 4", "rails: four", "whole number", 2},
        Mistake{"rails: 4", "rails: 0", "from 1 to 64", 2},
        Mistake{"mtu: 4096", "mtu: 1500", "an RDMA MTU is", 2},
        Mistake{"0.0001", "2", "from 1e-12 to 0.5", 4}, Mistake{"5 ms", "5", "a number and a unit", 5},
        Mistake{"5 ms", "5 GB/s", "must be in us, ms", 5},
        Mistake{"90 % of target", "90 ms", "must be in GB/s", 7},
        Mistake{"90 % of target", "90", "a number and a unit", 7},
        Mistake{"90 % of target", "-90 GB/s", "above zero", 7},
        Mistake{"90 % of target", "900 % of target", "asks for 900 %", 7},
        Mistake{"sizes: [1G, 8G]", "sizes: [1G, 8Q]", "is no size", 7},
        Mistake{"sizes: [1G, 8G]", "sizes: 1G", "must be a list", 7},
        Mistake{"min_size: 1M", "min_size: 1M, sizes: [1M]", "not both", 8},
        Mistake{"time_at_most: 50 us", "nodes: 2", "needs one of", 9},
        Mistake{"policy: test", "policy: [a]", "single value", 1},
        Mistake{"policy: test\n", "", "'policy' is missing", 1},
        Mistake{"policy: test\n", "policy: test\npolicy: test\n", "given twice", 2},
        Mistake{"  batch: 5 ms", "\tbatch: 5 ms", "not valid YAML", 5},
        Mistake{"thresholds:", "---\nthresholds:", "a second document", 6},
        Mistake{"mtu: 4096}", "mtu: *four}", "not valid YAML", 2},
        Mistake{"policy: test", "policy: &x test\nabout: *x", "an alias", 2},
        Mistake{"rails: 4", "rails: !!int 4", "a tag ('tag:yaml.org,2002:int')", 2},
        Mistake{"rails: 4", "rails: \"4\"", "it is in quotes", 2},
        Mistake{"rails: 4", "rails: 4_0", "whole number", 2},
        Mistake{"rails: 4", "rails: 0b11", "whole number", 2},
        Mistake{"rails: 4", "rails: 4.0", "whole number", 2},
        Mistake{"rail_gbit_s: 200", "rail_gbit_s: .inf", "must be a number", 2},
        Mistake{"rail_gbit_s: 200", "rail_gbit_s: 3:20", "must be a number", 2},
        Mistake{"policy: test", "policy: test\nunknown_blocks: yes", "must be true or false", 2},
        Mistake{"policy: test", "policy: \"\"", "'policy' is empty", 1},
        Mistake{"policy: test", "policy: ' '", "'policy' is empty", 1},
        Mistake{"policy: test", "policy:", "single value", 2},
        Mistake{"policy: test", "policy: test\n'': 1", "a key is empty", 2},
        Mistake{"sizes: [1G, 8G]", "sizes: ['']", "'sizes' is empty", 7},
        Mistake{"policy: test", "policy: test\nnode: {lock: \"\"}", "'lock' is empty", 2},
        Mistake{"policy: test", "policy: test\nnode: {gpus: {product: ''}}", "'product' is empty", 2},
        Mistake{"policy: test", "policy: test\nadmit: {fleet: ''}", "'fleet' is empty", 2},
        Mistake{"policy: test", "policy: test\nnode: {host: {mounts: {/data: ''}}}", "'mounts' maps", 2},
        Mistake{"policy: test", "policy: test\nnode: {skip: ['']}", "'skip' is empty", 2}));

// YAML 1.2's core schema, and nothing of YAML 1.1.
TEST(Policy, NumbersAreThoseOfTheCoreSchema) {
  const auto disks = [](const std::string& text) {
    return read_policy("policy: x\nnode: {host: {disks: " + text + "}}\n", "p").node->disks;
  };
  EXPECT_EQ(disks("010"), 10) << "eight in YAML 1.1";
  EXPECT_EQ(disks("0o10"), 8);
  EXPECT_EQ(disks("0x10"), 16);
  EXPECT_EQ(disks("+4"), 4);
  for (const char* text : {"0o8", "0x", "0o-1", "+-4", "++4", "- 4", "4 5", "1e1", "true", "-1", "0xg"})
    EXPECT_THROW(disks(text), PolicyError) << text;
  const auto rate = [](const std::string& text) {
    return read_policy("policy: x\nnode: {rails: {rate_gbit_s: " + text + "}}\n", "p").node->rail_gbit_s;
  };
  EXPECT_EQ(rate("1e2"), 100);
  EXPECT_EQ(rate(".5"), 0.5);
  EXPECT_EQ(rate("010.5"), 10.5);
  for (const char* text : {".nan", ".inf", "1e", "0x1p3", "1,5", "inf"})
    EXPECT_THROW(rate(text), PolicyError) << text;
}

TEST(Policy, DepthAndSizeAreBounded) {
  for (const std::string& text :
       {"policy: " + std::string(33, '[') + std::string(33, ']'), "policy: " + std::string(100'000, '['),
        "policy: " + std::string(100'000, '{'), "policy: x\nabout: " + std::string(2 << 20, 'x'),
        std::string(100'000, '-')}) {
    EXPECT_THROW(read_policy(text, "p"), PolicyError);
  }
}

TEST(Policy, ATargetShareNeedsATarget) {
  EXPECT_THROW(
      read_policy("policy: x\nthresholds: [{collective: allreduce, busbw_at_least: 90 % of target}]", "p"),
      PolicyError);
}

TEST(Policy, BuiltInOnesAreReadableAndNamedAsTheirFiles) {
  ASSERT_GE(built_in_policies().size(), 2u);
  for (const auto& policy : built_in_policies())
    EXPECT_EQ(load_policy(std::string(policy.name)).name, policy.name);
}

TEST(Policy, FilesThatAreNoneAreRefused) {
  for (const char* path : {"nosuch", "/dev/zero", "/", "", "h100-4x200gg"})
    EXPECT_THROW(load_policy(path), PolicyError) << path;
  try {
    load_policy("locale");
  } catch (const PolicyError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean 'local'?"));
  }
}

TEST(Policy, RandomBytesAreAnErrorNotACrash) {
  for (const char* text : {"", "\xff\xff", "[", "{{{{", "- a\n- b", "policy: &a *a", "a: b: c", "? {}\n: 1"})
    EXPECT_THROW(read_policy(text, "p"), PolicyError) << text;
}

}  // namespace
}  // namespace mlc
