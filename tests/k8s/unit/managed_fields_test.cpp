#include "k8s/dispatch/managed_fields.hpp"

#include <gtest/gtest.h>

namespace mlc {
namespace {

// In pieces of so many bytes.
std::string emptied(std::string_view json, std::size_t piece) {
  ManagedFieldsFilter filter;
  std::string kept;
  for (std::size_t at = 0; at < json.size(); at += piece)
    filter.take(json.substr(at, piece), kept);
  return kept;
}

TEST(ManagedFields, AreEmptiedAndNothingElseIsHoweverItComes) {
  for (std::size_t piece = 1; piece < 80; ++piece) {
    EXPECT_EQ(
        emptied(
            R"({"a":{"managedFields":[{"f:x":["]",{}]},"\"]"],"b":1},"c":{"managedFields" : [ 1 ] },"d":"managedFields"})",
            piece),
        R"({"a":{"managedFields":[],"b":1},"c":{"managedFields" : [] },"d":"managedFields"})");
    for (const std::string same :
         {R"({"a":"\"managedFields\":[1]"})", R"(["managedFields",[1]])", R"({"managedFields":"[1]"})",
          R"({"managedFields":{"a":[1]}})", R"({"xmanagedFields":[1]})", R"({"managedFieldsx":[1]})",
          R"({"managed":[1]})", R"({"managedFields\"":[1]})", R"({"a\\":"managedFields","b":[1]})", "", "{}"})
      EXPECT_EQ(emptied(same, piece), same);
  }
}

TEST(ManagedFields, WhatIsNoJsonIsLeftToTheReader) {
  const std::string whole = R"({"a":"\\","managedFields":[{"b":"\""},[2]],"c":3})";
  for (std::size_t cut = 0; cut + 1 < whole.size(); ++cut)
    EXPECT_LE(emptied(whole.substr(0, cut), 3).size(), cut);
  EXPECT_EQ(emptied(whole, 7), R"({"a":"\\","managedFields":[],"c":3})");
  EXPECT_EQ(emptied(R"({"managedFields":[{})", 4), R"({"managedFields":[)") << "no end: none is made";
}

}  // namespace
}  // namespace mlc
