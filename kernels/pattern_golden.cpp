// Golden values: a change to the generator breaks the build, on the host compiler and on nvcc alike (this
// file is compiled by both where CUDA is built). Known answers: splitmix64(0) from its authors; the others
// were taken from the first version and checked against an independent implementation
// (tests/unit/pattern_reference.py).
#include "kernels/pattern.hpp"

namespace mlc::pattern {

static_assert(mix64(0) == 0xe220a8397b1dcdafu);

static_assert(encode_exact<Single>(-3, -1) == 0xbfc00000u);
static_assert(encode_exact<Double>(5, 3) == 0x4044000000000000u);
static_assert(encode_exact<Half>(2048, -11) == 0x3c00);
static_assert(encode_exact<Bfloat16>(-255, 0) == 0xc37f);
static_assert(encode_exact<Fp8E4M3>(15, 3) == 0x6f);
static_assert(encode_exact<Fp8E5M2>(-7, 2) == 0xcf);
static_assert(encode_exact<Half>(0, 5) == 0);
static_assert(round_from<Half>(1.0 / 3) == 0x3555);
static_assert(round_from<Bfloat16>(1.0 / 3) == 0x3eab);
static_assert(round_from<Half>(6.0e-8) == 0x0001);  // the smallest subnormal is 5.96e-8
static_assert(round_from<Fp8E4M3>(-448) == 0xfe);
static_assert(decode<Fp8E4M3>(0x7e) == 448 && decode<Fp8E5M2>(0x7b) == 57344 &&
              decode<Half>(0x0001) == 0x1p-24);
static_assert(inverse_of_odd<std::uint8_t>(171) * 171 % 256 == 1);

template <class F>
constexpr bool budget_holds() {
  for (std::uint32_t ranks = 1; ranks <= 4096; ranks += ranks < 64 ? 1 : 61) {
    const auto range = sum_range<F>(ranks);
    const std::uint64_t most = static_cast<std::uint64_t>(range.target_mask) + 1 +
                               (F::is_signed ? 2 : 1) * (static_cast<std::uint64_t>(range.active) - 1) *
                                   (static_cast<std::uint64_t>(range.other_mask) + 1);
    if (most > std::uint64_t{1} << F::significand_bits) return false;
    if (range.active > ranks) return false;
  }
  return true;
}
static_assert(budget_holds<Single>() && budget_holds<Half>() && budget_holds<Bfloat16>() &&
              budget_holds<Double>() && budget_holds<Fp8E4M3>() && budget_holds<Fp8E5M2>() &&
              budget_holds<Int8>() && budget_holds<Uint8>());

inline constexpr Recipe golden{.seed = 42, .iteration = 7, .ranks = 3};
#include "kernels/pattern_golden.inc"

}  // namespace mlc::pattern
