#include "bench/fleet/measurement/coordinator.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>

#include "bench/ranks/gathering.hpp"
#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int most_index = 65'535;
constexpr std::size_t most_rails = 16, most_troubles = 200;
constexpr double farewell_s = 5;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string random_token() {
  std::random_device random;
  std::string token;
  for (std::size_t i = 0; i < token_bytes / 8; ++i) {
    std::array<char, 9> part{};
    std::snprintf(part.data(), part.size(), "%08x", static_cast<unsigned>(random()));
    token += part.data();
  }
  return token;
}

// One planned test while it is held.
struct Test {
  PlannedTest plan;
  int number = 0;
  std::array<bool, 2> ready{};
  std::array<std::optional<std::vector<RailSides>>, 2> seen;
  std::string failed;  // why it comes to nothing

  int node(std::size_t end) const { return end == 0 ? plan.first : plan.second; }
  bool both_ready() const { return ready[0] && ready[1]; }
  bool over() const { return !failed.empty() || (seen[0] && seen[1]); }
};

}  // namespace

class Coordinator::Held {
 public:
  Held(FileDescriptor listener, CampaignTerms terms, CoordinatorHooks hooks)
      : terms_(std::move(terms)),
        hooks_(std::move(hooks)),
        gathering_(std::move(listener), {.key = terms_.key,
                                         .silence_s = terms_.silence_s,
                                         .refusal = [this](const Json& hello) { return refusal(hello); },
                                         .name = [](const Json& hello) { return name_in(hello); },
                                         .say = hooks_.say}) {}

  CampaignEnd hold(const std::vector<RoundRecord>& before) {
    gather();
    if (const int here = gathering_.present(); here < 2 || stopped_) {
      end_.nothing = stopped_ ? "interrupted before anything was measured"
                              : "a campaign needs two nodes, and " + std::to_string(here) + " came";
      end_.interrupted = stopped_;
      return end_;
    }
    Topology topology = hooks_.topology(end_.nodes, static_cast<int>(rails_));
    uplinks_ = topology.uplinks;
    campaign_.emplace(terms_.plan, std::move(topology));
    end_.target_gbit_s = terms_.target_gbit_s;
    for (const auto& record : before)
      if (!campaign_->ended()) observe(record), ++end_.rounds_held;
    if (!before.empty())
      for (const int node : before.back().lost)
        if (node >= 0 && at(node) < seat_of_.size() && here(node))
          trouble(end_.nodes[at(node)] +
                  " was lost in the rounds held before: it is here again, and not measured");
    while (!campaign_->ended() && !stopped_) {
      const RoundRecord record = hold_round();
      if (stopped_) break;  // half a round says less than none
      ++end_.rounds_held;
      hooks_.record(record);
      observe(record);
    }
    end_.interrupted = stopped_;
    return end_;
  }

  const Campaign* campaign() const { return campaign_ ? &*campaign_ : nullptr; }

  void dismiss(ExitCode code) {
    gathering_.ending();
    for (int i = 0; i < gathering_.size(); ++i)
      gathering_.tell(i, {{"type", "end"}, {"code", static_cast<int>(code)}});
    for (const auto start = Clock::now(); gathering_.present() > 0 && seconds_since(start) < farewell_s;)
      (void)gathering_.turn();
  }

 private:
  static std::size_t at(int position) { return static_cast<std::size_t>(position); }
  static std::string name_in(const Json& hello) {
    return printable(hello.at("node").get<std::string>(), 253);
  }
  static int index_in(const Json& hello) { return whole_number<int>(hello.at("index")); }

