#include "bench/burnin/fabric_member.hpp"

#include <algorithm>
#include <chrono>

#include "bench/burnin/stage.hpp"
#include "bench/ranks/signed_link.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t largest_report = 16u << 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Member {
 public:
  Member(const Policy& policy, const BurninPlan& plan, const FabricTerms& terms, const FabricSelf& self,
         const MemberHooks& hooks)
      : policy_(policy), plan_(plan), terms_(terms), self_(self), hooks_(hooks) {}

  FabricEnd run(const std::string& leader) {
    const auto start = Clock::now();
    std::string why;
    std::optional<SignedLink> link;
    while (!(link = connect_to(leader, terms_.port, terms_.key, why))) {
      if (seconds_since(start) > terms_.gather_s)
        return trouble("the leader of the fabric stage, " + leader + ":" + std::to_string(terms_.port) +
                       ", cannot be reached: " + why);
      if (hooks_.pause(0.5)) return interrupted();
    }
    try {
      link->send({{"type", "hello"},
                  {"index", self_.index},
                  {"node", self_.member.node},
                  {"boot_id", self_.member.boot_id},
                  {"witness", self_.member.witness},
                  {"policy", policy_.digest},
                  {"program", terms_.program}});
      return obey(*link);
    } catch (const std::exception& error) {
      return trouble(std::string("the leader of the fabric stage was lost: ") + error.what());
    }
  }

 private:
  FabricEnd trouble(const std::string& why) {
    end_.trouble = printable(why, 400);
    return std::move(end_);
  }
  FabricEnd interrupted() {
    end_.interrupted = true;
    return trouble("interrupted");
  }

  FabricEnd obey(SignedLink& link) {
    for (auto heard = Clock::now(); !hooks_.pause(0);) {
      const auto message = link.receive();
      if (!message) {
        if (seconds_since(heard) > terms_.silence_s)
          return trouble("the leader of the fabric stage has been silent for " +
                         time_text(terms_.silence_s * 1e6));
        (void)link.wait(0.2);
        continue;
      }
      const auto type = message->at("type").get<std::string>();
      if (type == "refused")
        return trouble("the leader refused this node: " + message->at("why").get<std::string>());
      if (type == "record") {
        end_.record = fabric_record_from(message->at("record"));
        return std::move(end_);
      }
      if (type == "report") keep(*message, message->at("report").get<std::string>());
      if (type == "meet" || type == "campaign") {
        const auto answer = type == "meet" ? meet(*message) : hold(*message);
        if (end_.interrupted) return interrupted();
        link.send(answer);
      }
      heard = Clock::now();
    }
    return interrupted();
  }

  void keep(const Json& message, const std::string& report) {
    FabricMeeting meeting{.stage = message.at("stage").get<std::string>(),
                          .peer = printable(message.at("peer_node").get<std::string>(), 253),
                          .words = message.at("words").get<std::vector<std::string>>(),
                          .report = {}};
    try {
      meeting.report = report_from_json(report);
    } catch (const std::exception& error) {
      hooks_.say("the report of the meeting with " + meeting.peer +
                 " cannot be read: " + printable(error.what(), 200));
    }
    end_.meetings.push_back(std::move(meeting));
  }

  // Never a command that somebody sends: what is run is in this Pod's own policy.
  const BurninStage* stage_called(const std::string& name) const {
    const auto stage = std::ranges::find(plan_.stages, name, &BurninStage::name);
    return stage == plan_.stages.end() ? nullptr : &*stage;
  }
  static bool is_address(const std::string& text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == ':' || c == '%';
    });
  }

  Json hold(const Json& message) {
    const int number = whole_number<int>(message.at("meeting"));
    Json answer{{"type", "held"}, {"meeting", number}, {"code", 3}, {"why", ""}};
    const auto name = message.at("stage").get<std::string>();
    const auto* stage = stage_called(name);
    const auto leader = message.at("leader").get<std::string>();
    if (stage == nullptr || !is_campaign(*stage) || !is_address(leader)) {
      answer["why"] = "the policy has no campaign " + printable(name, 40) + ", or its leader no address";
      return answer;
    }
    hooks_.say(name + ": a campaign of " + std::to_string(whole_number<int>(message.at("members"))) +
               " members");
    const auto measured =
        hooks_.measure(*stage,
                       campaign_words(*stage, whole_number<int>(message.at("index")),
                                      whole_number<int>(message.at("members")), leader,
                                      whole_number<int>(message.at("port")), terms_.key_file),
                       number);
    end_.interrupted = measured.interrupted;
    answer["code"] = measured.code, answer["why"] = measured.why;
    if (measured.campaign) answer["campaign"] = fleet::to_json(*measured.campaign);
    return answer;
  }

  Json meet(Json message) {
    Json answer{{"type", "met"}, {"meeting", message.at("meeting")}, {"code", 3}, {"why", ""}};
    const auto name = message.at("stage").get<std::string>();
    const auto* stage = stage_called(name);
    const auto peer = message.at("peer").get<std::string>();
    if (stage == nullptr || !is_address(peer)) {
      answer["why"] = "the policy has no stage " + printable(name, 40) + ", or the peer no address";
      return answer;
    }
    const bool begins = message.at("role").get<std::string>() == "first";
    const auto own = message.at("own").get<std::string>();
    const int port = whole_number<int>(message.at("port"));
    const auto words = meeting_words(*stage, begins, own, peer, port),
               begun = meeting_words(*stage, true, own, peer, port);
    if (!words) {
      answer["why"] = "stage " + name + " names no peer: its command needs {peer} or {nodes}";
      return answer;
    }
    hooks_.say(name + ": with " + printable(message.at("peer_node").get<std::string>(), 253));
    const auto measured = hooks_.measure(*stage, *words, whole_number<int>(message.at("meeting")));
    end_.interrupted = measured.interrupted;
    answer["code"] = measured.code, answer["why"] = measured.why;
    if (measured.report.empty() || measured.report.size() > largest_report) return answer;
    // As the end that began would have it, of either.
    message["words"] = *begun;
    keep(message, measured.report);
    answer["words"] = *begun, answer["report"] = measured.report;
    return answer;
  }

  const Policy& policy_;
  const BurninPlan& plan_;
  const FabricTerms& terms_;
  const FabricSelf& self_;
  const MemberHooks& hooks_;
  FabricEnd end_;
};

}  // namespace

