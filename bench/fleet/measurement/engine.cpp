#include "bench/fleet/measurement/engine.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/record/whole_number.hpp"

namespace mlc::fleet {

namespace {

constexpr int most_uplinks = 1024;
constexpr double longest_s = 600;

}  // namespace

int source_port_of(const TestTerms& terms, int queue_pair) {
  constexpr int labels = source_ports / queue_pairs;
  const int uplink = uplink_of(terms.plan, queue_pair, terms.uplinks > 0 ? terms.uplinks : labels);
  return uplink % labels * queue_pairs + queue_pair;
}

nlohmann::json to_json(const TestTerms& terms) {
  return {{"token", terms.token},         {"first", terms.plan.first}, {"second", terms.plan.second},
          {"base", terms.plan.base},      {"step", terms.plan.step},   {"uplinks", terms.uplinks},
          {"warm_up_s", terms.warm_up_s}, {"test_s", terms.test_s},    {"connect_s", terms.connect_s}};
}

TestTerms terms_from(const nlohmann::json& json) {
  const auto whole = [&](const char* key, int most) {
    const int value = whole_number<int>(json.at(key));
    if (value < 0 || value > most) throw std::runtime_error(std::string(key) + " is out of range");
    return value;
  };
  const auto seconds = [&](const char* key) {
    const double value = json.at(key).get<double>();
    if (!(value >= 0) || value > longest_s) throw std::runtime_error(std::string(key) + " is no time");
    return value;
  };
  TestTerms terms{.token = json.at("token").get<std::string>(),
                  .plan = {.first = whole("first", 1 << 20),
                           .second = whole("second", 1 << 20),
                           .base = whole("base", 1 << 20),
                           .step = whole("step", 1 << 20)},
                  .uplinks = whole("uplinks", most_uplinks),
                  .warm_up_s = seconds("warm_up_s"),
                  .test_s = seconds("test_s"),
                  .connect_s = seconds("connect_s")};
  if (terms.token.size() != token_bytes) throw std::runtime_error("the test's token is none");
  return terms;
}

}  // namespace mlc::fleet
