#include "k8s/admission/quarantine_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/record/moment.hpp"

namespace mlc {
namespace {

using nlohmann::json;

constexpr std::time_t now = 1'700'000'000;

json config_map(const json& data, const std::string& fleet = "") {
  json object{{"metadata", {{"name", "l"}, {"resourceVersion", "7"}}}, {"data", data}};
  if (!fleet.empty()) object["metadata"]["annotations"][fleet_annotation] = fleet;
  return object;
}

TEST(Ledger, CountsTheLastHourByTheServersClock) {
  const auto ledger = read_ledger(config_map({{"a", rfc3339(now - 60)},
                                              {"b", rfc3339(now - 3700)},
                                              {"c", rfc3339(now + 60)},
                                              {"d", rfc3339(now + 86400)},
                                              {"e", "yesterday"},
                                              {"f", 3}}),
                                  now);
  EXPECT_EQ(ledger.resource_version, "7");
  EXPECT_THAT(ledger.within_the_hour, testing::ElementsAre(testing::Key("a"), testing::Key("c")));
}

TEST(Ledger, WhatIsNoneIsEmpty) {
  for (const char* none :
       {"{}", "[]", "null", "3", R"({"metadata": 3, "data": []})", R"({"metadata": {"annotations": []}})"}) {
    const auto ledger = read_ledger(json::parse(none), now);
    EXPECT_TRUE(ledger.within_the_hour.empty() && !ledger.fleet && ledger.resource_version.empty()) << none;
  }
}

TEST(Ledger, TheShareIsOfTheFleetAndAtLeastOneNode) {
  const auto most = [](double share, const std::string& fleet) {
    return most_in_quarantine({.share_per_hour = share}, read_ledger(config_map(json::object(), fleet), now));
  };
  EXPECT_EQ(most(0.1, "1000"), 100u);
  EXPECT_EQ(most(0.1, "19"), 1u);
  EXPECT_EQ(most(0.1, "8"), 1u) << "a small fleet";
  EXPECT_EQ(most(0.1, ""), 1u) << "nobody has counted it";
  for (const char* lie : {"-5", "many", "1e9", "99999999999999999999999", " 7", "7 "})
    EXPECT_EQ(most(0.1, lie), 1u) << lie;
  EXPECT_EQ(most(0, "1000"), 0u) << "a policy that wants none";
}

TEST(Ledger, AnEntryHoldsOnlyForTheLedgerAsItWasRead) {
  const Quarantine rule;
  const auto ledger = read_ledger(config_map({{"a", rfc3339(now - 60)}, {"old", rfc3339(now - 7200)}}), now);
  const HttpRequest request = enter(rule, ledger, "b", now);
  EXPECT_EQ(request.path, "/api/v1/namespaces/mlc-bench/configmaps/mlc-bench-quarantine");
  const auto patch = json::parse(request.body);
  EXPECT_EQ(patch[0], json({{"op", "test"}, {"path", "/metadata/resourceVersion"}, {"value", "7"}}));
  EXPECT_EQ(patch[1]["value"], json({{"a", rfc3339(now - 60)}, {"b", rfc3339(now)}}));
}

}  // namespace
}  // namespace mlc
