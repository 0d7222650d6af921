// Who meets whom. Pure.
#pragma once

#include <optional>
#include <vector>

#include "validators/host/ipv4.hpp"

namespace mlc::rdma {

struct Meeting {
  int first = 0, second = 0;  // first < second
  auto operator<=>(const Meeting&) const = default;
};

// Every two of `count` meet exactly once, in rounds whose meetings are disjoint: the circle method (one stays, the others
// move on by a seat). count - 1 rounds for an even count, count for an odd one, where one rests in each round.
std::vector<std::vector<Meeting>> circle_rounds(int count);

// A rail as the other end needs it for pairing.
struct RailAddress {
  int index = 0;                  // its number on its own node
  std::optional<Prefix> network;  // of its address
};

struct RailPair {
  int mine = 0, theirs = 0;  // positions in the two lists
  auto operator<=>(const RailPair&) const = default;
};

// Rail i with the peer's rail i: by the subnet they share where every network on both sides is known and distinct (device
// names and slots differ between nodes, subnets do not), else by index.
std::vector<RailPair> pair_rails(const std::vector<RailAddress>& mine, const std::vector<RailAddress>& theirs);

// Every rail with every rail of the peer.
std::vector<RailPair> all_pairs(std::size_t mine, std::size_t theirs);

}  // namespace mlc::rdma
