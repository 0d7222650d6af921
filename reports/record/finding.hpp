// What one check says of one subject. A finding is a value: a bad node is never an exception.
#pragma once

#include <string>
#include <string_view>

namespace mlc {

// "Could not test" (unknown) and "not asked for" (skip) are never a pass.
enum class Status { pass, warn, fail, skip, unknown };

constexpr std::string_view to_string(Status status) {
  switch (status) {
    case Status::pass:
      return "pass";
    case Status::warn:
      return "warn";
    case Status::fail:
      return "fail";
    case Status::skip:
      return "skip";
    case Status::unknown:
      return "unknown";
  }
  return "unknown";
}

struct Finding {
  std::string check;    // "room.subject", e.g. "rdma.link-state"
  std::string subject;  // what was looked at: "mlx5_3/1", "rail 2 (ens3f1v0)"
  Status status = Status::unknown;
  std::string observed;  // in the words of the source: "1: DOWN"
  std::string expected;  // "4: ACTIVE"; empty where nothing is expected
  std::string source;    // where the fact was read: a path, a netlink request, an annotation
  std::string remedy;    // what an operator does next; empty on a pass

  bool operator==(const Finding&) const = default;
};

}  // namespace mlc
