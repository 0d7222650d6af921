// Most of a node's metadata is who wrote which field, which nobody here asks. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mlc {

// JSON as it comes, in pieces, with every list of managed fields made empty: it is never held as a whole, and
// never becomes values, each of which is many times its text. A list without an end stays one, and the reader
// says what is wrong with it; within the lists only that brackets and strings end is looked at.
class ManagedFieldsFilter {
 public:
  void take(std::string_view piece, std::string& into);

 private:
  enum class At { outside, string, after_name, after_colon, list, list_string };
  // How many bytes of `rest` stay in this state.
  std::size_t outside(std::string_view rest);
  std::size_t in_string(std::string_view rest);
  std::size_t in_list(std::string_view rest);
  std::size_t between(char next);

  At at_ = At::outside;
  bool escaped_ = false, is_name_ = false;
  std::size_t matched_ = 0, depth_ = 0;
};

}  // namespace mlc
