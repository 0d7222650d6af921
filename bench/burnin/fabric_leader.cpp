#include "bench/burnin/fabric_leader.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>

#include "bench/burnin/fabric_link.hpp"
#include "reports/record/exit_code.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr double alive_every_s = 5, stranger_s = 10, answer_late_s = 30, farewell_s = 20;
constexpr std::size_t most_connections = 512;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Guest {  // not yet a member
  FabricLink link;
  Clock::time_point since = Clock::now();
};

struct Seat {
  std::optional<FabricLink> link;  // empty: gone
  FabricMember member;
  int index = 0;
  std::string address, gone;
};

struct Held {
  fleet::Meeting ends;
  std::optional<Json> first, second;  // what each said of it
};

class Leader {
 public:
  Leader(const Policy& policy, const BurninPlan& plan, const FabricTerms& terms, int members,
         const LeaderHooks& hooks)
      : policy_(policy),
        plan_(plan),
        terms_(terms),
        members_(members),
        hooks_(hooks),
        listener_(listen_on(terms.port)) {}

  FabricRecord lead() {
    gather();
    closed_ = true;
    FabricRecord record;
    for (const auto& seat : seats_)
      record.members.push_back(seat->member);
    if (seats_.size() < 2) record.trouble = "no other node came within " + time_text(terms_.gather_s * 1e6);
    for (const auto& stage : plan_.stages) {
      if (!record.trouble.empty() || stopped_) break;
      record.stages.push_back(hold(stage));
      const auto outcome = outcome_of(record, record.stages.back(), policy_, stage);
      for (const auto& fault : outcome.faults) {
        hooks_.say(stage.name + ": " + record.members[at(fault.node)].node + ", " + fleet::end_text(fault) +
                   ", is at fault");
        left_out_.push_back(fault.node);
      }
      for (const auto& line : outcome.fabric)
        hooks_.say(stage.name + ": " + line);
      std::ranges::sort(left_out_);
      left_out_.erase(std::unique(left_out_.begin(), left_out_.end()), left_out_.end());
    }
    if (stopped_ && record.trouble.empty()) record.trouble = "the leader was told to stop";
    farewell(record);
    return record;
  }

 private:
  static std::size_t at(int seat) { return static_cast<std::size_t>(seat); }

  void gather() {
    hooks_.say("waiting for " +
               (members_ > 0 ? std::to_string(members_) + " members" : std::string("members")));
    while (!stopped_ && seconds_since(began_) < terms_.gather_s &&
           (members_ == 0 || static_cast<int>(seats_.size()) < members_))
      (void)turn();
    std::ranges::sort(seats_, {}, [](const auto& seat) { return seat->index; });
    for (const auto& seat : seats_)
      hooks_.say(seat->member.node + " takes part" + (seat->member.witness ? ", as a witness" : ""));
  }

  // Waits a moment, takes who comes and hears who is there. What members said, by seat.
  std::vector<std::pair<int, Json>> turn() {
    std::vector<pollfd> waiting{{listener_.get(), POLLIN, 0}};
    for (const auto& guest : guests_)
      waiting.push_back({guest.link.descriptor(), POLLIN, 0});
    for (const auto& seat : seats_)
      if (seat->link) waiting.push_back({seat->link->descriptor(), POLLIN, 0});
    ::poll(waiting.data(), waiting.size(), 100);
    stopped_ |= hooks_.pause(0);
    while (auto link = accept_on(listener_, terms_.key))
      if (guests_.size() < most_connections) guests_.push_back({std::move(*link)});
    std::erase_if(guests_,
                  [&](Guest& guest) { return seconds_since(guest.since) > stranger_s || !keep(guest); });
    std::vector<std::pair<int, Json>> said;
    for (std::size_t i = 0; i < seats_.size(); ++i)
      try {
        while (seats_[i]->link)
          if (auto message = seats_[i]->link->receive())
            said.emplace_back(static_cast<int>(i), std::move(*message));
          else
            break;
      } catch (const LinkError& error) {
        lose(*seats_[i], error.what());
      }
    if (seconds_since(alive_) > alive_every_s) {
      alive_ = Clock::now();
      for (std::size_t i = 0; i < seats_.size(); ++i)
        tell(static_cast<int>(i), {{"type", "alive"}});
    }
    return said;
  }

