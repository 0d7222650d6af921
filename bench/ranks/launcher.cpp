#include "bench/ranks/launcher.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "bench/ranks/launched_as.hpp"
#include "bench/ranks/roll_call.hpp"
#include "reports/record/text.hpp"
#include "validators/host/child_process.hpp"
#include "validators/host/scratch_directory.hpp"

namespace mlc {

std::vector<std::string> mpirun_command(const LaunchRequest& request) {
  std::vector<std::string> command{request.mpirun, "--quiet", "-n", std::to_string(request.ranks)};
  const auto add = [&](std::initializer_list<std::string> words) { command.insert(command.end(), words); };
  if (request.root) add({"--allow-run-as-root"});
  const bool local = request.hosts.empty() && request.hostfile.empty();
  if (!request.hosts.empty()) {
    // Equal shares, rounded up: the first hosts fill first.
    const auto hosts = static_cast<int>(request.hosts.size());
    const int slots = (request.ranks + hosts - 1) / hosts;
    std::string list;
    for (const auto& host : request.hosts)
      list += (list.empty() ? "" : ",") + host + ":" + std::to_string(slots);
    add({"--host", list});
  }
  if (!request.hostfile.empty()) add({"--hostfile", request.hostfile});
  if (local) {
    // More ranks than processors is normal on a laptop: they must then yield, and binding them would only
    // hurt.
    add({"--oversubscribe"});
    if (request.ranks > request.cpus) add({"--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"});
  } else {
    // Open MPI cuts a name at its first dot, and "worker-0" of "worker-0.jobs" is known to nobody.
    add({"--mca", "orte_keep_fqdn_hostnames", "1"});
    for (const auto& name : request.exported)
      add({"-x", name});
  }
  add({request.program});
  command.insert(command.end(), request.arguments.begin(), request.arguments.end());
  return command;
}

namespace {

std::string how_it_ended(const ChildEnd& end) {
  // 255 and its like are ssh's, or mpirun's own.
  if (end.signal == 0 && end.code > 128 && end.code - 128 < NSIG)
    return "mpirun reports that a rank was ended by signal " + std::to_string(end.code - 128) + " (" +
           ::strsignal(end.code - 128) + ")";
  return "mpirun " + end.text();
}

// What rank 0 counts up to: it has started, or it has ended with a code.
constexpr std::uint64_t has_started = 1, has_ended = 2;

std::optional<ExitCode> told_code(const RollCallServer& call) {
  const std::uint64_t sequence = call.states().front().sequence;
  if (sequence < has_ended) return std::nullopt;
  return static_cast<ExitCode>(sequence - has_ended);
}

}  // namespace

void tell_launcher(std::optional<ExitCode> ended) {
  const auto where = from_environment(launcher_variable);
  if (!where) return;
  const std::uint64_t sequence = ended ? has_ended + static_cast<std::uint64_t>(*ended) : has_started;
  try {
    RollCallClient client(address_from_line(*where), 1, 10);
    client.heartbeat(std::vector{RankState{.rank = 1, .node = {}, .sequence = sequence, .phase = {}}});
  } catch (const std::exception&) {
    // The measurement does not need it. The launcher gives up by its own deadline, or goes by mpirun's end.
    std::fprintf(stderr, "rank 0 cannot tell the launcher that it has %s: nothing answers at %s\n",
                 ended ? "ended" : "started", printable(*where, 200).c_str());
  }
}

// After rank 0's last word: ending a large job takes mpirun a few seconds.
constexpr std::chrono::seconds mpirun_may_linger{10};
// The same after an interruption on this machine, where mpirun would wait for ranks that are gone: for
// OMPI_MCA_odls_base_sigkill_timeout before SIGTERM and as long before SIGKILL.
constexpr std::chrono::milliseconds mpirun_may_tidy{500};
// A rank 0 that is told to stop and says nothing: mpirun ends it.
constexpr std::chrono::seconds rank_may_take{3};

bool is_there(const ScratchDirectory& scratch, const char* file) {
  return ::access((scratch.path() / file).c_str(), F_OK) == 0;
}

std::optional<ExitCode> said_code(const ScratchDirectory& scratch, const RollCallServer& call) {
  if (const std::string code = read_file(scratch.path() / "exit"); !code.empty())
    return static_cast<ExitCode>(std::atoi(code.c_str()));
  return told_code(call);
}

LaunchResult launch(const LaunchRequest& request, const std::string& terminal) {
  const ScratchDirectory scratch;
  const std::string job = scratch.path().filename().string();
  const bool local = request.hosts.empty() && request.hostfile.empty();
  RollCallServer started_call;
  started_call.expect({{.rank = 1, .node = "", .via = 1}});
  Children mpirun;
  Variables environment{{job_variable, job},
                        {directory_variable, scratch.path().string()},
                        {ranks_variable, std::to_string(request.ranks)},
                        {launcher_variable, to_line(started_call.address())},
                        {terminal_variable, terminal},
                        // mpirun ends the others when a rank dies; five seconds are enough to say what was
                        // measured.
                        {"OMPI_MCA_odls_base_sigkill_timeout", "5"}};
  // What it leaves where it is killed goes with our own.
  if (local) environment.emplace_back("OMPI_MCA_orte_tmpdir_base", scratch.path().string());
  std::ranges::copy(request.environment, std::back_inserter(environment));
  mpirun.start(mpirun_command(request), environment);

  LaunchResult result;
  const auto start = std::chrono::steady_clock::now();
  bool started = false, gave_up = false, told_rank = false;
  // When this process was told to stop, and when rank 0 was seen to have said all.
  std::optional<std::chrono::steady_clock::time_point> told_to_stop, said;
  std::optional<ExitCode> code;  // what it said
  std::optional<ChildEnd> end;
  while (!(end = mpirun.ended())) {
    // While ranks measure, nothing is to be seen to often: the end of mpirun and signals wake us.
    if (const int signal = mpirun.wait(started && !said && !told_to_stop ? 0.5 : 0.05); signal > 0) {
      if (told_to_stop) break;  // told again: at once, whatever mpirun has still to tidy
      // mpirun tells its ranks seconds later, and passes on nothing of what they say then. Rank 0 is told,
      // says what was measured, and the others end with it.
      // Before it has its MPI, mpirun is the one that clears away what MPI_Init leaves in /dev/shm.
      told_rank = local && is_there(scratch, initialised_file) &&
                  mpirun.signal_below(signal, "OMPI_COMM_WORLD_RANK=0");
      // Where rank 0 has said all, mpirun is at its end, and dumps its stack if it is told to hurry.
      if (!told_rank && !said) mpirun.signal(signal);
      told_to_stop = std::chrono::steady_clock::now();
    }
    (void)started_call.serve();
    // mpirun waits without end for a node that lost power; all has been said by then.
    if (!said && (code = said_code(scratch, started_call))) said = std::chrono::steady_clock::now();
    const auto since = [](const auto& then) {
      return then ? std::chrono::steady_clock::now() - *then : std::chrono::seconds(0);
    };
    const bool short_cut = told_rank && said > told_to_stop && since(said) > mpirun_may_tidy;
    if (short_cut || since(said) > mpirun_may_linger) mpirun.signal(SIGKILL);
    if (told_rank && !said && since(told_to_stop) > rank_may_take) mpirun.signal(SIGTERM), told_rank = false;
    if (started) continue;
    started = started_call.states().front().sequence >= has_started;
    if (!started &&
        std::chrono::steady_clock::now() - start > std::chrono::duration<double>(request.timeout_s)) {
      gave_up = true, started = true;
      mpirun.signal(SIGKILL);
    }
  }
  mpirun.end();
  result.interrupted = told_to_stop.has_value();
  (void)started_call.serve();
  if (const auto last = said_code(scratch, started_call)) result.finished = true, result.code = *last;
  result.what = gave_up ? "mpirun started no rank within " + shortest(request.timeout_s) + " s"
                : end   ? how_it_ended(*end)
                        : "interrupted twice";
  result.checkpoint = read_file(scratch.path() / "report.json");
  return result;
}

}  // namespace mlc
