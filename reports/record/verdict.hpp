// One answer for a whole run. Admitting or refusing a node is what `admit` makes of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlc {

enum class Decision { pass, fail, inconclusive };

constexpr std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::pass:
      return "pass";
    case Decision::fail:
      return "fail";
    case Decision::inconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

struct Verdict {
  Decision decision = Decision::inconclusive;
  std::vector<std::string> because;  // one sentence each, worst first; never empty unless a pass
  bool operator==(const Verdict&) const = default;
};

}  // namespace mlc
