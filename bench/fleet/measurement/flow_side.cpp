#include "bench/fleet/measurement/flow_side.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <stdexcept>

#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;

constexpr double usual_variation = .03, deviations = 3, mad_to_sigma = 1.4826;
constexpr std::size_t blocks = 6;
constexpr std::size_t longest_error = 300;
constexpr double fastest = .9;
// Below this share of the target a difference is that of a few buffers.
constexpr double least_disagreement_gbit_s = 1e-3;

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Of the mean, from the means of a few blocks: neighbouring windows depend on one another.
double standard_error(std::span<const double> values) {
  const std::size_t length = values.size() / blocks;
  if (length == 0) return 0;
  std::array<double, blocks> means{};
  for (std::size_t block = 0; block < blocks; ++block) {
    const auto part = values.subspan(block * length, length);
    means[block] = std::accumulate(part.begin(), part.end(), 0.) / static_cast<double>(length);
  }
  const double mean = std::accumulate(means.begin(), means.end(), 0.) / blocks;
  double squares = 0;
  for (const double each : means)
    squares += (each - mean) * (each - mean);
  return std::sqrt(squares / (blocks - 1) / blocks);
}

Json side_json(const FlowSide& side) {
  if (!side.error.empty()) return {{"error", side.error}};
  return {
      {"gbit_s", side.gbit_s}, {"standard_error", side.gbit_s_error}, {"slow_windows", side.slow_windows}};
}

FlowSide side_from(const Json& json) {
  if (json.contains("error")) return {.error = printable(json.at("error").get<std::string>(), longest_error)};
  return {.error = {},
          .gbit_s = json.at("gbit_s").get<std::array<double, queue_pairs>>(),
          .gbit_s_error = json.at("standard_error").get<double>(),
          .slow_windows = whole_number<int>(json.at("slow_windows"))};
}

std::string disagreement_of(const FlowSide& sent, const FlowSide& received, const std::string& from,
                            const std::string& to) {
  if (!sent.error.empty() || !received.error.empty()) return {};
  const double larger = std::max(sent.sum(), received.sum());
  if (std::abs(sent.sum() - received.sum()) <=
      std::max(most_disagreement * larger, least_disagreement_gbit_s))
    return {};
  return from + " sent " + fixed(sent.sum(), 3) + " Gbit/s, of which " + to + " received " +
         fixed(received.sum(), 3);
}

FlowResult flow_from(const RailSides& sender, const RailSides& receiver, double target) {
  FlowResult flow{.dead = false, .shares = {}, .at_sender = sender.grew, .at_receiver = receiver.grew};
  const FlowSide& received = receiver.received;
  if (!sender.sent.error.empty() || !received.error.empty() || received.sum() <= 0) {
    flow.dead = true;
    return flow;
  }
  flow.rate = received.sum() / target;
  flow.error = received.gbit_s_error / target;
  flow.slow_windows = received.slow_windows;
  for (std::size_t q = 0; q < queue_pairs; ++q)
    flow.shares[q] = received.gbit_s[q] / (target / queue_pairs);
  return flow;
}

}  // namespace

double FlowSide::sum() const { return std::accumulate(gbit_s.begin(), gbit_s.end(), 0.); }

FlowSide side_of(const Windows& windows, double window_s, std::uint64_t arrivals) {
  FlowSide side;
  std::vector<double> rates;
  for (const auto& window : windows) {
    double rate = 0;
    for (std::size_t q = 0; q < queue_pairs; ++q) {
      const double gbit_s = static_cast<double>(window[q]) * 8e-9 / window_s;
      side.gbit_s[q] += gbit_s / static_cast<double>(windows.size());
      rate += gbit_s;
    }
    rates.push_back(rate);
  }
  if (rates.empty()) return side;
  side.gbit_s_error = standard_error(rates);
  const double median = median_of(rates);
  std::vector<double> above;
  for (const double rate : rates)
    if (rate >= median) above.push_back(rate - median);
  double deviation = std::max(mad_to_sigma * median_of(std::move(above)), usual_variation * median);
  if (arrivals > 0)
    deviation = std::max(
        deviation, median / std::sqrt(static_cast<double>(arrivals) / static_cast<double>(windows.size())));
  const double least = median - deviations * deviation;
  std::size_t slow = 0;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const double before = i > 0 ? rates[i - 1] : 0, after = i + 1 < rates.size() ? rates[i + 1] : 0;
    slow += rates[i] < least && (rates[i] + std::max(before, after)) / 2 < least ? 1 : 0;
  }
  side.slow_windows = static_cast<int>(slow * windows_a_test / rates.size());
  return side;
}

