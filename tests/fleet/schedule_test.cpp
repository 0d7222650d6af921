#include "bench/fleet/schedule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/fleet/world.hpp"

namespace mlc::fleet {
namespace {

using test::Story;
using test::tell;
using test::World;

std::map<int, std::set<int>> partners_of(const Story& story) {
  std::map<int, std::set<int>> partners;
  for (const auto& round : story.rounds)
    for (const auto& meeting : round)
      partners[meeting.first].insert(meeting.second), partners[meeting.second].insert(meeting.first);
  return partners;
}

TEST(Schedule, EveryNewNodeMeetsEnoughOthersAndNobodyTwiceAtATime) {
  for (int nodes = 2; nodes <= 9; ++nodes)
    for (unsigned known = 0; known < 1u << nodes; ++known)
      for (int partners = 1; partners <= 4; ++partners) {
        std::vector<bool> witness;
        for (int i = 0; i < nodes; ++i)
          witness.push_back((known >> i & 1) != 0);
        const Story story = tell(World{nodes, 1, {}}, witness, partners);
        auto met = partners_of(story);
        std::size_t meetings = 0;
        for (const auto& round : story.rounds) {
          std::set<int> busy;
          for (const auto& meeting : round)
            EXPECT_TRUE(busy.insert(meeting.first).second && busy.insert(meeting.second).second);
          meetings += round.size();
        }
        for (int i = 0; i < nodes; ++i)
          if (!witness[static_cast<std::size_t>(i)]) {
            EXPECT_GE(static_cast<int>(met[i].size()), std::min(partners, nodes - 1))
                << nodes << " nodes, known " << known << ", partners " << partners << ", node " << i;
          }
        EXPECT_LE(story.rounds.size(), static_cast<std::size_t>(partners + 2))
            << nodes << " " << known << " " << partners;
        EXPECT_EQ(meetings, story.progress.met.size());
      }
}

TEST(Schedule, WitnessesAloneMeetNobody) {
  EXPECT_TRUE(next_round(nothing_met({true, true, true, true}), 3).empty());
  EXPECT_TRUE(next_round(nothing_met({}), 3).empty());
  EXPECT_TRUE(next_round(nothing_met({false}), 3).empty());
}

TEST(Schedule, WitnessesDoNotAllMeetEachOther) {
  const Story story = tell(World{8, 1, {}}, {false, true, true, true, true, true, true, true}, 3);
  EXPECT_EQ(story.rounds.size(), 3u);
  EXPECT_LE(story.progress.met.size(), 9u) << "of 28 pairs";
}

TEST(Schedule, WhoMeetsOneThatIsGoneMeetsAnother) {
  const Story story = tell(World{6, 1, {}}, std::vector<bool>(6), 3, {5});
  for (int i = 0; i < 5; ++i)
    EXPECT_GE(story.progress.decided[static_cast<std::size_t>(i)], 3) << i;
  EXPECT_EQ(story.progress.decided[5], 0);
}

TEST(Schedule, TroubleCallsForEnoughToTellWhoseItIs) {
  World world{5, 1, {{test::Planted::Kind::slow, 2, 0}}};
  const Story story = tell(world, std::vector<bool>(5), 1);
  EXPECT_GE(story.progress.decided[2], least_to_blame);
}

}  // namespace
}  // namespace mlc::fleet
