#include "k8s/api/api_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "k8s/admission/publisher.hpp"
#include "k8s/api/endpoint.hpp"

namespace mlc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Answers in turn; 0 breaks the connection, -1 for good.
struct Scripted : Transport {
  std::deque<HttpResponse> answers;
  std::vector<std::string> tokens;
  HttpResponse send(const HttpRequest&, const std::string& token) override {
    tokens.push_back(token);
    HttpResponse next = answers.front();
    if (answers.size() > 1) answers.pop_front();
    if (next.status <= 0) throw TransportError("connection reset", next.status < 0);
    return next;
  }
};

struct Client {
  Scripted transport;
  double now = 0;
  int read = 0;
  ApiClient client{transport,
                   [this] { return "token-" + std::to_string(++read); },
                   {.total_s = 60},
                   {[this] { return now; }, [this](double seconds) { now += seconds; }}};
  HttpResponse send(std::deque<HttpResponse> answers) {
    transport.answers = std::move(answers);
    return client.send({.method = "GET", .path = "/x", .content_type = {}, .body = {}});
  }
};

HttpResponse status(int code, const std::string& body = "") { return {.status = code, .body = body}; }

TEST(ApiClient, AsksAgainWhatMayComeRight) {
  Client c;
  EXPECT_EQ(c.send({status(500), status(0), status(429), status(200)}).status, 200);
  EXPECT_EQ(c.transport.tokens.size(), 4u);
  EXPECT_GT(c.now, 0) << "with waits between";
}

TEST(ApiClient, WaitsAsLongAsTheServerSays) {
  Client c;
  HttpResponse busy = status(429);
  busy.retry_after_s = 30;
  EXPECT_EQ(c.send({busy, status(200)}).status, 200);
  EXPECT_GE(c.now, 30);
}

TEST(ApiClient, ReadsARotatedTokenAnewOnce) {
  Client c;
  EXPECT_EQ(c.send({status(401), status(200)}).status, 200);
  EXPECT_THAT(c.transport.tokens, ElementsAre("token-1", "token-2"));
  Client refused;
  EXPECT_THROW(refused.send({status(401)}), ApiError);
  EXPECT_EQ(refused.transport.tokens.size(), 2u);
}

TEST(ApiClient, HandsBackWhatTheCallerUnderstands) {
  for (int code : {200, 201, 404, 409, 410, 422}) {
    Client c;
    EXPECT_EQ(c.send({status(code)}).status, code);
    EXPECT_EQ(c.transport.tokens.size(), 1u);
  }
}

TEST(ApiClient, GivesUpAndNeverSaysTheToken) {
  for (const auto& [answer, says] : {std::pair{status(403, R"({"message": "no\u0007"})"), "HTTP 403: no"},
                                     {status(-1), "connection reset"},
                                     {status(503), "gave up after 60 s"}}) {
    Client c;
    try {
      c.send({answer});
      ADD_FAILURE() << says;
    } catch (const ApiError& error) {
      EXPECT_THAT(error.what(), HasSubstr(says));
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("token-1")));
      EXPECT_FALSE(error.hint.empty());
    }
    EXPECT_LE(c.now, 61);
  }
}

TEST(ApiClient, ASlowServerThatAnswersIsWaitedFor) {
  Client c;
  c.transport.answers = {status(200)};
  for (int i = 0; i < 100; ++i) {
    c.now += 30;  // that long took each answer
    EXPECT_EQ(c.client.send({.method = "GET", .path = "/x", .content_type = {}, .body = {}}).status, 200);
  }
  EXPECT_THROW(c.send({status(503)}), ApiError) << "one that does not answer is given up";
}

