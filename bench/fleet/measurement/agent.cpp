#include "bench/fleet/measurement/agent.hpp"

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/ranks/signed_link.hpp"
#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Agent {
 public:
  Agent(const CoordinatorPlace& coordinator, const AgentSelf& self, Engine& engine, const AgentHooks& hooks)
      : coordinator_(coordinator), self_(self), engine_(engine), hooks_(hooks) {}

  AgentEnd run() {
    auto link = reach();
    if (!link) return std::move(end_);
    try {
      link->send(hello());
      return obey(*link);
    } catch (const std::exception& error) {
      return trouble(std::string("the coordinator was lost: ") + error.what());
    }
  }

 private:
  AgentEnd trouble(const std::string& why) {
    end_.trouble = printable(why, 400);
    return std::move(end_);
  }

  std::optional<SignedLink> reach() {
    std::string why = "it has no address";
    for (const auto start = Clock::now(); seconds_since(start) < coordinator_.come_within_s;) {
      for (const auto& host : coordinator_.hosts)
        if (auto link = connect_to(host, coordinator_.port, coordinator_.key, why)) return link;
      if (hooks_.pause(0.3)) {
        end_.interrupted = true, end_.trouble = "interrupted";
        return std::nullopt;
      }
    }
    end_.trouble = "the coordinator, " + printable(join(coordinator_.hosts, " or "), 200) + " at TCP port " +
                   std::to_string(coordinator_.port) + ", cannot be reached: " + why;
    return std::nullopt;
  }

  Json hello() const {
    Json rails = Json::array();
    for (const auto& rail : engine_.rails())
      rails.push_back({{"name", rail.name}, {"gbit_s", rail.gbit_s}, {"problem", rail.problem}});
    return {{"type", "hello"},           {"index", self_.index},     {"node", self_.node},
            {"boot_id", self_.boot_id},  {"program", self_.program}, {"engine", std::string(engine_.name())},
            {"rails", std::move(rails)}, {"busy", self_.busy}};
  }

  AgentEnd obey(SignedLink& link) {
    for (auto heard = Clock::now();;) {
      // Who leaves is lost, and nobody is accused of what it no longer carries.
      if (hooks_.pause(0)) {
        end_.interrupted = true;
        return trouble("interrupted");
      }
      say_alive(link);
      const auto message = link.receive();
      if (!message) {
        if (seconds_since(heard) > coordinator_.silence_s)
          return trouble("the coordinator has been silent for " + time_text(coordinator_.silence_s * 1e6));
        (void)link.wait(0.2);
        continue;
      }
      heard = Clock::now();
      const auto type = message->at("type").get<std::string>();
      if (type == "refused")
        return trouble("the coordinator refused this node: " + message->at("why").get<std::string>());
      if (type == "end") {
        const auto code = whole_number<int>(message->at("code"));
        const auto known = exit_code_from(code);
        if (!known)
          return trouble("the coordinator ended with " + std::to_string(code) + ", which is no end");
        end_.code = *known;
        return std::move(end_);
      }
      answer(link, type, *message);
    }
  }

  void say_alive(SignedLink& link) {
    if (seconds_since(alive_) < agent_alive_every_s) return;
    alive_ = Clock::now();
    link.send({{"type", "alive"}});
  }

  void answer(SignedLink& link, const std::string& type, const Json& message) {
    if (type != "test" && type != "peer" && type != "go") return;
    const auto test = whole_number<int>(message.at("test"));
    try {
      if (type == "test") {
        end_of_test_ = nullptr;  // its ports are free before the next one takes them
        terms_ = terms_from(message.at("terms"));
        end_of_test_ = engine_.begin(terms_);
        test_ = test;
        link.send({{"type", "offer"}, {"test", test}, {"offer", end_of_test_->offer()}});
      } else if (test == test_ && end_of_test_ && type == "peer") {
        end_of_test_->connect(message.at("offer"));
        link.send({{"type", "ready"}, {"test", test}});
      } else if (test == test_ && end_of_test_ && type == "go") {
        const auto sides = end_of_test_->measure([&] { return say_alive(link), !hooks_.pause(0); });
        end_of_test_ = nullptr;
        if (hooks_.pause(0)) throw std::runtime_error("it was told to stop");
        link.send({{"type", "seen"}, {"test", test}, {"rails", to_json(sides)}});
      }
    } catch (const LinkError&) {
      throw;
    } catch (const std::exception& error) {
      end_of_test_ = nullptr;
      link.send({{"type", "failed"}, {"test", test}, {"why", printable(error.what(), 300)}});
    }
  }

  const CoordinatorPlace& coordinator_;
  const AgentSelf& self_;
  Engine& engine_;
  const AgentHooks& hooks_;
  AgentEnd end_;
  TestTerms terms_;
  std::unique_ptr<TestEnd> end_of_test_;
  int test_ = 0;
  Clock::time_point alive_ = Clock::now();
};

}  // namespace

AgentEnd take_part(const CoordinatorPlace& coordinator, const AgentSelf& self, Engine& engine,
                   const AgentHooks& hooks) {
  return Agent(coordinator, self, engine, hooks).run();
}

}  // namespace mlc::fleet
