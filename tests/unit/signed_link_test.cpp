#include "bench/ranks/signed_link.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "bench/ranks/frame.hpp"

namespace mlc {
namespace {

const std::string key(64, 'k');

struct Pair {
  FileDescriptor one, other;
  Pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
      one = FileDescriptor(ends[0]), other = FileDescriptor(ends[1]);
  }
};

std::optional<nlohmann::json> heard(SignedLink& link) {
  for (int i = 0; i < 50; ++i) {
    if (auto message = link.receive()) return message;
    (void)link.wait(0.02);
  }
  return std::nullopt;
}

TEST(SignedLink, SaysWhatItIsToldInOrder) {
  Pair pair;
  SignedLink leader(std::move(pair.one), key, true, "a"), member(std::move(pair.other), key, false, "b");
  member.send({{"type", "hello"}});
  member.send({{"type", "met"}, {"report", std::string(50'000, 'x')}});
  EXPECT_FALSE(leader.receive().has_value() && leader.proven()) << "the member has not seen our number yet";
  EXPECT_FALSE(member.receive().has_value());
  EXPECT_EQ(heard(leader)->at("type"), "hello");
  EXPECT_EQ(heard(leader)->at("type"), "met");
  leader.send({{"type", "record"}});
  EXPECT_EQ(heard(member)->at("type"), "record");
  EXPECT_TRUE(leader.proven());
}

TEST(SignedLink, AnotherKeyIsNoMember) {
  Pair pair;
  SignedLink leader(std::move(pair.one), key, true, "a"),
      member(std::move(pair.other), key + "k", false, "b");
  member.send({{"type", "hello"}});
  (void)member.receive();
  EXPECT_THROW((void)heard(leader), LinkError);
  EXPECT_FALSE(leader.proven());
}

TEST(SignedLink, TwoLeadersAreNoPair) {
  Pair pair;
  SignedLink one(std::move(pair.one), key, true, "a"), two(std::move(pair.other), key, true, "b");
  two.send({{"type", "hello"}});
  (void)two.receive();
  EXPECT_THROW((void)heard(one), LinkError) << "what a leader says is not taken for a member's word";
}

// What is changed, said twice or left out on the way is heard by nobody.
TEST(SignedLink, WhatIsNotAsItWasSaidIsRefused) {
  for (const auto change : {0, 1, 2}) {
    Pair near, far;
    SignedLink leader(std::move(near.one), key, true, "a"), member(std::move(far.one), key, false, "b");
    const auto pass = [](const FileDescriptor& from, const FileDescriptor& to,
                         const std::function<std::string(std::string)>& alter) {
      std::string bytes(1 << 16, '\0');
      const auto got = ::recv(from.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got <= 0) return;
      bytes = alter(bytes.substr(0, static_cast<std::size_t>(got)));
      (void)!::send(to.get(), bytes.data(), bytes.size(), 0);
    };
    const auto same = [](std::string bytes) { return bytes; };
    pass(near.other, far.other, same), pass(far.other, near.other, same);
    (void)member.receive(), (void)leader.receive();
    member.send({{"type", "met"}, {"code", 1}});
    pass(far.other, near.other, [&](std::string bytes) {
      if (change == 0) bytes[bytes.size() - 3] ^= 1;
      return change == 2 ? std::string() : change == 1 ? bytes + bytes : bytes;
    });
    if (change == 1) {
      EXPECT_TRUE(heard(leader));
    }
    if (change == 2) {
      member.send({{"type", "met"}, {"code", 0}});
      pass(far.other, near.other, same);
    }
    EXPECT_THROW((void)heard(leader), LinkError) << change;
  }
}

TEST(SignedLink, StrangersAreToldApartAndCannotFillTheMemory) {
  for (const auto& junk : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(200'000, 'x')}) {
    Pair pair;
    SignedLink leader(std::move(pair.one), key, true, "a");
    (void)!::send(pair.other.get(), junk.data(), junk.size(), MSG_DONTWAIT);
    EXPECT_THROW((void)heard(leader), LinkError);
  }
  Pair pair;
  SignedLink leader(std::move(pair.one), key, true, "a");
  const auto header = rdma::encode_header({rdma::FrameKind::message, 50u << 20});
  (void)!::send(pair.other.get(), header.data(), header.size(), 0);
  EXPECT_THROW((void)heard(leader), LinkError);
  Pair gone;
  SignedLink left(std::move(gone.one), key, true, "a");
  gone.other = FileDescriptor();
  EXPECT_THROW((void)heard(left), LinkError);
}

}  // namespace
}  // namespace mlc
