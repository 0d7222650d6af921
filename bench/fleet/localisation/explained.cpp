#include "bench/fleet/localisation/explained.hpp"

#include <array>
#include <string_view>

#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

struct Said {
  Standing standing;
  std::string_view when;
};

constexpr std::array<Said, 8> all{
    {{Standing::faulty,
      "bad in two rounds and with two partners, and nothing else explains it: a node, a rail of it "
      "or one direction is taken out and mended; a leaf or an uplink is the network's"},
     {Standing::ambiguous,
      "something is bad, and two things explain it, or chance: all are listed, nobody is taken "
      "out; test again, or exchange one end"},
     {Standing::masked, "what is bad about it, something worse explains: test again when that is mended"},
     {Standing::unresolved, "suspected still, or too few tests, when the rounds were over: hold it again"},
     {Standing::path,
      "one source port is slow between two nodes and another is not: the network's; the nodes pass"},
     {Standing::watch, "bad once and then no more, or less than the floor: it passes"},
     {Standing::lost, "no agent of it answers: unknown"},
     {Standing::clean, "as the others, in two tests with two partners on every rail"}}};

}  // namespace

std::string fleet_explained(const Rules& rules) {
  std::string text =
      "fleet: nodes meet in pairs, all pairs of a round at the same time, all rails at once and both ways.\n"
      "What is bad with every partner is at fault itself; what is bad between some lies between them.\n\n";
  for (const auto& said : all)
    text += pad_right(std::string(to_string(said.standing)), 11) + std::string(said.when) + "\n";
  text += "\nrounds     two for nearly all nodes, " + std::to_string(rules.rounds) +
          " at most (--rounds); up to 8 nodes every two meet\n";
  text += "certainty  e^" + shortest(rules.confidence) +
          " over chance and over every other cause (--confidence)\n";
  text += "loss       " + percent_text(rules.floor) + " at least (--floor)\n";
  text +=
      "measure    16 nodes and more: what is usual between them. Fewer: --rail-rate, or the payload that "
      "the\n"
      "           policy's rate and MTU let through\n";
  text += "two nodes  cannot be told from each other, but by a counter that grew at one: both are listed\n";
  text +=
      "topology   without --topology a slow leaf is slow rails of several nodes. Nobody is taken out for it\n"
      "           where they are 6 or more (one in 64), or, below 16 nodes, 2\n";
  text +=
      "exit code  1 something is FAULTY or PATH; 2 somebody is AMBIGUOUS, MASKED, UNRESOLVED or LOST; else "
      "0.\n"
      "           With --leader of index 0 alone\n";
  return text;
}

}  // namespace mlc::fleet
