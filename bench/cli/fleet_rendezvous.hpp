// How the processes of one campaign find each other: over MPI, which is over before anything is measured (it
// would end all of them with the first that dies), or, in Pods, by a host name and a key that they were
// given.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/ranks/launched_as.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc {

struct FleetRendezvous {
  int index = 0, members = 0;
  std::vector<std::string> names;  // by index, no two the same; empty: each says its own when it comes
  std::vector<std::string> hosts;  // of the coordinator, tried in turn
  int port = 0;
  std::string key;
  std::string local;  // this end's IPv4 address on the way to the coordinator, or what it is reached by there
  int neighbours_before = 0;  // agents of this machine with a smaller index
  struct SharedMachine {
    std::string machine;
    int agents = 0;
  };
  std::optional<SharedMachine> shared;  // several agents run on one machine, and measure that: this one, say
  FileDescriptor listener;              // at index 0
};

struct FleetMemberOptions {
  std::string leader, key, gather = "60s";
  int index = -1, members = 0, port = 18530;

  void add_to(CLI::App& command);
  bool given() const { return !leader.empty(); }
  double gather_s() const;  // throws UsageError
  void check() const;       // throws UsageError
};

// `ready`: run at index 0 alone, with all names, whose UsageError is all the others' too. Throws
// BackendError: no MPI, or a launcher of another one. Whoever has not found the others after `most_s` ends
// its process with ExitCode::tool.
FleetRendezvous rendezvous_over_mpi(const LaunchedAs& as, double most_s,
                                    const std::function<void(const std::vector<std::string>&)>& ready);
// Throws UsageError: no key, no index, no number of members.
FleetRendezvous rendezvous_by_key(const FleetMemberOptions& options);

}  // namespace mlc
