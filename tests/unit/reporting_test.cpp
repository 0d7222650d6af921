#include "bench/ranks/reporting.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/ranks/spare_cpus.hpp"

namespace mlc {
namespace {

using testing::Each;

std::vector<std::string> nodes_of(int nodes, int ranks_a_node) {
  std::vector<std::string> by_rank;
  for (int rank = 0; rank < nodes * ranks_a_node; ++rank)
    by_rank.push_back("n" + std::to_string(rank / ranks_a_node));
  return by_rank;
}

TEST(Reporting, AFewRanksSpeakForThemselves) {
  const auto nodes = nodes_of(8, 8);
  const auto to = report_to(nodes);
  EXPECT_EQ(to[0], -1);
  EXPECT_THAT(std::vector<int>(to.begin() + 1, to.end()), Each(0));
  EXPECT_EQ(heard_by(0, nodes, to).size(), 63u);
  EXPECT_TRUE(heard_by(8, nodes, to).empty());
  EXPECT_DOUBLE_EQ(heartbeat_interval(to), 0.25);
}

TEST(Reporting, ManyAreGatheredByNode) {
  const auto nodes = nodes_of(512, 8);
  const auto to = report_to(nodes);
  EXPECT_EQ(to[7], 0);
  EXPECT_EQ(to[8], 0);
  EXPECT_EQ(to[15], 8);
  const auto first = heard_by(0, nodes, to);
  EXPECT_EQ(first.size(), 4095u);
  EXPECT_EQ(first[14].rank, 15);
  EXPECT_EQ(first[14].via, 8);
  const auto speaker = heard_by(8, nodes, to);
  ASSERT_EQ(speaker.size(), 7u);
  EXPECT_EQ(speaker[0].via, 9);
  EXPECT_TRUE(heard_by(9, nodes, to).empty());
  EXPECT_DOUBLE_EQ(heartbeat_interval(to), 1.024);
  EXPECT_DOUBLE_EQ(heartbeat_interval(report_to(nodes_of(10'000, 1))), 4);
}

// Ranks dealt out in turns: the lowest of a node still speaks for it.
TEST(Reporting, RanksThatAreDealtOut) {
  std::vector<std::string> nodes;
  for (int rank = 0; rank < 90; ++rank)
    nodes.push_back("n" + std::to_string(rank % 3));
  const auto to = report_to(nodes);
  EXPECT_EQ(to[1], 0);
  EXPECT_EQ(to[2], 0);
  EXPECT_EQ(to[3], 0);
  EXPECT_EQ(to[4], 1);
  EXPECT_EQ(to[89], 2);
}

cpu_set_t cpus(std::initializer_list<int> list) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : list)
    CPU_SET(cpu, &set);
  return set;
}

cpu_set_t everywhere() { return cpus({0, 1, 2, 3, 4, 5, 6, 7}); }

TEST(SpareCpus, AreTheJobsOwn) {
  const std::vector<std::vector<int>> cores{{0}, {1}, {2}};
  EXPECT_FALSE(spare_cpus(cores, cpus({0}), std::vector{cpus({0})}))
      << "taskset -c 0: the others are somebody else's";
  const auto spare = spare_cpus(cores, cpus({0, 2}), std::vector{cpus({0})});
  ASSERT_TRUE(spare);
  const cpu_set_t expected = cpus({2});
  EXPECT_TRUE(CPU_EQUAL(&*spare, &expected));
  const cpu_set_t allowed = allowed_to_the_job();
  EXPECT_GT(CPU_COUNT(&allowed), 0);
}

TEST(SpareCpus, WholeCoresThatNoRankMayUse) {
  const std::vector<std::vector<int>> cores{{0, 4}, {1, 5}, {2, 6}, {3, 7}};
  const auto spare = spare_cpus(cores, everywhere(), std::vector{cpus({0, 4}), cpus({1})});
  ASSERT_TRUE(spare);
  const cpu_set_t expected = cpus({2, 3, 6, 7});
  EXPECT_TRUE(CPU_EQUAL(&*spare, &expected));
}

TEST(SpareCpus, NoneWhereRanksAreNotBoundOrFillTheMachine) {
  const std::vector<std::vector<int>> cores{{0}, {1}};
  EXPECT_FALSE(spare_cpus(cores, everywhere(), std::vector{cpus({0, 1})}));
  EXPECT_FALSE(spare_cpus(cores, everywhere(), std::vector{cpus({0}), cpus({1})}));
  EXPECT_FALSE(spare_cpus({}, everywhere(), std::vector{cpus({0})}));
  EXPECT_FALSE(spare_cpus(std::vector<std::vector<int>>{{5000}}, everywhere(), std::vector{cpus({0})}));
}

TEST(SpareCpus, ThisMachineHasCores) { EXPECT_FALSE(cores_of_this_machine().empty()); }

}  // namespace
}  // namespace mlc
