#include "bench/ranks/watch.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/ranks/control.hpp"
#include "bench/ranks/presence.hpp"
#include "bench/ranks/roll_call.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

struct Watch::State {
  Options options;
  std::function<void(const Ending&)> on_end;
  std::vector<std::unique_ptr<Pulse>> pulses;
  std::vector<std::uint64_t> last_sequence;
  std::vector<SteadyTime> last_move;
  FileDescriptor presence, signals, wake;
  std::vector<std::string> nodes;

  std::mutex mutex;  // guards the roll call, used by the watch thread and by join, failed and the destructor
  std::optional<RollCallServer> server;
  std::optional<RollCallClient> client;
  std::atomic<bool> stop = false;
  std::atomic<bool> ended = false;
  std::thread thread;

  [[noreturn]] void end(const Ending& ending, bool speak) {
    if (ended.exchange(true))
      for (;;)
        ::pause();  // another thread is ending the process
    if (speak) on_end(ending);
    if (server) server->end_all();
    // Not exit(): destructors and atexit handlers wait for the thread that hangs.
    ::_exit(static_cast<int>(ending.code));
  }

  RankState own_state(std::size_t thread_index, SteadyTime now) {
    const auto state = pulses[thread_index]->state();
    if (state.sequence != last_sequence[thread_index])
      last_sequence[thread_index] = state.sequence, last_move[thread_index] = now;
    return {.rank = options.threads > 1 ? static_cast<int>(thread_index) : options.rank,
            .node = options.node,
            .sequence = state.sequence,
            .phase = state.phase,
            .unchanged_s = std::chrono::duration<double>(now - last_move[thread_index]).count(),
            .silent_s = 0};
  }

  void look() {
    const auto now = std::chrono::steady_clock::now();
    std::vector<RankState> states;
    for (std::size_t i = 0; i < pulses.size(); ++i)
      states.push_back(own_state(i, now));
    bool stuck = false;
    // Rank 0 judges; the others give it a grace of two seconds and then speak for themselves.
    const double deadline = options.timeout_s + (options.rank > 0 && options.threads == 1 ? 2 : 0);
    for (const auto& state : states)
      stuck = stuck || state.unchanged_s > deadline;

    const std::lock_guard lock(mutex);
    if (server) {
      server->heartbeat();
      for (const auto& state : server->states()) {
        stuck = stuck || state.unchanged_s > deadline;
        states.push_back(state);
      }
    }
    if (client) client->heartbeat(states.front().sequence, states.front().phase);
    if (!stuck) return;
    if (client) {
      const RankState zero{.rank = 0,
                           .node = nodes.empty() ? "?" : nodes.front(),
                           .sequence = states.front().sequence,
                           .phase = states.front().phase,
                           .unchanged_s = 0,
                           .silent_s = client->silent_s()};
      states.push_back(zero);
      end({ExitCode::tool, blame_for_hang(states, options.timeout_s)}, true);
    }
    if (!server && options.size > 1 && options.threads == 1) {
      const auto present = ranks_present(options.job, options.size);
      // Of those that are here, the lowest speaks.
      end({ExitCode::tool,
           blame_for_missing(options.size, present, options.local_size, options.node, options.timeout_s)},
          present.empty() || present.front() == options.rank);
    }
    end({ExitCode::tool, blame_for_hang(states, options.timeout_s)}, true);
  }

  void take_messages() {
    const std::lock_guard lock(mutex);
    if (server)
      if (auto error = server->serve()) end({ExitCode::tool, *error}, true);
    if (!client) return;
    switch (client->listen()) {
      case RollCallClient::Heard::nothing:
      case RollCallClient::Heard::here:
        return;
      case RollCallClient::Heard::end:
        end({ExitCode::tool, {}}, false);
      case RollCallClient::Heard::lost: {
        if (stop) return;
        RankState zero{.rank = 0,
                       .node = nodes.front(),
                       .sequence = 0,
                       .phase = pulses.front()->state().phase,
                       .unchanged_s = 0,
                       .silent_s = 0};
        end({ExitCode::tool, blame_for_death(zero)}, options.rank == 1);
      }
    }
  }

