// Those who came to a coordinator over links (signed_link.hpp): strangers until they have said who they are,
// then seats. Keeps them alive, hears what they say, and knows who is gone.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/ranks/signed_link.hpp"

namespace mlc {

class Gathering {
 public:
  using Clock = std::chrono::steady_clock;
  struct Seat {
    std::optional<SignedLink> link;  // empty: gone
    nlohmann::json hello;
    std::string address, gone;  // gone: why
    Clock::time_point heard;    // the last time that it said something
  };
  struct Terms {
    std::string key;
    double alive_every_s = 5;  // a sign of life for each seat
    double silence_s = 0;      // of a seat, after which it is gone; 0: its connection alone tells
    // Why this one is no member; empty: it is. May throw what reading its hello throws.
    std::function<std::string(const nlohmann::json& hello)> refusal;
    std::function<std::string(const nlohmann::json& hello)> name;
    std::function<void(const std::string&)> say;
  };

  Gathering(FileDescriptor listener, Terms terms);

  // Waits a moment, takes who comes and hears who is there. What seats said.
  std::vector<std::pair<int, nlohmann::json>> turn(int wait_ms = 100);
  void tell(int seat, const nlohmann::json& message);
  void lose(int seat, const std::string& why);
  // From now on nobody is missed.
  void ending() { ending_ = true; }

  int size() const { return static_cast<int>(seats_.size()); }
  const Seat& seat(int number) const { return *seats_[static_cast<std::size_t>(number)]; }
  bool here(int number) const { return seat(number).link.has_value(); }
  int present() const;  // seats whose member is here
  // Once, when all have come: seats are numbered anew.
  void sort(const std::function<int(const nlohmann::json& hello)>& by);

 private:
  struct Guest {  // not yet a member
    SignedLink link;
    Clock::time_point since = Clock::now();
  };
  // False: it became a member, was refused, or is none of ours.
  bool keep(Guest& guest);

  FileDescriptor listener_;
  Terms terms_;
  std::vector<Guest> guests_;
  std::vector<std::unique_ptr<Seat>> seats_;
  Clock::time_point alive_ = Clock::now(), turned_ = alive_, rests_until_ = alive_;
  int turned_away_ = 0;
  bool ending_ = false;
};

}  // namespace mlc
