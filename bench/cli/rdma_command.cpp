// `mlc-bench rdma`: between the ranks of a launcher, between two processes over TCP, or of this node with
// itself.
#include <cstdio>
#include <memory>

#include "bench/backends/loopback.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/launched_rank.hpp"
#include "bench/cli/machine_lack.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/rdma_options.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/ranks/blame.hpp"
#include "bench/ranks/tcp_control.hpp"
#include "bench/rdma/judge.hpp"
#include "bench/rdma/session.hpp"
#include "reports/record/text.hpp"
#include "validators/host/host.hpp"

namespace mlc {

namespace {

// What is the same on every end of one run of this process.
struct Means {
  const RdmaRequest& request;
  std::shared_ptr<const Host> host;
  std::unique_ptr<rdma::Verbs> verbs;
  std::vector<rdma::RailFacts> rails;
};

Means means_of(const RdmaRequest& request) {
  Means means{request, live_host(), nullptr, {}};
  means.rails = rdma::rails_here(*means.host, request.policy, request.rails);
  if (request.fault) {
    std::vector<int> rails;
    for (const auto& rail : means.rails)
      rails.push_back(rail.index);
    check_among("rail", request.fault->place, rails);
  }
  means.verbs = rdma::host_verbs();
  return means;
}

// Registered memory cannot be swapped out: what does not fit takes memory from a job. Agreed by all ends.
void check_memory(Control& control, const rdma::Plan& plan, std::size_t rails, const std::string& node) {
  const std::uint64_t need = plan.memory == "host" ? rdma::Session::bytes_needed(plan, rails) : 0,
                      have = usable_memory();
  std::string why;
  if (need > have)
    why = "the buffers need " + fixed(static_cast<double>(need) / 1e9, 1) + " GB on " + node + ", where " +
          fixed(static_cast<double>(have) / 1e9, 1) + " GB can be used";
  for (const auto& said : gather_text(control, why))
    if (!said.empty())
      throw UsageError(said, "take a smaller largest size (-e), fewer --qps or fewer --rails");
}

// With several ranks on a node, one of them has all its rails: the first. All ranks on one node measure with
// each other.
bool takes_part(const std::vector<Node>& nodes, int rank) {
  if (nodes.size() < 2) return true;
  for (const auto& node : nodes)
    if (node.ranks.front() == rank) return true;
  return false;
}

// Runs the plan and records it; the same verdict at every end. `leads`: this end has a report of its own to
// write.
ExitCode measure(Control& control, const Means& means, const rdma::Plan& plan, const rdma::Bounds& bounds,
                 Recorder& recorder, Pulse& pulse, bool leads, const std::function<void()>& alive) {
  const auto nodes = gather_nodes(control, this_node());
  if (leads) recorder.environment({nodes, telling_variables()}, control.size());
  const bool mine = takes_part(nodes, control.rank());
  check_memory(control, plan, mine ? means.rails.size() : 0, node_name());
  rdma::EndSettings settings{.node = node_name(),
                             .version = MLC_VERSION,
                             .rails = means.rails,
                             .wait = means.request.wait,
                             .cpus = usable_cpus(),
                             .fault = means.request.fault,
                             .files = means.host->files(),
                             .alive = alive,
                             .live = leads ? [&recorder](const std::string& text) { recorder.live(text); }
                                           : std::function<void(const std::string&)>(),
                             .pulse = &pulse};
  rdma::Session session(control, *means.verbs, plan, std::move(settings), mine);
  const auto save = [&](const std::vector<rdma::Meet>& meets) {
    if (leads)
      recorder.record(
          [&](Report& report) { rdma::write_to_report(report, meets, plan, bounds, session.ends()); });
  };
  // Also where nothing could be measured: which rails have no peer is a result.
  save(session.run([&](const auto& result,
                       const auto& meet) { return rdma::calls_for_retest(result, meet, plan, bounds); },
                   save));
  pulse.enter("writing results");
  ExitCode code = ExitCode::pass;
  if (const auto doubt = session.never_planted(); leads && !doubt.empty()) recorder.doubt(doubt);
  if (leads) code = recorder.finish();
  return code;
}

Report rdma_report(const RdmaRequest& request, const std::vector<std::string>& arguments) {
  Report report = new_report(request.policy, arguments, "verbs", request.fault_text);
  const std::string why = rdma::verbs_absent();
  report.tool.built["verbs"] = why.empty() ? "libibverbs, loaded at run time" : "absent: " + why;
  return report;
}

ExitCode over_mpi(const LaunchedAs& as, const RdmaRequest& request, const OutputOptions& output,
                  const std::vector<std::string>& arguments) {
  if (as.size < 2)
    throw UsageError(as.by + " started one rank, and RDMA needs a peer",
                     "start two ranks or more, one on each node");
  Recorder recorder(output, request.policy, rdma_report(request, arguments),
                    as.rank == 0 ? launch_directory() : "");
  return as_launched_rank(as, request.plan.timeout_s, output, recorder,
                          [&](Session&, std::unique_ptr<Control> control, Watch& watch) {
                            watch.pulse().enter("looking for rails");
                            const Means means = means_of(request);
                            const ExitCode code = measure(*control, means, request.plan, request.bounds,
                                                          recorder, watch.pulse(), control->rank() == 0, {});
                            return agree(*control, code);
                          });
}

ExitCode over_tcp(const RdmaRequest& request, const OutputOptions& output,
                  const std::vector<std::string>& arguments) {
  const Means means = means_of(request);
  block_signals();
  Recorder recorder(output, request.policy, rdma_report(request, arguments), "");
  // The peer's silence is told by the control itself, which knows more of it; the watch is for what hangs
  // here.
  Watch watch({.timeout_s = 2 * request.plan.timeout_s + 10, .node = node_name()},
              [&](const Ending& ending) { return recorder.end(ending); });
  const auto note = [&](const std::string& text) { recorder.note(text); };
  std::unique_ptr<rdma::TcpControl> control;
  try {
    if (request.listen) {
      watch.pulse().enter("waiting for a peer on TCP port " + std::to_string(*request.listen));
      if (!output.quiet)
        std::fprintf(
            stderr, "waiting for a peer on TCP port %d: mlc-bench rdma --connect %s%s\n", *request.listen,
            node_name().c_str(),
            *request.listen == rdma::default_port ? "" : (":" + std::to_string(*request.listen)).c_str());
      control = rdma::listen_for_peer(*request.listen, request.plan.timeout_s, MLC_VERSION, note);
    } else {
      watch.pulse().enter("connecting to " + request.connect_host);
      control = rdma::connect_to_peer(request.connect_host, request.connect_port, request.plan.timeout_s,
                                      MLC_VERSION);
    }
    watch.pulse().enter("agreeing with " + control->peer() + " on what to measure");
    const auto [plan, bounds] = plan_from_text(agree_text(*control, plan_text(request.plan, request.bounds)));
    return measure(*control, means, plan, bounds, recorder, watch.pulse(), true, [&] { control->alive(); });
  } catch (const UsageError& error) {
    if (control) control->broken(error.what());
    throw;
  } catch (const std::exception& error) {
    if (control) control->broken(error.what());
    return recorder.end(
        {ExitCode::tool,
         {.what = error.what(), .where = node_name(), .phase = watch.pulse().state().phase, .hint = {}}});
  }
}

ExitCode looped_back(const RdmaRequest& request, const OutputOptions& output,
                     const std::vector<std::string>& arguments) {
  const Means means = means_of(request);
  block_signals();
  Recorder recorder(output, request.policy, rdma_report(request, arguments), "");
  if (!request.loopback)
    recorder.note(
        "no peer was named: each rail is measured with itself, through its NIC and no further (--listen and "
        "--connect HOST, or mpirun, measure between nodes)");
  rdma::Plan plan = request.plan;
  if (!plan.both_directions) plan.one_way = true;  // there and back are the same
  Watch watch({.timeout_s = plan.timeout_s * 2 + 10, .node = node_name(), .threads = 2},
              [&](const Ending& ending) { return recorder.end(ending); });
  ExitCode code = ExitCode::tool;
  try {
    run_loopback(2, [&](Communicator& communicator) {
      const int end = communicator.control().rank();
      const ExitCode mine = measure(communicator.control(), means, plan, request.bounds, recorder,
                                    watch.pulse(end), end == 0, {});
      if (end == 0) code = mine;
    });
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    return recorder.end(
        {ExitCode::tool,
         {.what = error.what(), .where = node_name(), .phase = watch.pulse().state().phase, .hint = {}}});
  }
  return code;
}

ExitCode run_rdma(const RdmaOptions& options, const std::vector<std::string>& arguments) {
  const RdmaRequest request = rdma_request_of(options);
  // A node without the rails that its policy asks for has failed, and is no wrong command line.
  const auto& asked = request.policy.node;
  if (asked && asked->rails && !launched_as(from_environment)) try {
      (void)rdma::rails_here(*live_host(), request.policy, request.rails);
    } catch (const BackendError& error) {
      return report_lack({.what = "a rail",
                          .why = error.what(),
                          .required = std::to_string(*asked->rails) + " rails",
                          .remedy = "mlc-bench validate rdma"},
                         request.policy, options.output, arguments);
    }
  const bool peer_named = request.listen || !request.connect_host.empty() || request.loopback;
  if (!peer_named)
    if (const auto as = launched_as(from_environment))
      return over_mpi(*as, request, options.output, arguments);
  if (request.listen || !request.connect_host.empty()) return over_tcp(request, options.output, arguments);
  return looped_back(request, options.output, arguments);
}

}  // namespace

void add_rdma_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "rdma", "RDMA write, read and send over all rails of a node pair: bandwidth, latency, message rate");
  auto options = std::make_shared<RdmaOptions>();
  options->add_to(*command);
  command->footer(
      "Peers: under mpirun or srun, the ranks (one per node); --listen here and --connect there; else each "
      "rail with itself. One run is one launch: 'mlc-bench compare' wants a folder of several on each side.");
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_rdma(*options, invocation.arguments); };
    invocation.check = [options] { (void)rdma_request_of(*options); };
  });
}

}  // namespace mlc
