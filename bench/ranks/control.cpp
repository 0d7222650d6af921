#include "bench/ranks/control.hpp"

#include <algorithm>
#include <cstdint>

namespace mlc {

std::vector<std::string> gather_text(Control& control, const std::string& text) {
  const auto lengths = gather(control, static_cast<std::uint64_t>(text.size()));
  const std::uint64_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::string mine = text;
  mine.resize(longest);
  std::string all(longest * lengths.size(), '\0');
  if (longest > 0) control.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    texts.push_back(all.substr(i * longest, lengths[i]));
  return texts;
}

std::string agree_text(Control& control, std::string text) {
  const auto length = agree(control, static_cast<std::uint64_t>(text.size()));
  text.resize(length);
  if (length > 0) control.broadcast(std::as_writable_bytes(std::span(text)), 0);
  return text;
}

}  // namespace mlc
