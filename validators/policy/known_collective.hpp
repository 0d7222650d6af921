// What those who decide know of a collective; the collectives themselves are not to be seen from there.
#pragma once

#include <string>
#include <vector>

namespace mlc {

struct KnownCollective {
  std::string name;
  bool reduces = false;                      // is measured for each operator that is asked for
  bool in_place = true;                      // has an in-place form
  std::vector<std::string> one_buffer_over;  // backends over which it has no other
};

}  // namespace mlc
