#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "bench/backends/backends.hpp"
#include "bench/backends/local.hpp"
#include "bench/backends/loopback.hpp"
#include "bench/backends/mpi.hpp"
#include "bench/backends/nccl.hpp"
#include "bench/cli/collective_options.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/launched_rank.hpp"
#include "bench/cli/launches.hpp"
#include "bench/cli/machine_lack.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/gpu/device.hpp"
#include "bench/handles/error.hpp"
#include "bench/ranks/blame.hpp"
#include "bench/ranks/launched_as.hpp"
#include "bench/ranks/launcher.hpp"
#include "bench/ranks/processes.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// The words of the heading that hold for all cells, and the columns for those that do not.
std::pair<TableHead, std::string> heading_of(const Sweep& sweep, bool judged, bool means) {
  std::set<Dtype> dtypes;
  std::set<Redop> redops;
  std::set<Placement> placements;
  for (const auto& cell : sweep.cells)
    dtypes.insert(cell.dtype), redops.insert(cell.redop), placements.insert(cell.placement);
  const Cell& first = sweep.cells.front();
  const TableHead head{.collective = std::string(first.collective->name),
                       .several_dtypes = dtypes.size() > 1,
                       .several_redops = redops.size() > 1,
                       .both_placements = placements.size() > 1,
                       .judged = judged,
                       .means = means};
  std::string what =
      dtypes.size() > 1 ? std::to_string(dtypes.size()) + " dtypes" : std::string(to_string(first.dtype));
  if (first.collective->reduces)
    what += redops.size() > 1 ? " · " + std::to_string(redops.size()) + " ops"
                              : " " + std::string(to_string(first.redop));
  if (first.collective->rooted) what += " · root " + std::to_string(first.root);
  what += placements.size() > 1                    ? " · out of place and in place"
          : first.placement == Placement::in_place ? " · in-place"
                                                   : " · out-of-place";
  return {head, what};
}

// As nccl-tests: the number of the first GPU of this node that is used.
int first_device() {
  const auto text = from_environment("NCCL_TESTS_DEVICE");
  return text && !text->empty() ? number_from<int>("NCCL_TESTS_DEVICE", *text, 0, 1023, "") : 0;
}

int usable_gpus() { return std::max(gpu_count() - first_device(), 1); }

// Buffers that do not fit would not fail: the kernel would kill somebody, perhaps a training job. Agreed by
// all ranks.
void check_memory(Control& control, const std::vector<Cell>& cells, const std::vector<Node>& nodes) {
  const auto needs = gather(control, Runner::bytes_needed(cells, control.rank(), control.size()));
  const auto usable = gather(control, usable_memory());
  for (const auto& node : nodes) {
    std::uint64_t need = 0;
    for (int rank : node.ranks)
      need += needs[static_cast<std::size_t>(rank)];
    const std::uint64_t have = usable[static_cast<std::size_t>(node.ranks.front())];
    if (need > have)
      throw UsageError("the buffers need " + fixed(static_cast<double>(need) / 1e9, 1) + " GB on " +
                           printable(node.name, 80) + ", where " + fixed(static_cast<double>(have) / 1e9, 1) +
                           " GB can be used",
                       "take a smaller largest size (-e) or fewer ranks");
  }
}

