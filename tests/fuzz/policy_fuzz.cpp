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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mlc::Policy policy;
  try {
    policy = mlc::read_policy(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  } catch (const mlc::PolicyError&) {
    return 0;
  }
  if (asked_by(mlc::read_policy(mlc::effective_policy(policy), "shown")) != asked_by(policy)) std::abort();
  return 0;
}
