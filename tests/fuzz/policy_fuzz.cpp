// Any text as a policy: read, or refused with PolicyError; nothing else. What is read is shown with its
// defaults, and that means the same.
#include <cstdint>
#include <cstdlib>
#include <tuple>

#include "validators/policy/effective_policy.hpp"
#include "validators/policy/policy.hpp"

namespace {

auto asked_by(const mlc::Policy& policy) {
  return std::tie(policy.name, policy.about, policy.target, policy.confidence, policy.unknown_blocks,
                  policy.thresholds, policy.node, policy.gpu, policy.burnin, policy.health, policy.passive,
                  policy.fabric, policy.dispatch, policy.admit, policy.rdma);
}

// Well-formed as far as lengths go. What is not is kept as it is when read, and shown with a mark in its
// place.
bool is_utf8(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80       ? 1
                               : lead >> 5 == 6  ? 2
                               : lead >> 4 == 14 ? 3
                               : lead >> 3 == 30 ? 4
                                                 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    i += length;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  mlc::Policy policy;
  try {
    policy = mlc::read_policy(text, "fuzz");
  } catch (const mlc::PolicyError&) {
    return 0;
  }
  if (is_utf8(text) && asked_by(mlc::read_policy(mlc::effective_policy(policy), "shown")) != asked_by(policy))
    std::abort();
  return 0;
}
