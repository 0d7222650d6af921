#include "bench/ranks/watch.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/ranks/control.hpp"
#include "bench/ranks/presence.hpp"
#include "bench/ranks/reporting.hpp"
#include "bench/ranks/roll_call.hpp"
#include "bench/ranks/spare_cpus.hpp"
#include "reports/record/text.hpp"
#include "validators/host/clock_watch.hpp"

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

// A connection for each rank or node: the usual soft limit of 1024 is no limit of the machine's.
void allow_descriptors(std::size_t connections) {
  rlimit limit{};
  if (connections < 512 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

void block_signals() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

bool told_to_stop(double seconds) {
  const sigset_t set = watched_signals();
  const auto whole = static_cast<std::time_t>(seconds);
  const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  return ::sigtimedwait(&set, nullptr, &time) > 0;
}

struct Watch::State {
  Options options;
  std::function<ExitCode(const Ending&)> on_end;
  std::vector<std::unique_ptr<Pulse>> pulses;
  std::vector<std::uint64_t> last_sequence;
  std::vector<SteadyTime> last_move;
  FileDescriptor presence, signals, wake;
  std::vector<std::string> nodes;
  int reports_to = 0;         // the rank at the other end of `client`
  double heartbeat_s = 0.25;  // reporting.hpp

  std::mutex mutex;  // guards the roll call, used by the watch thread and by join, failed and the destructor
  std::optional<RollCallServer> server;  // rank 0, and the speaker of a node
  std::optional<RollCallClient> client;  // all but rank 0
  std::atomic<bool> stop = false;
  std::atomic<bool> ended = false;
  std::thread thread;
  SteadyClock clock;
  RawClock other_clock;
  ClockWatch clock_watch{clock, &other_clock};

  [[noreturn]] void end(const Ending& ending, bool speak) {
    if (ended.exchange(true))
      for (;;)
        ::pause();  // another thread is ending the process
    const ExitCode code = speak ? on_end(ending) : ending.code;
    if (server) server->end_all();
    // Not exit(): destructors and atexit handlers wait for the thread that hangs.
    ::_exit(static_cast<int>(code));
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

  // Four times a second or less, and at no other time: what has arrived is read, where we stand is told, and
  // whether anything still moves is judged.
  void beat() {
    take_messages();
    const auto now = std::chrono::steady_clock::now();
    std::vector<RankState> states;
    for (std::size_t i = 0; i < pulses.size(); ++i)
      states.push_back(own_state(i, now));
    double unchanged_s = 0;
    for (const auto& state : states)
      unchanged_s = std::max(unchanged_s, state.unchanged_s);
    const std::lock_guard lock(mutex);
    if (server) {
      server->heartbeat();
      // What others do is known an interval late.
      unchanged_s = std::max(unchanged_s, server->most_unchanged_s() - heartbeat_s);
    }
    if (client) {
      auto told = states;
      if (server) std::ranges::copy(server->news(), std::back_inserter(told));
      client->heartbeat(told);
    }
    // Rank 0 judges; the others give it a grace and then speak for themselves.
    const bool rank_0 = options.rank == 0 || options.threads > 1;
    if (unchanged_s > options.timeout_s + (rank_0 ? 0 : 2 + 2 * heartbeat_s))
      nothing_moves(std::move(states));
  }

  [[noreturn]] void nothing_moves(std::vector<RankState> states) {
    if (server) std::ranges::copy(server->states(), std::back_inserter(states));
    if (client) {
      RankState upstream = states.front();
      upstream.rank = reports_to, upstream.node = nodes[static_cast<std::size_t>(reports_to)];
      upstream.unchanged_s = 0, upstream.silent_s = client->silent_s();
      states.push_back(upstream);
    } else if (!server && options.size > 1 && options.threads == 1) {
      const auto present = ranks_present(options.job, options.size);
      // Of those that are here, the lowest speaks.
      end({ExitCode::tool,
           blame_for_missing(options.size, present, options.local_size, options.node, options.timeout_s)},
          present.empty() || present.front() == options.rank);
    }
    end({ExitCode::tool, blame_for_hang(states, options.timeout_s, heartbeat_s)}, true);
  }

  // A rank that this one hears of will not go on: rank 0 says so, another tells whom it reports to.
  void lost(const Lost& lost) {
    const RankState state = server->state_of(lost.rank);
    if (!client)
      end({ExitCode::tool, lost.message.empty() ? blame_for_death(state)
                                                : ErrorEntry{.what = lost.message,
                                                             .where = rank_on_node(state.rank, state.node),
                                                             .phase = state.phase,
                                                             .hint = lost.hint}},
          true);
    client->heartbeat(std::vector{state});
    client->lost(lost);
  }

  // That this rank will not go on, and what it was at: later than the last beat.
  void tell(const ErrorEntry& error) {
    if (!client) return;
    client->heartbeat(std::vector{own_state(0, std::chrono::steady_clock::now())});
    client->lost(
        {.rank = options.rank, .message = error.what.empty() ? "failed" : error.what, .hint = error.hint});
  }

  void take_messages() {
    const std::lock_guard lock(mutex);
    if (server)
      if (const auto gone = server->serve()) lost(*gone);
    if (!client) return;
    switch (client->listen()) {
      case RollCallClient::Heard::nothing:
      case RollCallClient::Heard::here:
        return;
      case RollCallClient::Heard::end:
        end({ExitCode::tool, {}}, false);
      case RollCallClient::Heard::lost: {
        if (stop) return;
        const RankState upstream{.rank = reports_to,
                                 .node = nodes[static_cast<std::size_t>(reports_to)],
                                 .sequence = 0,
                                 .phase = pulses.front()->state().phase,
                                 .unchanged_s = 0,
                                 .silent_s = 0};
        // Of a speaker's death rank 0 knows, and speaks.
        end({ExitCode::tool, blame_for_death(upstream)}, options.rank == 1 && reports_to == 0);
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
    if (client) client->bye({options.rank});
    const std::string phase = pulses.front()->state().phase;
    const std::string name =
        info.ssi_signo == SIGINT ? "interrupted" : "ended by signal " + std::to_string(info.ssi_signo);
    end({ExitCode::interrupted,
         {.what = name, .where = rank_on_node(options.rank, options.node), .phase = phase, .hint = {}}},
        options.rank == 0 || options.threads > 1);
  }

  // Every limit of this program is a time by that clock: without it nothing would end.
  void hold_clock() {
    const ClockFault fault = clock_watch.look();
    if (fault == ClockFault::none) return;
    const std::string where = rank_on_node(options.rank, options.node);
    const ErrorEntry error{
        .what = where + ": " + clock_fault_text(fault) + ", so that no time it measured can be believed",
        .where = where,
        .phase = pulses.front()->state().phase,
        .hint =
            "dmesg | grep -i clocksource; cat "
            "/sys/devices/system/clocksource/clocksource0/current_clocksource"};
    const std::lock_guard lock(mutex);
    tell(error);  // rank 0 speaks
    end({ExitCode::inconclusive, error}, !client);
  }

  void run() {
    using namespace std::chrono;
    ::pthread_setname_np(::pthread_self(), "mlc-watch");
    auto next_beat = steady_clock::now();
    while (!stop) {
      std::vector<pollfd> fds{{signals.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
      {
        const std::lock_guard lock(mutex);
        if (server) std::ranges::copy(server->descriptors(), std::back_inserter(fds));
        if (client) fds.push_back({client->descriptor(), POLLRDHUP, 0});
      }
      const auto left = ceil<milliseconds>(next_beat - steady_clock::now());
      const int ready = ::poll(fds.data(), fds.size(), std::max(0, static_cast<int>(left.count())));
      hold_clock();
      if (fds[1].revents != 0) {
        std::uint64_t count;
        (void)!::read(wake.get(), &count, sizeof count);
        if (stop) return;
      }
      if (ready > 0) take_messages();
      if (fds[0].revents != 0) take_signal();
      if (steady_clock::now() < next_beat) continue;
      beat();
      next_beat = steady_clock::now() + duration_cast<steady_clock::duration>(duration<double>(heartbeat_s));
    }
  }

  // Bound ranks leave cores free, or not; the watch inherits the binding of the rank that started it.
  void stay_out_of_the_way(Control& control, std::span<const std::string> by_rank) {
    cpu_set_t mine;
    CPU_ZERO(&mine);
    (void)::sched_getaffinity(0, sizeof mine, &mine);
    const auto all = gather(control, mine);
    std::vector<cpu_set_t> here;
    for (std::size_t rank = 0; rank < all.size(); ++rank)
      if (by_rank[rank] == by_rank[static_cast<std::size_t>(control.rank())]) here.push_back(all[rank]);
    if (const auto spare = spare_cpus(cores_of_this_machine(), allowed_to_the_job(), here))
      (void)::pthread_setaffinity_np(thread.native_handle(), sizeof *spare, &*spare);
  }

  void poke() {
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
  }
};

Watch::Watch(Options options, std::function<ExitCode(const Ending&)> on_end)
    : state_(std::make_unique<State>()) {
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
  if (s.server)
    for (int i = 0; i < 100; ++i) {
      {
        const std::lock_guard lock(s.mutex);
        (void)s.server->serve();
        if (s.server->all_said_bye()) break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  {
    const std::lock_guard lock(s.mutex);
    std::vector<int> ranks{s.options.rank};
    if (s.server)
      for (const auto& state : s.server->states())
        ranks.push_back(state.rank);
    if (s.client) s.client->bye(ranks);
  }
  s.poke();
  s.thread.join();
}

Pulse& Watch::pulse(int thread) { return *state_->pulses[static_cast<std::size_t>(thread)]; }
const std::vector<std::string>& Watch::nodes() const { return state_->nodes; }

void Watch::join(Control& control) {
  State& s = *state_;
  const int rank = control.rank();
  const auto nodes = gather_text(control, s.options.node);
  const auto to = report_to(nodes);
  const auto heard = heard_by(rank, nodes, to);
  std::optional<RollCallServer> server;
  if (!heard.empty()) {
    allow_descriptors(heard.size());
    server.emplace();
    server->expect(heard);
  }
  const auto where = gather_text(control, server ? to_line(server->address()) : "");
  s.stay_out_of_the_way(control, nodes);
  // Before the lock, which a signal needs: this may take as long as the deadline.
  std::optional<RollCallClient> client;
  if (rank > 0) {
    const auto upstream = static_cast<std::size_t>(to[static_cast<std::size_t>(rank)]);
    RollCallAddress address = address_from_line(where[upstream]);
    // Ranks of one node try loopback first; it is listed last.
    if (nodes[static_cast<std::size_t>(rank)] == nodes[upstream]) std::ranges::reverse(address.addresses);
    client.emplace(address, rank, s.options.timeout_s);
  }
  const std::lock_guard lock(s.mutex);
  s.options.rank = rank, s.options.size = control.size();
  s.nodes = nodes, s.reports_to = to[static_cast<std::size_t>(rank)], s.heartbeat_s = heartbeat_interval(to);
  s.server = std::move(server), s.client = std::move(client);
  s.poke();
}

void Watch::failed(const ErrorEntry& error) {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    s.tell(error);
  }
  if (s.client) {
    // Rank 0 writes the report and ends us all; if it cannot, we end ourselves.
    std::this_thread::sleep_for(std::chrono::seconds(3));
  }
  const std::lock_guard lock(s.mutex);  // the watch's own use of the connections ends here
  s.end({ExitCode::tool, error}, true);
}

}  // namespace mlc
