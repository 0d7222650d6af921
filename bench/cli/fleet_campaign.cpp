#include "bench/cli/fleet_campaign.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>

#include "bench/backends/backends.hpp"
#include "bench/backends/mpi.hpp"
#include "bench/cli/fleet_leading.hpp"
#include "bench/cli/launched_rank.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/fleet/localisation/hostlist.hpp"
#include "bench/fleet/measurement/agent.hpp"
#include "bench/fleet/measurement/tcp_rails.hpp"
#include "bench/fleet/measurement/verbs_engine.hpp"
#include "bench/ranks/launcher.hpp"
#include "bench/ranks/watch.hpp"
#include "validators/host/digest.hpp"
#include "validators/host/host.hpp"

namespace mlc {

namespace {

using namespace fleet;

constexpr const char* lock_name = "mlc-bench fleet";

// One campaign at a time on a node: two would measure each other. Held by a name that goes with the process,
// whatever ends it. Empty: another has it.
FileDescriptor campaign_lock(int neighbours_before) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string name =
      lock_name + (neighbours_before > 0 ? " " + std::to_string(neighbours_before) : std::string());
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::memcpy(at.sun_path + 1, name.data(), name.size());  // abstract: of this network namespace
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), length) != 0 && errno == EADDRINUSE)
    return {};
  return socket;
}

// A connection for each agent, and some for strangers: the usual soft limit is no limit of the machine's.
void allow_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// What carries the flows, with what it needs.
struct Carrier {
  std::unique_ptr<rdma::Verbs> verbs;
  std::unique_ptr<Engine> engine;
};

Carrier carrier_of(const FleetCampaignOptions& options, const FleetRendezvous& rendezvous,
                   const Policy& policy) {
  const auto host = live_host();
  const auto interfaces = split(options.interfaces), devices = split(options.devices);
  const bool has_rails =
      rdma::verbs_absent().empty() && host->rdma_devices() && !host->rdma_devices()->empty();
  Carrier carrier;
  if (options.engine == "verbs" || !devices.empty() ||
      (options.engine == "auto" && interfaces.empty() && has_rails)) {
    carrier.verbs = rdma::host_verbs();
    carrier.engine = verbs_engine(
        *carrier.verbs, rdma::rails_here(*host, policy, {.rails = {}, .devices = devices, .gid_index = {}}),
        {.message_bytes = options.message_bytes(), .depth = options.sends(), .files = host->files()});
  } else {
    carrier.engine = tcp_engine(interfaces.empty() ? std::vector{tcp_rail_at(*host, rendezvous.local)}
                                                   : tcp_rails(*host, interfaces));
  }
  return carrier;
}

ExitCode as_member(const FleetCampaignOptions& options, const FleetQuestion& question,
                   FleetRendezvous rendezvous, std::optional<CampaignFolder> folder,
                   const std::vector<std::string>& arguments) {
  block_signals();
  FleetStop stop;
  const bool leads = rendezvous.index == 0;
  Policy policy = named_policy(options.policy);
  const auto lock = campaign_lock(rendezvous.neighbours_before);
  // Why this node cannot take part is for the coordinator to say, with its name.
  std::string busy = lock ? "" : "another campaign is on it";
  Carrier carrier;
  try {
    carrier = carrier_of(options, rendezvous, policy);
  } catch (const std::exception& error) {
    busy = error.what(), carrier.engine = tcp_engine({});
  }
  Engine& engine = *carrier.engine;
  const Node here = this_node();
  const std::string name =
      rendezvous.names.empty() ? here.name : rendezvous.names[static_cast<std::size_t>(rendezvous.index)];
  const AgentSelf self{.index = rendezvous.index,
                       .node = name,
                       .boot_id = here.boot_id,
                       .program = std::string(MLC_VERSION) + " " + own_digest(),
                       .busy = busy};
  const CoordinatorPlace coordinator{
      .hosts = rendezvous.hosts,
      .port = rendezvous.port,
      .key = rendezvous.key,
      .come_within_s = options.member.given() ? options.member.gather_s() : CoordinatorPlace{}.come_within_s};
  const AgentHooks hooks{.pause = [&](double seconds) { return stop.given(seconds); }};
  AgentEnd end;
  if (!leads) {
    end = take_part(coordinator, self, engine, hooks);
    // In Pods index 0 alone says what came of it (k8s/manifests/campaign_job.hpp).
    if (end.trouble.empty()) return options.member.given() ? ExitCode::pass : end.code;
    std::fprintf(stderr, "fleet, %s: %s\n", name.c_str(), end.trouble.c_str());
    return end.interrupted ? ExitCode::interrupted : ExitCode::tool;
  }
  std::jthread agent([&] { end = take_part(coordinator, self, engine, hooks); });
  return lead_fleet_campaign(options, question, std::move(policy), std::move(rendezvous), std::move(folder),
                             stop, arguments);
}

