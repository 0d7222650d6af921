#include "bench/rdma/plan.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/record/text.hpp"

namespace mlc::rdma {

std::string_view to_string(Verb verb) {
  return verb == Verb::write ? "write" : verb == Verb::read ? "read" : "send";
}

std::string_view to_string(Mode mode) {
  return mode == Mode::bandwidth ? "bandwidth" : mode == Mode::latency ? "latency" : "rate";
}

std::optional<Verb> parse_verb(std::string_view text) {
  for (Verb verb : {Verb::write, Verb::read, Verb::send})
    if (to_string(verb) == text) return verb;
  return std::nullopt;
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (Mode mode : {Mode::bandwidth, Mode::latency, Mode::rate})
    if (to_string(mode) == text) return mode;
  return std::nullopt;
}

int Plan::chain_for() const {
  const int wanted = chain > 0 ? chain : mode == Mode::rate ? 32 : 1;
  return std::clamp(wanted, 1, std::min(depth, static_cast<int>(QueuePair::most_in_chain)));
}

int Plan::moderation_for(std::uint64_t bytes) const {
  if (mode == Mode::latency) return 1;
  const int wanted = std::max(moderation > 0 ? moderation : bytes > 8192 ? 1 : 64, chain_for());
  // Whole groups go out: at least two of them fit the queue, so that one is under way while the other
  // completes.
  const int most = std::max(1, depth / 2), group = chain_for();
  return std::max(group, std::min(wanted, most) / group * group);
}

std::uint32_t Plan::inline_for(std::uint64_t bytes) const {
  if (verb == Verb::read || memory != "host") return 0;
  const int most = inline_bytes >= 0       ? inline_bytes
                   : mode != Mode::latency ? 0
                   : verb == Verb::write   ? 220
                                           : 236;
  return bytes <= static_cast<std::uint64_t>(most) ? static_cast<std::uint32_t>(bytes) : 0;
}

nlohmann::json to_json(const Plan& plan) {
  nlohmann::json json{{"verb", to_string(plan.verb)},
                      {"mode", to_string(plan.mode)},
                      {"sizes", plan.sizes},
                      {"pairs", plan.pairs},
                      {"depth", plan.depth},
                      {"moderation", plan.moderation},
                      {"chain", plan.chain},
                      {"inline_bytes", plan.inline_bytes},
                      {"traffic_class", plan.traffic_class},
                      {"mtu", plan.mtu},
                      {"both_directions", plan.both_directions},
                      {"one_way", plan.one_way},
                      {"solo", plan.solo},
                      {"together", plan.together},
                      {"matrix", plan.matrix},
                      {"chosen", plan.chosen},
                      {"check", plan.check},
                      {"seconds", plan.seconds},
                      {"seconds_question", plan.seconds_question},
                      {"precision", plan.precision},
                      {"window_s", plan.window_s},
                      {"seed", plan.seed},
                      {"question_from", plan.question_from},
                      {"retests", plan.retests},
                      {"timeout_s", plan.timeout_s},
                      {"memory", plan.memory}};
  if (plan.iterations) json["iterations"] = *plan.iterations;
  if (plan.question)
    json["question"] = {{"gbit_s", plan.question->gbit_s},
                        {"false_admit", plan.question->false_admit},
                        {"false_reject", plan.question->false_reject},
                        {"max_windows", plan.question->max_windows},
                        {"observe_s", plan.question->observe_s},
                        {"stall_s", plan.question->stall_s}};
  return json;
}

namespace {

template <class T>
T in_range(const nlohmann::json& json, const char* key, T least, T most) {
  const T value = json.at(key).get<T>();
  if (!(value >= least && value <= most))
    throw std::runtime_error(std::string("the peer's plan: ") + key + " is out of range");
  return value;
}

}  // namespace

Plan plan_from_json(const nlohmann::json& json) {
  Plan plan;
  const auto verb = parse_verb(json.at("verb").get<std::string>());
  const auto mode = parse_mode(json.at("mode").get<std::string>());
  if (!verb || !mode) throw std::runtime_error("the peer's plan: an operation that is not known here");
  plan.verb = *verb, plan.mode = *mode;
  plan.sizes = json.at("sizes").get<std::vector<std::uint64_t>>();
  if (plan.sizes.empty() || plan.sizes.size() > 10'000 ||
      std::ranges::any_of(plan.sizes, [](auto size) { return size == 0 || size > most_message; }))
    throw std::runtime_error("the peer's plan: sizes are out of range");
  plan.pairs = in_range(json, "pairs", 1, 1024), plan.depth = in_range(json, "depth", 1, 1 << 15);
  plan.moderation = in_range(json, "moderation", 0, 1 << 15), plan.chain = in_range(json, "chain", 0, 64);
  plan.inline_bytes = in_range(json, "inline_bytes", -1, 4096);
  plan.traffic_class = in_range(json, "traffic_class", 0, 255), plan.mtu = in_range(json, "mtu", 0, 4096);
  plan.both_directions = json.at("both_directions").get<bool>(),
  plan.one_way = json.at("one_way").get<bool>();
  plan.solo = json.at("solo").get<bool>(), plan.together = json.at("together").get<bool>();
  plan.matrix = json.at("matrix").get<bool>(), plan.chosen = json.at("chosen").get<bool>(),
  plan.check = json.at("check").get<bool>();
  if (json.contains("iterations")) plan.iterations = in_range(json, "iterations", 1, 100'000'000);
  plan.seconds = in_range(json, "seconds", 1e-3, 1e6);
  plan.seconds_question = in_range(json, "seconds_question", 1e-3, 1e6);
  plan.precision = in_range(json, "precision", 0.0, 1.0),
  plan.window_s = in_range(json, "window_s", 1e-6, 1e3);
  plan.seed = json.at("seed").get<std::uint64_t>();
  plan.question_from = json.at("question_from").get<std::uint64_t>();
  plan.retests = in_range(json, "retests", 0, 100), plan.timeout_s = in_range(json, "timeout_s", 0.1, 1e6);
  plan.memory = json.at("memory").get<std::string>();
  if (json.contains("question")) {
    const auto& question = json.at("question");
    plan.question = {.gbit_s = in_range(question, "gbit_s", 0.0, 1e6),
                     .false_admit = in_range(question, "false_admit", 1e-12, 0.5),
                     .false_reject = in_range(question, "false_reject", 1e-12, 0.5),
                     .max_windows = in_range(question, "max_windows", 1, 1'000'000),
                     .observe_s = in_range(question, "observe_s", 0.0, 1e6),
                     .stall_s = in_range(question, "stall_s", 0.0, 1e6)};
  }
  return plan;
}

std::string Cell::name() const {
  static constexpr const char* ways[]{"forth", "back", "both ways"};
  const std::string who = together            ? "all rails together"
                          : lanes.size() == 1 ? "rail pair " + std::to_string(lanes.front())
                                              : "no rail";
  return bytes_text(bytes) + ", " + who + ", " + ways[static_cast<int>(direction)];
}

std::vector<Cell> cells_of(const Plan& plan, std::size_t lanes) {
  std::vector<Cell> cells;
  std::vector<Direction> directions{Direction::forth, Direction::back};
  if (plan.both_directions) directions = {Direction::both};
  if (plan.one_way) directions = {Direction::forth};
  std::vector<std::size_t> all(lanes);
  for (std::size_t lane = 0; lane < lanes; ++lane)
    all[lane] = lane;
  const bool alone = plan.solo || plan.matrix || plan.mode == Mode::latency || lanes == 1;
  const bool at_once = plan.together && !plan.matrix && plan.mode != Mode::latency && lanes > 1;
  for (std::uint64_t bytes : plan.sizes)
    for (Direction direction : directions) {
      if (alone)
        for (std::size_t lane : all)
          cells.push_back({bytes, {lane}, direction, false});
      if (at_once) cells.push_back({bytes, all, direction, true});
    }
  return cells;
}

}  // namespace mlc::rdma
