#include "bench/cli/fleet_rendezvous.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench/backends/mpi.hpp"
#include "bench/cli/launched_rank.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/fleet/measurement/tcp_rails.hpp"
#include "bench/ranks/control.hpp"
#include "bench/ranks/launcher.hpp"
#include "bench/ranks/signed_link.hpp"
#include "reports/record/json_reader.hpp"
#include "validators/host/host.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

constexpr std::size_t shortest_key = 32;
constexpr int most_members = 65'536;

std::string random_key() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 8; ++i)
    key += std::to_string(random()) + ".";
  return key;
}

int port_of(const FileDescriptor& listener) {
  sockaddr_storage at{};
  socklen_t length = sizeof at;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &length);
  return at.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6&>(at).sin6_port)
                                  : ntohs(reinterpret_cast<const sockaddr_in&>(at).sin_port);
}

// Agents of one machine have its name and a number.
void tell_apart(FleetRendezvous& all) {
  std::map<std::string, int> times, seen;
  for (const auto& name : all.names)
    ++times[name];
  for (std::size_t i = 0; i < all.names.size(); ++i) {
    const std::string name = all.names[i];
    const int before = seen[name]++;
    if (static_cast<int>(i) == all.index) all.neighbours_before = before;
    if (times[name] > 1) all.names[i] = name + ":" + std::to_string(before);
  }
  for (const auto& [name, count] : times)
    if (count > 1 && !all.shared) all.shared = {name, count};
}

// MPI waits for ever for a rank that died, and its mpirun is told to let the others live.
class Deadline {
 public:
  Deadline(double seconds, bool leads)
      : thread_([this, seconds, leads](const std::stop_token& over) {
          std::unique_lock lock(mutex_);
          (void)waiting_.wait_for(lock, over, std::chrono::duration<double>(seconds), [] { return false; });
          if (over.stop_requested()) return;
          std::fprintf(
              stderr,
              "fleet: not all agents found each other over MPI within %s s: one of them died or hangs "
              "(--gather TIME waits longer)\n",
              shortest(seconds).c_str());
          if (leads) answer_launcher(ExitCode::tool);
          std::_Exit(static_cast<int>(ExitCode::tool));
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::jthread thread_;
};

}  // namespace

FleetRendezvous rendezvous_over_mpi(const LaunchedAs& as, double most_s,
                                    const std::function<void(const std::vector<std::string>&)>& ready) {
  check_mpi_under(as);
  const Deadline deadline(most_s, as.rank == 0);
  FleetRendezvous all;
  const auto session = start_mpi(as);
  const auto control = session->make_control();
  check_world(as, control->size());
  all.index = control->rank(), all.members = control->size();
  all.names = gather_text(*control, node_name());
  tell_apart(all);
  std::string wrong, hint;
  if (all.index == 0) {
    try {
      ready(all.names);
    } catch (const UsageError& error) {
      wrong = error.what(), hint = error.hint;
    }
    all.listener = listen_on(0);
    all.hosts = fleet::own_addresses(*live_host()), all.port = port_of(all.listener);
    all.key = random_key();
  }
  const auto said = read_json(agree_text(
      *control,
      nlohmann::json{
          {"hosts", all.hosts}, {"port", all.port}, {"key", all.key}, {"wrong", wrong}, {"hint", hint}}
          .dump()));
  if (!said.at("wrong").get<std::string>().empty())
    throw UsageError(said.at("wrong").get<std::string>(), said.at("hint").get<std::string>());
  all.hosts = said.at("hosts").get<std::vector<std::string>>();
  all.port = said.at("port").get<int>(), all.key = said.at("key").get<std::string>();
  // At which of its addresses the others reach the coordinator: several nodes may have the same one, of a
  // bridge of their own.
  std::string reached;
  for (const auto& host : all.hosts)
    if (all.index != 0 && reached.empty() &&
        !(all.local = fleet::local_address_towards(host, all.port)).empty())
      reached = host;
  for (const auto& host : gather_text(*control, reached))
    if (all.index == 0 && all.local.empty()) all.local = host;
  return all;
}

double FleetMemberOptions::gather_s() const { return seconds_from("--gather", gather); }

void FleetMemberOptions::add_to(CLI::App& command) {
  const char* group = "Members that no launcher started";
  command.add_option("--leader", leader, "host of index 0")->group(group)->type_name("HOST");
  command.add_option("--index", index, "of this node (default $JOB_COMPLETION_INDEX)")
      ->group(group)
      ->type_name("N");
  command.add_option("--members", members, "how many there are")
      ->group(group)
      ->check(CLI::Range(2, most_members))
      ->type_name("N");
  command.add_option("--key", key, "file that only members can read, the same for all")
      ->group(group)
      ->type_name("FILE");
  command.add_option("--port", port, "of the leader (default 18530)")
      ->group(group)
      ->check(CLI::Range(1, 65'535))
      ->type_name("PORT");
  command.add_option("--gather", gather, "how long all may take to find each other (default 60s)")
      ->group("Over real nodes")
      ->type_name("TIME");
}

void FleetMemberOptions::check() const {
  (void)gather_s();
  if (!given() && (!key.empty() || index >= 0 || members > 0))
    throw UsageError("--key, --index and --members belong to --leader HOST");
  if (given() && members < 2)
    throw UsageError("--leader needs --members N: how many come", "write --members 64");
  if (given() && key.empty())
    throw UsageError("--leader needs --key FILE, which all members share",
                     "a Secret of the Job (docs/fleet.md)");
}

FleetRendezvous rendezvous_by_key(const FleetMemberOptions& options) {
  FleetRendezvous all;
  const auto given = from_environment("JOB_COMPLETION_INDEX");
  all.index = options.index >= 0 ? options.index
              : given            ? number_from<int>("JOB_COMPLETION_INDEX", *given, 0, most_members, "")
                                 : -1;
  if (all.index < 0 || all.index >= options.members)
    throw UsageError("this node has no index below --members " + std::to_string(options.members),
                     "write --index N, or run it in an Indexed Job");
  try {
    all.key = read_whole(options.key, {.bytes = 64 << 10});
  } catch (const std::exception& error) {
    throw UsageError("--key " + printable(options.key) + ": " + error.what());
  }
  if (all.key.size() < shortest_key)
    throw UsageError("--key " + printable(options.key) + " is shorter than " + std::to_string(shortest_key) +
                     " bytes");
  all.members = options.members, all.port = options.port;
  all.hosts = {all.index == 0 ? "127.0.0.1" : options.leader};
  if (all.index == 0) {
    all.listener = listen_on(options.port);
    all.local = fleet::own_address_called(*live_host(), options.leader);
    return all;
  }
  const auto began = std::chrono::steady_clock::now();
  while ((all.local = fleet::local_address_towards(options.leader, options.port)).empty() &&
         std::chrono::steady_clock::now() - began < std::chrono::duration<double>(options.gather_s()))
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  return all;
}

}  // namespace mlc
