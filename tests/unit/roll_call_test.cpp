#include "bench/ranks/roll_call.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "bench/ranks/presence.hpp"

namespace mlc {
namespace {

using std::chrono::milliseconds;

// Serves until something is found or two seconds are over.
std::optional<Lost> serve_for(RollCallServer& server, milliseconds most = milliseconds(2000)) {
  const auto until = std::chrono::steady_clock::now() + most;
  while (std::chrono::steady_clock::now() < until) {
    if (auto lost = server.serve()) return lost;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return std::nullopt;
}

// Ranks 1.. on these nodes, each speaking for itself.
std::vector<Expected> ranks_on(std::initializer_list<const char*> nodes) {
  std::vector<Expected> ranks;
  for (const char* node : nodes) {
    const int rank = static_cast<int>(ranks.size()) + 1;
    ranks.push_back({rank, node, rank});
  }
  return ranks;
}

std::vector<RankState> at(int rank, std::uint64_t sequence, const std::string& phase) {
  return {{.rank = rank, .node = {}, .sequence = sequence, .phase = phase}};
}

RollCallAddress loopback_of(const RollCallServer& server) {
  RollCallAddress address = server.address();
  address.addresses = {"127.0.0.1"};
  return address;
}

TEST(RollCall, HearsWhereEveryRankIs) {
  RollCallServer server;
  server.expect(ranks_on({"a", "b"}));
  RollCallClient one(loopback_of(server), 1, 5), two(loopback_of(server), 2, 5);
  one.heartbeat(at(1, 17, "warm-up")), two.heartbeat(at(2, 18, "timed\nlines"));
  EXPECT_FALSE(serve_for(server, milliseconds(100)));
  const auto states = server.states();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].sequence, 17u);
  EXPECT_EQ(states[0].phase, "warm-up");
  EXPECT_EQ(states[1].node, "b");
  EXPECT_EQ(states[1].phase, "timed\\nlines");
  one.bye({1}), two.bye({2});
  EXPECT_FALSE(serve_for(server, milliseconds(100)));
  EXPECT_TRUE(server.all_said_bye());
}

TEST(RollCall, AConnectionThatClosesWithoutAWordIsADeath) {
  RollCallServer server;
  server.expect(ranks_on({"b"}));
  {
    RollCallClient one(loopback_of(server), 1, 5);
    one.heartbeat(at(1, 5, "allreduce 1 MiB"));
    EXPECT_FALSE(serve_for(server, milliseconds(100)));
  }
  const auto lost = serve_for(server);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->rank, 1);
  EXPECT_EQ(lost->message, "");
  EXPECT_EQ(server.state_of(1).node, "b");
  EXPECT_EQ(server.state_of(1).phase, "allreduce 1 MiB");
  EXPECT_FALSE(serve_for(server, milliseconds(50))) << "told once";
}

TEST(RollCall, AFailureIsPassedOn) {
  RollCallServer server;
  server.expect(ranks_on({"b"}));
  RollCallClient one(loopback_of(server), 1, 5);
  one.lost({1, "cuda: out of memory"});
  const auto lost = serve_for(server);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->message, "cuda: out of memory");
  server.end_all();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(one.listen(), RollCallClient::Heard::end) << "who has said its last still hears";
}

TEST(RollCall, ASpeakerTellsOfItsNodeAndOfNobodyElse) {
  RollCallServer server;
  server.expect({{1, "a", 1}, {8, "b", 8}, {9, "b", 8}});
  RollCallClient one(loopback_of(server), 1, 5), eight(loopback_of(server), 8, 5);
  auto told = at(8, 3, "warm-up");
  told.push_back(at(9, 4, "timed").front());
  eight.heartbeat(told);
  one.heartbeat(at(9, 99, "nonsense"));
  EXPECT_FALSE(serve_for(server, milliseconds(100)));
  EXPECT_EQ(server.state_of(9).sequence, 4u);
  EXPECT_THAT(server.news(), testing::SizeIs(2));
  EXPECT_THAT(server.news(), testing::IsEmpty());
  eight.lost({9, ""});
  const auto lost = serve_for(server);
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->rank, 9);
}

