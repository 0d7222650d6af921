#include "k8s/admission/node_patch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/record/moment.hpp"

namespace mlc {
namespace {

using nlohmann::json;

constexpr std::time_t now = 1'700'000'000;  // 2023-11-14T22:13:20Z

NodeView a_node() {
  return read_node(json::parse(R"({
    "metadata": {"name": "gpu-7", "uid": "u-1", "resourceVersion": "42", "labels": {"a": "b"}},
    "spec": {"taints": [{"key": "other", "effect": "NoExecute"}, {"key": "mlc-bench.io/unvalidated", "effect": "NoSchedule"}]},
    "status": {"nodeInfo": {"bootID": "b-1"}, "conditions": [
      {"type": "Ready", "status": "True"},
      {"type": "MLClusterReady", "status": "True", "lastTransitionTime": "2023-01-01T00:00:00Z"}]}})"));
}

TEST(ReadNode, TakesWhatThereIsAndNothingElse) {
  const NodeView node = a_node();
  EXPECT_EQ(node.boot_id, "b-1");
  EXPECT_EQ(node.conditions.at("MLClusterReady").index, 1u);
  EXPECT_EQ(node.index_of({"mlc-bench.io/unvalidated", "", "NoSchedule"}), 1u);
  EXPECT_FALSE(node.index_of({"mlc-bench.io/unvalidated", "", "NoExecute"}))
      << "another effect is another taint";
  EXPECT_FALSE(read_node(json::parse(R"({"metadata": {"name": "n"}})")).taints) << "no list is no empty list";
  for (const char* none : {"{}", "[]", "null", "3", R"({"metadata": {}})", R"({"metadata": {"name": 3}})",
                           R"({"metadata": []})"})
    EXPECT_THROW((void)read_node(json::parse(none)), std::runtime_error) << none;
  // Types that the API never sends are not there.
  const auto odd = read_node(json::parse(
      R"({"metadata": {"name": "n", "labels": {"a": 3}}, "spec": 1, "status": {"conditions": {}}})"));
  EXPECT_TRUE(odd.labels.empty() && odd.conditions.empty() && !odd.taints);
}

TEST(NodeName, IsASubdomain) {
  for (const char* name : {"a", "gpu-7", "gpu-7.rack-2.example", "0"})
    EXPECT_TRUE(is_node_name(name)) << name;
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("a-"), std::string("a..b"), std::string("a.-b"),
        std::string("A"), std::string("a/../b"), std::string("a b"), std::string("a%2f"),
        std::string(254, 'a'), std::string("a\0b", 3)})
    EXPECT_FALSE(is_node_name(name)) << name;
}

// Atomic lists: nothing of anybody else's is replaced, and nothing is done to a node that changed meanwhile.
TEST(Taints, AreTakenAwayWithTestsAndAddedAtTheEnd) {
  const NodeView node = a_node();
  const HttpRequest remove = remove_taint(node, 1, node.conditions.at("MLClusterReady"));
  EXPECT_EQ(remove.method, "PATCH");
  EXPECT_EQ(remove.path, "/api/v1/nodes/gpu-7");
  EXPECT_EQ(remove.content_type, "application/json-patch+json");
  const auto patch = json::parse(remove.body);
  ASSERT_EQ(patch.size(), 6u);
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_EQ(patch[i]["op"], "test");
  EXPECT_EQ(patch[2]["path"], "/status/conditions/1/status");
  EXPECT_EQ(patch[3]["value"], "mlc-bench.io/unvalidated");
  EXPECT_EQ(patch[5], json({{"op", "remove"}, {"path", "/spec/taints/1"}}));

  const auto added =
      json::parse(add_taint(node, {"k", "v", "NoSchedule"}, node.conditions.at("MLClusterReady")).body);
  EXPECT_EQ(added.back(), json({{"op", "add"},
                                {"path", "/spec/taints/-"},
                                {"value", {{"key", "k"}, {"value", "v"}, {"effect", "NoSchedule"}}}}));
  EXPECT_EQ(added[2]["path"], "/status/conditions/1/status") << "not where another run has found otherwise";
  NodeView bare = node;
  bare.taints.reset();
  const auto first =
      json::parse(add_taint(bare, {"k", "", "NoSchedule"}, bare.conditions.at("MLClusterReady")).body);
  EXPECT_EQ(first[3], json({{"op", "test"}, {"path", "/spec/taints"}, {"value", nullptr}}));
  EXPECT_EQ(first[4]["value"], json::array({{{"key", "k"}, {"effect", "NoSchedule"}}}));
}

