// Element formats as data: enough to build and read exact values bit by bit, on the host and on the GPU, at
// compile time and at run time.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#define MLC_HD __host__ __device__
#else
#define MLC_HD
#endif

namespace mlc::pattern {

template <int Width>
using UnsignedOf =
    std::conditional_t<Width == 1, std::uint8_t,
                       std::conditional_t<Width == 2, std::uint16_t,
                                          std::conditional_t<Width == 4, std::uint32_t, std::uint64_t>>>;

// Two's complement or unsigned integers of Width bytes; arithmetic is modulo 2^(8 Width), on unsigned words.
template <int Width, bool Signed>
struct Integer {
  static constexpr bool floating = false;
  static constexpr bool is_signed = Signed;
  static constexpr int width = Width;
  using Bits = UnsignedOf<Width>;
  static constexpr Bits sign_bit = static_cast<Bits>(Bits{1} << (8 * Width - 1));
  // For 8-bit sums, which are kept from overflowing (pattern.hpp): magnitudes together stay within
  // 2^significand_bits.
  static constexpr int significand_bits = Signed ? 6 : 7;
  using Wide = std::int32_t;
};

// Binary floating point: 1 sign bit, ExponentBits, MantissaBits (hidden bit not counted).
template <int ExponentBits, int MantissaBits>
struct Float {
  static constexpr bool floating = true;
  static constexpr bool is_signed = true;
  static constexpr int exponent_bits = ExponentBits;
  static constexpr int mantissa_bits = MantissaBits;
  static constexpr int width = (1 + ExponentBits + MantissaBits) / 8;
  static constexpr int bias = (1 << (ExponentBits - 1)) - 1;
  static constexpr int significand_bits = MantissaBits + 1;
  using Bits = UnsignedOf<width>;
  static constexpr Bits sign_bit = static_cast<Bits>(Bits{1} << (8 * width - 1));
  static constexpr Bits mantissa_mask = static_cast<Bits>((Bits{1} << MantissaBits) - 1);
  // Integers of this type hold every value that data generation builds: |m| <= 2^significand_bits.
  using Wide = std::conditional_t<width == 8, std::int64_t, std::int32_t>;
};

using Int8 = Integer<1, true>;
using Uint8 = Integer<1, false>;
using Int32 = Integer<4, true>;
using Uint32 = Integer<4, false>;
using Int64 = Integer<8, true>;
using Uint64 = Integer<8, false>;
using Half = Float<5, 10>;
using Bfloat16 = Float<8, 7>;
using Single = Float<8, 23>;
using Double = Float<11, 52>;
using Fp8E4M3 = Float<4, 3>;
using Fp8E5M2 = Float<5, 2>;

// m x 2^exponent (of integers: m), which must be exactly representable and normal (or zero). Without a
// branch, for vectorisation.
template <class F>
MLC_HD constexpr typename F::Bits encode_exact(typename F::Wide m, int exponent) {
  using Bits = typename F::Bits;
  if constexpr (!F::floating) {
    return static_cast<Bits>(m);
  } else if constexpr (F::width == 8) {
    const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(m));
    const auto scaled = bits + (static_cast<std::uint64_t>(static_cast<std::int64_t>(exponent)) << 52);
    return scaled & (std::uint64_t{0} - static_cast<std::uint64_t>(m != 0));
  } else {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(m));  // exact: |m| <= 2^24
    const std::uint32_t sign = bits >> 31 << (8 * F::width - 1);
    const std::uint32_t magnitude =
        (bits & 0x7fffffffu) + (static_cast<std::uint32_t>(exponent + F::bias - 127) << 23);
    const std::uint32_t nonzero = 0u - static_cast<std::uint32_t>(m != 0);
    return static_cast<Bits>((sign | (magnitude & 0x7fffffffu) >> (23 - F::mantissa_bits)) & nonzero);
  }
}

