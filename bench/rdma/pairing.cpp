#include "bench/rdma/pairing.hpp"

#include <algorithm>
#include <set>

namespace mlc::rdma {

std::vector<std::vector<Meeting>> circle_rounds(int count) {
  if (count < 2) return {};
  const int seats = count + count % 2;  // an odd count has a seat whose neighbour rests
  std::vector<std::vector<Meeting>> rounds;
  for (int round = 0; round + 1 < seats; ++round) {
    std::vector<Meeting> meetings;
    for (int seat = 0; seat < seats / 2; ++seat) {
      const int moving = seats - 1;
      const int a = seat == 0 ? moving : (round + seat) % moving, b = (round + moving - seat) % moving;
      if (a < count && b < count) meetings.push_back({std::min(a, b), std::max(a, b)});
    }
    std::ranges::sort(meetings);
    rounds.push_back(std::move(meetings));
  }
  return rounds;
}

namespace {

bool distinct_networks(const std::vector<RailAddress>& rails) {
  std::set<Prefix> seen;
  for (const auto& rail : rails)
    if (!rail.network || !seen.insert(rail.network->network()).second) return false;
  return true;
}

}  // namespace

std::vector<RailPair> pair_rails(const std::vector<RailAddress>& mine, const std::vector<RailAddress>& theirs) {
  const bool by_network = distinct_networks(mine) && distinct_networks(theirs);
  const auto match = [&](bool networks) {
    std::vector<RailPair> pairs;
    for (std::size_t i = 0; i < mine.size(); ++i)
      for (std::size_t j = 0; j < theirs.size(); ++j)
        if (networks ? mine[i].network->network() == theirs[j].network->network() : mine[i].index == theirs[j].index)
          pairs.push_back({static_cast<int>(i), static_cast<int>(j)});
    return pairs;
  };
  // Routed rails have a subnet of their own on every node: what is not shared by all cannot decide.
  if (by_network)
    if (auto pairs = match(true); pairs.size() == std::min(mine.size(), theirs.size())) return pairs;
  return match(false);
}

std::vector<RailPair> all_pairs(std::size_t mine, std::size_t theirs) {
  std::vector<RailPair> pairs;
  for (std::size_t i = 0; i < mine; ++i)
    for (std::size_t j = 0; j < theirs; ++j)
      pairs.push_back({static_cast<int>(i), static_cast<int>(j)});
  return pairs;
}

}  // namespace mlc::rdma
