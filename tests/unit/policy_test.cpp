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
    testing::Values(Mistake{"confidence:", "confidance:", "did you mean 'confidence'?", 3},
                    Mistake{"rails: 4", "rails: four", "whole number", 2},
                    Mistake{"rails: 4", "rails: 0", "from 1 to 64", 2},
                    Mistake{"mtu: 4096", "mtu: 1500", "an RDMA MTU is", 2},
                    Mistake{"0.0001", "2", "from 1e-12 to 0.5", 4},
                    Mistake{"5 ms", "5", "a number and a unit", 5},
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
                    Mistake{"  batch: 5 ms", "\tbatch: 5 ms", "not valid YAML", 5}));

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
