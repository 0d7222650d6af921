#include "bench/cli/launched_rank.hpp"

#include <cstdio>
#include <exception>
#include <new>

#include "bench/backends/local.hpp"
#include "bench/backends/mpi.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/ranks/blame.hpp"
#include "bench/ranks/launcher.hpp"
#include "bench/ranks/processes.hpp"
#include "reports/faces/terminal.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

std::string launch_directory() { return from_environment(directory_variable).value_or(""); }

void check_world(const LaunchedAs& as, int world_size) {
  const auto expected = from_environment(ranks_variable);
  const int size = expected ? std::atoi(expected->c_str()) : as.size;
  if (world_size == size) return;
  throw BackendError(
      "mpi: started as one of " + std::to_string(size) + " ranks by " + as.by + ", but MPI sees " +
      std::to_string(world_size) +
      (world_size == 1
           ? ": each rank would measure alone. The launcher belongs to another MPI than this program (" +
                 mpi_version() + "): use its mpirun, or srun --mpi=pmix"
           : ""));
}

namespace {

int inherited_segment() {
  const auto text = from_environment(segment_variable);
  if (!text)
    throw BackendError("local: started as a rank without shared memory (" + std::string(segment_variable) +
                       ")");
  return std::atoi(text->c_str());
}

}  // namespace

void check_mpi_under(const LaunchedAs& as) {
  const std::string started = "started as one of " + std::to_string(as.size) + " ranks by " + as.by;
  if (!mpi_absent().empty())
    throw BackendError("mpi: " + started + ", but " + mpi_absent() + ": each would measure alone");
  if (!as.no_pmi_remedy.empty())
    throw UsageError(started + " without what MPI finds the other ranks by", as.no_pmi_remedy);
}

void answer_launcher(ExitCode code) {
  if (launch_directory().empty())
    tell_launcher(code);
  else
    write_whole(launch_directory() + "/exit", std::to_string(static_cast<int>(code)));
}

void fail_rank(Watch& watch, int rank, const std::string& what, const std::string& hint) {
  watch.failed({.what = what,
                .where = rank_on_node(rank, node_name()),
                .phase = watch.pulse().state().phase,
                .hint = hint});
}

ExitCode as_launched_rank(const LaunchedAs& as, double timeout_s, const OutputOptions& output,
                          Recorder& recorder,
                          const std::function<ExitCode(Session&, std::unique_ptr<Control>, Watch&)>& body) {
  const bool local = as.by == local_launcher;
  if (!local) check_mpi_under(as);
  block_signals();
  if (as.rank == 0) tell_launcher();
  Watch watch({.timeout_s = timeout_s,
               .node = node_name(),
               .rank = as.rank,
               .size = as.size,
               .local_size = as.local_size,
               .job = as.job},
              [&](const Ending& ending) {
                // Only rank 0 has a report; another rank speaks up when rank 0 cannot.
                if (as.rank == 0) return recorder.end(ending);
                std::fputs(error_text(ending.error, output.error_style()).c_str(), stderr);
                return ending.code;
              });
  watch.pulse().enter(local ? "launch" : "launch and MPI initialisation");
  std::exception_ptr usage;
  ExitCode code = ExitCode::tool;
  try {
    const auto session = local ? join_local(inherited_segment(), as.rank, as.size) : start_mpi(as);
    if (const auto directory = launch_directory(); as.rank == 0 && !directory.empty())
      write_whole(directory + "/" + initialised_file, "");
    auto control = session->make_control();
    check_world(as, control->size());
    watch.pulse().enter("roll call");
    watch.join(*control);
    try {
      code = body(*session, std::move(control), watch);
      if (as.rank == 0 && launch_directory().empty()) tell_launcher(code);
    } catch (const UsageError&) {
      usage = std::current_exception();  // the same on all ranks: end in order
      if (as.rank == 0) answer_launcher(ExitCode::usage);
    }
  } catch (const std::bad_alloc&) {
    watch.failed({.what = "out of memory",
                  .where = rank_on_node(as.rank, node_name()),
                  .phase = watch.pulse().state().phase,
                  .hint = "take a smaller largest size (-e) or fewer ranks"});
  } catch (const BackendError& error) {
    fail_rank(watch, as.rank, error.what(), error.hint);
  } catch (const std::exception& error) {
    fail_rank(watch, as.rank, error.what());
  }
  if (usage) std::rethrow_exception(usage);
  return code;
}

}  // namespace mlc
