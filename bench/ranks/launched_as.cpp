#include "bench/ranks/launched_as.hpp"

#include <charconv>
#include <cstdlib>

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
    return LaunchedAs{std::string(local_launcher), *rank, *size, *size, job({})};
  if (const auto rank = number(lookup, "OMPI_COMM_WORLD_RANK"), size = number(lookup, "OMPI_COMM_WORLD_SIZE");
      rank && size)
    return LaunchedAs{"Open MPI", *rank, *size, number(lookup, "OMPI_COMM_WORLD_LOCAL_SIZE").value_or(*size),
                      job({"PMIX_NAMESPACE", "OMPI_MCA_orte_hnp_uri"})};
  // srun sets these for its tasks; a batch script or salloc shell has SLURM_PROCID too, but no step address.
  // A step of one task is an interactive shell (srun --pty) and counts as bare.
  if (const auto rank = number(lookup, "SLURM_PROCID"), size = number(lookup, "SLURM_STEP_NUM_TASKS");
      rank && size && *size > 1 && lookup("SLURM_LAUNCH_NODE_IPADDR"))
    return LaunchedAs{"Slurm (srun)", *rank, *size, *size, job({"SLURM_JOB_ID", "SLURM_STEP_ID"})};
  if (const auto rank = number(lookup, "PMI_RANK"), size = number(lookup, "PMI_SIZE"); rank && size)
    return LaunchedAs{"a PMI launcher (MPICH, Intel MPI)", *rank, *size,
                      number(lookup, "MPI_LOCALNRANKS").value_or(*size),
                      job({"PMI_ID", "HYDI_CONTROL_FD", "PMI_PORT"})};
  return std::nullopt;
}

}  // namespace mlc