TEST(ApiClient, ARaceThatOthersWinEachTimeIsGivenUp) {
  Client c;
  const auto race = [&] {
    for (int round = 0; round < 100'000; ++round)
      c.client.wait_before_round(round, "PATCH /x");
  };
  EXPECT_THROW(race(), ApiError);
  EXPECT_LE(c.now, 61);
  EXPECT_NO_THROW(c.client.wait_before_round(0, "another one")) << "which begins anew";
}

TEST(LostRace, IsToldFromWhatTheClusterForbids) {
  const auto with = [](int code, const std::string& message, const std::string& causes = "[]") {
    return status(code, R"({"kind": "Status", "message": ")" + message + R"(", "details": {"causes": )" +
                            causes + "}}");
  };
  EXPECT_TRUE(is_lost_race(with(409, "the object has been modified")));
  EXPECT_TRUE(is_lost_race(with(422, "the server rejected our request due to an error in our request")));
  EXPECT_TRUE(is_lost_race(status(422, "<html>")));
  EXPECT_TRUE(is_lost_race(
      with(422, "Node is invalid", R"([{"reason": "FieldValueDuplicate", "field": "spec.taints[1]"}])")));
  EXPECT_FALSE(is_lost_race(
      with(422, "Node is invalid", R"([{"reason": "FieldValueInvalid", "field": "metadata.labels"}])")));
  EXPECT_FALSE(is_lost_race(with(
      422,
      R"(nodes \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no)")));
  EXPECT_FALSE(is_lost_race(with(422, R"(admission webhook \"w\" denied the request: no)")));
  for (const int code : {200, 404, 500})
    EXPECT_FALSE(is_lost_race(status(code))) << code;
}

TEST(Publisher, AListThatGrewTooOldIsBegunAnew) {
  Client c;
  const std::string first = R"({"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "x"}})",
                    last = R"({"items": [{"metadata": {"name": "b"}}], "metadata": {}})";
  Publisher publisher(c.client, {}, {.settle_s = 0, .now = [] { return std::time_t{0}; }});
  c.transport.answers = {status(200, first), status(410), status(200, first), status(200, last)};
  EXPECT_EQ(publisher.fleet().size(), 2u) << "and nothing is in it twice";
  c.transport.answers = {status(410)};
  EXPECT_THROW((void)publisher.fleet(), ApiError);
}

std::string why_no_list(const std::string& body) {
  Client c;
  c.transport.answers = {status(200, body)};
  try {
    (void)Publisher(c.client, {}, {.settle_s = 0, .now = [] { return std::time_t{0}; }}).fleet();
  } catch (const ApiError& error) {
    return error.what();
  }
  return {};
}

TEST(Publisher, AnAnswerThatLiesIsNoList) {
  EXPECT_EQ(why_no_list(R"({"items": []})"), "");
  EXPECT_THAT(why_no_list(R"({"items": )" + std::string(100'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(why_no_list(R"({"items": [], "items": []})"), HasSubstr("'items' is given twice"));
  EXPECT_THAT(why_no_list(R"({"items": [], "metadata": {"continue": "x"}})"), HasSubstr("has no end"));
}

TEST(Kubeconfig, ThatLiesIsNone) {
  const std::string good = R"(current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: me}}]
clusters: [{name: lab, cluster: {server: "https://10.0.0.1:6443"}}]
users: [{name: me, user: {token: abc}}]
)";
  EXPECT_EQ(endpoint_from_kubeconfig(good, "k", "").server, "https://10.0.0.1:6443");
  const auto why = [](const std::string& text) -> std::string {
    try {
      (void)endpoint_from_kubeconfig(text, "k", "");
    } catch (const EndpointError& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_THAT(why(good + "---\n" + good), HasSubstr("k:5: a second document"));
  EXPECT_THAT(why(good + "users: []\n"), HasSubstr("k:5: key 'users' is given twice"));
  EXPECT_THAT(why("a: " + std::string(100'000, '[')), HasSubstr("nested deeper"));
  std::string authority = good;
  authority.replace(authority.find("6443\""), 5, "6443\", certificate-authority-data: b\xffxj");
  EXPECT_THAT(why(authority), HasSubstr("certificate-authority-data is no base64"));
  EXPECT_THAT(why("a: &a [1]\nb: *a\n"), HasSubstr("k:2: an alias"));
}

TEST(Server, PlainHttpGoesToThisMachineAlone) {
  for (const char* here :
       {"http://localhost:8001", "http://LOCALHOST:8001/", "http://127.0.0.1", "http://127.9.8.7:1",
        "http://[::1]:8001", "http://[0:0:0:0:0:0:0:1]:8001", "http://localhost./k8s/c"}) {
    EXPECT_TRUE(is_this_machine(here)) << here;
    EXPECT_NO_THROW(checked_server(here, "--server")) << here;
  }
  for (const char* elsewhere :
       {"http://localhost:x@example.invalid:8001", "http://localhost.example.invalid",
        "http://127.example.invalid", "http://128.0.0.1", "http://[::2]", "http://10.0.0.1", "http://",
        "http:///localhost", "http://[::1", "", "file://localhost/etc/passwd", "http://[::1]evil.invalid:1",
        "http://[localhost]", "http://localhost:80:evil", "gopher://127.0.0.1"}) {
    EXPECT_FALSE(is_this_machine(elsewhere)) << elsewhere;
    EXPECT_THROW(checked_server(elsewhere, "--server"), EndpointError) << elsewhere;
  }
  EXPECT_EQ(checked_server("https://10.0.0.1:6443/", ""), "https://10.0.0.1:6443");
  EXPECT_FALSE(is_this_machine("https://127.example.invalid"));
  EXPECT_TRUE(is_this_machine("https://localhost/k8s/clusters/c"));
  EXPECT_THROW(checked_server("https://me:pw@10.0.0.1", ""), EndpointError);
}

}  // namespace
}  // namespace mlc
