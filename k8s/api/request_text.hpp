// Text as it goes into a request. Pure.
#pragma once

#include <string>

namespace mlc {

std::string query_escaped(const std::string& text);  // RFC 3986, for a value in a query

// 16 hexadecimal digits, the same for the same words: for names of objects, so that who comes second makes
// nothing twice (FNV-1a).
std::string name_hash(const std::string& text);

}  // namespace mlc
