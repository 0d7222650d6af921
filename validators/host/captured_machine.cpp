#include <array>
#include <cerrno>

#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"
#include "validators/host/host.hpp"
#include "validators/host/machine.hpp"

namespace mlc {

namespace {

constexpr std::string_view node_schema = "mlc-bench/node/v1";
constexpr std::array<std::string_view, 2> file_keys{"schema", "answers"};
constexpr std::array<std::string_view, 5> answer_keys{"kind", "key", "error", "why", "value"};
using Answers = std::map<std::pair<std::string, std::string>, Answer>;

class CapturedMachine : public Machine {
 public:
  CapturedMachine(Answers answers, std::string absent)
      : answers_(std::move(answers)), absent_(std::move(absent)) {}
  Answer ask(const std::string& kind, const std::string& key) const override {
    const auto found = answers_.find({kind, key});
    if (found != answers_.end()) return found->second;
    return {ENODATA, absent_, nullptr};
  }

 private:
  Answers answers_;
  std::string absent_;
};

}  // namespace

Answer RecordingMachine::ask(const std::string& kind, const std::string& key) const {
  Answer answer = machine_->ask(kind, key);
  const std::lock_guard lock(mutex_);
  answers_[{kind, key}] = answer;
  return answer;
}

std::string RecordingMachine::node_file() const {
  const std::lock_guard lock(mutex_);
  return node_file_text(answers_);
}

std::string node_file_text(const Answers& answers) {
  nlohmann::json document{{"schema", node_schema}, {"answers", nlohmann::json::array()}};
  for (const auto& [question, answer] : answers) {
    nlohmann::json entry{{"kind", question.first}, {"key", question.second}};
    if (answer.error != 0)
      entry["error"] = answer.error, entry["why"] = answer.why;
    else
      entry["value"] = answer.value;
    document["answers"].push_back(std::move(entry));
  }
  return document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::unique_ptr<Machine> captured_machine(const std::string& content, const std::string& file) {
  try {
    const auto document = read_json(content, {.bytes = largest_node_file});
    if (document.at("schema").get<std::string>() != node_schema)
      throw CaptureError(file + ": schema is not " + std::string(node_schema));
    refuse_other_keys(document, file_keys);
    Answers answers;
    for (const auto& entry : document.at("answers")) {
      refuse_other_keys(entry, answer_keys);
      Answer answer;
      answer.error = entry.value("error", 0);
      answer.why = printable(entry.value("why", std::string()));
      if (answer.error == 0) answer.value = entry.at("value");
      const auto kind = entry.at("kind").get<std::string>(), key = entry.at("key").get<std::string>();
      if (!answers.try_emplace({kind, key}, std::move(answer)).second)
        throw CaptureError(file + ": '" + printable(kind + " " + key, 80) + "' is answered twice");
    }
    return std::make_unique<CapturedMachine>(std::move(answers),
                                             std::string(not_captured) + " (" + file + ")");
  } catch (const nlohmann::json::exception& error) {
    throw CaptureError(file + ": not a captured node: " + printable(error.what()));
  } catch (const JsonError& error) {
    throw CaptureError(file + ": not a captured node: " + error.what());
  }
}

std::unique_ptr<Machine> silent_machine(const std::string& why) {
  return std::make_unique<CapturedMachine>(Answers{}, why);
}

}  // namespace mlc
