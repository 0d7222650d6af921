// `manifest`: a command line as what runs it over several nodes: Kubernetes objects, or a batch
// script for Slurm.
#include <cstdio>
#include <memory>

#include "bench/cli/collective_options.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/manifest_options.hpp"
#include "bench/engine/sweep.hpp"

namespace mlc {

namespace {

ExitCode run_manifest(const ManifestOptions& options, const CollectiveOptions& collective,
                      const CLI::App& command) {
  (void)request_of(collective);  // what is wrong with the flags is said here, not by a Pod
  if (!collective.hosts.empty() || !collective.hostfile.empty() || collective.ranks > 0)
    throw UsageError("--hosts, --hostfile and --ranks are the launcher's there",
                     "--nodes N and --gpus N say how many ranks there are");
  const ManifestRequest request = options.request_for(command);
  if (options.kind == "sbatch") return print_batch_script(options, request, false);
  const bool indexed = options.kind == "indexed-job";
  std::fputs(to_yaml(indexed ? indexed_job(request) : mpi_job(request)).c_str(), stdout);
  if (indexed) std::fprintf(stderr, "it needs a Secret with keys for ssh: see 'mlc-bench manifest --help'\n");
  return ExitCode::pass;
}

}  // namespace

void add_manifest_command(CLI::App& program, Invocation& invocation) {
  auto* command =
      program.add_subcommand("manifest",
                             "a collective or a campaign over several nodes as Kubernetes objects: | "
                             "kubectl apply -f -; or as a script: | sbatch");
  auto options = std::make_shared<ManifestOptions>();
  options->add_to(*command);
  command->require_subcommand(1);
  command->footer(
      "The flags of the collective follow its name, as without 'manifest'. Keys for indexed-job: ssh-keygen "
      "-t ecdsa -N '' -f id_rsa; "
      "cp id_rsa.pub authorized_keys; kubectl -n mlc-bench create secret generic NAME-ssh --from-file=id_rsa "
      "--from-file=id_rsa.pub --from-file=authorized_keys");
  add_fleet_manifest(*command, options, invocation);
  for (const Collective* collective : all_collectives()) {
    auto* of = command->add_subcommand(std::string(collective->name), std::string(collective->summary));
    auto flags = std::make_shared<CollectiveOptions>();
    flags->collective = collective;
    flags->add_to(*of);
    of->fallthrough();  // --nodes after the name is the manifest's
    of->callback([&invocation, options, flags, of] {
      invocation.run = [options, flags, of] { return run_manifest(*options, *flags, *of); };
    });
  }
}

}  // namespace mlc
