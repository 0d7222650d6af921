// Most of a node's metadata is who wrote which field, which nobody here asks. Pure.
#pragma once

#include <string>

namespace mlc {

// The text with every list of managed fields made empty, before it becomes values, each of which is many
// times its text. What has no end stays as it is, and the reader says what is wrong with it;
// within the lists only that brackets and strings end is looked at.
void empty_managed_fields(std::string& json);

}  // namespace mlc
