// What the bandwidth test does to memory, and how many bytes that moves.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "kernels/number_format.hpp"

namespace mlc::hbm {

enum class Operation : std::uint8_t { read, write, copy, triad };

struct OperationName {
  Operation operation;
  std::string_view name;
  int buffers;  // equal parts that a region is cut into
};

inline constexpr std::array<OperationName, 4> operations{{{Operation::read, "read", 1},
                                                          {Operation::write, "write", 1},
                                                          {Operation::copy, "copy", 2},
                                                          {Operation::triad, "triad", 3}}};

constexpr int buffers_of(Operation operation) {
  return operations[static_cast<std::size_t>(operation)].buffers;
}

// Bytes of one of the equal parts of a region: a multiple of 4096, so that vector accesses are aligned.
constexpr std::uint64_t part_bytes(Operation operation, std::uint64_t region) {
  return region / static_cast<std::uint64_t>(buffers_of(operation)) / 4096 * 4096;
}

// Bytes that one pass moves: every part once, read or written (a copy's bytes count twice, as STREAM counts).
constexpr std::uint64_t bytes_moved(Operation operation, std::uint64_t region) {
  return part_bytes(operation, region) * static_cast<std::uint64_t>(buffers_of(operation));
}

// BabelStream's scalar and start values: a = b + scalar x c.
inline constexpr double scalar = 0.4;
MLC_HD constexpr double triad(double b, double c) { return b + scalar * c; }

// Peak rate in bytes per second: two transfers a clock.
constexpr double theoretical(double memory_clock_hz, int bus_width_bits) {
  return 2 * memory_clock_hz * bus_width_bits / 8;
}

}  // namespace mlc::hbm