std::vector<std::string> campaign_words(const BurninStage& stage, int index, int members,
                                        const std::string& leader, int port, const std::string& key_file) {
  auto words = stage.command;
  for (const auto& [option, value] : {std::pair{"--index", std::to_string(index)},
                                      {"--members", std::to_string(members)},
                                      {"--leader", leader},
                                      {"--port", std::to_string(port)},
                                      {"--key", key_file},
                                      {"--gather", std::string("30s")}})
    words.push_back(std::string(option) + "=" + value);
  return words;
}

std::optional<std::vector<std::string>> meeting_words(const BurninStage& stage, bool begins,
                                                      const std::string& own, const std::string& peer,
                                                      int port) {
  const bool names = std::ranges::any_of(stage.command, [](const auto& word) {
    return word.find("{peer}") != std::string::npos || word.find("{nodes}") != std::string::npos;
  });
  if (!names) return std::nullopt;
  if (!meets_by_itself(stage)) return words_of(stage, own, {peer});
  const std::string host = peer.find(':') != std::string::npos ? "[" + peer + "]" : peer;
  auto words = *words_of(stage, own, {host + ":" + std::to_string(port)});
  if (begins) return words;
  const auto connect = std::ranges::find(words, "--connect");
  if (connect == words.end() || std::next(connect) == words.end()) return std::nullopt;
  *connect = "--listen=" + std::to_string(port);
  words.erase(std::next(connect));
  return words;
}

FabricEnd take_part(const Policy& policy, const BurninPlan& plan, const FabricTerms& terms,
                    const std::string& leader, const FabricSelf& self, const MemberHooks& hooks) {
  return Member(policy, plan, terms, self, hooks).run(leader);
}

}  // namespace mlc
