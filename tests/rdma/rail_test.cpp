// From a machine to its rails.
#include "bench/rdma/rail.hpp"

#include <gmock/gmock.h>

#include "bench/backends/communicator.hpp"
#include "tests/validators/built_node.hpp"

namespace mlc::rdma {

namespace {

using testing::HasSubstr;

TEST(Rails, OfABuiltNodeAreThePolicysInOrder) {
  const test::BuiltNode built;
  const auto rails = rails_here(*built.host(), test::h100_policy(), {});
  ASSERT_EQ(rails.size(), 4u);
  for (int i = 0; i < 4; ++i) {
    const auto& rail = rails[static_cast<std::size_t>(i)];
    EXPECT_EQ(rail.index, i);
    EXPECT_EQ(rail.device, built.rdma(i));
    EXPECT_EQ(rail.problem, "") << rail.name();
    EXPECT_TRUE(mapped_ipv4(rail.gid)) << rail.gid;
    EXPECT_EQ(rail.rate_gbit_s, 200);
  }
}

TEST(Rails, ChosenOnes) {
  const test::BuiltNode built;
  const auto host = built.host();
  const auto some = rails_here(*host, test::h100_policy(), {.rails = {1, 3}});
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[1].index, 3);
  const auto named = rails_here(*host, Policy{}, {.devices = {built.rdma(2), built.rdma(0)}});
  ASSERT_EQ(named.size(), 2u);
  EXPECT_EQ(named[0].device, built.rdma(2));
  EXPECT_EQ(named[0].index, 0);
  EXPECT_THROW(rails_here(*host, test::h100_policy(), {.rails = {9}}), BackendError);
  EXPECT_THROW(rails_here(*host, Policy{}, {.devices = {"mlx9_9"}}), BackendError);
}

TEST(Rails, WithAProblemAreListedWithIt) {
  test::BuiltNode built;
  built.file(built.port(1) + "state", "1: DOWN\n");
  const auto rails = rails_here(*built.host(), test::h100_policy(), {});
  EXPECT_THAT(rails.at(1).problem, HasSubstr("1: DOWN"));
  EXPECT_EQ(rails.at(0).problem, "");
}

TEST(Rails, WhatThePolicyNamesAndTheNodeLacksIsListedAsMissing) {
  test::BuiltNode built;
  built.remove("/sys/class/infiniband/" + built.rdma(2));
  const auto rails = rails_here(*built.host(), test::h100_policy(), {});
  ASSERT_EQ(rails.size(), 4u);
  EXPECT_THAT(rails[2].problem, HasSubstr("rail 2 (10.12.0.0/16) is missing"));
  EXPECT_EQ(rails[3].device, built.rdma(3));
  EXPECT_EQ(rails_here(*built.host(), test::h100_policy(), {.rails = {2}}).size(), 1u);
}

TEST(Rails, OnesThatWereOnlyGuessedAreDoubted) {
  test::BuiltNode built;
  Policy policy = test::h100_policy();
  policy.node->select = {};
  EXPECT_EQ(rails_here(*built.host(), policy, {}).at(1).doubt, "");
  built.rail_link(1).addresses.clear();
  const auto rails = rails_here(*built.host(), policy, {});
  EXPECT_THAT(rails.at(1).doubt, HasSubstr("nothing else is left"));
  EXPECT_EQ(rails.at(0).doubt, "");
}

TEST(Rails, ThatNothingTellsApartAreAnError) {
  const test::BuiltNode built;
  Policy policy;
  policy.node.emplace();
  policy.node->rails = 3;
  EXPECT_THROW(rails_here(*built.host(), policy, {}), BackendError);
}

TEST(Rails, OfInfiniBandSendFromTheFirstGid) {
  test::BuiltNode built;
  for (int rail = 0; rail < 4; ++rail) {
    built.file(built.port(rail) + "link_layer", "InfiniBand\n");
    built.file(built.port(rail) + "gids/0", "fe80:0000:0000:0000:a088:c203:00d1:0021\n");
    built.remove(built.port(rail) + "gid_attrs/ndevs");
  }
  const auto rails = rails_here(*built.host(), Policy{}, {});
  ASSERT_EQ(rails.size(), 4u);
  EXPECT_EQ(rails[0].gid_index, 0);
  EXPECT_EQ(rails[0].gid, "fe80:0000:0000:0000:a088:c203:00d1:0021");
  EXPECT_EQ(rails[0].problem, "");
}

TEST(Rails, NoDeviceIsAnError) {
  EXPECT_THROW(rails_here(*test::BuiltNode::machine()->host(), Policy{}, {}), BackendError);
}

}  // namespace

}  // namespace mlc::rdma