// Measures everything, on every rank alike; rank 0 records. The verdict is the same on all ranks.
ExitCode measure_all(Communicator& communicator, Pulse& pulse, Recorder& recorder,
                     const CollectiveRequest& request) {
  Control& control = communicator.control();
  Node mine = this_node();
  if (communicator.backend() == "nccl") mine.gpus = nccl_gpus();
  const auto nodes = gather_nodes(control, mine);
  const bool leader = control.rank() == 0;
  const RunShape shape{std::string(communicator.backend()), control.size(), machines_of(nodes)};
  const Sweep sweep = plan_for(request, shape);
  std::vector<std::string> node_of_rank(static_cast<std::size_t>(control.size()));
  for (const auto& node : nodes)
    for (int rank : node.ranks)
      node_of_rank[static_cast<std::size_t>(rank)] = node.name;

  for (const auto& cell : sweep.cells)
    if (const auto why = communicator.unsupported(cell.dtype, cell.redop); !why.empty())
      throw UsageError(std::string(communicator.backend()) + ": " + why,
                       "mlc-bench list dtypes; -d names the dtypes to measure");
  if (communicator.backend() != "nccl") check_memory(control, sweep.cells, nodes);
  std::function<void(const std::string&)> live;
  if (leader) {
    recorder.environment({nodes, telling_variables()}, control.size());
    if (static_cast<std::size_t>(shape.nodes) < nodes.size())
      recorder.note(std::to_string(nodes.size()) + " names of nodes are " + std::to_string(shape.nodes) +
                    (shape.nodes == 1 ? " machine" : " machines") +
                    " (by their boot ids): the policy counts machines");
    for (std::uint64_t size : sweep.too_small)
      recorder.note(bytes_text(size) + " over " + std::to_string(shape.ranks) +
                    " ranks rounds to nothing and is left out");
    const bool judged = std::ranges::any_of(sweep.cells, [&](const Cell& cell) {
      return question_for(cell, request.policy, shape, request.admission).has_value();
    });
    const auto [head, what] = heading_of(sweep, judged, request.runner.timing != Timing::slowest);
    if (one_buffer_only(shape.backend, head.collective))
      recorder.note(shape.backend + " has one buffer for " + head.collective + ": measured in place");
    recorder.plan(sweep.cells.size());
    recorder.heading(head, what);
    live = [&recorder](const std::string& text) { recorder.live(text); };
  }
  SteadyClock clock;
  RawClock other_clock;
  Runner runner(communicator, clock, pulse, request.runner, node_of_rank, live, &other_clock);
  runner.prepare(sweep.cells);
  for (const Cell& cell : sweep.cells) {
    const Series series = runner.measure(cell, question_for(cell, request.policy, shape, request.admission));
    const bool timed = runner.clock_fault().empty();
    if (leader && (timed || series.wrong.value_or(0) > 0)) recorder.add(series);
    if (!timed) break;
  }
  std::string doubt = runner.clock_fault();
  if (doubt.empty()) doubt = runner.never_planted();
  if (leader && !doubt.empty()) recorder.doubt(doubt);
  pulse.enter("writing results");
  ExitCode code = ExitCode::pass;
  if (leader) code = recorder.finish();
  return agree(control, code);
}

void say_launches(const CollectiveOptions& options, const CollectiveRequest& request, Renewed renewed) {
  if (request.launches > 1 && !options.output.quiet)
    std::fprintf(stderr, "%s\n",
                 launches_text(request.launches, renewed, options.launches.count.has_value()).c_str());
}

ExitCode run_as_threads(const CollectiveRequest& request, const CollectiveOptions& options,
                        const std::vector<std::string>& arguments) {
  const int asked = options.ranks_on(1);
  const int ranks = asked > 0 ? asked : std::clamp(usable_cpus(), 2, 4);
  (void)plan_for(
      request, {request.backend, ranks, 1});  // what is wrong with the request is said before anything starts
  block_signals();
  const LaunchPlace place = launch_place(request.launches);
  say_launches(options, request, place.renewed);
  Recorder recorder(options.output, request.policy,
                    new_report(request.policy, arguments, request.backend, options.fault), "", place);
  Watch watch({.timeout_s = request.timeout_s, .node = node_name(), .threads = ranks},
              [&](const Ending& ending) { return recorder.end(ending); });
  ExitCode code = ExitCode::tool;
  for (int launch = 1; launch <= request.launches; ++launch) {
    if (launch > 1) recorder.next_launch();
    run_loopback(ranks, [&](Communicator& communicator) {
      const ExitCode mine =
          measure_all(communicator, watch.pulse(communicator.control().rank()), recorder, request);
      if (communicator.control().rank() == 0) code = mine;
    });
  }
  return code;
}

