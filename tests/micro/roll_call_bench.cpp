// What watching a large job costs rank 0: processor time of its heartbeats over real sockets, the other ends
// in a process of their own. Prints the share of a core; the aim is under 1 % at 4,096 ranks. usage:
// roll_call_bench [SECONDS]
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <thread>

#include "bench/ranks/reporting.hpp"
#include "bench/ranks/roll_call.hpp"

namespace {

using namespace mlc;

std::vector<std::string> nodes_of(int nodes, int ranks_a_node) {
  std::vector<std::string> by_rank;
  for (int rank = 0; rank < nodes * ranks_a_node; ++rank)
    by_rank.push_back("node-" + std::to_string(rank / ranks_a_node));
  return by_rank;
}

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Every rank moves in every interval, as in a run of small messages.
[[noreturn]] void all_others(const RollCallAddress& address, const std::vector<int>& to, double interval) {
  std::deque<std::pair<RollCallClient, std::vector<RankState>>> speakers;
  for (std::size_t rank = 1; rank < to.size(); ++rank) {
    if (to[rank] != 0) continue;
    std::vector<RankState> told;
    for (std::size_t other = rank; other < to.size(); ++other)
      if (other == rank || to[other] == static_cast<int>(rank))
        told.push_back({.rank = static_cast<int>(other),
                        .node = {},
                        .sequence = 0,
                        .phase = "allreduce 1 KiB float sum out-of-place: timed iterations"});
    speakers.emplace_back(RollCallClient(address, static_cast<int>(rank), 30), told);
  }
  for (std::uint64_t beat = 1;; ++beat) {
    for (auto& [client, states] : speakers) {
      for (auto& state : states)
        state.sequence = beat;
      client.heartbeat(states);
      (void)client.listen();
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(interval));
  }
}

void measure(int node_count, int ranks_a_node, double seconds) {
  const auto nodes = nodes_of(node_count, ranks_a_node);
  const auto to = report_to(nodes);
  const double interval = heartbeat_interval(to);
  RollCallServer server;
  server.expect(heard_by(0, nodes, to));
  RollCallAddress address = server.address();
  address.addresses = {"127.0.0.1"};
  const pid_t others = ::fork();
  if (others == 0) all_others(address, to, interval);
  const auto all_here = [&] {
    for (const auto& fd : server.descriptors())
      if (fd.events == POLLIN) return false;
    return true;
  };
  while (!all_here()) {
    (void)server.serve();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto began = std::chrono::steady_clock::now();
  const double before = thread_seconds();
  double elapsed = 0;
  int beats = 0;
  for (; elapsed < seconds; ++beats) {
    std::this_thread::sleep_for(std::chrono::duration<double>(interval));
    (void)server.descriptors();
    if (server.serve()) std::abort();
    server.heartbeat();
    if (server.most_unchanged_s() > 60) std::abort();
    elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }
  const double used = thread_seconds() - before;
  std::printf("%5zu ranks on %4d nodes: a heartbeat every %.2f s, %.1f ms each, %.2f %% of a core\n",
              nodes.size(), node_count, interval, used / beats * 1e3, used / elapsed * 100);
  std::fflush(stdout);
  ::kill(others, SIGKILL);
  ::waitpid(others, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const double seconds = argc > 1 ? std::atof(argv[1]) : 15;
  for (const auto& [nodes, ranks] : {std::pair{8, 8}, {32, 8}, {128, 8}, {512, 8}, {4096, 1}})
    measure(nodes, ranks, seconds);
}