// 1,000 heartbeats wake nobody; the end does.
TEST(RollCall, DataWakesNobodyAndAnEndDoes) {
  RollCallServer server;
  server.expect(ranks_on({"b"}));
  RollCallClient one(loopback_of(server), 1, 5);
  EXPECT_FALSE(serve_for(server, milliseconds(50)));
  auto fds = server.descriptors();
  ASSERT_EQ(fds.size(), 1u) << "all are here: nobody else is listened for";
  one.heartbeat(at(1, 1, "timed"));
  server.heartbeat();
  EXPECT_EQ(::poll(fds.data(), fds.size(), 100), 0);
  pollfd down{one.descriptor(), POLLRDHUP, 0};
  EXPECT_EQ(::poll(&down, 1, 100), 0);
  one.bye({1});
  EXPECT_EQ(::poll(fds.data(), fds.size(), 2000), 1);
  EXPECT_FALSE(serve_for(server, milliseconds(50)));
  EXPECT_TRUE(server.all_said_bye());
  EXPECT_THAT(server.descriptors(), testing::IsEmpty()) << "an end is no endless alarm";
  server.end_all();
  EXPECT_EQ(::poll(&down, 1, 2000), 1);
}

// A peer that reads nothing for long: what it reads in the end is still whole lines.
TEST(RollCall, ASlowReaderGetsWholeLines) {
  RollCallServer server;
  server.expect(ranks_on({"b"}));
  RollCallClient one(loopback_of(server), 1, 5);
  for (std::uint64_t i = 1; i < 100'000; ++i)
    one.heartbeat(at(1, i, std::string(100, 'x') + "|"));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (server.state_of(1).sequence < 100'000 && std::chrono::steady_clock::now() < until) {
    ASSERT_FALSE(server.serve());
    one.heartbeat(at(1, 100'000, "all read"));
    const auto state = server.state_of(1);
    ASSERT_TRUE(state.sequence == 0 || state.phase.ends_with("x|") || state.phase == "all read")
        << state.phase;
  }
  EXPECT_EQ(server.state_of(1).phase, "all read");
}

TEST(RollCall, StrangersAndNonsenseAreIgnored) {
  RollCallServer server;
  server.expect(ranks_on({"b"}));
  const auto say = [&](const std::string& text) {
    FileDescriptor fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET, to.sin_port = htons(server.address().port),
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    (void)!::write(fd.get(), text.data(), text.size());
    EXPECT_FALSE(serve_for(server, milliseconds(50)));
  };
  const std::string token = server.address().token;
  for (const std::string& text :
       {std::string("GET / HTTP/1.1\n\n"), std::string("mlc-bench wrong 1\n"), "mlc-bench " + token + " 0\n",
        "mlc-bench " + token + " 99\n", "mlc-bench " + token + " -1\n", std::string(100'000, 'x'),
        std::string("\0\0\0\n", 4), std::string()})
    say(text);
  EXPECT_FALSE(server.all_said_bye());
}

TEST(RollCall, AClientLosesItsServer) {
  auto server = std::make_unique<RollCallServer>();
  server->expect(ranks_on({"b"}));
  RollCallClient one(loopback_of(*server), 1, 5);
  (void)serve_for(*server, milliseconds(50));
  server->end_all();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(one.listen(), RollCallClient::Heard::end);
  server.reset();
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(one.listen(), RollCallClient::Heard::lost);
}

TEST(RollCall, AServerOutOfReachIsAnErrorWithinTheDeadline) {
  RollCallAddress nowhere{"token", 1, {"127.0.0.1"}};
  EXPECT_THROW(RollCallClient(nowhere, 1, 0.3), std::runtime_error);
}

TEST(Presence, IsSeenWhileItLastsByTheSameJobOnly) {
  const std::string job = "test-" + std::to_string(::getpid());
  {
    const auto zero = announce_presence(job, 0), two = announce_presence(job, 2);
    EXPECT_THAT(ranks_present(job, 4), testing::ElementsAre(0, 2));
    EXPECT_THAT(ranks_present(job + "x", 4), testing::IsEmpty());
  }
  EXPECT_THAT(ranks_present(job, 4), testing::IsEmpty());
}

}  // namespace
}  // namespace mlc
