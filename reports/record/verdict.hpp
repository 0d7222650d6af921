// One answer for a whole run. Admitting or refusing a node is what `admit` makes of it.
#pragma once

#include <cstddef>
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

// What a sentence of the verdict is about: an entry of one of the report's lists.
struct About {
  enum class List { none, series, findings, errors } list = List::none;
  std::size_t index = 0;
  bool operator==(const About&) const = default;
};

struct Verdict {
  Decision decision = Decision::inconclusive;
  std::vector<std::string> because;  // one sentence each, worst first; never empty unless a pass
  std::vector<About> about;          // by sentence; empty of a report that did not keep it
  std::vector<std::string>
      unmeasured;  // what there was to judge by but nothing to judge, each also in because
  bool operator==(const Verdict&) const = default;
};

}  // namespace mlc
