#include "reports/record/json_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/record/json.hpp"

namespace mlc {
namespace {

using testing::HasSubstr;

std::string why(const std::string& text, const JsonLimits& limits = {}) {
  try {
    read_json(text, limits);
  } catch (const JsonError& error) {
    return error.what();
  }
  return {};
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonReader, ReadsWhatTheLibraryReads) {
  for (const std::string text :
       {R"({"a": [1, -2, 0.5, 1e3, "é\n", true, false, null, {}], "b": {"c": [[]]}})", "[]", "3", "\"x\"",
        "18446744073709551615", "-9223372036854775808"}) {
    EXPECT_EQ(read_json(text), nlohmann::json::parse(text)) << text;
    EXPECT_EQ(read_ordered_json(text), nlohmann::ordered_json::parse(text)) << text;
  }
  EXPECT_EQ(read_ordered_json(R"({"b": 1, "a": 2})").dump(), R"({"b":1,"a":2})");
}

TEST(JsonReader, DepthSizeValuesAndKeysAreBounded) {
  EXPECT_EQ(why(nested(64)), "");
  EXPECT_THAT(why(nested(65)), HasSubstr("nested deeper than 64 levels"));
  EXPECT_THAT(why(std::string(10'000'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(why(R"({"a":{"a":{"a":1}}})", {.depth = 2}), HasSubstr("nested deeper than 2 levels"));
  EXPECT_THAT(why("[1,2,3]", {.bytes = 6}), HasSubstr("larger than 6 B"));
  EXPECT_THAT(why("[1,2,3]", {.values = 3}), HasSubstr("more than 3 values"));
  EXPECT_THAT(why(R"({"a":1,"b":2})", {.keys = 1}), HasSubstr("more than 1 keys"));
}

TEST(JsonReader, AKeyTwiceIsNoValue) {
  EXPECT_THAT(why(R"({"verdict": 1, "verdict": 2})"), HasSubstr("'verdict' is given twice"));
  EXPECT_THROW(read_ordered_json(R"([{"a": 1, "a": 1}])"), JsonError);
  EXPECT_EQ(why(R"([{"a": 1}, {"a": 1}])"), "");
}

TEST(JsonReader, WhatIsNoneSaysWhereOnOneLine) {
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "nul", "[1] 2", "\"\x1b[2J\"", "\"\xff\""}) {
    EXPECT_THAT(why(text), HasSubstr("line 1")) << text;
    EXPECT_EQ(why(text).find_first_of("\n\x1b"), std::string::npos) << text;
    EXPECT_FALSE(read_json_if(text)) << text;
  }
}

// What was handed out, one behind the other, and what was left.
std::string list_of(const std::string& text) {
  std::string seen;
  const auto rest =
      read_json_list(text, "items", [&](const nlohmann::json& one) { seen += one.dump() + ";"; });
  return seen + " " + rest.dump();
}

TEST(JsonReader, ElementsOfALongListAreHandedOutAndNotKept) {
  EXPECT_EQ(list_of(R"({"a":1,"items":[{"items":[1,2]},3,[4],"x",null],"b":[5]})"),
            R"({"items":[1,2]};3;[4];"x";null; {"a":1,"b":[5],"items":[]})");
  EXPECT_EQ(list_of(R"({"items":[]})"), R"( {"items":[]})");
  for (const std::string same : {R"({"items":{"a":[1]}})", R"({"a":{"items":[1]}})", R"([{"items":[1]}])",
                                 "[1]", "3", R"({"items":3})"})
    EXPECT_EQ(list_of(same), " " + nlohmann::json::parse(same).dump());
  EXPECT_THROW(list_of(R"({"items":[1,)"), JsonError);
  EXPECT_THROW(list_of(R"({"items":[1],"items":[2]})"), JsonError);
}

TEST(JsonReader, WhatFollowsANulIsNotIgnored) {
  EXPECT_THAT(why(std::string("{}\0{\"errors\": 1}", 17)), HasSubstr("NUL"));
}

TEST(JsonReader, ANumberThatNoDoubleHoldsIsNone) { EXPECT_THAT(why("[1e999]"), HasSubstr("1e999")); }

TEST(JsonReader, AKeyThatIsNoneIsNamedWithTheOneThatWasMeant) {
  static constexpr std::array<std::string_view, 2> known{"remapped_uncorrectable", "remap_failed"};
  refuse_other_keys(read_json(R"({"remap_failed": 1})"), known);
  try {
    refuse_other_keys(read_json(R"({"remapped_uncorrected": 1})"), known);
    FAIL() << "accepted";
  } catch (const JsonError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'remapped_uncorrectable'?"));
  }
}

TEST(JsonReader, AReportIsReadThroughIt) {
  EXPECT_THROW(report_from_json(nested(100'000)), ReportError);
  EXPECT_THROW(report_from_json(R"({"schema": "mlc-bench/report/v1", "schema": "mlc-bench/report/v1"})"),
               ReportError);
}

}  // namespace
}  // namespace mlc
