// What a round would do, and why each node that is not open waits.
#include <algorithm>

#include "k8s/dispatch/round.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string states_text(const Round& round) {
  std::string text;
  int all = 0;
  for (const auto& [state, count] : round.states) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " +
            (state.empty() ? "without a word" : printable(state, 70));
    all += count;
  }
  return std::to_string(all) + (all == 1 ? " node" : " nodes") + (text.empty() ? "" : ": " + text) + "\n";
}

std::string waiting_text(const Round& round) {
  std::size_t name = 4, state = 5;
  for (const auto& line : round.waiting)
    name = std::max(name, columns(printable(line.name))),
    state = std::max(state, columns(printable(line.state, 70)));
  std::string text = "\n" + pad_right("node", name) + "  " + pad_right("state", state) + "  why it waits\n";
  for (const auto& line : round.waiting)
    text += pad_right(printable(line.name), name) + "  " + pad_right(printable(line.state, 70), state) +
            "  " + printable(line.why, 600) + "\n";
  return text;
}

}  // namespace

std::string round_text(const Round& round) {
  std::string text = states_text(round);
  for (const auto& note : round.notes)
    text += "note: " + printable(note, 400) + "\n";
  if (!round.waiting.empty()) text += waiting_text(round);
  std::string steps;
  for (const auto& patch : round.node_patches)
    steps += "  note on node " + printable(patch.name) + ": " + printable(patch.why, 400) + "\n";
  for (const auto& patch : round.template_patches)
    steps += "  note on the template of " + to_string(patch.kind) + ": " + printable(patch.why, 400) + "\n";
  for (const auto& job : round.deletions)
    steps += "  delete Job " + printable(job.name) + ": " + printable(job.why, 400) + "\n";
  for (const auto& job : round.creations)
    steps += "  create Job " + printable(job.name) + ": " + printable(job.why, 400) + "\n";
  return text + (steps.empty() ? "\nnothing to do\n" : "\n" + steps);
}

}  // namespace mlc
