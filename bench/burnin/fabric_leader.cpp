#include "bench/burnin/fabric_leader.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "bench/fleet/localisation/findings.hpp"
#include "bench/ranks/gathering.hpp"
#include "reports/record/exit_code.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr double answer_late_s = 30, farewell_s = 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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
        gathering_(listen_on(terms.port), {.key = terms.key,
                                           .refusal = [this](const Json& hello) { return refusal(hello); },
                                           .name = [](const Json& hello) { return member_in(hello).node; },
                                           .say = hooks.say}) {}

  FabricRecord lead() {
    gather();
    closed_ = true;
    FabricRecord record;
    record.members = members();
    if (gathering_.size() < 2)
      record.trouble = "no other node came within " + time_text(terms_.gather_s * 1e6);
    for (const auto& stage : plan_.stages) {
      if (!record.trouble.empty() || stopped_) break;
      record.stages.push_back(is_campaign(stage) ? hold_campaign(stage) : hold(stage));
      if (is_campaign(stage))
        leave_out_by_campaign(record, stage);
      else
        leave_out_by_meetings(record, stage);
      std::ranges::sort(left_out_);
      left_out_.erase(std::unique(left_out_.begin(), left_out_.end()), left_out_.end());
    }
    if (stopped_ && record.trouble.empty()) record.trouble = "the leader was told to stop";
    farewell(record);
    return record;
  }

 private:
  static std::size_t at(int seat) { return static_cast<std::size_t>(seat); }
  static int index_in(const Json& hello) { return whole_number<int>(hello.at("index")); }
  static FabricMember member_in(const Json& hello) {
    return {printable(hello.at("node").get<std::string>(), 253),
            printable(hello.at("boot_id").get<std::string>(), 64), hello.at("witness").get<bool>()};
  }
  std::string node_of(int seat) const { return member_in(gathering_.seat(seat).hello).node; }
  std::vector<FabricMember> members() const {
    std::vector<FabricMember> all;
    for (int i = 0; i < gathering_.size(); ++i)
      all.push_back(member_in(gathering_.seat(i).hello));
    return all;
  }

  void leave_out(const std::string& stage, const std::string& node, int seat, const std::string& end) {
    hooks_.say(stage + ": " + node + ", " + end + ", is at fault");
    left_out_.push_back(seat);
  }

  void leave_out_by_meetings(const FabricRecord& record, const BurninStage& stage) {
    const auto outcome = outcome_of(record, record.stages.back(), policy_, stage);
    for (const auto& fault : outcome.faults)
      leave_out(stage.name, record.members[at(fault.node)].node, fault.node, fleet::end_text(fault));
    for (const auto& line : outcome.fabric)
      hooks_.say(stage.name + ": " + line);
  }

  void leave_out_by_campaign(const FabricRecord& record, const BurninStage& stage) {
    const FabricStageRecord& held = record.stages.back();
    if (!held.campaign) return hooks_.say(stage.name + ": " + held.trouble);
    const auto seats = seats_in(record, *held.campaign);
    const auto campaign = terms_.decode(stage, *held.campaign);
    for (std::size_t i = 0; i < seats.size(); ++i)
      if (seats[i] >= 0 && campaign.judgement().nodes[i] == fleet::Standing::faulty)
        leave_out(stage.name, held.campaign->header.nodes[i], seats[i], "by the campaign");
    hooks_.say(stage.name + ": " + fleet::summary_of(campaign));
  }

  void gather() {
    hooks_.say("waiting for " +
               (members_ > 0 ? std::to_string(members_) + " members" : std::string("members")));
    while (!stopped_ && seconds_since(began_) < terms_.gather_s &&
           (members_ == 0 || gathering_.size() < members_))
      (void)turn();
    gathering_.sort(index_in);
    for (const auto& member : members())
      hooks_.say(member.node + " takes part" + (member.witness ? ", as a witness" : ""));
  }

  // What members said, by seat.
  std::vector<std::pair<int, Json>> turn() {
    auto said = gathering_.turn();
    stopped_ |= hooks_.pause(0);
    return said;
  }

  std::string refusal(const Json& hello) const {
    const auto text = [&](const char* key) { return hello.at(key).get<std::string>(); };
    if (text("type") != "hello") return "it did not say who it is";
    if (closed_) return "it came after the stage had begun";
    if (text("policy") != policy_.digest) return "it has another policy";
    if (text("program") != terms_.program) return "it is another mlc-bench";
    const int index = whole_number<int>(hello.at("index"));
    if (index < 0 || index > 10'000) return "it has no index";
    const auto member = member_in(hello);
    for (int i = 0; i < gathering_.size(); ++i) {
      if (node_of(i) == member.node) return "node " + printable(text("node"), 80) + " is here already";
      if (index_in(gathering_.seat(i).hello) == index)
        return "index " + std::to_string(index) + " is here already";
    }
    return {};
  }

  FabricStageRecord hold(const BurninStage& stage) {
    FabricStageRecord held{
        .stage = stage.name, .left_out = left_out_, .seen = {}, .campaign = {}, .trouble = {}};
    std::vector<bool> witness;
    for (const auto& member : members())
      witness.push_back(member.witness);
    fleet::Progress progress = fleet::nothing_met(witness);
    const int partners = asked_of(policy_, stage, left_out_.size()).partners;
    for (int number = 1; !stopped_; ++number) {
      for (int i = 0; i < gathering_.size(); ++i)
        progress.out[at(i)] = !gathering_.here(i) || std::ranges::find(left_out_, i) != left_out_.end();
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

  // All at once, driven by the first of them: what came of it is what that one kept.
  FabricStageRecord hold_campaign(const BurninStage& stage) {
    FabricStageRecord held{
        .stage = stage.name, .left_out = left_out_, .seen = {}, .campaign = {}, .trouble = {}};
    std::vector<int> seats;
    for (int i = 0; i < gathering_.size(); ++i)
      if (gathering_.here(i) && std::ranges::find(left_out_, i) == left_out_.end()) seats.push_back(i);
    // Who drives it writes down what all counted: better one that is known to be good.
    std::ranges::stable_partition(seats,
                                  [&](int seat) { return member_in(gathering_.seat(seat).hello).witness; });
    if (seats.size() < 2)
      held.trouble = "fewer than two members are left";
    else if (seconds_since(began_) + stage.limit_s > plan_.budget_s)
      held.trouble = "it did not fit the budget of " + time_text(plan_.budget_s * 1e6);
    if (!held.trouble.empty()) return held;
    const int number = ++last_meeting_;
    std::vector<std::string> names;
    for (const int seat : seats)
      names.push_back(node_of(seat));
    hooks_.say(stage.name + ": a campaign of " + join(names, ", "));
    for (std::size_t i = 0; i < seats.size(); ++i)
      gathering_.tell(seats[i], {{"type", "campaign"},
                                 {"meeting", number},
                                 {"stage", stage.name},
                                 {"index", i},
                                 {"members", seats.size()},
                                 {"leader", gathering_.seat(seats.front()).address},
                                 {"port", terms_.port + 1 + index_in(gathering_.seat(seats.front()).hello)}});
    std::map<int, Json> said;
    const auto missing = [&](int seat) { return !said.contains(seat) && gathering_.here(seat); };
    const auto start = Clock::now();
    while (!stopped_ && std::ranges::any_of(seats, missing) &&
           seconds_since(start) < stage.limit_s + answer_late_s)
      for (auto& [seat, message] : turn())
        if (message.value("type", "") == "held" && message.value("meeting", 0) == number)
          said[seat] = std::move(message);
    for (const int seat : seats)
      if (missing(seat) && !stopped_)
        gathering_.lose(seat, "it did not say within " + time_text((stage.limit_s + answer_late_s) * 1e6) +
                                  " how " + stage.name + " went");
    take_campaign(held, stage, seats.front(), names, said);
    return held;
  }

  // Believed where it can be decoded, and is of this group.
  void take_campaign(FabricStageRecord& held, const BurninStage& stage, int driver,
                     const std::vector<std::string>& names, const std::map<int, Json>& said) {
    const auto answer = said.find(driver);
    try {
      if (stopped_) throw std::runtime_error("the leader was told to stop");
      if (answer == said.end()) throw std::runtime_error(node_of(driver) + ", which drove it, is gone");
      if (!answer->second.contains("campaign"))
        throw std::runtime_error(answer->second.at("why").get<std::string>());
      auto campaign = fleet::campaign_record_from(answer->second.at("campaign"));
      if (campaign.rounds.empty()) throw std::runtime_error("no round of it was held");
      const auto& came = campaign.header.nodes;
      bool same = came.size() == names.size();
      // Who came under another's name would speak for it. Who did not come has a number.
      for (std::size_t i = 0; same && i < came.size(); ++i)
        same = came[i] == names[i] || came[i] == fleet::nameless(static_cast<int>(i));
      if (!same) throw std::runtime_error("its nodes are not those that were asked, in their order");
      (void)terms_.decode(stage, campaign);
      held.campaign = std::move(campaign);
    } catch (const std::exception& error) {
      held.trouble = "the campaign came to nothing: " + printable(error.what(), 300);
    }
  }

  void invite(const BurninStage& stage, int number, int seat, int peer, const char* role, int listener) {
    gathering_.tell(seat, {{"type", "meet"},
                           {"meeting", number},
                           {"stage", stage.name},
                           {"role", role},
                           {"own", gathering_.seat(seat).address},
                           {"peer", gathering_.seat(peer).address},
                           {"peer_node", node_of(peer)},
                           {"port", terms_.port + 1 + index_in(gathering_.seat(listener).hello)}});
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
      return (!held.first && gathering_.here(held.ends.first)) ||
             (both && !held.second && gathering_.here(held.ends.second));
    };
    const auto start = Clock::now();
    while (!stopped_ && std::ranges::any_of(meetings, missing) &&
           seconds_since(start) < stage.limit_s + answer_late_s)
      for (auto& [seat, message] : turn()) {
        if (message.value("type", "") != "met" || !message.contains("meeting") ||
            !message["meeting"].is_number_integer())
          continue;
        const auto found = by_number.find(whole_number<int>(message["meeting"]));
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
          gathering_.lose(seat, "it did not say within " + time_text((stage.limit_s + answer_late_s) * 1e6) +
                                    " how " + stage.name + " went");
      // What both measured and one of them wrote down belongs to both.
      for (const auto& [number, index] : by_number)
        if (&meetings[index] == &held && !both && held.first && held.first->contains("report"))
          gathering_.tell(held.ends.second, {{"type", "report"},
                                             {"meeting", number},
                                             {"stage", stage.name},
                                             {"words", held.first->value("words", Json::array())},
                                             {"peer_node", node_of(held.ends.first)},
                                             {"report", (*held.first)["report"]}});
    }
    return meetings;
  }

  std::vector<fleet::Observation> observations(const Held& held) const {
    std::vector<fleet::Member> group;
    for (const auto& member : members())
      group.push_back({member.node, member.boot_id});
    std::string why;
    for (const auto* said : {&held.first, &held.second}) {
      if (!*said) continue;
      try {
        const Json& message = **said;
        if (message.contains("report") &&
            whole_number<int>(message.at("code")) <= static_cast<int>(ExitCode::inconclusive))
          return fleet::observations_of(report_from_json(message.at("report").get<std::string>()), group,
                                        held.ends.first, held.ends.second);
        if (why.empty()) why = message.at("why").get<std::string>();
      } catch (const std::exception& error) {
        why = std::string("what it said cannot be read: ") + error.what();
      }
    }
    for (const int seat : {held.ends.first, held.ends.second})
      if (!gathering_.here(seat)) why = node_of(seat) + " is gone: " + gathering_.seat(seat).gone;
    return {fleet::not_measured(held.ends.first, held.ends.second, why.empty() ? "it was not held" : why)};
  }

  // All hear it before this ends: who hears nothing concludes nothing.
  void farewell(const FabricRecord& record) {
    for (int i = 0; i < gathering_.size(); ++i)
      gathering_.tell(i, {{"type", "record"}, {"record", to_json(record)}});
    const auto start = Clock::now();
    gathering_.ending();
    const bool was = stopped_;
    while (seconds_since(start) < farewell_s && was == stopped_ && gathering_.present() > 0)
      (void)turn();
  }

  const Policy& policy_;
  const BurninPlan& plan_;
  const FabricTerms& terms_;
  int members_;
  const LeaderHooks& hooks_;
  Gathering gathering_;
  std::vector<int> left_out_;
  Clock::time_point began_ = Clock::now();
  int last_meeting_ = 0;
  bool closed_ = false, stopped_ = false;
};

}  // namespace

FabricRecord lead_fabric_stage(const Policy& policy, const BurninPlan& plan, const FabricTerms& terms,
                               int members, const LeaderHooks& hooks) {
  return Leader(policy, plan, terms, members, hooks).lead();
}

}  // namespace mlc
