#include "bench/ranks/blame.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "reports/record/text.hpp"

namespace mlc {

std::string rank_on_node(int rank, const std::string& node) {
  return "rank " + std::to_string(rank) + " on " + printable(node, 80);
}

namespace {

// "rank 2 on gpu-b", "ranks 4-7 on gpu-b", "ranks 1, 3 on gpu-a and ranks 4-7 on gpu-b"
std::string name_all(const std::vector<const RankState*>& ranks) {
  std::map<std::string, std::vector<int>> by_node;
  for (const auto* rank : ranks)
    by_node[rank->node].push_back(rank->rank);
  std::vector<std::string> parts;
  for (const auto& [node, members] : by_node)
    parts.push_back((members.size() == 1 ? "rank " : "ranks ") + rank_list(members) + " on " +
                    printable(node, 80));
  return join(parts, " and ");
}

std::string seconds(double s) { return fixed(s, s < 10 ? 1 : 0) + " s"; }

}  // namespace

ErrorEntry blame_for_hang(std::span<const RankState> ranks, double timeout_s, double heartbeat_s) {
  std::vector<const RankState*> silent, behind;
  std::uint64_t furthest = 0;
  for (const auto& rank : ranks)
    furthest = std::max(furthest, rank.sequence);
  const RankState* ahead = nullptr;
  for (const auto& rank : ranks) {
    // Six heartbeats missed, for most of the deadline: not merely late.
    if (rank.silent_s > std::max(6 * heartbeat_s, timeout_s / 2))
      silent.push_back(&rank);
    else if (rank.sequence < furthest)
      behind.push_back(&rank);
    if (rank.sequence == furthest) ahead = &rank;
  }
  ErrorEntry error;
  if (!silent.empty()) {
    error.where = name_all(silent);
    error.what = error.where + (silent.size() == 1 ? " has" : " have") + " been silent for " +
                 seconds(silent.front()->silent_s);
    error.phase = silent.front()->phase;
    error.hint =
        "the process was stopped, or its node or the management network is gone: look at that node first";
  } else if (!behind.empty()) {
    const auto slowest = *std::min_element(behind.begin(), behind.end(),
                                           [](auto* a, auto* b) { return a->sequence < b->sequence; });
    std::vector<const RankState*> last;
    for (const auto* rank : behind)
      if (rank->sequence == slowest->sequence) last.push_back(rank);
    error.where = name_all(last);
    error.what = error.where + (last.size() == 1 ? " has" : " have") +
                 " not reached the operation that the others wait in, for " + seconds(slowest->unchanged_s);
    error.phase = slowest->phase;
    if (ahead != nullptr && ahead->phase != slowest->phase) error.phase += "; the others: " + ahead->phase;
    error.hint =
        "the process is alive but does not move on: look for a stuck GPU, driver or file system on that node";
  } else {
    std::vector<const RankState*> all;
    for (const auto& rank : ranks)
      all.push_back(&rank);
    error.where = name_all(all);
    error.what = ranks.size() == 1 ? "what it is doing has not ended for " + seconds(timeout_s)
                                   : "all ranks are inside the same operation and none has finished it for " +
                                         seconds(timeout_s);
    error.phase = ranks.empty() ? "" : ranks.front().phase;
    if (ranks.size() == 1) {
      error.hint =
          "a call into a driver or a library does not return: dmesg, and of a GPU nvidia-smi; or raise "
          "--timeout if it is really that slow";
      return error;
    }
    error.hint =
        "the transport between them does not deliver: check links, routes and MTU of the interconnect "
        "(mlc-bench validate), or raise --timeout if the operation is really that slow";
  }
  return error;
}

ErrorEntry blame_for_death(const RankState& rank) {
  return {
      .what = rank_on_node(rank.rank, rank.node) + " died (its connection closed without a word)",
      .where = rank_on_node(rank.rank, rank.node),
      .phase = rank.phase,
      .hint = "look there for a kill by the out-of-memory killer (dmesg), a crash, or a node that went away"};
}

ErrorEntry blame_for_missing(int size, std::span<const int> present_here, int expected_here,
                             const std::string& node, double timeout_s) {
  std::vector<int> absent;
  for (int rank = 0; rank < size; ++rank)
    if (std::find(present_here.begin(), present_here.end(), rank) == present_here.end())
      absent.push_back(rank);
  ErrorEntry error;
  error.phase = "launch and MPI initialisation";
  const bool whole_node_here = static_cast<int>(present_here.size()) >= expected_here;
  if (absent.empty()) {
    error.where = "all " + std::to_string(size) + " ranks on " + printable(node, 80);
    error.what = "all " + std::to_string(size) +
                 " ranks have started, but MPI initialisation has not returned for " + seconds(timeout_s);
    error.hint = "run again with OMPI_MCA_pml_base_verbose=10, or with --backend loopback to leave MPI out";
  } else if (expected_here == size || !whole_node_here) {
    error.where = (absent.size() == 1 ? "rank " : "ranks ") + rank_list(absent) +
                  (expected_here == size ? " on " + printable(node, 80) : "");
    error.what =
        error.where +
        (expected_here == size ? " never arrived: not started, or stuck before MPI initialisation, for "
                               : " not seen on " + printable(node, 80) + ", where a rank is missing, for ") +
        seconds(timeout_s);
    error.hint = "look for the process on that node (ps), and for what the launcher said of it above";
  } else {
    error.where = "a node other than " + printable(node, 80);
    error.what = "every rank of " + printable(node, 80) + " (" + rank_list(present_here) +
                 ") is here; of ranks " + rank_list(absent) +
                 " on other nodes at least one never arrived, for " + seconds(timeout_s);
    error.hint =
        "look at what the ranks on the other nodes say, and whether they can be reached on the management "
        "network";
  }
  return error;
}

}  // namespace mlc
