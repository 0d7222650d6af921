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

TEST(Rails, NoDeviceIsAnError) {
  EXPECT_THROW(rails_here(*test::BuiltNode::machine()->host(), Policy{}, {}), BackendError);
}

}  // namespace

}  // namespace mlc::rdma