std::unique_ptr<Communicator> communicator_of(Session& session, std::unique_ptr<Control> control,
                                              Watch& watch, const CollectiveRequest& request,
                                              const CollectiveOptions& options) {
  if (request.backend != "nccl") return session.make_communicator();
  const auto last_words = [&watch, rank = control->rank()](const std::string& what) {
    fail_rank(watch, rank, what);
  };
  return make_nccl(std::move(control), {.timeout_s = request.timeout_s,
                                        .registration = options.registration,
                                        .graphs = options.graphs > 0,
                                        .aggregate = options.nccl_tests.aggregate,
                                        .cta_policy = options.nccl_tests.cta_policy,
                                        .first_device = first_device(),
                                        .share_gpu = options.share_gpu,
                                        .last_words = last_words});
}

// The rank's own GPU refused to work: which, and who can judge it. That is no verdict: a context that is
// broken may be NCCL's or this program's doing.
void fail_gpu(Watch& watch, int rank, const CudaError& error) {
  const auto gpus = nccl_gpus();
  const Gpu gpu = gpus.empty() ? Gpu{} : gpus.front();
  const auto [proves, what, remedy] = text_of(trouble_of(error.name));
  const std::string judge = gpu.pci.empty() ? "mlc-bench gpu" : "mlc-bench gpu --gpus " + gpu.pci;
  fail_rank(watch, rank,
            gpu_text({.index = gpu.index, .pci = gpu.pci}) + ": " + what + (what.empty() ? "" : ": ") +
                error.what(),
            "on that node: " + judge + "; " + remedy);
}

// Those of the launches that are this process's to go through: one, where each has processes of its own.
ExitCode measure_launches(Session& session, std::unique_ptr<Control> control, Watch& watch,
                          const LaunchPlace& place, Recorder& recorder, const CollectiveRequest& request,
                          const CollectiveOptions& options) {
  const int here = place.renewed == Renewed::processes ? 1 : request.launches;
  const int rank = control->rank();
  const bool leader = rank == 0;
  ExitCode code = ExitCode::tool;
  for (int launch = 1; launch <= here; ++launch) {
    watch.pulse().enter("communicator initialisation");
    if (launch > 1) control = session.make_control();
    if (launch > 1 && leader) recorder.next_launch();
    try {
      const auto communicator = communicator_of(session, std::move(control), watch, request, options);
      code = measure_all(*communicator, watch.pulse(), recorder, request);
    } catch (const CudaError& error) {
      fail_gpu(watch, rank, error);
    }
  }
  return code;
}

ExitCode run_as_rank(const LaunchedAs& as, const CollectiveRequest& request, const CollectiveOptions& options,
                     const std::vector<std::string>& arguments) {
  if (request.backend == "loopback")
    throw UsageError("the loopback backend is one process with threads for ranks, but " + as.by +
                         " started " + std::to_string(as.size) + " processes",
                     "run it bare, or take --backend mpi");
  const bool ours = from_environment(job_variable).has_value();
  const int each = options.nccl_tests.ranks_per_process().value_or(1);
  if (!ours && each > 1)
    throw UsageError("-t times -g are " + std::to_string(each) + " GPUs of each of the " +
                         std::to_string(as.size) + " processes that " + as.by +
                         " started, but a process has one GPU here",
                     "start " + std::to_string(each) + " times as many, and leave -t and -g away");
  const int asked = ours ? options.ranks_on(static_cast<int>(request.hosts.size())) : options.ranks;
  if (asked > 0 && asked != as.size)
    throw UsageError(
        "--ranks " + std::to_string(asked) + ", but " + as.by + " started " + std::to_string(as.size),
        "leave --ranks to the launcher");
  if (as.by != local_launcher && request.backend == "shm")
    throw UsageError(
        "the shm backend's ranks are started by mlc-bench itself, but " + as.by + " started this one",
        "run it bare, or take --backend mpi");
  LaunchPlace place = launch_place(request.launches);
  if (as.rank == 0 && place.renewed != Renewed::processes) say_launches(options, request, place.renewed);
  if (as.rank != 0) place.directory.clear();
  if (as.rank == 0) adopt_terminal();
  Recorder recorder(options.output, request.policy,
                    new_report(request.policy, arguments, request.backend, options.fault),
                    as.rank == 0 ? launch_directory() : "", place);
  return as_launched_rank(as, request.timeout_s, options.output, recorder,
                          [&](Session& session, std::unique_ptr<Control> control, Watch& watch) {
                            return measure_launches(session, std::move(control), watch, place, recorder,
                                                    request, options);
                          });
}

