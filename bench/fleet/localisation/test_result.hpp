// A test of two nodes, as planned and as measured: all rails at once, both directions, four queue pairs each.
// Nodes are numbers in the campaign's list. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace mlc::fleet {

inline constexpr int queue_pairs = 4;

struct PlannedTest {
  int first = 0, second = 0;  // first < second
  int base = 0,
      step = 1;  // queue pair q takes uplink (base + q step) mod uplinks; nothing where none is known
  auto operator<=>(const PlannedTest&) const = default;
};

inline int uplink_of(const PlannedTest& test, int queue_pair, int uplinks) {
  return (test.base + queue_pair * test.step) % uplinks;
}

// What grew during the test at one end of a flow.
struct CounterGrowth {
  bool port = false;        // of the port itself: symbol errors, recoveries, receive errors, discards
  bool transport = false;   // lost somewhere on the way: out of sequence, time-outs, duplicates
  bool pause_sent = false;  // PFC: what arrived could not be taken away
  bool operator==(const CounterGrowth&) const = default;
};

struct FlowResult {
  bool dead = false;     // it failed or timed out though both agents live
  double rate = 0;       // share of the target
  double error = 0;      // standard error of that, from the windows
  int slow_windows = 0;  // of windows_a_test, below the test's own median by more than three deviations
  std::array<double, queue_pairs> shares{};  // a queue pair's rate over an equal part of the target
  CounterGrowth at_sender, at_receiver;
  bool operator==(const FlowResult&) const = default;
};

inline const FlowResult& flow_of(const std::vector<FlowResult>& flows, int rail, bool back) {
  const int position = 2 * rail + (back ? 1 : 0);
  return flows[static_cast<std::size_t>(position)];
}

struct TestResult {
  std::uint64_t campaign = 0;
  int round = 0;  // from 1
  int first = 0, second = 0;
  std::vector<FlowResult> flows;  // [2 rail]: first sends; [2 rail + 1]: second sends
  bool operator==(const TestResult&) const = default;
};

struct MeasuredTest {
  int round = 0;
  PlannedTest plan;
  std::vector<FlowResult> flows;
  bool operator==(const MeasuredTest&) const = default;
};

// Whose results of a round count.
struct Accepted {
  std::vector<MeasuredTest> measured;     // by first and second, whatever order they came in
  std::vector<PlannedTest> not_measured;  // no result, or none that can be believed
  std::vector<std::string> refused;       // what came and did not count, and why
};

// Why a result cannot be; empty: it can.
std::string wrong_in(const TestResult& result, int rails);

// Nothing that is missing, doubled, foreign, of another campaign or round, or no number ever becomes a pass:
// the test is not measured, and both nodes stay uncovered.
Accepted accept_results(std::uint64_t campaign, int round, int rails, const std::vector<PlannedTest>& planned,
                        const std::vector<TestResult>& results);

}  // namespace mlc::fleet
