// `manifest`: a collective's command line as what runs it over several nodes: Kubernetes objects, or a batch
// script for Slurm.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "bench/cli/batch_script.hpp"
#include "bench/cli/collective_options.hpp"
#include "bench/cli/commands.hpp"
#include "bench/engine/sweep.hpp"
#include "k8s/admission/node_patch.hpp"
#include "k8s/manifests/manifest.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct ManifestOptions {
  ManifestRequest request;
  std::string kind = "mpijob", deadline = "1h", launcher = "srun";
};

// The collective's options as they were given, for the ranks.
std::vector<std::string> words_of(const CLI::App& collective) {
  std::vector<std::string> words{collective.get_name()};
  for (const auto* option : collective.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty()) continue;
    const std::string name = "--" + option->get_lnames().front();
    if (option->get_expected_max() == 0) {
      words.push_back(name);
      continue;
    }
    for (const auto& value : option->results())
      words.push_back(name + "=" + value);
  }
  return words;
}

ExitCode print_batch_script(const ManifestOptions& options, const CLI::App& manifest) {
  for (const char* of_pods : {"--image", "--namespace", "--rails"})
    if (manifest.count(of_pods) > 0)
      throw UsageError(std::string(of_pods) + " is of Pods, and a batch script has none");
  const ManifestRequest& request = options.request;
  // Slurm reads up to the first blank of such a line.
  for (const auto* name : {&request.queue, &request.interface})
    if (std::ranges::any_of(*name, [](unsigned char c) { return c <= ' ' || c == 127; }))
      throw UsageError("'" + printable(*name) + "' is no name");
  std::fputs(batch_script({.name = request.name,
                           .command = request.command,
                           .nodes = request.nodes,
                           .gpus = request.gpus,
                           .partition = request.queue,
                           .interface = manifest.count("--interface") > 0 ? request.interface : "",
                           .launcher = options.launcher,
                           .root = request.root,
                           .deadline_s = request.deadline_s})
                 .c_str(),
             stdout);
  return ExitCode::pass;
}

ExitCode run_manifest(ManifestOptions options, const CollectiveOptions& collective, const CLI::App& command) {
  (void)request_of(collective);  // what is wrong with the flags is said here, not by a Pod
  if (!collective.hosts.empty() || !collective.hostfile.empty() || collective.ranks > 0)
    throw UsageError("--hosts, --hostfile and --ranks are the launcher's there",
                     "--nodes N and --gpus N say how many ranks there are");
  ManifestRequest& request = options.request;
  const auto deadline = parse_seconds(options.deadline);
  if (!deadline || *deadline < 1)
    throw UsageError("--deadline '" + printable(options.deadline) + "' is no time", "write 30m or 1h");
  request.deadline_s = *deadline;
  request.command = words_of(command);
  if (request.name.empty()) request.name = "mlc-" + command.get_name();
  // "NAME-worker-NNN" has to be a DNS label.
  if (!is_node_name(request.name) || request.name.find('.') != std::string::npos || request.name.size() > 50)
    throw UsageError("--name '" + printable(request.name) + "' is no name for a Job",
                     "a-z, 0-9 and '-', at most 50 of them");
  if (!is_node_name(request.name_space) || request.name_space.size() > 63)
    throw UsageError("--namespace '" + printable(request.name_space) + "' is no namespace");
  if (options.kind == "sbatch") return print_batch_script(options, *command.get_parent());
  const Objects objects = options.kind == "mpijob" ? mpi_job(request) : indexed_job(request);
  std::fputs(to_yaml(objects).c_str(), stdout);
  if (options.kind != "mpijob")
    std::fprintf(stderr, "it needs a Secret with keys for ssh: see 'mlc-bench manifest --help'\n");
  return ExitCode::pass;
}

}  // namespace

void add_manifest_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand("manifest",
                                         "a collective over several nodes as Kubernetes objects: | kubectl "
                                         "apply -f -; or as a script: | sbatch");
  auto options = std::make_shared<ManifestOptions>();
  options->request.name.clear();
  ManifestRequest& request = options->request;
  command->add_option("--nodes", request.nodes, "workers, one a node (default 2)")
      ->check(CLI::Range(1, 5000));
  command
      ->add_option("--gpus", request.gpus, "GPUs and ranks of each; 0: one rank in host memory (default 8)")
      ->check(CLI::Range(0, 64));
  command
      ->add_option("--rails", request.rails,
                   "VFs of each, as resources mlc.io/railN and networks railN (default 4)")
      ->check(CLI::Range(0, 64));
  command->add_option("--image", request.image, "default mlc-bench:0.1.0")->type_name("IMAGE");
  command->add_option("--name", request.name, "default mlc-COLLECTIVE")->type_name("NAME");
  command->add_option("--namespace", request.name_space, "where the networks are (default mlc-bench)")
      ->type_name("NAME");
  command
      ->add_option("--kind", options->kind,
                   "mpijob (Kubeflow v2beta1), indexed-job without an operator, or sbatch for Slurm")
      ->check(CLI::IsMember({"mpijob", "indexed-job", "sbatch"}));
  command
      ->add_option("--launcher", options->launcher,
                   "of an sbatch script: srun, where Slurm has PMIx, or mpirun (default srun)")
      ->check(CLI::IsMember({"srun", "mpirun"}));
  command
      ->add_option(
          "--interface", request.interface,
          "that carries ssh, MPI and NCCL's bootstrap (default eth0; in an sbatch script what MPI finds)")
      ->type_name("NAME");
  command->add_option("--queue", request.queue, "Kueue's local queue, or Slurm's partition")
      ->type_name("NAME");
  command->add_option("--deadline", options->deadline, "of the Job as a whole (default 1h)")
      ->type_name("TIME");
  command->add_flag("--as-root", request.root,
                    "as root: where the nodes limit locked memory, nobody else can pin it");
  command->require_subcommand(1);
  command->footer(
      "The flags of the collective follow its name, as without 'manifest'. Keys for indexed-job: ssh-keygen "
      "-t ecdsa -N '' -f id_rsa; "
      "cp id_rsa.pub authorized_keys; kubectl -n mlc-bench create secret generic NAME-ssh --from-file=id_rsa "
      "--from-file=id_rsa.pub --from-file=authorized_keys");
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
