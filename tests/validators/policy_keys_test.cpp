// The keys of a policy's `node` section, and the checks that say they judge them.
#include "validators/policy/policy_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "validators/checks/all.hpp"

namespace mlc {
namespace {

// All that may be written: "rails.count", "lock"; "rails.select" for all that is in it.
std::set<std::string> known_keys() {
  std::set<std::string> keys, sections;
  for (const auto& described : node_keys()) {
    if (described.path == "node") continue;
    std::string key(described.path.substr(std::string_view("node.").size()));
    if (const auto dot = key.find('.'); dot != key.npos) {
      sections.insert(key.substr(0, dot));
      key.resize(key.find_first_of(".[", dot + 1) == key.npos ? key.size()
                                                              : key.find_first_of(".[", dot + 1));
    }
    keys.insert(key);
  }
  for (const auto& section : sections)
    keys.erase(section);
  return keys;
}

TEST(PolicyKeys, EachIsJudgedByACheckOrSaysHow) {
  std::set<std::string> judged;
  for (const auto& check : known_checks())
    judged.insert(check.keys.begin(), check.keys.end());
  auto known = known_keys();
  ASSERT_GT(known.size(), 50u);
  for (const char* how : {"skip", "deadline", "deadlines", "host.skip", "pod.skip", "pod.podinfo",
                          "pod.annotation_wait", "rails.counters_over"})
    EXPECT_EQ(known.erase(how), 1u) << how;
  EXPECT_EQ(judged, known);
}

TEST(PolicyKeys, AreThoseThatThePolicyHas) {
  const auto keys = [](const std::string& node) {
    return read_policy("policy: t\nnode: " + node + "\n", "t").node->keys;
  };
  EXPECT_THAT(keys("{lock: /l, skip: [vf], deadline: 5 s, deadlines: {host.name: 9 s}}"),
              testing::ElementsAre("lock"));
  EXPECT_THAT(keys("{rails: {count: 4, counters_over: 1 s, select: {device: 'mlx5_*'}}, pod: {skip: [gpu]}, "
                   "host: {mounts: {/scratch: any}}}"),
              testing::ElementsAre("host.mounts", "rails.count", "rails.select"));
  for (const auto& built_in : built_in_policies())
    if (const auto policy = load_policy(std::string(built_in.name)); policy.node) {
      for (const auto& key : policy.node->keys)
        EXPECT_TRUE(known_keys().contains(key)) << key;
    }
}

}  // namespace
}  // namespace mlc
