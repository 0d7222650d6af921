// How two processes without MPI talk over TCP: frames of a fixed header and a payload. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mlc::rdma {

// Raised with every change of what is said between the two ends, over TCP or MPI.
inline constexpr std::uint16_t protocol_version = 1;

// Not a frame, or one of another version. what() says what came instead.
struct FrameError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A mlc-bench, but not this one.
struct VersionError : FrameError {
  using FrameError::FrameError;
};

enum class FrameKind : std::uint8_t {
  message = 1,
  alive = 2,  // nothing to say, but progress is being made
  broken = 3  // the sender cannot go on; the payload says why
};

struct FrameHeader {
  FrameKind kind = FrameKind::message;
  std::uint32_t bytes = 0;  // of the payload
};

// "MLCR", the protocol version, the kind, a zero, the length: big-endian.
inline constexpr std::size_t header_bytes = 12;
inline constexpr std::uint32_t most_payload = 64 << 20;

std::array<std::byte, header_bytes> encode_header(const FrameHeader& header);
FrameHeader decode_header(std::span<const std::byte, header_bytes> bytes);  // throws FrameError

}  // namespace mlc::rdma