  // In the order of their indices, with those that did not come.
  void gather() {
    const auto expected = static_cast<int>(terms_.nodes.size());
    const auto start = Clock::now();
    const auto come = [&] {
      auto indices = refused_;
      for (int i = 0; i < gathering_.size(); ++i)
        if (gathering_.here(i)) indices.insert(index_in(gathering_.seat(i).hello));
      return static_cast<int>(indices.size());
    };
    while (!stopped_ && come() < expected && seconds_since(start) < terms_.gather_s) {
      hooks_.live("waiting for agents: " + std::to_string(come()) + " of " + std::to_string(expected));
      turn();
    }
    closed_ = true;
    gathering_.sort(index_in);
    std::map<int, int> seats;                    // by index
    for (int i = 0; i < gathering_.size(); ++i)  // one that came again has the place of the one that is gone
      if (const int index = index_in(gathering_.seat(i).hello); gathering_.here(i) || !seats.contains(index))
        seats[index] = i;
    for (const auto& [index, seat] : seats)
      tell_problems(gathering_.seat(seat).hello);
    for (int index = 0; index < expected; ++index) {
      const auto found = seats.find(index);
      const auto& name = terms_.nodes[at(index)];
      const std::string known = name.empty() ? nameless(index) : name;
      if (found == seats.end()) trouble(known + " did not come");
      seat_of_.push_back(found == seats.end() ? -1 : found->second);
      end_.nodes.push_back(found == seats.end() ? known : name_in(gathering_.seat(found->second).hello));
    }
    node_of_.assign(at(gathering_.size()), -1);
    for (std::size_t node = 0; node < seat_of_.size(); ++node)
      if (seat_of_[node] >= 0) node_of_[at(seat_of_[node])] = static_cast<int>(node);
  }

  std::string refusal(const Json& hello) {
    if (hello.at("type") != "hello") return "it did not say who it is";
    const std::string name = name_in(hello);
    const auto no = [&](const std::string& why) {
      trouble(name + " was refused: " + why);
      if (const int index = index_in(hello); index >= 0 && at(index) < terms_.nodes.size())
        refused_.insert(index);  // not waited for
      return why;
    };
    if (closed_) return no("it came after the campaign had begun");
    if (hello.at("program").get<std::string>() != terms_.program)
      return no("it runs another mlc-bench (" + printable(hello.at("program").get<std::string>(), 80) +
                " where this is " + terms_.program + ")");
    if (const auto busy = hello.at("busy").get<std::string>(); !busy.empty()) return no(printable(busy, 200));
    const int index = index_in(hello);
    if (index < 0 || index > most_index || at(index) >= terms_.nodes.size())
      return no("it has no index here");
    const auto& rails = hello.at("rails");
    if (!rails.is_array() || rails.empty() || rails.size() > most_rails)
      return no("it has no rails, or more than " + std::to_string(most_rails));
    if (rails_ != 0 && rails.size() != rails_)
      return no("it has " + std::to_string(rails.size()) + " rails where the others have " +
                std::to_string(rails_));
    for (int i = 0; i < gathering_.size(); ++i) {
      const auto& other = gathering_.seat(i).hello;
      if (!gathering_.here(i)) continue;  // it may be the same one, started again
      if (name_in(other) == name) return no("a node of that name is here already");
      if (index_in(other) == index) return no("index " + std::to_string(index) + " is here already");
      if (other.at("engine") != hello.at("engine"))
        return no("it measures by " + printable(hello.at("engine").get<std::string>(), 20) +
                  ", the others by " + printable(other.at("engine").get<std::string>(), 20));
    }
    refused_.erase(index);
    if (rails_ == 0) {
      rails_ = rails.size();
      end_.engine = printable(hello.at("engine").get<std::string>(), 20);
    }
    return {};
  }

  void trouble(const std::string& what) {
    if (end_.troubles.size() < most_troubles) end_.troubles.push_back(what);
  }

  // What an agent knows of its own rails before anything is measured is the cause of what will be seen.
  void tell_problems(const Json& hello) {
    for (std::size_t rail = 0; rail < rails_; ++rail)
      if (const auto why = hello.at("rails").at(rail).at("problem").get<std::string>(); !why.empty())
        trouble(name_in(hello) + ", rail " + std::to_string(rail) + ": " + printable(why, 200));
  }

  void turn() {
    for (const auto& [seat, message] : gathering_.turn())
      hear(seat, message);
    stopped_ |= hooks_.pause(0);
  }

