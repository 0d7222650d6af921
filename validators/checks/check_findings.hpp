// What one check collects while it judges.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/record/finding.hpp"

namespace mlc {

class CheckFindings {
 public:
  explicit CheckFindings(std::string_view check) : check_(check) {}

  void pass(std::string subject, std::string observed, std::string expected, std::string source) {
    add(std::move(subject), Status::pass, std::move(observed), std::move(expected), std::move(source), {});
  }
  void warn(std::string subject, std::string observed, std::string expected, std::string source,
            std::string remedy) {
    add(std::move(subject), Status::warn, std::move(observed), std::move(expected), std::move(source),
        std::move(remedy));
  }
  void fail(std::string subject, std::string observed, std::string expected, std::string source,
            std::string remedy) {
    add(std::move(subject), Status::fail, std::move(observed), std::move(expected), std::move(source),
        std::move(remedy));
  }
  void unknown(std::string subject, std::string why, std::string expected, std::string source,
               std::string remedy) {
    add(std::move(subject), Status::unknown, std::move(why), std::move(expected), std::move(source),
        std::move(remedy));
  }
  // What cannot be told before `check` is in order.
  void needs(std::string_view check, std::string subject, std::string why, std::string expected,
             std::string source) {
    unknown(std::move(subject), std::move(why), std::move(expected), std::move(source),
            "see " + std::string(check) + " first");
    follows(check);
  }
  // The last one is no cause of its own where `check` is not in order either.
  void follows(std::string_view check) { findings_.back().depends_on = check; }
  void skip(std::string subject, std::string why, std::string source) {
    add(std::move(subject), Status::skip, std::move(why), {}, std::move(source), {});
  }
  void judge(Status status, std::string subject, std::string observed, std::string expected,
             std::string source, std::string remedy) {
    add(std::move(subject), status, std::move(observed), std::move(expected), std::move(source),
        status == Status::pass ? std::string() : std::move(remedy));
  }

  const std::string& check() const { return check_; }
  bool empty() const { return findings_.empty(); }
  // Nothing judged is unknown, never a pass.
  std::vector<Finding> done() {
    if (findings_.empty())
      unknown("node", "there was nothing to judge", {}, {},
              "run 'mlc-bench explain " + std::string(check_) + "' for where it reads");
    return std::move(findings_);
  }

 private:
  void add(std::string subject, Status status, std::string observed, std::string expected, std::string source,
           std::string remedy) {
    findings_.push_back({std::string(check_), std::move(subject), status, std::move(observed),
                         std::move(expected), std::move(source), std::move(remedy)});
  }
  std::string check_;
  std::vector<Finding> findings_;
};

}  // namespace mlc
