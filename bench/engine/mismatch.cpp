#include "bench/engine/mismatch.hpp"

#include <bit>
#include <cmath>
#include <cstdio>
#include <vector>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using pattern::Op;

template <class F, Op op>
std::uint64_t expected_at(DataSpec spec) {
  return pattern::expectation_at<F, op>(spec.recipe, spec.source, spec.index);
}

std::string flipped(std::uint64_t difference) {
  std::vector<std::string> bits;
  for (int bit = 0; bit < 64; ++bit)
    if ((difference >> bit & 1) != 0) bits.push_back(std::to_string(bit));
  return (bits.size() == 1 ? "bit " : "bits ") + join(bits, ", ") + " flipped";
}

template <class F, Op op>
std::string kind_of(const WrongElement& e) {
  using Bits = typename F::Bits;
  const auto actual = static_cast<Bits>(e.actual);
  const auto ranks = e.spec.recipe.ranks;
  const std::uint64_t difference = e.expected ^ e.actual;
  // One wrong element with one wrong bit is a flip, whatever else it may coincide with.
  if (e.wrong_in_stretch == 1 && std::popcount(difference) == 1) return flipped(difference);
  if (actual == static_cast<Bits>(~Bits{0})) return "never written (still poison)";

  DataSpec before = e.spec;
  before.recipe.iteration -= 1;
  if (expected_at<F, op>(before) == actual) return "left over from the previous iteration";
  if constexpr (op == Op::copy) {
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      DataSpec other = e.spec;
      other.source = rank;
      if (rank != e.spec.source && expected_at<F, op>(other) == actual)
        return "data of rank " + std::to_string(rank) + " in its place";
      for (std::uint64_t shift = 1; e.chunk > 0 && shift < ranks; ++shift) {
        other.index = (e.spec.index % e.chunk) + e.chunk * ((e.spec.index / e.chunk + shift) % ranks);
        if (expected_at<F, op>(other) == actual)
          return "data of rank " + std::to_string(rank) + " for another chunk in its place";
        other.index = e.spec.index;
      }
    }
  } else if constexpr (op == Op::sum) {
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      const auto part = pattern::contribution_at<F, op>(e.spec.recipe, rank, e.spec.index);
      if (part == 0) continue;
      bool missing, twice;
      if constexpr (F::floating) {
        const double expected = pattern::decode<F>(static_cast<Bits>(e.expected)),
                     got = pattern::decode<F>(actual), x = pattern::decode<F>(part);
        missing = got == expected - x, twice = got == expected + x;
      } else {
        missing = actual == static_cast<Bits>(e.expected - part),
        twice = actual == static_cast<Bits>(e.expected + part);
      }
      if (missing) return "contribution of rank " + std::to_string(rank) + " missing";
      if (twice) return "contribution of rank " + std::to_string(rank) + " added twice";
    }
  }
  if (std::popcount(difference) <= 3) return flipped(difference);
  if (F::floating && std::isnan(pattern::decode<F>(actual))) return "not a number";
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(difference));
  return std::string("unexplained (xor ") + text + ")";
}

}  // namespace

std::string likely_kind(const WrongElement& element) {
  return with_format_and_op(element.spec.dtype, element.spec.op,
                            [&]<class F, Op op>() { return kind_of<F, op>(element); });
}

std::string value_and_bits(Dtype dtype, std::uint64_t bits) {
  char hex[32];
  std::snprintf(hex, sizeof hex, "0x%0*llx", 2 * width_of(dtype), static_cast<unsigned long long>(bits));
  const std::string value = with_format(dtype, [&]<class F>() -> std::string {
    if constexpr (F::floating)
      return shortest(pattern::decode<F>(static_cast<typename F::Bits>(bits)));
    else if constexpr (F::is_signed)
      return std::to_string(
          static_cast<std::int64_t>(static_cast<std::make_signed_t<typename F::Bits>>(bits)));
    else
      return std::to_string(static_cast<typename F::Bits>(bits));
  });
  return value + " (" + hex + ")";
}

}  // namespace mlc