  void observe(const RoundRecord& record) {
    if (record.target_gbit_s > 0)
      end_.target_gbit_s = record.target_gbit_s, end_.target_inferred = record.target_inferred;
    for (const auto& each : record.troubles)
      trouble(each);
    campaign_->observe(record.results, record.lost);
  }

  std::vector<int> lost() const {
    std::vector<int> nodes;
    for (std::size_t node = 0; node < seat_of_.size(); ++node)
      if (seat_of_[node] < 0 || !gathering_.here(seat_of_[node])) nodes.push_back(static_cast<int>(node));
    return nodes;
  }
  bool here(int node) const { return seat_of_[at(node)] >= 0 && gathering_.here(seat_of_[at(node)]); }

  // ---- one round

  void tell(const Test& test, std::size_t end, Json message) {
    message["test"] = test.number;
    gathering_.tell(seat_of_[at(test.node(end))], message);
  }

  void hear(int seat, const Json& message) {
    if (!message.contains("test") || !message["test"].is_number_integer()) return;
    const auto found = tests_.find(whole_number<int>(message["test"]));
    if (found == tests_.end() || at(seat) >= node_of_.size()) return;
    Test& test = found->second;
    const int node = node_of_[at(seat)];
    if (node != test.plan.first && node != test.plan.second) return;
    const std::size_t end = node == test.plan.first ? 0 : 1;
    try {
      const auto type = message.at("type").get<std::string>();
      if (type == "offer") tell(test, 1 - end, {{"type", "peer"}, {"offer", message.at("offer")}});
      if (type == "ready") test.ready[end] = true;
      if (type == "seen") test.seen[end] = rail_sides_from(message.at("rails"), rails_);
      if (type == "failed")
        test.failed = end_.nodes[at(node)] + ": " + printable(message.at("why").get<std::string>(), 300);
    } catch (const std::exception& error) {
      test.failed = end_.nodes[at(node)] + " sent what cannot be read: " + printable(error.what(), 200);
    }
  }

  // Until all tests say so, those that nobody holds any more apart.
  void wait_until(const std::function<bool(const Test&)>& done, double seconds, const std::string& why) {
    const auto start = Clock::now();
    const auto open = [&](auto& each) { return each.second.failed.empty() && !done(each.second); };
    while (!stopped_ && std::ranges::any_of(tests_, open) && seconds_since(start) < seconds) {
      turn();
      for (auto& [number, test] : tests_)
        for (const int node : {test.plan.first, test.plan.second})
          if (!test.over() && !here(node)) test.failed = end_.nodes[at(node)] + " is gone";
      show();
    }
    for (auto& each : tests_)
      if (open(each)) each.second.failed = why;
  }

  void show() {
    const auto done = std::ranges::count_if(tests_, [](const auto& each) { return each.second.over(); });
    hooks_.live("round " + std::to_string(campaign_->round()) + " of at most " +
                std::to_string(campaign_->most_rounds()) + ", " + std::to_string(done) + " of " +
                std::to_string(tests_.size()) + " tests, " +
                std::to_string(campaign_->judgement().suspects.size()) + " suspects, at most " +
                fixed(left_s(), 0) + " s left");
  }
  double left_s() const {
    const int rounds = campaign_->most_rounds() - campaign_->round() + 1;
    return rounds * (terms_.warm_up_s + terms_.test_s + .7);
  }

