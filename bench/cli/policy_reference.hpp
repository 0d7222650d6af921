// The keys of a policy for readers: on a terminal and as docs/policy.md. Pure.
#pragma once

#include <span>
#include <string>

#include "validators/policy/policy_keys.hpp"

namespace mlc {

// Sections one after the other, at most 80 columns wide.
std::string policy_keys_text(std::span<const PolicyKey> keys);
// A page, with a table for each section.
std::string policy_keys_markdown(std::span<const PolicyKey> keys);

}  // namespace mlc
