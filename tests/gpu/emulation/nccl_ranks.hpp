// Where the ranks of an emulated communicator meet: memory that they share, gone with the last of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace emulation {

inline constexpr int most_ranks = 64;
inline constexpr std::size_t room = std::size_t{64} << 20;  // of what a rank shows the others; sparse

class Ranks {
 public:
  // The name under which the others find the memory, as long as this process lives.
  static std::string make_place();

  Ranks(const std::string& place, int ranks, int rank);
  Ranks(const Ranks&) = delete;
  ~Ranks();

  int size() const { return size_; }
  int rank() const { return rank_; }
  std::byte* shown_by(int rank) const;

  void join();
  bool all_joined() const;
  void leave();  // in order: not as one that died

  // Operations are numbered from 1. A rank may show its part of one when all have done with the one before.
  bool all_done_with(std::uint64_t number) const;
  void show(std::uint64_t number);
  bool all_have_shown(std::uint64_t number) const;
  void done_with(std::uint64_t number);

  // Until another rank does any of this, or a millisecond has gone: to spin would keep the other from it
  // where there are fewer cores than ranks.
  void doze(std::uint32_t heard) const;
  std::uint32_t heard() const;  // changes with everything that any rank does: asked before it is looked

  // Symmetric windows are as large on every rank, in the same order.
  void add_window(std::uint64_t bytes);
  bool windows_agree() const;

  int dead() const;  // the first rank that has gone without leaving; -1: none

 private:
  struct Seat {
    std::atomic<int> joined, left;
    std::atomic<std::uint64_t> shown, done, windows;
  };
  Seat& seat(int rank) const;
  std::atomic<std::uint32_t>& bell() const;
  void ring() const;
  int size_, rank_, descriptor_;
  std::byte* memory_ = nullptr;
};

}  // namespace emulation