// Rank 0 is gone without a word: what it left behind is reported here.
ExitCode report_what_is_left(const CollectiveRequest& request, const CollectiveOptions& options,
                             const std::vector<std::string>& arguments, const LaunchResult& result, int ranks,
                             const std::string& node, const std::string& hint) {
  Report report = new_report(request.policy, arguments, request.backend, options.fault);
  if (!result.checkpoint.empty()) {
    report = report_from_json(result.checkpoint);
    report.errors.clear();  // "had not finished": said better below
  }
  report.run.ranks = ranks;
  const std::string where = rank_on_node(0, node);
  Recorder recorder(options.output, request.policy, std::move(report), "");
  return recorder.end(
      {result.interrupted ? ExitCode::interrupted : ExitCode::tool,
       {.what = result.interrupted ? "interrupted" : where + " ended without a result: " + result.what,
        .where = where,
        .phase = "",
        .hint = result.interrupted ? "" : hint}});
}

int local_ranks(const CollectiveRequest& request, const CollectiveOptions& options) {
  const bool gpus = request.backend == "nccl";
  const int asked = options.ranks_on(1);
  const int ranks = asked > 0 ? asked : gpus ? usable_gpus() : std::clamp(usable_cpus(), 2, 4);
  if (gpus && ranks > usable_gpus() && !options.share_gpu)
    throw UsageError(
        std::to_string(ranks) + " ranks, but this node has " + std::to_string(usable_gpus()) +
            " GPUs; each rank needs one of its own",
        "take fewer --ranks, or --backend shm for host memory; --share-gpu tests for correctness");
  return ranks;
}

ExitCode launch_local(const CollectiveRequest& request, const CollectiveOptions& options,
                      const std::vector<std::string>& arguments) {
  const int ranks = local_ranks(request, options);
  (void)plan_for(request, {request.backend, ranks, 1});
  block_signals();
  say_launches(options, request, Renewed::processes);
  const LaunchResult result = one_after_the_other(request.launches, [&](const Variables& variables) {
    const LocalSegment segment(ranks);
    return launch_processes({.program = std::filesystem::canonical("/proc/self/exe").string(),
                             .arguments = arguments,
                             .ranks = ranks,
                             .segment = segment.descriptor(),
                             .environment = variables},
                            options.output.terminal());
  });
  if (result.finished) return result.interrupted ? ExitCode::interrupted : result.code;
  return report_what_is_left(request, options, arguments, result, ranks, node_name(),
                             "what the ranks said is above; dmesg tells of a kill for lack of memory");
}

