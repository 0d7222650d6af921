// Element types and reduction operators by the names users type (nccl-tests' names first), and the step from
// a value of these enums to the compile-time format.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "kernels/pattern.hpp"

namespace mlc {

enum class Dtype {
  int8,
  uint8,
  int32,
  uint32,
  int64,
  uint64,
  half,
  bfloat16,
  float32,
  float64,
  fp8_e4m3,
  fp8_e5m2
};
enum class Redop { sum, prod, min, max, avg };

struct DtypeName {
  Dtype dtype;
  std::string_view name, alias;  // the alias is accepted, the name is printed
  int width;                     // bytes
};

inline constexpr std::array<DtypeName, 12> dtype_names{{
    {Dtype::int8, "int8", "char", 1},
    {Dtype::uint8, "uint8", "uchar", 1},
    {Dtype::int32, "int32", "int", 4},
    {Dtype::uint32, "uint32", "uint", 4},
    {Dtype::int64, "int64", "long", 8},
    {Dtype::uint64, "uint64", "ulong", 8},
    {Dtype::half, "half", "float16", 2},
    {Dtype::bfloat16, "bfloat16", "bf16", 2},
    {Dtype::float32, "float", "float32", 4},
    {Dtype::float64, "double", "float64", 8},
    {Dtype::fp8_e4m3, "f8e4m3", "fp8_e4m3", 1},
    {Dtype::fp8_e5m2, "f8e5m2", "fp8_e5m2", 1},
}};

inline constexpr std::array<std::pair<Redop, std::string_view>, 5> redop_names{{{Redop::sum, "sum"},
                                                                                {Redop::prod, "prod"},
                                                                                {Redop::min, "min"},
                                                                                {Redop::max, "max"},
                                                                                {Redop::avg, "avg"}}};

constexpr const DtypeName& entry_of(Dtype dtype) { return dtype_names[static_cast<std::size_t>(dtype)]; }
constexpr std::string_view to_string(Dtype dtype) { return entry_of(dtype).name; }
constexpr int width_of(Dtype dtype) { return entry_of(dtype).width; }
constexpr std::string_view to_string(Redop redop) {
  return redop_names[static_cast<std::size_t>(redop)].second;
}

constexpr std::optional<Dtype> parse_dtype(std::string_view text) {
  for (const auto& entry : dtype_names)
    if (text == entry.name || text == entry.alias) return entry.dtype;
  return std::nullopt;
}

constexpr std::optional<Redop> parse_redop(std::string_view text) {
  for (const auto& [redop, name] : redop_names)
    if (text == name) return redop;
  return std::nullopt;
}

constexpr pattern::Op op_of(Redop redop) { return static_cast<pattern::Op>(static_cast<int>(redop) + 1); }
static_assert(op_of(Redop::sum) == pattern::Op::sum && op_of(Redop::avg) == pattern::Op::avg);

// Calls f.template operator()<Format>() with the format of `dtype`.
template <class Call>
decltype(auto) with_format(Dtype dtype, Call&& f) {
  switch (dtype) {
    case Dtype::int8:
      return f.template operator()<pattern::Int8>();
    case Dtype::uint8:
      return f.template operator()<pattern::Uint8>();
    case Dtype::int32:
      return f.template operator()<pattern::Int32>();
    case Dtype::uint32:
      return f.template operator()<pattern::Uint32>();
    case Dtype::int64:
      return f.template operator()<pattern::Int64>();
    case Dtype::uint64:
      return f.template operator()<pattern::Uint64>();
    case Dtype::half:
      return f.template operator()<pattern::Half>();
    case Dtype::bfloat16:
      return f.template operator()<pattern::Bfloat16>();
    case Dtype::float64:
      return f.template operator()<pattern::Double>();
    case Dtype::fp8_e4m3:
      return f.template operator()<pattern::Fp8E4M3>();
    case Dtype::fp8_e5m2:
      return f.template operator()<pattern::Fp8E5M2>();
    case Dtype::float32:
      break;
  }
  return f.template operator()<pattern::Single>();
}

// 1/ranks rounds to zero in the format, and with it every average (exactness.hpp).
inline bool average_vanishes(Dtype dtype, std::uint32_t ranks) {
  return with_format(dtype, [&]<class F>() {
    if constexpr (F::floating)
      return pattern::average_scale<F>(ranks) == 0;
    else
      return false;
  });
}

// Calls f.template operator()<Format, Op>(). Copies look at no format: they take the unsigned one of the same
// width.
template <class Call>
decltype(auto) with_format_and_op(Dtype dtype, pattern::Op op, Call&& f) {
  using pattern::Op;
  if (op == Op::copy) {
    switch (width_of(dtype)) {
      case 1:
        return f.template operator()<pattern::Uint8, Op::copy>();
      case 2:
        return f.template operator()<pattern::Half, Op::copy>();
      case 4:
        return f.template operator()<pattern::Uint32, Op::copy>();
      default:
        return f.template operator()<pattern::Uint64, Op::copy>();
    }
  }
  return with_format(dtype, [&]<class F>() -> decltype(auto) {
    switch (op) {
      case Op::prod:
        return f.template operator()<F, Op::prod>();
      case Op::min:
        return f.template operator()<F, Op::min>();
      case Op::max:
        return f.template operator()<F, Op::max>();
      case Op::avg:
        return f.template operator()<F, Op::avg>();
      default:
        return f.template operator()<F, Op::sum>();
    }
  });
}

}  // namespace mlc
