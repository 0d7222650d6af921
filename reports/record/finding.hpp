// What one check says of one subject. A finding is a value: a bad node is never an exception.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mlc {

// "Could not test" (unknown) and "not asked for" (skip) are never a pass.
enum class Status { pass, warn, fail, skip, unknown };

struct StatusWords {
  Status status;
  std::string_view name;  // in JSON
  std::string_view mark;  // beside it where people read it: never colour alone
  std::string_view done;  // of a number of checks
};

// From best to worst, where one stands for many: what was not asked for says least; "could not test" is worse
// than a warning.
inline constexpr std::array<StatusWords, 5> statuses{{{Status::skip, "skip", "-", "skipped"},
                                                      {Status::pass, "pass", "✓", "passed"},
                                                      {Status::warn, "warn", "!", "warned"},
                                                      {Status::unknown, "unknown", "?", "unknown"},
                                                      {Status::fail, "fail", "✗", "failed"}}};

constexpr std::size_t severity(Status status) {
  for (std::size_t i = 0; i < statuses.size(); ++i)
    if (statuses[i].status == status) return i;
  return severity(Status::unknown);
}

constexpr Status worst(Status a, Status b) { return severity(a) >= severity(b) ? a : b; }
constexpr std::string_view to_string(Status status) { return statuses[severity(status)].name; }
constexpr std::string_view status_mark(Status status) { return statuses[severity(status)].mark; }
constexpr bool tested(Status status) { return status != Status::skip && status != Status::unknown; }

constexpr std::optional<Status> parse_status(std::string_view name) {
  for (const auto& words : statuses)
    if (words.name == name) return words.status;
  return std::nullopt;
}

struct Finding {
  std::string check;    // "room.subject", e.g. "rdma.link-state"
  std::string subject;  // what was looked at: "mlx5_3/1", "rail 2 (ens3f1v0)"
  Status status = Status::unknown;
  std::string observed;    // in the words of the source: "1: DOWN"
  std::string expected;    // "4: ACTIVE"; empty where nothing is expected
  std::string source;      // where the fact was read: a path, a netlink request, an annotation
  std::string remedy;      // what an operator does next; empty on a pass
  std::string stage;       // of a burn-in
  int launch = 0;          // of its stage, from 1 on
  std::string depends_on;  // the check that must be in order before this one can be made; empty: none

  bool operator==(const Finding&) const = default;
};

}  // namespace mlc
