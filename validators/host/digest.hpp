// SHA-256, by libcrypto.
#pragma once

#include <string>
#include <string_view>

namespace mlc {

// "sha256:" and 64 hexadecimal digits.
std::string digest_of(std::string_view content);

// Of this program as it was started. Throws std::system_error if it cannot be read.
const std::string& own_digest();

}  // namespace mlc
