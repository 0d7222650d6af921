#include "k8s/dispatch/managed_fields.hpp"

#include <gtest/gtest.h>

namespace mlc {
namespace {

std::string emptied(std::string json) {
  empty_managed_fields(json);
  return json;
}

TEST(ManagedFields, AreEmptiedAndNothingElseIs) {
  EXPECT_EQ(emptied(R"({"a":{"managedFields":[{"f:x":["]",{}]}],"b":1},"c":{"managedFields" : [ 1 ] }})"),
            R"({"a":{"managedFields":[],"b":1},"c":{"managedFields" : [] }})");
  for (const std::string same :
       {R"({"a":"\"managedFields\":[1]"})", R"(["managedFields",[1]])", R"({"managedFields":"[1]"})",
        R"({"managedFields":{"a":[1]}})", R"({"xmanagedFields":[1]})", "", "{}"})
    EXPECT_EQ(emptied(same), same);
}

TEST(ManagedFields, WhatIsNoJsonIsLeftToTheReader) {
  const std::string whole = R"({"a":"\\","managedFields":[{"b":"\""},[2]],"c":3})";
  for (std::size_t cut = 0; cut + 1 < whole.size(); ++cut) {
    const std::string part = emptied(whole.substr(0, cut));
    EXPECT_LE(part.size(), cut + 2);
  }
  EXPECT_EQ(emptied(whole), R"({"a":"\\","managedFields":[],"c":3})");
  EXPECT_EQ(emptied(R"({"managedFields":[{})"), R"({"managedFields":[{})") << "no end: as it is";
}

}  // namespace
}  // namespace mlc
