// The control over TCP: between two threads, and against peers that are not what they should be.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <thread>

#include "bench/backends/communicator.hpp"
#include "bench/ranks/frame.hpp"
#include "bench/ranks/tcp_control.hpp"
#include "bench/rdma/session.hpp"
#include "tests/rdma/fake_verbs.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc::rdma {

namespace {

using testing::HasSubstr;

// A port that was free a moment ago.
int free_port() {
  const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t length = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

// A peer that says what it likes.
FileDescriptor raw_connection(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  for (int i = 0; i < 200; ++i) {
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ADD_FAILURE() << "nobody listens";
  return {};
}

void say(const FileDescriptor& socket, const std::string& bytes) {
  EXPECT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

std::string frame(const std::string& payload, std::uint16_t version = protocol_version) {
  auto header = encode_header({FrameKind::message, static_cast<std::uint32_t>(payload.size())});
  header[4] = static_cast<std::byte>(version >> 8), header[5] = static_cast<std::byte>(version & 0xff);
  return std::string(reinterpret_cast<const char*>(header.data()), header.size()) + payload;
}

std::string reason(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

struct Both {
  std::unique_ptr<TcpControl> listener, connector;
};

Both connected(double timeout_s = 5) {
  const int port = free_port();
  auto listening = std::async(
      std::launch::async, [&] { return listen_for_peer(port, timeout_s, "1.0", [](const std::string&) {}); });
  Both both;
  both.connector = connect_to_peer("127.0.0.1", port, timeout_s, "1.0");
  both.listener = listening.get();
  return both;
}

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(Tcp, IsAControlOfTwo) {
  const Both both = connected();
  EXPECT_EQ(both.connector->rank(), 0) << "the plan of the one that connects counts";
  EXPECT_EQ(both.listener->rank(), 1);
  auto other = std::async(std::launch::async, [&] {
    auto texts = gather_text(*both.listener, "from the listener");
    texts.push_back(agree_text(*both.listener, "mine"));
    both.listener->barrier();
    std::vector<double> values{1, 5};
    both.listener->maximum(values);
    texts.push_back(std::to_string(values[0]));
    return texts;
  });
  EXPECT_THAT(gather_text(*both.connector, ""), testing::ElementsAre("", "from the listener"));
  EXPECT_EQ(agree_text(*both.connector, std::string(3'000'000, 'x')).size(), 3'000'000u);
  both.connector->barrier();
  std::vector<double> values{2, 3};
  both.connector->maximum(values);
  EXPECT_THAT(values, testing::ElementsAre(2, 5));
  EXPECT_THAT(other.get(),
              testing::ElementsAre("", "from the listener", std::string(3'000'000, 'x'), "2.000000"));
}

TEST(Tcp, NobodyComes) {
  const int port = free_port();
  const double took = seconds_of([&] {
    EXPECT_THAT(reason([&] { (void)listen_for_peer(port, 0.3, "1.0", {}); }),
                HasSubstr("no peer came to TCP port " + std::to_string(port) + " within 0.3 s"));
  });
  EXPECT_LT(took, 5);
}

TEST(Tcp, NobodyListens) {
  EXPECT_THAT(reason([&] { (void)connect_to_peer("127.0.0.1", free_port(), 0.3, "1.0"); }),
              testing::AllOf(HasSubstr("cannot reach 127.0.0.1"), HasSubstr("refused")));
  EXPECT_THAT(reason([&] { (void)connect_to_peer("no-such-host.invalid", 1, 0.3, "1.0"); }),
              HasSubstr("does not resolve"));
}

TEST(Tcp, APortInUseIsSaid) {
  const int port = free_port();
  auto first = std::async(std::launch::async,
                          [&] { return reason([&] { (void)listen_for_peer(port, 1, "1.0", {}); }); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_THAT(reason([&] { (void)listen_for_peer(port, 1, "1.0", {}); }), HasSubstr("--listen=PORT"));
  first.wait();
}

TEST(Tcp, GarbageIsTurnedAwayAndThePeerStillServed) {
  const int port = free_port();
  std::vector<std::string> refused;
  auto listening = std::async(std::launch::async, [&] {
    return listen_for_peer(port, 20, "1.0", [&](const std::string& text) { refused.push_back(text); });
  });
  const auto browser = raw_connection(port);
  say(browser, "GET / HTTP/1.1\r\n\r\n");
  raw_connection(port);                                  // a health probe: connects and goes
  say(raw_connection(port), frame("1.0").substr(0, 9));  // a frame cut off
  const auto connector = connect_to_peer("127.0.0.1", port, 20, "1.0");
  EXPECT_TRUE(listening.get());
  ASSERT_EQ(refused.size(), 3u);
  EXPECT_THAT(refused[0], HasSubstr("GET / HTTP"));
  EXPECT_THAT(refused[1], HasSubstr("ended the connection"));
  EXPECT_THAT(refused[2], HasSubstr("ended the connection"));
}

TEST(Tcp, AnotherVersionEndsBothAtOnce) {
  const int port = free_port();
  auto listening = std::async(std::launch::async,
                              [&] { return reason([&] { (void)listen_for_peer(port, 20, "1.0", {}); }); });
  EXPECT_THAT(reason([&] { (void)connect_to_peer("127.0.0.1", port, 20, "2.0"); }),
              HasSubstr("runs mlc-bench 1.0, this is 2.0"));
  EXPECT_THAT(listening.get(), HasSubstr("runs mlc-bench 2.0, this is 1.0"));

  const int next = free_port();
  auto again = std::async(std::launch::async,
                          [&] { return reason([&] { (void)listen_for_peer(next, 20, "1.0", {}); }); });
  const auto old = raw_connection(next);
  say(old, frame("1.0", 7));
  EXPECT_THAT(again.get(), HasSubstr("version 7 of the protocol"));
}

TEST(Tcp, APeerThatEndsIsNoticedAtOnce) {
  Both both = connected(60);
  both.connector.reset();
  EXPECT_THAT(reason([&] {
                both.listener->barrier();
                both.listener->barrier();
              }),
              HasSubstr("ended the connection"));
}

TEST(Tcp, APeerThatFallsSilentIsGivenUpWithinTheDeadline) {
  const Both both = connected(0.4);
  const double took = seconds_of([&] {
    EXPECT_THAT(reason([&] { both.listener->barrier(); }), HasSubstr("has been silent for 0.4 s"));
  });
  EXPECT_LT(took, 5);
}

TEST(Tcp, APeerThatIsBusyButAliveIsWaitedFor) {
  const Both both = connected(0.5);
  auto waiting = std::async(std::launch::async, [&] { return reason([&] { both.listener->barrier(); }); });
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    both.connector->alive();
  }
  both.connector->barrier();
  EXPECT_EQ(waiting.get(), "nothing was thrown");
}

TEST(Tcp, WhyThePeerGaveUpIsPassedOn) {
  const Both both = connected();
  both.connector->broken("rail 2 is on fire");
  EXPECT_THAT(reason([&] { both.listener->barrier(); }), HasSubstr("cannot go on: rail 2 is on fire"));
}

TEST(Tcp, AMessageOfTheWrongLengthIsAnError) {
  const Both both = connected();
  auto other = std::async(std::launch::async, [&] {
    return reason([&] {
      std::vector<std::byte> mine(3), all(6);
      both.connector->all_gather(mine, all);
    });
  });
  std::vector<std::byte> mine(5), all(10);
  EXPECT_THAT(reason([&] { both.listener->all_gather(mine, all); }),
              HasSubstr("sent 3 bytes where 5 belong"));
  other.wait();
}

// The session itself over TCP.
TEST(Tcp, ASessionOverTcp) {
  fake::Fabric fabric;
  const Both both = connected();
  Plan plan;
  plan.sizes = {4096}, plan.iterations = 50, plan.pairs = 2;
  const auto end = [&](TcpControl& control) {
    const auto verbs = fabric.verbs(control.rank());
    EndSettings settings{.node = "node" + std::to_string(control.rank()),
                         .version = "1",
                         .rails = {{.index = 0, .device = "dev0", .gid_index = 1}},
                         .alive = [&] { control.alive(); }};
    Session session(control, *verbs, plan, std::move(settings), true);
    return session.run([](const auto&, const auto&) { return false; }, [](const auto&) {});
  };
  auto other = std::async(std::launch::async, [&] { return end(*both.listener); });
  const auto mine = end(*both.connector);
  const auto theirs = other.get();
  ASSERT_EQ(mine.size(), 1u);
  ASSERT_EQ(mine[0].results.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(mine[0].results[i].error, "");
    EXPECT_EQ(mine[0].results[i].wrong.value_or(9), 0u);
    EXPECT_EQ(mine[0].results[i].report, theirs[0].results[i].report) << "both ends know both directions";
  }
}

TEST(Tcp, APeerThatDiesInMidTransferIsNoticed) {
  fake::Fabric fabric;
  Both both = connected(1);
  Plan plan;
  plan.sizes = {4096}, plan.seconds = 30, plan.precision = 0, plan.pairs = 1, plan.timeout_s = 1,
  plan.retests = 0;
  const auto begin = [&](TcpControl& control) {
    const auto verbs = fabric.verbs(control.rank());
    EndSettings settings{
        .node = "n", .version = "1", .rails = {{.index = 0, .device = "dev0", .gid_index = 1}}, .alive = [&] {
          control.alive();
        }};
    Session session(control, *verbs, plan, std::move(settings), true);
    (void)session.run([](const auto&, const auto&) { return false; }, [](const auto&) {});
  };
  // The listener vanishes while the transfer runs: it answers up to there, and then no more.
  class Dying final : public Control {
   public:
    explicit Dying(std::unique_ptr<TcpControl>& control) : control_(control) {}
    int rank() const override { return 1; }
    int size() const override { return 2; }
    void barrier() override { control_->barrier(); }
    void broadcast(std::span<std::byte> bytes, int root) override { control_->broadcast(bytes, root); }
    void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
      // A text takes two: facts, addresses and readiness are told; instead of results it is gone.
      if (++calls_ > 6) {
        control_.reset();
        throw BackendError("killed");
      }
      control_->all_gather(mine, all);
    }
    void maximum(std::span<double>) override {}

   private:
    std::unique_ptr<TcpControl>& control_;
    int calls_ = 0;
  };
  auto dying = std::async(std::launch::async, [&] {
    Dying control(both.listener);
    const auto verbs = fabric.verbs(1);
    return reason([&] {
      Session session(
          control, *verbs, plan,
          {.node = "n", .version = "1", .rails = {{.index = 0, .device = "dev0", .gid_index = 1}}}, true);
      (void)session.run([](const auto&, const auto&) { return false; }, [](const auto&) {});
    });
  });
  const double took = seconds_of(
      [&] { EXPECT_THAT(reason([&] { begin(*both.connector); }), HasSubstr("the peer 127.0.0.1")); });
  EXPECT_LT(took, 20);
  EXPECT_EQ(dying.get(), "killed");
}

}  // namespace

}  // namespace mlc::rdma
