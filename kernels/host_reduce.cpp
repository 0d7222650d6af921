#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "kernels/host_clones.hpp"
#include "kernels/host_pattern.hpp"

namespace mlc {

namespace {

// C++ types of the formats that have one, for the operators below.
template <class F>
struct Native {
  using type = void;
};
template <>
struct Native<pattern::Single> {
  using type = float;
};
template <>
struct Native<pattern::Double> {
  using type = double;
};

template <Redop op, class T>
T combine(T a, T b) {
  if constexpr (op == Redop::prod)
    return a * b;
  else if constexpr (op == Redop::min)
    return std::min(a, b);
  else if constexpr (op == Redop::max)
    return std::max(a, b);
  else
    return a + b;
}

template <Redop op, class T>
MLC_HOST_CLONES void reduce_native(T* inout, const T* in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i)
    inout[i] = combine<op>(in[i], inout[i]);
}

// Integers wrap: sums and products on unsigned 64-bit words, order by value.
template <Redop op, class F>
MLC_HOST_CLONES void reduce_integers(typename F::Bits* inout, const typename F::Bits* in,
                                     std::uint64_t count) {
  using Bits = typename F::Bits;
  for (std::uint64_t i = 0; i < count; ++i) {
    if constexpr (op == Redop::min)
      inout[i] = pattern::smaller<F>(in[i], inout[i]);
    else if constexpr (op == Redop::max)
      inout[i] = pattern::larger<F>(in[i], inout[i]);
    else
      inout[i] = static_cast<Bits>(
          combine<op>(static_cast<std::uint64_t>(in[i]), static_cast<std::uint64_t>(inout[i])));
  }
}

inline float bfloat16_value(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

inline std::uint16_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return static_cast<std::uint16_t>(nan ? bits >> 16 | 0x40 : rounded >> 16);
}

template <Redop op>
MLC_HOST_CLONES void reduce_bfloat16(std::uint16_t* inout, const std::uint16_t* in, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i)
    inout[i] = bfloat16_bits(combine<op>(bfloat16_value(in[i]), bfloat16_value(inout[i])));
}

template <Redop op>
MLC_HOST_CLONES void reduce_half(std::uint16_t* inout, const std::uint16_t* in, std::uint64_t count) {
#if defined(__FLT16_MAX__)
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto a = static_cast<float>(std::bit_cast<_Float16>(in[i])),
               b = static_cast<float>(std::bit_cast<_Float16>(inout[i]));
    inout[i] = std::bit_cast<std::uint16_t>(static_cast<_Float16>(combine<op>(a, b)));
  }
#else
  for (std::uint64_t i = 0; i < count; ++i)
    inout[i] = pattern::round_from<pattern::Half>(
        combine<op>(pattern::decode<pattern::Half>(in[i]), pattern::decode<pattern::Half>(inout[i])));
#endif
}

// All 65536 results of an operator on an 8-bit format.
template <class F, Redop op>
const std::array<std::uint8_t, 65536>& results_of() {
  static const auto table = [] {
    auto results = std::make_unique<std::array<std::uint8_t, 65536>>();
    for (std::uint32_t a = 0; a < 256; ++a)
      for (std::uint32_t b = 0; b < 256; ++b)
        (*results)[a << 8 | b] =
            pattern::round_from<F>(combine<op>(pattern::decode<F>(static_cast<std::uint8_t>(a)),
                                               pattern::decode<F>(static_cast<std::uint8_t>(b))));
    return results;
  }();
  return *table;
}

template <class Call>
void with_redop(Redop redop, Call&& f) {
  switch (redop) {
    case Redop::prod:
      return f.template operator()<Redop::prod>();
    case Redop::min:
      return f.template operator()<Redop::min>();
    case Redop::max:
      return f.template operator()<Redop::max>();
    case Redop::sum:
    case Redop::avg:
      return f.template operator()<Redop::sum>();
  }
}

}  // namespace

void reduce_into(void* inout, const void* in, std::uint64_t count, Dtype dtype, Redop redop) {
  with_format(dtype, [&]<class F>() {
    with_redop(redop, [&]<Redop op>() {
      using Bits = typename F::Bits;
      auto* to = static_cast<Bits*>(inout);
      const auto* from = static_cast<const Bits*>(in);
      if constexpr (!F::floating) {
        reduce_integers<op, F>(to, from, count);
      } else if constexpr (F::width >= 4) {
        using T = typename Native<F>::type;
        reduce_native<op>(static_cast<T*>(inout), static_cast<const T*>(in), count);
      } else if constexpr (std::is_same_v<F, pattern::Bfloat16>) {
        reduce_bfloat16<op>(to, from, count);
      } else if constexpr (std::is_same_v<F, pattern::Half>) {
        reduce_half<op>(to, from, count);
      } else {
        const auto& results = results_of<F, op>();
        for (std::uint64_t i = 0; i < count; ++i)
          to[i] = results[static_cast<std::size_t>(from[i] << 8 | to[i])];
      }
    });
  });
}

void average(void* sums, std::uint64_t count, Dtype dtype, int ranks) {
  with_format(dtype, [&]<class F>() {
    using Bits = typename F::Bits;
    auto* values = static_cast<Bits*>(sums);
    if constexpr (F::floating) {
      const double scale = pattern::average_scale<F>(static_cast<std::uint32_t>(ranks));
      for (std::uint64_t i = 0; i < count; ++i)
        if constexpr (F::width >= 4)
          static_cast<typename Native<F>::type*>(sums)[i] *= static_cast<typename Native<F>::type>(scale);
        else
          values[i] = pattern::round_from<F>(pattern::decode<F>(values[i]) * scale);
    } else {
      for (std::uint64_t i = 0; i < count; ++i)
        if constexpr (F::is_signed)
          values[i] = static_cast<Bits>(static_cast<std::make_signed_t<Bits>>(values[i]) /
                                        static_cast<std::int64_t>(ranks));
        else
          values[i] = static_cast<Bits>(values[i] / static_cast<std::uint64_t>(ranks));
    }
  });
}

}  // namespace mlc
