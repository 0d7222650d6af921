// What one end counted of one flow, and what both ends' counts come to. Pure. Gbit/s is 1e9 bits of payload a
// second.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/fleet/localisation/likelihood.hpp"
#include "bench/fleet/localisation/test_result.hpp"

namespace mlc::fleet {

// Bytes of each queue pair, window after window (windows_a_test of them, where the test ran to its end).
using Windows = std::vector<std::array<std::uint64_t, queue_pairs>>;

struct FlowSide {
  std::string error;                         // why it did not run, or not to its end; empty: it did
  std::array<double, queue_pairs> gbit_s{};  // mean of each queue pair
  double gbit_s_error = 0;                   // standard error of their sum
  int slow_windows = 0;                      // of windows_a_test
  bool operator==(const FlowSide&) const = default;
  double sum() const;
};

// A window is slow below the median of its test by three deviations. These are taken from the windows above
// the median, so that slow ones do not hide themselves, and are at least 3 % of it (the usual variation of a
// window). What a neighbour makes up for came late and was not lost: a full line cannot make up for anything.
// `arrivals`: in how many parts the bytes came, all windows together; 0: many. Of few in a window one more or
// less is no sign: then a deviation is that of counting them, 1 / sqrt(n).
FlowSide side_of(const Windows& windows, double window_s, std::uint64_t arrivals = 0);

// Of a rail: what this end sent and what it received.
struct RailSides {
  FlowSide sent, received;
  CounterGrowth grew;  // of this end's port
  bool operator==(const RailSides&) const = default;
};

nlohmann::json to_json(const std::vector<RailSides>& rails);
// Throws std::runtime_error: a key missing or of another type, another number of rails.
std::vector<RailSides> rail_sides_from(const nlohmann::json& json, std::size_t rails);

// Ends that count apart by more than this share of the larger figure do not speak of one flow.
inline constexpr double most_disagreement = .25;

struct TestSides {
  std::vector<RailSides> first, second;
};

// Rail by rail; where the two ends disagree about a flow, why ("gpu-7 sent 180.0 Gbit/s, gpu-9 received
// 90.2"). Such a test is no result: nobody knows who is right.
std::string disagreement(const TestSides& sides, const std::string& first, const std::string& second);

// Of the first rail that carried nothing one way: what each end says of it. Empty: all carried something.
std::string dead_text(const TestSides& sides, const std::string& first, const std::string& second);

// The receiving end's count is the flow's, over the target.
std::vector<FlowResult> flows_of(const TestSides& sides, double target_gbit_s);

// Where nobody named a target: what the fastest tenth of the flows reaches; 0: there is none.
double inferred_target(const std::vector<TestSides>& tests);

}  // namespace mlc::fleet
