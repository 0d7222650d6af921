// The keys of a policy's `node` section, and the checks that say they judge them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "validators/checks/all.hpp"

namespace mlc {
namespace {

// Those that its reader knows, as the reader's text has them: "rails.count", "lock".
std::set<std::string> known_keys() {
  std::ifstream file(std::string(MLC_SOURCE_DIR) + "/validators/policy/node_expectation.cpp");
  std::stringstream text;
  text << file.rdbuf();
  const std::string source = text.str();
  const std::regex reader(
      R"re((?:void read_(\w+)\(YamlMap map, NodeExpectation|NodeExpectation read_node_expectation)[\s\S]*?\n\}\n)re");
  const std::regex key(
      R"re((?:\(map, |map\.(?:text|integer|number|boolean|texts|map|maps)_if\(|map\.has\()"(\w+)")re");
  std::set<std::string> keys, sections;
  for (std::sregex_iterator function(source.begin(), source.end(), reader), end; function != end;
       ++function) {
    const std::string section = (*function)[1], body = function->str();
    if (!section.empty()) sections.insert(section);
    for (std::sregex_iterator one(body.begin(), body.end(), key); one != end; ++one)
      keys.insert((section.empty() ? "" : section + ".") + (*one)[1].str());
  }
  for (const auto& section : sections)
    keys.erase(section);
  keys.insert("rails.select");
  return keys;
}

TEST(PolicyKeys, EachIsJudgedByACheckOrSaysHow) {
  std::set<std::string> judged;
  for (const auto& check : known_checks())
    judged.insert(check.keys.begin(), check.keys.end());
  auto known = known_keys();
  ASSERT_GT(known.size(), 50u) << "the reader is written otherwise than this test reads it";
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
