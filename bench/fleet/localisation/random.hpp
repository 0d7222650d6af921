// Random numbers that are the same on every machine and in every build, as the schedule needs them: each
// agent computes the whole round and must come to the same list. SplitMix64: Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", OOPSLA 2014; the standard's distributions differ between
// libraries.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace mlc::fleet {

__extension__ typedef unsigned __int128 Wide;

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}
  // A stream of its own for each of two numbers: neighbouring seeds and rounds share nothing.
  constexpr Random(std::uint64_t seed, std::uint64_t part) : state_(seed) {
    state_ = next() ^ (part * 0xd1342543de82ef95ull);
    state_ = next();
  }

  constexpr std::uint64_t next() {
    std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15ull);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return mixed ^ (mixed >> 31);
  }
  // Of 0 .. count - 1. Its bias, count / 2^64, is below what any fleet could show.
  constexpr std::size_t below(std::size_t count) {
    return static_cast<std::size_t>((static_cast<Wide>(next()) * count) >> 64);
  }
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)
  double uniform(double least, double most) { return least + (most - least) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }
  // Box and Muller's, one of the pair.
  double normal() {
    return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform());
  }
  // Fisher and Yates'.
  template <class T>
  constexpr void shuffle(std::vector<T>& list) {
    for (std::size_t left = list.size(); left > 1; --left)
      std::swap(list[left - 1], list[below(left)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace mlc::fleet
