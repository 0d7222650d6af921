// The addresses of a fleet, on values: pools, reservations and Pods as the API lists them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "k8s/ipam/judge.hpp"
#include "k8s/ipam/reading.hpp"

namespace mlc::ipam {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using Json = nlohmann::json;

Json page(std::vector<Json> items) { return {{"items", items}}; }

Json pool(const std::string& range, const Json& allocations, std::string name = {}) {
  if (name.empty()) name = range, name[name.find('/')] = '-';
  return {{"metadata", {{"name", name}}}, {"spec", {{"range", range}, {"allocations", allocations}}}};
}

Json held_by(const std::string& pod) { return {{"id", "c1"}, {"podref", pod}, {"ifname", "net1"}}; }

Json reservation(const std::string& name, const std::string& pod) {
  return {{"metadata", {{"name", name}}}, {"spec", {{"podref", pod}}}};
}

Json pod(const std::string& name, std::vector<std::string> ips) {
  Json status = Json::array({{{"name", "cilium"}, {"ips", {"10.244.0.5"}}, {"default", true}}});
  for (std::size_t i = 0; i < ips.size(); ++i)
    status.push_back({{"name", "rails"}, {"interface", "net" + std::to_string(i + 1)}, {"ips", {ips[i]}}});
  return {{"metadata",
           {{"namespace", "bench"},
            {"name", name},
            {"annotations", {{"k8s.v1.cni.cncf.io/network-status", status.dump()}}}}}};
}

Json bare_pod(const std::string& name) { return {{"metadata", {{"namespace", "bench"}, {"name", name}}}}; }

Records records_of(std::vector<Json> pools, std::vector<Json> reservations, std::vector<Json> pods) {
  Records records;
  EXPECT_EQ(add_pools(records, page(std::move(pools))), "");
  EXPECT_EQ(add_reservations(records, page(std::move(reservations))), "");
  EXPECT_EQ(add_pods(records, page(std::move(pods))), "");
  return records;
}

Status worst(const std::vector<Finding>& findings, const std::string& check) {
  Status status = Status::pass;
  for (const auto& finding : findings)
    if (finding.check == check && finding.status != Status::pass && status != Status::fail)
      status = finding.status;
  return status;
}

std::string text(const std::vector<Finding>& findings) {
  std::string all;
  for (const auto& finding : findings)
    all += finding.check + " " + finding.subject + ": " + finding.observed + "\n";
  return all;
}

const Json two{{"5", held_by("bench/a")}, {"6", held_by("bench/b")}};

TEST(Ipam, AHealthyFleetPasses) {
  const auto records =
      records_of({pool("10.10.0.0/16", two)}, {reservation("10.10.0.5", "bench/a")},
                 {pod("a", {"10.10.0.5"}), pod("b", {"10.10.0.6"}), pod("other", {"192.168.0.9"})});
  EXPECT_THAT(troubles_of(records), IsEmpty());
  for (const auto& finding : findings_of(records, {}, {}, 0.9))
    EXPECT_EQ(finding.status, Status::pass) << finding.check << " " << finding.observed;
  EXPECT_FALSE(records.pods.contains("bench/other")) << "what no pool can name is not kept";
}

TEST(Ipam, TwoOwnersAreNamedWithTheirNodes) {
  const auto records =
      records_of({pool("10.10.0.0/16", two)}, {}, {pod("a", {"10.10.0.5"}), pod("b", {"10.10.0.5"})});
  const auto troubles = troubles_of(records);
  const NodeOfPod nodes{{"bench/a", "gpu-a"}, {"bench/b", "gpu-b"}};
  const auto findings = findings_of(records, troubles, nodes, 0.9);
  EXPECT_EQ(worst(findings, "ipam.duplicates"), Status::fail);
  EXPECT_THAT(text(findings), HasSubstr("10.10.0.5: owned by bench/a on gpu-a and bench/b on gpu-b"));
  EXPECT_THAT(
      notes_for_nodes(troubles, nodes, 10),
      ElementsAre(Pair("gpu-a", HasSubstr("10.10.0.5")), Pair("gpu-b", HasSubstr("bench/a on gpu-a"))));
  EXPECT_THAT(notes_for_nodes(troubles, nodes, 1), SizeIs(1));
  // Its own address is then held for nobody who has it.
  EXPECT_THAT(text(findings), HasSubstr("10.10.0.6 of bench/b"));
}

TEST(Ipam, OnePodWithOneAddressTwice) {
  const auto records = records_of({pool("10.10.0.0/16", {{"5", held_by("bench/a")}})}, {},
                                  {pod("a", {"10.10.0.5", "10.10.0.5"})});
  EXPECT_EQ(worst(findings_of(records, troubles_of(records), {}, 0.9), "ipam.duplicates"), Status::fail);
}

TEST(Ipam, OverlappingPoolsAreOneNetworkUnlessNamed) {
  const Json a{{"5", held_by("bench/a")}}, b{{"5", held_by("bench/b")}};
  const std::vector<Json> pods{pod("a", {"10.10.0.5"}), pod("b", {"10.10.0.5"})};
  EXPECT_THAT(troubles_of(records_of({pool("10.10.0.0/16", a), pool("10.10.0.0/24", b)}, {}, pods)),
              SizeIs(1));
  EXPECT_THAT(troubles_of(records_of(
                  {pool("10.10.0.0/16", a, "red-10.10.0.0-16"), pool("10.10.0.0/16", b, "blue-10.10.0.0-16")},
                  {}, pods)),
              IsEmpty());
}

TEST(Ipam, AnAddressThatItsPoolHasLost) {
  const auto records = records_of({pool("10.10.0.0/16", Json::object())},
                                  {reservation("10.10.0.5", "bench/a")}, {pod("a", {"10.10.0.5"})});
  const auto findings = findings_of(records, troubles_of(records), {{"bench/a", "gpu-a"}}, 0.9);
  EXPECT_EQ(worst(findings, "ipam.duplicates"), Status::fail);
  EXPECT_THAT(text(findings), HasSubstr("10.10.0.5: in use by bench/a on gpu-a, but in no pool"));
  EXPECT_EQ(worst(findings, "ipam.leaks"), Status::pass);
}

TEST(Ipam, LeaksAreOfPodsThatAreGoneAndNotOfThoseThatAreComing) {
  const Json three{
      {"5", held_by("bench/gone")}, {"6", held_by("bench/coming")}, {"7", held_by("bench/moved")}};
  const auto records = records_of({pool("10.10.0.0/16", three)}, {reservation("red-10.11.0.9", "bench/gone")},
                                  {bare_pod("coming"), pod("moved", {"10.10.0.8"})});
  const auto findings = findings_of(records, troubles_of(records), {}, 0.9);
  EXPECT_THAT(
      text(findings),
      AllOf(HasSubstr("10.10.0.0-16: 2 addresses belong to Pods that are gone: 10.10.0.5 of bench/gone"),
            HasSubstr("reservations: 1 addresses")));
  EXPECT_EQ(worst(findings, "ipam.leaks"), Status::warn);
}

TEST(Ipam, WhatOneReadingAloneShowsIsNotSaid) {
  const auto first = troubles_of(records_of({pool("10.10.0.0/16", two)}, {}, {pod("a", {"10.10.0.5"})}));
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_THAT(confirmed(first, troubles_of(records_of({pool("10.10.0.0/16", two)}, {},
                                                      {pod("a", {"10.10.0.5"}), pod("b", {"10.10.0.6"})}))),
              IsEmpty());
  EXPECT_THAT(confirmed(first, first), SizeIs(1));
}

TEST(Ipam, FullPools) {
  Json six = Json::object();
  for (int i = 1; i <= 6; ++i)
    six[std::to_string(i)] = held_by("bench/p" + std::to_string(i));
  Json five = six;
  five.erase("6");
  const auto status = [](const Json& allocations, double from) {
    return worst(findings_of(records_of({pool("10.10.0.0/29", allocations)}, {}, {}), {}, {}, from),
                 "ipam.space");
  };
  EXPECT_EQ(status(six, 0.9), Status::fail);
  EXPECT_EQ(status(five, 0.8), Status::warn);
  EXPECT_EQ(status(five, 0.9), Status::pass);
  EXPECT_EQ(
      worst(findings_of(records_of({pool("fd00::/64", Json::object())}, {}, {}), {}, {}, 0.9), "ipam.space"),
      Status::skip);
}

TEST(Ipam, WhatCannotBeReadIsNoPass) {
  // Only Pods whose status is no JSON: nothing was compared.
  Json broken = bare_pod("a");
  broken["metadata"]["annotations"] = {{"k8s.v1.cni.cncf.io/network-status", "<html>"}};
  auto records =
      records_of({pool("10.10.0.0/16", Json::object())}, {reservation("10.10.0.5", "bench/a")}, {broken});
  EXPECT_EQ(worst(findings_of(records, troubles_of(records), {}, 0.9), "ipam.duplicates"), Status::unknown);
  for (const Json& bad : {Json{{"kind", "Status"}}, Json::array(), Json(7), page({Json{{"metadata", 3}}})}) {
    Records none;
    EXPECT_NE(add_pools(none, bad), "") << bad;
    EXPECT_NE(add_reservations(none, bad), "") << bad;
    EXPECT_NE(add_pods(none, bad), "") << bad;
    EXPECT_EQ(node_in_table(bad), "") << bad;
  }
}

TEST(Ipam, EntriesOutsideTheirPoolAreCounted) {
  const Json odd{
      {"256", held_by("bench/a")}, {"-1", held_by("bench/a")}, {"x", held_by("bench/a")}, {"3", 7}};
  const auto records = records_of({pool("10.10.0.0/24", odd)}, {}, {});
  EXPECT_EQ(records.malformed, 4u);
  EXPECT_THAT(records.allocations, IsEmpty());
  EXPECT_THAT(text(findings_of(records, {}, {}, 0.9)), HasSubstr("4 entries are no address of their pool"));
}

TEST(Ipam, ManyDuplicatesAreBoundedAndCounted) {
  Json all = Json::object();
  std::vector<Json> pods;
  for (int i = 1; i <= 30; ++i)
    all[std::to_string(i)] = held_by("bench/p" + std::to_string(i));
  for (int i = 1; i <= 30; ++i)
    pods.push_back(pod("q" + std::to_string(i), {"10.10.0." + std::to_string(i)}));
  const auto records = records_of({pool("10.10.0.0/16", all)}, {}, pods);
  const auto findings = findings_of(records, troubles_of(records), {}, 0.9, 10);
  EXPECT_LT(findings.size(), 20u);
  EXPECT_THAT(text(findings), HasSubstr("20 more addresses have several owners"));
  // All Pods of the cluster on one address: no square of them, and no line of a megabyte.
  std::vector<Json> same;
  for (int i = 0; i < 2000; ++i)
    same.push_back(pod("s" + std::to_string(i), {"10.10.0.1"}));
  const auto one = records_of({pool("10.10.0.0/16", Json::object())}, {}, same);
  for (const auto& finding : findings_of(one, troubles_of(one), {}, 0.9, 10))
    EXPECT_LT(finding.observed.size(), 500u);
}

TEST(Ipam, HostileNamesAreShownSafely) {
  const auto records =
      records_of({pool("10.10.0.0/16", {{"5", held_by("x\x1b[2J\n/y")}})}, {}, {pod("a", {"10.10.0.5"})});
  for (const auto& finding : findings_of(records, troubles_of(records), {}, 0.9))
    EXPECT_EQ(finding.observed.find_first_of("\x1b\n"), std::string::npos) << finding.observed;
}

TEST(Ipam, EveryFindingIsExplained) {
  for (const auto& finding : findings_of(records_of({pool("10.10.0.0/16", two)}, {}, {}), {}, {}, 0.9))
    EXPECT_TRUE(
        std::ranges::any_of(fleet_checks(), [&](const Check& check) { return check.name == finding.check; }));
}

// Answers by the path, as a server would; what is asked is kept.
struct Server : Transport {
  std::function<HttpResponse(const HttpRequest&)> answer;
  std::vector<HttpRequest> asked;
  HttpResponse send(const HttpRequest& request, const std::string&) override {
    asked.push_back(request);
    return answer(request);
  }
};

HttpResponse ok(const Json& body) { return {200, body.dump(), {}, {}}; }

struct Cluster {
  Server server;
  double now = 0;
  ApiClient api{server,
                [] { return "token"; },
                {.total_s = 60},
                {[this] { return now; }, [this](double s) { now += s; }}};
};

TEST(IpamReading, PagesAndNothingButMetadata) {
  Cluster cluster;
  cluster.server.answer = [](const HttpRequest& request) {
    if (request.path.find("/ippools") != std::string::npos) return ok(page({pool("10.10.0.0/16", two)}));
    if (request.path.find("reservations") != std::string::npos) return HttpResponse{404, "{}", {}, {}};
    Json first = page({pod("a", {"10.10.0.5"})}), second = page({pod("b", {"10.10.0.6"})});
    first["metadata"]["continue"] = "a b&c";
    return ok(request.path.find("&continue=a%20b%26c") == std::string::npos ? first : second);
  };
  const auto records = read_records(cluster.api);
  ASSERT_TRUE(records);
  EXPECT_THAT(records->pods, SizeIs(2));
  EXPECT_THAT(records->allocations, SizeIs(2));
  for (const auto& request : cluster.server.asked)
    if (request.path.starts_with("/api/v1/pods")) {
      EXPECT_THAT(request.accept, HasSubstr("as=PartialObjectMetadataList"));
    }
}

TEST(IpamReading, AListThatIsTooOldBeginsAnewAndCountsNothingTwice) {
  Cluster cluster;
  int gone = 0;
  cluster.server.answer = [&](const HttpRequest& request) {
    if (request.path.find("/ippools") == std::string::npos) return ok(page({}));
    if (request.path.find("continue") != std::string::npos) {
      if (gone-- > 0) return HttpResponse{410, R"({"kind":"Status"})", {}, {}};
      return ok(page({pool("10.11.0.0/16", two)}));
    }
    Json first = page({pool("10.10.0.0/16", two)});
    first["metadata"]["continue"] = "x";
    return ok(first);
  };
  gone = 2;
  const auto records = read_records(cluster.api);
  ASSERT_TRUE(records);
  EXPECT_THAT(records->pools, SizeIs(2));
  EXPECT_THAT(records->allocations, SizeIs(4));
  gone = 1000;
  EXPECT_THROW(read_records(cluster.api), ApiError);
}

TEST(IpamReading, NoListIsNoPass) {
  Cluster cluster;
  HttpResponse answer{404, "{}", {}, {}};
  cluster.server.answer = [&](const HttpRequest&) { return answer; };
  EXPECT_FALSE(read_records(cluster.api));
  for (const HttpResponse& bad : {HttpResponse{403, "{}", {}, {}}, HttpResponse{200, "<html>", {}, {}},
                                  HttpResponse{200, "{}", {}, {}}, HttpResponse{409, "{}", {}, {}}}) {
    answer = bad;
    EXPECT_THROW(read_records(cluster.api), ApiError) << bad.status << bad.body;
  }
  Json endless = page({});
  endless["metadata"]["continue"] = "again";
  answer = ok(endless);
  EXPECT_THROW(read_records(cluster.api), ApiError);
}

TEST(IpamReading, APodrefIsNoPath) {
  Cluster cluster;
  cluster.server.answer = [](const HttpRequest&) {
    return ok({{"columnDefinitions", {{{"name", "Name"}}, {{"name", "Node"}}}},
               {"rows", {{{"cells", {"a", "gpu-a"}}}}}});
  };
  EXPECT_EQ(node_of(cluster.api, "bench/a"), "gpu-a");
  for (const char* odd :
       {"", "a", "/", "bench/", "/a", "be/nch/a", "../x/y", "bench/a?x=1", "bench/a b", "be.nch/a"})
    EXPECT_EQ(node_of(cluster.api, odd), "") << odd;
  EXPECT_THAT(cluster.server.asked, SizeIs(1));
}

}  // namespace
}  // namespace mlc::ipam
