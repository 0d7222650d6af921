// Lists as people write them on command lines.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace mlc {

// Empty parts are left out.
inline std::vector<std::string> split(const std::string& list, char separator = ',') {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(separator, at), list.size());
    if (end > at) parts.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

}  // namespace mlc
