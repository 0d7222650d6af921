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
std::optional<ErrorEntry> serve_for(RollCallServer& server, milliseconds most = milliseconds(2000)) {
  const auto until = std::chrono::steady_clock::now() + most;
  while (std::chrono::steady_clock::now() < until) {
    if (auto error = server.serve()) return error;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return std::nullopt;
}

RollCallAddress loopback_of(const RollCallServer& server) {
  RollCallAddress address = server.address();
  address.addresses = {"127.0.0.1"};
  return address;
}

TEST(RollCall, HearsWhereEveryRankIs) {
  RollCallServer server;
  server.expect({"a", "a", "b"});
  RollCallClient one(loopback_of(server), 1, 5), two(loopback_of(server), 2, 5);
  one.heartbeat(17, "warm-up"), two.heartbeat(18, "timed\nlines");
  EXPECT_FALSE(serve_for(server, milliseconds(100)));
  const auto states = server.states();
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].sequence, 17u);
  EXPECT_EQ(states[0].phase, "warm-up");
  EXPECT_EQ(states[1].node, "b");
  EXPECT_EQ(states[1].phase, "timed\\nlines");
  one.bye(), two.bye();
  EXPECT_FALSE(serve_for(server, milliseconds(100)));
  EXPECT_TRUE(server.all_said_bye());
}

TEST(RollCall, AConnectionThatClosesWithoutAWordIsADeath) {
  RollCallServer server;
  server.expect({"a", "b"});
  {
    RollCallClient one(loopback_of(server), 1, 5);
    one.heartbeat(5, "allreduce 1 MiB");
    EXPECT_FALSE(serve_for(server, milliseconds(100)));
  }
  const auto error = serve_for(server);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->where, "rank 1 on b");
  EXPECT_EQ(error->phase, "allreduce 1 MiB");
  EXPECT_FALSE(serve_for(server, milliseconds(50))) << "told once";
}

TEST(RollCall, AFailureIsPassedOn) {
  RollCallServer server;
  server.expect({"a", "b"});
  RollCallClient one(loopback_of(server), 1, 5);
  one.failed("cuda: out of memory");
  const auto error = serve_for(server);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->what, "cuda: out of memory");
}

TEST(RollCall, StrangersAndNonsenseAreIgnored) {
  RollCallServer server;
  server.expect({"a", "b"});
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
  server->expect({"a", "b"});
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
