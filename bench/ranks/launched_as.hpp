// Whether this process was started as a rank, and by whom, from its environment. Pure over a look-up
// function.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mlc {

using Lookup = std::function<std::optional<std::string>(const std::string&)>;

std::optional<std::string> from_environment(const std::string& name);

inline constexpr std::string_view local_launcher = "mlc-bench";  // as local processes (ranks/processes.hpp)

struct LaunchedAs {
  std::string by;  // "Open MPI", "Slurm (srun)", "a PMI launcher (MPICH, Intel MPI)", local_launcher
  int rank = 0, size = 1;
  int local_size = 1;  // ranks on this node, as far as the launcher says; else size
  int node_cpus = 0;   // that the launcher gave to the ranks of this node; 0: it does not say
  std::string job;     // the same on all ranks of the job, different in another
  // The launcher gave MPI nothing to find the other ranks by; what would.
  std::string no_pmi_remedy;
};

// By whoever brings MPI with it, and not as a local process.
bool is_mpi_rank(const Lookup& lookup);

// Empty for a command typed bare, also inside an allocation (sbatch script, salloc shell).
std::optional<LaunchedAs> launched_as(const Lookup& lookup);

}  // namespace mlc