ExitCode launch_ranks(const CollectiveRequest& request, const CollectiveOptions& options,
                      const std::vector<std::string>& arguments) {
  LaunchRequest launch_request{.mpirun = rank_launcher(),
                               .program = std::filesystem::canonical("/proc/self/exe").string(),
                               .arguments = arguments};
  if (const auto why = mpi_launcher_absent(); !why.empty()) {
    const bool here = request.hosts.empty() && options.hostfile.empty() && options.launcher != "mpirun";
    throw BackendError(why + ": install it, or run this under another one (mpirun -n 2 mlc-bench ...)" +
                       (here && request.backend == "mpi" ? ", or take --backend shm" : ""));
  }
  launch_request.cpus = usable_cpus(), launch_request.root = ::geteuid() == 0,
  launch_request.timeout_s = request.timeout_s;
  launch_request.hosts = request.hosts, launch_request.hostfile = options.hostfile;
  const bool local = request.hosts.empty() && options.hostfile.empty();
  const int here = local ? local_ranks(request, options) : request.backend == "nccl" ? usable_gpus() : 1;
  const int asked = options.ranks_on(static_cast<int>(request.hosts.size()));
  if (!options.hostfile.empty() && options.ranks == 0)
    throw UsageError("--hostfile needs --ranks N: how many ranks to start over its hosts");
  launch_request.ranks =
      asked > 0 ? asked : here * static_cast<int>(std::max<std::size_t>(request.hosts.size(), 1));
  (void)plan_for(request, {request.backend, launch_request.ranks,
                           std::max<int>(1, static_cast<int>(request.hosts.size()))});
  for (const auto& [name, value] : telling_variables())
    if (!name.starts_with("OMPI_")) launch_request.exported.push_back(name);
  for (const char* name : {job_variable, ranks_variable, launcher_variable, terminal_variable})
    launch_request.exported.emplace_back(name);

  block_signals();
  // Rank 0 elsewhere would find nothing of what its predecessor left here.
  if (local) say_launches(options, request, Renewed::processes);
  const LaunchResult result =
      one_after_the_other(local ? request.launches : 1, [&](const Variables& variables) {
        launch_request.environment = variables;
        return launch(launch_request, options.output.terminal());
      });
  if (result.finished) return result.interrupted ? ExitCode::interrupted : result.code;

  return report_what_is_left(
      request, options, arguments, result, launch_request.ranks,
      local                   ? node_name()
      : request.hosts.empty() ? "the first host"
                              : request.hosts.front(),
      "what mpirun and the ranks said is above; 'mlc-bench list backends' shows what is built in");
}

// The backend that was named, where this machine does not have it.
std::optional<MachineLack> lack_of(const CollectiveRequest& request) {
  for (const auto& backend : all_backends()) {
    if (backend.name != request.backend || backend.absent.empty()) continue;
    MachineLack lack{
        .what = "backend " + backend.name,
        .why = backend.absent,
        .machines = backend.built_in,
        .remedy = "mlc-bench list backends; nvidia-smi, dmesg and lspci show what became of the GPUs"};
    for (const auto& threshold : request.policy.thresholds)
      if (threshold.backend == backend.name && threshold.collective == request.sweep.collective->name)
        lack.required = threshold.collective + " over " + threshold.backend + ", " + threshold.asked;
    return lack;
  }
  return std::nullopt;
}

ExitCode run_collective(const CollectiveOptions& typed, const std::vector<std::string>& arguments) {
  const CollectiveOptions options = in_our_words(typed);
  const CollectiveRequest request = request_of(options);
  if (const auto lack = lack_of(request))
    return launched_as(from_environment) ? throw BackendError(lack->what + " is not here: " + lack->why)
                                         : report_lack(*lack, request.policy, options.output, arguments);
  if (const auto as = launched_as(from_environment)) return run_as_rank(*as, request, options, arguments);
  if (from_environment(job_variable))
    throw BackendError("started by mlc-bench as a rank, but no launcher's variables are set; is " +
                       mpi_launcher() + " Open MPI's?");
  if (request.backend == "loopback") return run_as_threads(request, options, arguments);
  return request.processes ? launch_local(request, options, arguments)
                           : launch_ranks(request, options, arguments);
}

}  // namespace

void add_collective_commands(CLI::App& program, Invocation& invocation) {
  for (const Collective* collective : all_collectives()) {
    auto* command = program.add_subcommand(std::string(collective->name), std::string(collective->summary));
    auto options = std::make_shared<CollectiveOptions>();
    options->collective = collective;
    options->add_to(*command);
    command->group("Collectives");
    command->callback([&invocation, options] {
      invocation.run = [&invocation, options] { return run_collective(*options, invocation.arguments); };
      invocation.check = [options] { (void)request_of(in_our_words(*options)); };
    });
  }
}

}  // namespace mlc
