#include "bench/ranks/launched_as.hpp"

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace mlc {

std::optional<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

namespace {

std::optional<int> number(const Lookup& lookup, const std::string& name) {
  const auto text = lookup(name);
  int value = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  return error == std::errc{} && end == text->data() + text->size() && value >= 0 ? std::optional(value)
                                                                                  : std::nullopt;
}

// Slurm's counts by node, "2(x3),1": that of this node.
std::optional<int> count_of_node(const Lookup& lookup, const std::string& name) {
  const auto text = lookup(name);
  const auto node = number(lookup, "SLURM_NODEID");
  if (!text || !node) return std::nullopt;
  int before = 0;
  const char* at = text->data();
  const char* const end = at + text->size();
  while (at < end) {
    int count = 0, times = 1;
    auto read = std::from_chars(at, end, count);
    if (read.ec != std::errc{} || count < 1) return std::nullopt;
    if (std::string_view(read.ptr, end).starts_with("(x")) {
      read = std::from_chars(read.ptr + 2, end, times);
      if (read.ec != std::errc{} || read.ptr == end || *read.ptr++ != ')') return std::nullopt;
    }
    if (*node - before < times) return count;
    before += times;
    if (read.ptr < end && *read.ptr != ',') return std::nullopt;
    at = read.ptr + 1;
  }
  return std::nullopt;
}

std::optional<LaunchedAs> as_step_of_slurm(const Lookup& lookup, std::string job) {
  // srun sets these for its tasks; a batch script or salloc shell has SLURM_PROCID too, but no step address.
  // A step of one task is an interactive shell (srun --pty) and counts as bare.
  const auto rank = number(lookup, "SLURM_PROCID"), size = number(lookup, "SLURM_STEP_NUM_TASKS");
  if (!rank || !size || *size < 2 || !lookup("SLURM_LAUNCH_NODE_IPADDR")) return std::nullopt;
  LaunchedAs as{.by = "Slurm (srun)",
                .rank = *rank,
                .size = *size,
                .local_size = count_of_node(lookup, "SLURM_STEP_TASKS_PER_NODE").value_or(*size),
                .node_cpus = number(lookup, "SLURM_CPUS_ON_NODE").value_or(0),
                .job = std::move(job),
                .no_pmi_remedy = {}};
  // PMIx, PMI-1 or PMI-2, and PALS of Cray's MPI.
  if (!lookup("PMIX_NAMESPACE") && !lookup("PMI_RANK") && !lookup("PMI_FD") && !lookup("PALS_RANKID"))
    as.no_pmi_remedy =
        "srun --mpi=pmix (srun --mpi=list says what this Slurm has; MpiDefault in slurm.conf is for all)";
  return as;
}

}  // namespace

std::optional<LaunchedAs> launched_as(const Lookup& lookup) {
  const auto job = [&](std::initializer_list<const char*> names) {
    if (const auto ours = lookup("MLC_JOB"))
      return *ours;  // our own launcher looks for its ranks by this name
    std::string id;
    for (const char* name : names)
      if (const auto value = lookup(name)) id += (id.empty() ? "" : ".") + *value;
    return id;
  };
  if (const auto rank = number(lookup, "MLC_LOCAL_RANK"), size = number(lookup, "MLC_RANKS"); rank && size)
    return LaunchedAs{.by = std::string(local_launcher),
                      .rank = *rank,
                      .size = *size,
                      .local_size = *size,
                      .job = job({}),
                      .no_pmi_remedy = {}};
  if (const auto rank = number(lookup, "OMPI_COMM_WORLD_RANK"), size = number(lookup, "OMPI_COMM_WORLD_SIZE");
      rank && size)
    return LaunchedAs{.by = "Open MPI",
                      .rank = *rank,
                      .size = *size,
                      .local_size = number(lookup, "OMPI_COMM_WORLD_LOCAL_SIZE").value_or(*size),
                      .job = job({"PMIX_NAMESPACE", "OMPI_MCA_orte_hnp_uri"}),
                      .no_pmi_remedy = {}};
  if (auto step = as_step_of_slurm(lookup, job({"SLURM_JOB_ID", "SLURM_STEP_ID"}))) return step;
  if (const auto rank = number(lookup, "PMI_RANK"), size = number(lookup, "PMI_SIZE"); rank && size)
    return LaunchedAs{.by = "a PMI launcher (MPICH, Intel MPI)",
                      .rank = *rank,
                      .size = *size,
                      .local_size = number(lookup, "MPI_LOCALNRANKS").value_or(*size),
                      .job = job({"PMI_ID", "HYDI_CONTROL_FD", "PMI_PORT"}),
                      .no_pmi_remedy = {}};
  return std::nullopt;
}

bool is_mpi_rank(const Lookup& lookup) {
  const auto as = launched_as(lookup);
  return as && as->by != local_launcher;
}

}  // namespace mlc
