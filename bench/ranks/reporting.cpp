#include "bench/ranks/reporting.hpp"

#include <algorithm>
#include <map>

namespace mlc {

std::vector<int> report_to(std::span<const std::string> nodes) {
  std::vector<int> to(nodes.size(), 0);
  if (!to.empty()) to[0] = -1;
  if (nodes.size() <= most_that_speak_alone) return to;
  std::map<std::string_view, int> speakers;
  for (std::size_t rank = 0; rank < nodes.size(); ++rank) {
    const auto [speaker, first] = speakers.try_emplace(nodes[rank], static_cast<int>(rank));
    if (!first) to[rank] = speaker->second;
  }
  return to;
}

std::vector<Expected> heard_by(int rank, std::span<const std::string> nodes, std::span<const int> report_to) {
  std::vector<Expected> heard;
  for (std::size_t other = 0; other < nodes.size(); ++other) {
    const int at = static_cast<int>(other), to = report_to[other];
    if (at != rank && (to == rank || rank == 0)) heard.push_back({at, nodes[other], to == rank ? at : to});
  }
  return heard;
}

double heartbeat_interval(std::span<const int> report_to) {
  const auto connections = static_cast<double>(std::ranges::count(report_to, 0));
  return std::clamp(std::max(connections * 1e-3, static_cast<double>(report_to.size()) * 0.25e-3), 0.25, 4.0);
}

}  // namespace mlc
