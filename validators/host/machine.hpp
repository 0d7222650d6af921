// Everything a check may learn that is no file: netlink answers, NVML, limits, probes. Each is a question
// with a JSON answer, so that capturing a machine, replaying it and bounding it are each one class and not
// one per source.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace mlc {

struct Answer {
  int error = 0;         // an errno; 0 is success
  std::string why;       // for people, when error is set
  nlohmann::json value;  // what was asked for, when error is 0
  bool operator==(const Answer&) const = default;
};

class Machine {
 public:
  virtual ~Machine() = default;
  // Thread-safe; may block for as long as the kernel or the network does.
  virtual Answer ask(const std::string& kind, const std::string& key) const = 0;
};

// The machine this process runs on.
std::unique_ptr<Machine> live_machine();

// Passes questions on and remembers the answers.
class RecordingMachine : public Machine {
 public:
  explicit RecordingMachine(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}
  Answer ask(const std::string& kind, const std::string& key) const override;
  std::string node_file() const;  // the answers so far, in the form captured_machine() reads

 private:
  std::unique_ptr<Machine> machine_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::string, std::string>, Answer> answers_;
};

// A node file that is not one. what() says where and why.
struct CaptureError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr std::size_t largest_node_file = 64u << 20;  // bytes; one of 8 GPUs and 4 x 64 VFs has 2 MB

// Answers from a node file; what was not captured is an error of its own, so that checks say unknown.
// Throws CaptureError.
std::unique_ptr<Machine> captured_machine(const std::string& content, const std::string& file);
// Every question unanswered: for a captured tree that came without a node file.
std::unique_ptr<Machine> silent_machine(const std::string& why);

std::string node_file_text(const std::map<std::pair<std::string, std::string>, Answer>& answers);

}  // namespace mlc