  RoundRecord hold_round() {
    tests_.clear();
    TestTerms terms{
        .token = {}, .plan = {}, .uplinks = uplinks_, .warm_up_s = terms_.warm_up_s, .test_s = terms_.test_s};
    for (const auto& plan : campaign_->planned()) {
      Test test{.plan = plan, .number = ++last_test_};
      terms.token = random_token(), terms.plan = plan;
      for (const int node : {plan.first, plan.second})
        if (!here(node)) test.failed = end_.nodes[at(node)] + " is gone";
      const auto [at, added] = tests_.emplace(test.number, std::move(test));
      for (std::size_t end = 0; at->second.failed.empty() && end < 2; ++end)
        tell(at->second, end, {{"type", "test"}, {"terms", to_json(terms)}});
    }
    wait_until([](const Test& test) { return test.both_ready(); }, terms.connect_s + terms_.deadline_s,
               "the two ends were not ready in time");
    for (auto& [number, test] : tests_)
      for (std::size_t end = 0; test.failed.empty() && end < 2; ++end)
        tell(test, end, {{"type", "go"}});
    wait_until([](const Test& test) { return test.over(); },
               terms_.warm_up_s + terms_.test_s + terms_.deadline_s,
               "the two ends did not say in time what they saw");
    return record();
  }

  RoundRecord record() {
    RoundRecord record{.round = campaign_->round(), .lost = lost(), .troubles = {}};
    std::vector<std::pair<PlannedTest, TestSides>> believed;
    for (auto& [number, test] : tests_) {
      const std::string &first = end_.nodes[at(test.plan.first)], &second = end_.nodes[at(test.plan.second)];
      std::string why = test.failed;
      if (why.empty()) {
        TestSides sides{std::move(*test.seen[0]), std::move(*test.seen[1])};
        why = disagreement(sides, first, second);
        if (why.empty())
          believed.emplace_back(test.plan, std::move(sides));
        else
          why = "the two ends disagree, " + why;
      }
      if (!why.empty())
        record.troubles.push_back("round " + std::to_string(record.round) + ", " + first + " and " + second +
                                  ": " + why);
    }
    record.target_gbit_s = end_.target_gbit_s, record.target_inferred = end_.target_inferred;
    if (record.target_gbit_s <= 0) {
      std::vector<TestSides> sides;
      for (const auto& each : believed)
        sides.push_back(each.second);
      record.target_gbit_s = inferred_target(sides), record.target_inferred = record.target_gbit_s > 0;
    }
    for (const auto& [plan, sides] : believed) {
      TestResult result{.campaign = terms_.plan.id,
                        .round = record.round,
                        .first = plan.first,
                        .second = plan.second,
                        // Without a target nothing came through at all, and all flows are dead.
                        .flows = flows_of(sides, record.target_gbit_s > 0 ? record.target_gbit_s : 1)};
      const std::string pair = "round " + std::to_string(record.round) + ", " + end_.nodes[at(plan.first)] +
                               " and " + end_.nodes[at(plan.second)];
      if (const auto why = wrong_in(result, static_cast<int>(rails_)); !why.empty())
        record.troubles.push_back(pair + ": " + why);
      if (const auto why = dead_text(sides, end_.nodes[at(plan.first)], end_.nodes[at(plan.second)]);
          !why.empty() && record.troubles.size() < most_troubles)
        record.troubles.push_back(pair + ", " + why);
      record.results.push_back(std::move(result));
    }
    return record;
  }

  CampaignTerms terms_;
  CoordinatorHooks hooks_;
  std::size_t rails_ = 0;
  bool closed_ = false, stopped_ = false;
  CampaignEnd end_;
  Gathering gathering_;
  std::set<int> refused_;               // indices
  std::vector<int> seat_of_, node_of_;  // of each node; of each seat; -1: none
  std::optional<Campaign> campaign_;
  std::map<int, Test> tests_;  // of this round, by number
  int last_test_ = 0, uplinks_ = 0;
};

std::string nameless(int index) { return "index " + std::to_string(index); }

Coordinator::Coordinator(FileDescriptor listener, CampaignTerms terms, CoordinatorHooks hooks)
    : held_(std::make_unique<Held>(std::move(listener), std::move(terms), std::move(hooks))) {}
Coordinator::~Coordinator() = default;
CampaignEnd Coordinator::hold(const std::vector<RoundRecord>& held) { return held_->hold(held); }
const Campaign* Coordinator::campaign() const { return held_->campaign(); }
void Coordinator::dismiss(ExitCode code) { held_->dismiss(code); }

}  // namespace mlc::fleet