// The value of finite bits (subnormals included). Infinities and NaNs of IEEE-like formats come out as such;
// E4M3 has no infinity and one NaN magnitude.
template <class F>
MLC_HD constexpr double decode(typename F::Bits bits) {
  if constexpr (!F::floating) {
    if constexpr (F::is_signed)
      return static_cast<double>(static_cast<std::make_signed_t<typename F::Bits>>(bits));
    else
      return static_cast<double>(bits);
  } else if constexpr (F::width == 8) {
    return std::bit_cast<double>(bits);
  } else {
    const std::uint32_t field = (bits >> F::mantissa_bits) & ((1u << F::exponent_bits) - 1);
    const std::uint32_t mantissa = bits & F::mantissa_mask;
    const bool negative = (bits & F::sign_bit) != 0;
    constexpr std::uint32_t top = (1u << F::exponent_bits) - 1;
    constexpr bool e4m3 = F::exponent_bits == 4 && F::mantissa_bits == 3;
    if (e4m3 ? (field == top && mantissa == 7) : (field == top)) {
      const std::uint64_t special = 0x7ff0000000000000u | (e4m3 || mantissa != 0 ? 0x8000000000000u : 0u);
      return std::bit_cast<double>(special | static_cast<std::uint64_t>(negative) << 63);
    }
    if (field != 0)
      return std::bit_cast<double>(static_cast<std::uint64_t>(negative) << 63 |
                                   static_cast<std::uint64_t>(field + 1023 - F::bias) << 52 |
                                   static_cast<std::uint64_t>(mantissa) << (52 - F::mantissa_bits));
    double value = mantissa;
    for (int e = 1 - F::bias - F::mantissa_bits; e < 0; ++e)
      value /= 2;
    return negative ? -value : value;
  }
}

// Round to nearest, ties to even, subnormals included; overflow goes to infinity (E4M3: to its NaN, which no
// generated data reaches). Not for hot loops.
template <class F>
MLC_HD constexpr typename F::Bits round_from(double value) {
  using Bits = typename F::Bits;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  if constexpr (F::width == 8) {
    return bits;
  } else {
    const auto sign = static_cast<Bits>((bits >> 63) << (8 * F::width - 1));
    const int source_exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
    constexpr auto top = static_cast<Bits>(((1u << F::exponent_bits) - 1) << F::mantissa_bits);
    if (source_exponent == 1024)
      return static_cast<Bits>(sign | top | ((bits & 0xfffffffffffffu) != 0 ? F::mantissa_mask : 0));
    if (source_exponent == -1023) return sign;
    const std::uint64_t significand = (bits & 0xfffffffffffffu) | std::uint64_t{1} << 52;
    const int exponent = source_exponent < 1 - F::bias ? 1 - F::bias : source_exponent;
    const int drop = 52 - F::mantissa_bits + (exponent - source_exponent);
    if (drop > 54) return sign;
    const std::uint64_t kept = significand >> drop, rest = significand & ((std::uint64_t{1} << drop) - 1);
    const std::uint64_t half = std::uint64_t{1} << (drop - 1);
    const std::uint64_t rounded = kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0);
    // A carry out of the mantissa runs into the exponent field by itself; the hidden bit is one field step.
    const std::uint64_t field = static_cast<std::uint64_t>(exponent + F::bias - 1) << F::mantissa_bits;
    const std::uint64_t result = field + rounded;
    return static_cast<Bits>(sign |
                             (result >= top && !(F::exponent_bits == 4) ? top : static_cast<Bits>(result)));
  }
}

// Bits in numeric order as unsigned words: negative floats reversed, positive above them.
template <class F>
MLC_HD constexpr typename F::Bits order_key(typename F::Bits bits) {
  using Bits = typename F::Bits;
  if constexpr (F::floating)
    return static_cast<Bits>(bits & F::sign_bit ? static_cast<Bits>(~bits)
                                                : static_cast<Bits>(bits | F::sign_bit));
  else if constexpr (F::is_signed)
    return static_cast<Bits>(bits ^ static_cast<Bits>(Bits{1} << (8 * F::width - 1)));
  else
    return bits;
}

}  // namespace mlc::pattern
