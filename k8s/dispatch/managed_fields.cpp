#include "k8s/dispatch/managed_fields.hpp"

#include <algorithm>

namespace mlc {

namespace {

constexpr std::string_view name = "managedFields";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

std::size_t ManagedFieldsFilter::outside(std::string_view rest) {
  const auto quote = rest.find('"');
  if (quote == rest.npos) return rest.size();
  at_ = At::string, is_name_ = true, matched_ = 0;
  return quote + 1;
}

// Of a string, its end included.
std::size_t ManagedFieldsFilter::in_string(std::string_view rest) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (escaped_) {
      escaped_ = false;
    } else if (rest[i] == '\\') {
      escaped_ = true, is_name_ = false;
    } else if (rest[i] == '"') {
      if (at_ == At::list_string)
        at_ = At::list;
      else
        at_ = is_name_ && matched_ == name.size() ? At::after_name : At::outside;
      return i + 1;
    } else if (is_name_) {
      is_name_ = matched_ < name.size() && rest[i] == name[matched_];
      ++matched_;
    }
  }
  return rest.size();
}

// Up to the bracket that ends it, which is not passed.
std::size_t ManagedFieldsFilter::in_list(std::string_view rest) {
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      at_ = At::list_string, is_name_ = false;
      return i + 1;
    }
    if (rest[i] == '[' || rest[i] == '{') ++depth_;
    if ((rest[i] == ']' || rest[i] == '}') && --depth_ == 0) {
      at_ = At::outside;
      return i;
    }
  }
  return rest.size();
}

// The name, then a colon, then a list: else it was something else.
std::size_t ManagedFieldsFilter::between(char next) {
  if (is_blank(next)) return 1;
  if (at_ == At::after_name && next == ':') {
    at_ = At::after_colon;
    return 1;
  }
  if (at_ == At::after_colon && next == '[') {
    at_ = At::list, depth_ = 1;
    return 1;
  }
  at_ = At::outside;
  return 0;
}

void ManagedFieldsFilter::take(std::string_view piece, std::string& into) {
  while (!piece.empty()) {
    std::size_t length = 0;
    bool kept = true;
    switch (at_) {
      case At::outside:
        length = outside(piece);
        break;
      case At::string:
        length = in_string(piece);
        break;
      case At::after_name:
      case At::after_colon:
        length = between(piece.front());
        break;
      case At::list:
        length = in_list(piece), kept = false;
        break;
      case At::list_string:
        length = in_string(piece), kept = false;
        break;
    }
    if (kept) into.append(piece.substr(0, length));
    piece.remove_prefix(length);
  }
}

}  // namespace mlc