ExitCode launch_on(const std::string& hosts, const OutputOptions& output,
                   const std::vector<std::string>& arguments) {
  LaunchRequest request{.mpirun = rank_launcher(),
                        .program = std::filesystem::canonical("/proc/self/exe").string(),
                        .arguments = arguments};
  if (const auto why = mpi_launcher_absent(); !why.empty())
    throw BackendError(why + ": start it under one, or with --leader");
  request.hosts = hostlist(hosts);
  request.ranks = static_cast<int>(request.hosts.size());
  request.cpus = usable_cpus(), request.root = ::geteuid() == 0;
  for (const char* name : {job_variable, ranks_variable, launcher_variable, terminal_variable})
    request.exported.emplace_back(name);
  // A node that dies in mid-campaign is lost, and the others go on.
  request.environment = {{"OMPI_MCA_orte_enable_recovery", "1"},
                         {"OMPI_MCA_orte_allowed_exit_without_sync", "1"},
                         {"OMPI_MCA_orte_abort_on_non_zero_status", "0"}};
  block_signals();
  const LaunchResult result = launch(request, output.terminal());
  if (result.finished) return result.interrupted ? ExitCode::interrupted : result.code;
  std::fprintf(stderr, "fleet: %s\n", result.what.c_str());
  return result.interrupted ? ExitCode::interrupted : ExitCode::tool;
}

}  // namespace

ExitCode run_fleet_campaign(const FleetCampaignOptions& options, const FleetQuestion& question,
                            const std::vector<std::string>& arguments) {
  options.member.check();
  options.check();
  const auto as = launched_as(from_environment);
  std::optional<CampaignFolder> folder;
  const auto ready = [&](const std::vector<std::string>& nodes) {
    (void)options.target(named_policy(options.policy));
    allow_descriptors();
    if (!question.topology.empty() && question.topology != "none")
      (void)fleet_topology_text(question.topology);
    folder = fleet_folder(options);
    if (folder && folder->header() && !nodes.empty() && folder->header()->nodes != nodes)
      throw UsageError("the nodes are not those of the campaign in " + printable(options.resume) +
                           ", or come in another order",
                       "start it on the same nodes in the same order");
  };
  if (options.member.given()) {
    auto rendezvous = rendezvous_by_key(options.member);
    if (rendezvous.index == 0) ready({});
    return as_member(options, question, std::move(rendezvous), std::move(folder), arguments);
  }
  if (as) {
    if (as->rank == 0) tell_launcher();
    ExitCode code = ExitCode::tool;
    try {
      auto rendezvous = rendezvous_over_mpi(*as, options.member.gather_s(), ready);
      code = as_member(options, question, std::move(rendezvous), std::move(folder), arguments);
    } catch (const UsageError&) {
      if (as->rank == 0) answer_launcher(ExitCode::usage);
      throw;
    }
    if (as->rank == 0) answer_launcher(code);
    return code;
  }
  if (question.hosts.empty())
    throw UsageError("which nodes? None were named, and no launcher started this",
                     "write --hosts 'gpu-[1-64]', or start it with mpirun or srun, one process a node; "
                     "--simulate and --plan need none");
  return launch_on(question.hosts, question.output, arguments);
}

}  // namespace mlc