  void take_signal() {
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) != sizeof info) return;
    // mpirun ends all ranks when one has died; whoever died is then known from its connection, which closes
    // first.
    if (options.rank == 0 || options.threads > 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      take_messages();
    }
    const std::lock_guard lock(mutex);
    if (client) client->bye();
    const std::string phase = pulses.front()->state().phase;
    const std::string name =
        info.ssi_signo == SIGINT ? "interrupted" : "ended by signal " + std::to_string(info.ssi_signo);
    end({ExitCode::interrupted,
         {.what = name, .where = rank_on_node(options.rank, options.node), .phase = phase, .hint = {}}},
        options.rank == 0 || options.threads > 1);
  }

  void run() {
    while (!stop) {
      std::vector<pollfd> fds{{signals.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
      {
        const std::lock_guard lock(mutex);
        if (server)
          for (int fd : server->descriptors())
            fds.push_back({fd, POLLIN, 0});
        if (client) fds.push_back({client->descriptor(), POLLIN, 0});
      }
      ::poll(fds.data(), fds.size(), 250);
      if (fds[1].revents != 0) {
        std::uint64_t count;
        (void)!::read(wake.get(), &count, sizeof count);
        if (stop) return;
      }
      take_messages();
      if (fds[0].revents != 0) take_signal();
      look();
    }
  }

  void poke() {
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
  }
};

Watch::Watch(Options options, std::function<void(const Ending&)> on_end) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.options = std::move(options), s.on_end = std::move(on_end);
  for (int i = 0; i < s.options.threads; ++i)
    s.pulses.push_back(std::make_unique<Pulse>());
  s.last_sequence.resize(s.pulses.size()),
      s.last_move.resize(s.pulses.size(), std::chrono::steady_clock::now());
  const sigset_t set = watched_signals();
  s.signals = FileDescriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  s.wake = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!s.options.job.empty()) s.presence = announce_presence(s.options.job, s.options.rank);
  s.thread = std::thread([&s] { s.run(); });
}

Watch::~Watch() {
  State& s = *state_;
  s.stop = true;  // first: rank 0 may close the connection as soon as it has our bye
  {
    const std::lock_guard lock(s.mutex);
    if (s.client) s.client->bye();
  }
  if (s.server)
    for (int i = 0; i < 100; ++i) {
      {
        const std::lock_guard lock(s.mutex);
        (void)s.server->serve();
        if (s.server->all_said_bye()) break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  s.poke();
  s.thread.join();
}

Pulse& Watch::pulse(int thread) { return *state_->pulses[static_cast<std::size_t>(thread)]; }
const std::vector<std::string>& Watch::nodes() const { return state_->nodes; }

void Watch::join(Control& control) {
  State& s = *state_;
  auto nodes = gather_text(control, s.options.node);
  std::optional<RollCallServer> server;
  std::string where;
  if (control.rank() == 0) {
    server.emplace();
    server->expect(nodes);
    where = to_line(server->address());
  }
  where = agree_text(control, where);
  const std::lock_guard lock(s.mutex);
  s.options.rank = control.rank(), s.options.size = control.size();
  s.nodes = nodes;
  if (control.size() == 1) return;
  if (server) {
    s.server = std::move(server);
  } else {
    RollCallAddress address = address_from_line(where);
    // Ranks of rank 0's own node try loopback first; it is listed last.
    if (nodes[static_cast<std::size_t>(control.rank())] == nodes.front())
      std::ranges::reverse(address.addresses);
    s.client.emplace(address, control.rank(), s.options.timeout_s);
  }
  s.poke();
}

void Watch::failed(const ErrorEntry& error) {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (s.client) s.client->failed(error.what);
  }
  if (s.client) {
    // Rank 0 writes the report and ends us all; if it cannot, we end ourselves.
    std::this_thread::sleep_for(std::chrono::seconds(3));
  }
  s.end({ExitCode::tool, error}, true);
}

}  // namespace mlc
