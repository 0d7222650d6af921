// What each check is asked to say of a node that is built for it: one file a room of checks.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "tests/validators/built_node.hpp"

namespace mlc::test {

enum class Kind { host, pod };

struct Case {
  std::string check, name;
  Status expected = Status::pass;
  std::string says;  // in the finding of that status: observed
  Kind kind = Kind::host;
  std::function<void(BuiltNode&, Policy&)> change = [](BuiltNode&, Policy&) {};
};

// For GoogleTest.
void PrintTo(const Case& one, std::ostream* out);

class Cases {
 public:
  void operator()(std::string check, std::string name, Status expected, std::string says,
                  std::function<void(BuiltNode&, Policy&)> change, Kind kind = Kind::host) {
    all.push_back({std::move(check), std::move(name), expected, std::move(says), kind, std::move(change)});
  }
  std::vector<Case> all;
};

void pci_cases(Cases& add);
void rdma_cases(Cases& add);
void net_cases(Cases& add);
void vf_cases(Cases& add);
void gpu_cases(Cases& add);
void host_cases(Cases& add);

// The rails' other node answers, or does not, from each rail to each.
void reach_peers(BuiltNode& node, Policy& policy, const std::function<bool(int, int)>& reached);

}  // namespace mlc::test