Json to_json(const std::vector<RailSides>& rails) {
  Json list = Json::array();
  for (const auto& rail : rails)
    list.push_back({{"sent", side_json(rail.sent)},
                    {"received", side_json(rail.received)},
                    {"port", rail.grew.port},
                    {"transport", rail.grew.transport},
                    {"pause_sent", rail.grew.pause_sent}});
  return list;
}

std::vector<RailSides> rail_sides_from(const Json& json, std::size_t rails) {
  try {
    if (!json.is_array() || json.size() != rails)
      throw std::runtime_error("it speaks of another number of rails");
    std::vector<RailSides> list;
    for (const auto& rail : json)
      list.push_back({.sent = side_from(rail.at("sent")),
                      .received = side_from(rail.at("received")),
                      .grew = {.port = rail.at("port").get<bool>(),
                               .transport = rail.at("transport").get<bool>(),
                               .pause_sent = rail.at("pause_sent").get<bool>()}});
    return list;
  } catch (const Json::exception& error) {
    throw std::runtime_error(error.what());
  }
}

std::string disagreement(const TestSides& sides, const std::string& first, const std::string& second) {
  for (std::size_t rail = 0; rail < sides.first.size(); ++rail) {
    auto why = disagreement_of(sides.first[rail].sent, sides.second[rail].received, first, second);
    if (why.empty())
      why = disagreement_of(sides.second[rail].sent, sides.first[rail].received, second, first);
    if (!why.empty()) return "rail " + std::to_string(rail) + ": " + why;
  }
  return {};
}

std::string dead_text(const TestSides& sides, const std::string& first, const std::string& second) {
  const auto said = [](const FlowSide& side, const char* did) {
    return side.error.empty() ? did + (" " + fixed(side.sum(), 3)) + " Gbit/s" : side.error;
  };
  for (std::size_t rail = 0; rail < sides.first.size(); ++rail)
    for (const bool back : {false, true}) {
      const auto &sent = (back ? sides.second : sides.first)[rail].sent,
                 &received = (back ? sides.first : sides.second)[rail].received;
      if (sent.error.empty() && received.error.empty() && received.sum() > 0) continue;
      const std::string &from = back ? second : first, &to = back ? first : second;
      return "rail " + std::to_string(rail) + " from " + from + " carried nothing: " + from + ": " +
             said(sent, "sent") + "; " + to + ": " + said(received, "received");
    }
  return {};
}

std::vector<FlowResult> flows_of(const TestSides& sides, double target_gbit_s) {
  std::vector<FlowResult> flows;
  for (std::size_t rail = 0; rail < sides.first.size(); ++rail) {
    flows.push_back(flow_from(sides.first[rail], sides.second[rail], target_gbit_s));
    flows.push_back(flow_from(sides.second[rail], sides.first[rail], target_gbit_s));
  }
  return flows;
}

double inferred_target(const std::vector<TestSides>& tests) {
  std::vector<double> rates;
  for (const auto& test : tests)
    for (const auto* end : {&test.first, &test.second})
      for (const auto& rail : *end)
        if (rail.received.error.empty() && std::isfinite(rail.received.sum()) && rail.received.sum() > 0)
          rates.push_back(rail.received.sum());
  if (rates.empty()) return 0;
  const auto at =
      rates.begin() + static_cast<std::ptrdiff_t>(fastest * static_cast<double>(rates.size() - 1));
  std::ranges::nth_element(rates, at);
  return *at;
}

}  // namespace mlc::fleet
