// What reports quote of simulation, held against docs/fleet.md.
#include "bench/fleet/localisation/quoted.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

namespace mlc::fleet {
namespace {

using testing::HasSubstr;

std::string page() {
  std::ifstream file(std::string(MLC_SOURCE_DIR) + "/docs/fleet.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The row of a table that begins with these words, from there on where the section begins.
std::string row_of(const std::string& text, const std::string& section, const std::string& first) {
  const auto from = text.find(section);
  if (from == text.npos) return {};
  const auto at = text.find("\n| " + first + " |", from);
  return at == text.npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST(Quoted, FiguresAreThoseOfThePage) {
  const std::string text = page();
  for (const auto& line : quoted_figures()) {
    const bool tiny = line.nodes < 64;
    const std::string row = row_of(text, tiny ? "**Tiny fleets**" : "**As it ships**",
                                   std::to_string(line.nodes) + (tiny ? ", none counted" : ", 2 %"));
    SCOPED_TRACE(row);
    std::smatch found;
    const std::regex counts(
        R"(\| (\d+), (\d+) \|[^|]*\|[^|]*\| (\d+) of (\d+) [^|]*\| (\d+) of (\d+) [^|]*\| (\d+) of (\d+) )");
    ASSERT_TRUE(std::regex_search(row, found, counts)) << line.nodes;
    const auto number = [&](std::size_t i) { return std::stoull(found[i]); };
    EXPECT_EQ(number(1), static_cast<std::uint64_t>(line.trials));
    EXPECT_EQ(number(2), static_cast<std::uint64_t>(line.seed));
    EXPECT_EQ(number(3), line.missed);
    EXPECT_EQ(number(4), line.faults);
    EXPECT_EQ(number(5), line.silent);
    EXPECT_EQ(number(6), line.faults);
    EXPECT_EQ(number(7), line.accused);
    EXPECT_EQ(number(8), line.node_campaigns);
  }
}

TEST(Quoted, TheNearestSizeIsQuotedAndOnesOwnIsNamed) {
  EXPECT_THAT(
      simulated_text(64),
      HasSubstr("by simulation of 64 nodes, 2 % of them at fault, every uplink known: missed 0 of 441"));
  EXPECT_THAT(simulated_text(64), testing::Not(HasSubstr("--simulate")));
  EXPECT_THAT(simulated_text(700), HasSubstr("simulation of 1024 nodes"));
  EXPECT_THAT(simulated_text(700), HasSubstr("of 700: mlc-bench fleet --simulate --nodes 700"));
  EXPECT_THAT(simulated_text(2), HasSubstr("2 nodes, one fault each, no leaf known: missed 1000 of 1000"));
  EXPECT_THAT(simulated_text(0), HasSubstr("simulation of 2 nodes"));
  EXPECT_THAT(simulated_text(60000), HasSubstr("simulation of 16384 nodes"));
}

}  // namespace
}  // namespace mlc::fleet
