// How well what was seen of a flow fits a fault of each severity, in nats. Pure.
//
// The form and its constants come from simulation over the world of world.hpp (docs/fleet.md); none has been
// fitted to a real fabric yet. Rates are heavy-tailed (Student's t with 5 degrees of freedom), a fault's own
// severity is known to a grid step (12 % of it), one flow in a thousand is spoilt by something else.
#pragma once

#include <array>
#include <cstddef>

namespace mlc::fleet {

// Share of the rate that a fault takes; the last is "carries nothing".
inline constexpr std::array<double, 12> severities{.028, .038, .05, .07, .1, .14, .2, .28, .4, .55, .75, 1};
inline constexpr int severity_count = static_cast<int>(severities.size());
inline constexpr int dead_severity = severity_count - 1;

inline constexpr int windows_a_test = 60;
// The decoder's sigma of a queue pair's share.
inline constexpr double share_sigma = .025;

// [0]: healthy; [1 + s]: behind a fault of severities[s].
using Logs = std::array<float, severities.size() + 1>;
// Of a severity by its position; -1: healthy.
constexpr float log_of(const Logs& logs, int severity) {
  const int position = severity + 1;
  return logs[static_cast<std::size_t>(position)];
}

// Of a rate as a share of what is usual: faster than that is no evidence of anything.
Logs rate_logs(double rate, double sigma);

// Of a flow: its rate, and how many of its windows were slow beside its own median. A dead one carried
// nothing between two live agents.
Logs flow_logs(double rate, double sigma, int slow_windows);
Logs dead_logs();

}  // namespace mlc::fleet