  // False: it became a member, was refused, or is none of ours.
  bool keep(Guest& guest) {
    try {
      const auto hello = guest.link.receive();
      if (!hello) return true;
      const std::string why = refusal(*hello);
      if (!why.empty()) {
        guest.link.send({{"type", "refused"}, {"why", why}});
        hooks_.say(guest.link.peer() + " was refused: " + why);
        return false;
      }
      auto seat = std::make_unique<Seat>();
      seat->member = {printable(hello->at("node").get<std::string>(), 253),
                      printable(hello->at("boot_id").get<std::string>(), 64),
                      hello->at("witness").get<bool>()};
      seat->index = hello->at("index").get<int>(), seat->address = guest.link.peer();
      seat->link.emplace(std::move(guest.link));
      seats_.push_back(std::move(seat));
    } catch (const std::exception& error) {
      hooks_.say("turned away: " + printable(error.what(), 300));
    }
    return false;
  }

  std::string refusal(const Json& hello) const {
    const auto text = [&](const char* key) { return hello.at(key).get<std::string>(); };
    if (text("type") != "hello") return "it did not say who it is";
    if (closed_) return "it came after the stage had begun";
    if (text("policy") != policy_.digest) return "it has another policy";
    if (text("program") != terms_.program) return "it is another mlc-bench";
    const int index = hello.at("index").get<int>();
    if (index < 0 || index > 10'000) return "it has no index";
    for (const auto& seat : seats_) {
      if (seat->member.node == text("node"))
        return "node " + printable(text("node"), 80) + " is here already";
      if (seat->index == index) return "index " + std::to_string(index) + " is here already";
    }
    return {};
  }

  void lose(Seat& seat, const std::string& why) {
    if (!seat.link) return;
    seat.gone = why, seat.link.reset();
    if (ending_) return;  // they go, as they should
    hooks_.say(seat.member.node + " is gone: " + why);
  }

  void tell(int seat, const Json& message) {
    try {
      if (seats_[at(seat)]->link) seats_[at(seat)]->link->send(message);
    } catch (const LinkError& error) {
      lose(*seats_[at(seat)], error.what());
    }
  }

  FabricStageRecord hold(const BurninStage& stage) {
    FabricStageRecord held{.stage = stage.name, .left_out = left_out_, .seen = {}, .trouble = {}};
    std::vector<bool> witness;
    for (const auto& seat : seats_)
      witness.push_back(seat->member.witness);
    fleet::Progress progress = fleet::nothing_met(witness);
    const int partners = asked_of(policy_, stage, left_out_.size()).partners;
    for (int number = 1; !stopped_; ++number) {
      for (std::size_t i = 0; i < seats_.size(); ++i)
        progress.out[i] =
            !seats_[i]->link || std::ranges::find(left_out_, static_cast<int>(i)) != left_out_.end();
      const auto round = fleet::next_round(progress, partners);
      if (round.empty()) break;
      if (seconds_since(began_) + stage.limit_s > plan_.budget_s) {
        held.trouble = "round " + std::to_string(number) + " did not fit the budget of " +
                       time_text(plan_.budget_s * 1e6);
        break;
      }
      hooks_.say(stage.name + ": round " + std::to_string(number) + ", " + std::to_string(round.size()) +
                 " meetings");
      for (const auto& meeting : meet(stage, round)) {
        const auto seen = observations(meeting);
        progress.add(meeting.ends, seen);
        held.seen.insert(held.seen.end(), seen.begin(), seen.end());
      }
    }
    if (stopped_) held.trouble = "the leader was told to stop";
    return held;
  }

  void invite(const BurninStage& stage, int number, int seat, int peer, const char* role, int listener) {
    tell(seat, {{"type", "meet"},
                {"meeting", number},
                {"stage", stage.name},
                {"role", role},
                {"own", seats_[at(seat)]->address},
                {"peer", seats_[at(peer)]->address},
                {"peer_node", seats_[at(peer)]->member.node},
                {"port", terms_.port + 1 + seats_[at(listener)]->index}});
  }

  std::vector<Held> meet(const BurninStage& stage, const std::vector<fleet::Meeting>& round) {
    std::map<int, std::size_t> by_number;
    std::vector<Held> meetings;
    const bool both = meets_by_itself(stage);
    for (const auto& ends : round) {
      const int number = ++last_meeting_;
      by_number[number] = meetings.size();
      meetings.push_back({ends, {}, {}});
      if (both) invite(stage, number, ends.second, ends.first, "second", ends.second);
      invite(stage, number, ends.first, ends.second, "first", ends.second);
    }
    const auto missing = [&](const Held& held) {
      return (!held.first && seats_[at(held.ends.first)]->link) ||
             (both && !held.second && seats_[at(held.ends.second)]->link);
    };
    const auto start = Clock::now();
    while (!stopped_ && std::ranges::any_of(meetings, missing) &&
           seconds_since(start) < stage.limit_s + answer_late_s)
      for (auto& [seat, message] : turn()) {
        if (message.value("type", "") != "met" || !message.contains("meeting") ||
            !message["meeting"].is_number_integer())
          continue;
        const auto found = by_number.find(message["meeting"].get<int>());
        if (found == by_number.end()) continue;
        Held& held = meetings[found->second];
        if (seat == held.ends.first)
          held.first = std::move(message);
        else if (seat == held.ends.second)
          held.second = std::move(message);
      }
    for (const auto& held : meetings) {
      for (const auto& [seat, said] : {std::pair{held.ends.first, held.first.has_value()},
                                       std::pair{held.ends.second, held.second.has_value() || !both}})
        if (!said && !stopped_)
          lose(*seats_[at(seat)], "it did not say within " +
                                      time_text((stage.limit_s + answer_late_s) * 1e6) + " how " +
                                      stage.name + " went");
      // What both measured and one of them wrote down belongs to both.
      for (const auto& [number, index] : by_number)
        if (&meetings[index] == &held && !both && held.first && held.first->contains("report"))
          tell(held.ends.second, {{"type", "report"},
                                  {"meeting", number},
                                  {"stage", stage.name},
                                  {"words", held.first->value("words", Json::array())},
                                  {"peer_node", seats_[at(held.ends.first)]->member.node},
                                  {"report", (*held.first)["report"]}});
    }
    return meetings;
  }

  std::vector<fleet::Observation> observations(const Held& held) const {
    std::vector<fleet::Member> group;
    for (const auto& seat : seats_)
      group.push_back({seat->member.node, seat->member.boot_id});
    std::string why;
    for (const auto* said : {&held.first, &held.second}) {
      if (!*said) continue;
      try {
        const Json& message = **said;
        if (message.contains("report") &&
            message.at("code").get<int>() <= static_cast<int>(ExitCode::inconclusive))
          return fleet::observations_of(report_from_json(message.at("report").get<std::string>()), group,
                                        held.ends.first, held.ends.second);
        if (why.empty()) why = message.at("why").get<std::string>();
      } catch (const std::exception& error) {
        why = std::string("what it said cannot be read: ") + error.what();
      }
    }
    for (const int seat : {held.ends.first, held.ends.second})
      if (!seats_[at(seat)]->link)
        why = seats_[at(seat)]->member.node + " is gone: " + seats_[at(seat)]->gone;
    return {fleet::not_measured(held.ends.first, held.ends.second, why.empty() ? "it was not held" : why)};
  }

  // All hear it before this ends: who hears nothing concludes nothing.
  void farewell(const FabricRecord& record) {
    for (std::size_t i = 0; i < seats_.size(); ++i)
      tell(static_cast<int>(i), {{"type", "record"}, {"record", to_json(record)}});
    const auto start = Clock::now();
    ending_ = true;
    const bool was = stopped_;
    while (seconds_since(start) < farewell_s && was == stopped_ &&
           std::ranges::any_of(seats_, [](const auto& seat) { return seat->link.has_value(); }))
      (void)turn();
  }

  const Policy& policy_;
  const BurninPlan& plan_;
  const FabricTerms& terms_;
  int members_;
  const LeaderHooks& hooks_;
  FileDescriptor listener_;
  std::vector<Guest> guests_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<int> left_out_;
  Clock::time_point began_ = Clock::now(), alive_ = began_;
  int last_meeting_ = 0;
  bool closed_ = false, stopped_ = false, ending_ = false;
};

}  // namespace

FabricRecord lead_fabric_stage(const Policy& policy, const BurninPlan& plan, const FabricTerms& terms,
                               int members, const LeaderHooks& hooks) {
  return Leader(policy, plan, terms, members, hooks).lead();
}

}  // namespace mlc