TEST(Condition, ItsTransitionMovesOnlyWithItsStatus) {
  const NodeView node = a_node();
  const auto entry = [&](const NodeCondition& condition) {
    const HttpRequest request = set_conditions(node, {condition}, now);
    EXPECT_EQ(request.path, "/api/v1/nodes/gpu-7/status");
    EXPECT_EQ(request.content_type, "application/strategic-merge-patch+json");
    const auto body = json::parse(request.body);
    EXPECT_EQ(body["metadata"]["resourceVersion"], "42") << "a node that changed meanwhile is not written";
    return body["status"]["conditions"][0];
  };
  const auto same = entry({.type = "MLClusterReady",
                           .status = "True",
                           .reason = "Admitted",
                           .message = "m",
                           .last_transition = {}});
  EXPECT_EQ(same["lastTransitionTime"], "2023-01-01T00:00:00Z");
  EXPECT_EQ(same["lastHeartbeatTime"], "2023-11-14T22:13:20Z");
  const auto other = entry({.type = "MLClusterReady",
                            .status = "False",
                            .reason = "Refused",
                            .message = "m",
                            .last_transition = {}});
  EXPECT_EQ(other["lastTransitionTime"], "2023-11-14T22:13:20Z");
}

TEST(Metadata, AKeyWithoutAValueIsTakenAway) {
  const auto body =
      json::parse(set_metadata(a_node(), {{"tier", std::nullopt}, {"admission", "pending"}}, {}).body);
  EXPECT_EQ(body["metadata"]["labels"], json({{"tier", nullptr}, {"admission", "pending"}}));
  EXPECT_FALSE(body["metadata"].contains("annotations"));
}

TEST(Lists, HostileSelectorsStayOneParameter) {
  EXPECT_EQ(list_nodes("a=b&limit=1,c in (d)", "x/y").path,
            "/api/v1/nodes?limit=500&labelSelector=a%3Db%26limit%3D1%2Cc%20in%20%28d%29&continue=x%2Fy");
  EXPECT_EQ(get_node("gpu-7").path, "/api/v1/nodes/gpu-7") << "never from a cache";
}

TEST(Events, TheSameIsSentOnceAndNothingIsTooLong) {
  const EventText event{.warning = true,
                        .reason = "Refused",
                        .note = std::string(5000, 'x'),
                        .instance = std::string(500, 'i'),
                        .key = "run-1"};
  const auto one = json::parse(create_event(a_node(), event, now).body),
             two = json::parse(create_event(a_node(), event, now + 60).body);
  EXPECT_EQ(one["metadata"]["name"], two["metadata"]["name"]);
  EventText later = event;
  later.key = "run-2";
  EXPECT_NE(json::parse(create_event(a_node(), later, now).body)["metadata"]["name"],
            one["metadata"]["name"]);
  EXPECT_LE(one["note"].get<std::string>().size(), 1024u);
  EXPECT_LE(one["reportingInstance"].get<std::string>().size(), 128u);
  EXPECT_EQ(one["eventTime"], "2023-11-14T22:13:20.000000Z");
}

TEST(Bounded, CutsBetweenCharacters) {
  EXPECT_EQ(bounded("abc", 10), "abc");
  EXPECT_EQ(bounded("ab\n", 10), "ab\\n");
  for (std::size_t most = 0; most < 12; ++most) {
    const std::string cut = bounded("äöü€\xff!", most);
    EXPECT_LE(cut.size(), most);
    EXPECT_NO_THROW((void)json(cut).dump()) << "broken UTF-8 at " << most;
  }
}

TEST(Moments, AreReadBackAndNothingElseIs) {
  EXPECT_EQ(parse_rfc3339(rfc3339(now)), now);
  for (const char* text :
       {"", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20+01:00", "2023-11-14 22:13:20Z",
        "2023-13-14T22:13:20Z", "2023-11-14T22:13:20Zx", "yesterday"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

}  // namespace
}  // namespace mlc
