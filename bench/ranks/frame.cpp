#include "bench/ranks/frame.hpp"

#include "reports/record/text.hpp"

namespace mlc::rdma {

namespace {

constexpr std::string_view magic = "MLCR";

std::uint32_t number_at(std::span<const std::byte> bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

}  // namespace

std::array<std::byte, header_bytes> encode_header(const FrameHeader& header) {
  std::array<std::byte, header_bytes> bytes{};
  for (std::size_t i = 0; i < magic.size(); ++i)
    bytes[i] = static_cast<std::byte>(magic[i]);
  bytes[4] = static_cast<std::byte>(protocol_version >> 8),
  bytes[5] = static_cast<std::byte>(protocol_version & 0xff);
  bytes[6] = static_cast<std::byte>(header.kind);
  for (std::size_t i = 0; i < 4; ++i)
    bytes[8 + i] = static_cast<std::byte>(header.bytes >> (24 - 8 * i) & 0xff);
  return bytes;
}

FrameHeader decode_header(std::span<const std::byte, header_bytes> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(magic))
    throw FrameError("what came is not from mlc-bench rdma: '" + printable(text) + "'");
  if (const auto version = number_at(bytes, 4, 2); version != protocol_version)
    throw VersionError("the peer speaks version " + std::to_string(version) +
                       " of the protocol, this program version " + std::to_string(protocol_version) +
                       ": run the same mlc-bench on both sides");
  const auto kind = number_at(bytes, 6, 1);
  if (kind < 1 || kind > 3 || number_at(bytes, 7, 1) != 0)
    throw FrameError("a frame of unknown kind " + std::to_string(kind));
  const auto length = number_at(bytes, 8, 4);
  if (length > most_payload)
    throw FrameError("a frame of " + std::to_string(length) + " bytes is no message of ours");
  return {static_cast<FrameKind>(kind), length};
}

}  // namespace mlc::rdma
