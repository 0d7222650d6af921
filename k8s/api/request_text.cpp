#include "k8s/api/request_text.hpp"

#include <cctype>
#include <cstdint>
#include <string_view>

namespace mlc {

std::string query_escaped(const std::string& text) {
  std::string escaped;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || std::string_view("-_.~").find(static_cast<char>(c)) != std::string_view::npos) {
      escaped += static_cast<char>(c);
      continue;
    }
    static constexpr std::string_view digits = "0123456789ABCDEF";
    escaped += '%', escaped += digits[c >> 4], escaped += digits[c & 15];
  }
  return escaped;
}

std::string name_hash(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const unsigned char c : text)
    hash = (hash ^ c) * 1099511628211u;
  std::string digits;
  for (int i = 0; i < 16; ++i, hash >>= 4)
    digits += "0123456789abcdef"[hash & 15];
  return digits;
}

}  // namespace mlc
