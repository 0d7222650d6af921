// What those who decide know of a check; the checks themselves are not to be seen from there.
#pragma once

#include <string>
#include <vector>

namespace mlc {

struct KnownCheck {
  std::string name;
  std::vector<std::string> keys;  // of the policy's `node` section (NodeExpectation::keys), that it judges
};

}  // namespace mlc
