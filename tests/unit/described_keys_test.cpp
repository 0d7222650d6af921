// What is said of a policy's keys, held against the readers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "bench/cli/policy_reference.hpp"
#include "reports/record/text.hpp"
#include "validators/policy/effective_policy.hpp"
#include "validators/policy/policy_keys.hpp"

namespace mlc {
namespace {

// All that a policy asks, without how it was written.
auto asked_by(const Policy& policy) {
  return std::tuple(policy.name, policy.about, policy.target, policy.confidence, policy.unknown_blocks,
                    policy.thresholds, policy.node, policy.gpu, policy.burnin, policy.health, policy.passive,
                    policy.fabric, policy.dispatch, policy.admit, policy.rdma);
}

// The example without what stands at a path, or with another value there.
std::string example_with(std::size_t which, std::string_view path, const std::string& value) {
  YAML::Node document = YAML::Load(example_policies().at(which));
  const auto go = [&](const auto& self, YAML::Node at, std::string_view rest) -> void {
    const auto dot = rest.find('.');
    std::string step(rest.substr(0, dot));
    const bool list = step.ends_with("[]");
    if (list) step.resize(step.size() - 2);
    if (dot != rest.npos)
      self(self, list ? at[step][0] : at[step], rest.substr(dot + 1));
    else if (value.empty())
      at.remove(step);
    else
      at[step] = YAML::Load(value);
  };
  go(go, document, path);
  return YAML::Dump(document) + "\n";
}

// In which of the examples the key is.
std::size_t example_of(const DescribedKey& key) { return key.instead_of.empty() ? 0 : 1; }

bool excluded(const PolicyKey& key) {
  return std::ranges::any_of(policy_keys(),
                             [&](const PolicyKey& other) { return other.instead_of == key.path; });
}

TEST(DescribedKeys, AreAllThatReadersAskFor) {
  std::vector<AskedKey> asked;
  for (const auto& example : example_policies())
    read_policy(example, "example", &asked);
  std::set<std::string> readers, described;
  for (const auto& key : asked)
    readers.insert(key.path);
  for (const auto& key : policy_keys())
    EXPECT_TRUE(described.emplace(key.path).second) << key.path << " is there twice";
  EXPECT_EQ(readers, described);
  EXPECT_GT(described.size(), 150u);
}

TEST(DescribedKeys, AreEachSaidWhole) {
  for (const auto& key : policy_keys()) {
    EXPECT_FALSE(key.meaning.empty()) << key.path;
    EXPECT_FALSE(key.meaning.ends_with('.')) << key.path;
    const bool numeric = key.kind == AskedKey::Kind::whole_number || key.kind == AskedKey::Kind::number;
    if (numeric) {
      EXPECT_LT(key.least, key.most) << key.path;
    }
  }
}

TEST(DescribedKeys, DefaultsAreThoseOfTheReaders) {
  for (const auto& key : policy_keys()) {
    if (is_section(key) || key.otherwise == required_key) continue;
    const auto which = example_of(key);
    SCOPED_TRACE(std::string(key.path));
    // What ties keys together would refuse the lack of one.
    if (key.path == "node.lossless.dscp" || key.path == "node.lossless.priority" || excluded(key) ||
        !key.instead_of.empty())
      continue;
    const Policy without = read_policy(example_with(which, key.path, ""), "without");
    if (key.otherwise.empty()) continue;
    const Policy written = read_policy(example_with(which, key.path, std::string(key.otherwise)), "written");
    EXPECT_TRUE(asked_by(without) == asked_by(written)) << key.otherwise;
  }
}

// A default that is told must be noticed where it is told wrong: another value makes another policy.
TEST(DescribedKeys, ExamplesOfNoDefaultAskForSomething) {
  for (const auto& key : policy_keys()) {
    if (is_section(key) || !key.otherwise.empty() || excluded(key) || !key.instead_of.empty()) continue;
    if (key.path == "node.lossless.dscp" || key.path == "node.lossless.priority") continue;
    const Policy with = read_policy(example_policies()[0], "with");
    const Policy without = read_policy(example_with(0, key.path, ""), "without");
    EXPECT_FALSE(asked_by(with) == asked_by(without)) << key.path;
  }
}

TEST(DescribedKeys, RequiredOnesAreRequired) {
  for (const auto& key : policy_keys())
    if (key.otherwise == required_key) {
      EXPECT_THROW(read_policy(example_with(0, key.path, ""), "without"), PolicyError) << key.path;
    }
}

TEST(DescribedKeys, OnesThatExcludeEachOtherDo) {
  for (const auto& key : policy_keys())
    if (!key.instead_of.empty()) {
      EXPECT_THROW(read_policy(example_with(0, key.path, std::string(key.example)), "both"), PolicyError)
          << key.path;
    }
}

TEST(DescribedKeys, BoundsAreTold) {
  const PolicyKey* rails = find_policy_key("target.rails");
  ASSERT_NE(rails, nullptr);
  EXPECT_EQ(rails->value(), "whole number, 1 to 64");
  EXPECT_EQ(find_policy_key("target.rail_gbit_s")->value(), "number, Gbit/s, 0.001 to 10000");
  EXPECT_EQ(find_policy_key("fabric.budget")->value(), "a time");
  EXPECT_EQ(find_policy_key("unknown_blocks")->value(), "true or false");
  EXPECT_EQ(find_policy_key("no.such"), nullptr);
}

TEST(DescribedKeys, FitATerminal) {
  std::istringstream lines(policy_keys_text(policy_keys()));
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(columns(line), 80u) << line;
}

// mlc-bench policy keys --format markdown > docs/policy.md
TEST(DescribedKeys, AreThoseOfThePage) {
  std::ifstream file(std::string(MLC_SOURCE_DIR) + "/docs/policy.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), policy_keys_markdown(policy_keys()));
}

std::vector<Policy> all_policies() {
  std::vector<Policy> all;
  for (const auto& policy : built_in_policies())
    all.push_back(load_policy(std::string(policy.name)));
  for (const auto& example : example_policies())
    all.push_back(read_policy(example, "example"));
  all.push_back(read_policy("policy: least\n", "least"));
  return all;
}

TEST(EffectivePolicy, SaysTheSame) {
  for (const auto& policy : all_policies()) {
    SCOPED_TRACE(policy.name);
    const std::string shown = effective_policy(policy);
    const Policy again = read_policy(shown, "shown");
    EXPECT_TRUE(asked_by(policy) == asked_by(again)) << shown;
    // With every default in it nothing is left to add.
    EXPECT_THAT(effective_policy(again), testing::Not(testing::HasSubstr("# default"))) << shown;
  }
}

// Of two keys one follows the other.
TEST(EffectivePolicy, DefaultsThatFollowAnotherKeyDo) {
  for (const char* text :
       {"dispatch: {partners: 10}", "dispatch: {retry_first: 48 h}", "admit: {valid_for: 2000 h}"}) {
    const Policy policy = read_policy("policy: p\n" + std::string(text) + "\n", "p");
    EXPECT_TRUE(asked_by(read_policy(effective_policy(policy), "shown")) == asked_by(policy))
        << effective_policy(policy);
  }
}

TEST(EffectivePolicy, SaysWhereEachValueComesFrom) {
  const std::string shown =
      effective_policy(read_policy("policy: mine\n"
                                   "target:\n"
                                   "  rails: 2\n"
                                   "  rail_gbit_s: 100\n"
                                   "node:\n"
                                   "  rails:\n"
                                   "    board: '0012'\n"
                                   "  skip: [vf, 'host.disks']\n"
                                   "thresholds:\n"
                                   "  - {collective: allreduce, sizes: [1G], time_at_most: 3 ms}\n",
                                   "mine.yaml"));
  const auto line = [](const std::string& text, const std::string& origin) {
    return testing::ContainsRegex("(^|\n) *(- )?" + text + " +# " + origin + "\n");
  };
  EXPECT_THAT(shown, line("rails: 2", "line 3"));
  EXPECT_THAT(shown, line("mtu: 4096", "default"));
  EXPECT_THAT(shown, line("board: \"0012\"", "line 7"));
  EXPECT_THAT(shown, line("counters_over: 250 ms", "default"));
  EXPECT_THAT(shown, line("collective: allreduce", "line 10"));
  EXPECT_THAT(shown, line("condition: MLClusterReady", "default")) << "of a section that is not written";
  EXPECT_THAT(shown, testing::HasSubstr("    # not asked for: count, select, ")) << shown;
}

// What would mean something else on one line of a list.
TEST(EffectivePolicy, KeepsTextThatIsHardToWrite) {
  const Policy policy = read_policy(
      "policy: 'a: b'\n"
      "about: \"two\\nlines # and no comment\"\n"
      "node:\n"
      "  host:\n"
      "    resolve:\n"
      "      - a, b\n"
      "      - '[c]'\n"
      "      - \"{d}\"\n"
      "      - '#e'\n"
      "      - '*f'\n",
      "hard");
  EXPECT_TRUE(asked_by(read_policy(effective_policy(policy), "shown")) == asked_by(policy))
      << effective_policy(policy);
}

}  // namespace
}  // namespace mlc
