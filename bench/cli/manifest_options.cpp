#include "bench/cli/manifest_options.hpp"

#include <algorithm>
#include <cstdio>

#include "bench/cli/batch_script.hpp"
#include "bench/engine/sweep.hpp"
#include "k8s/admission/node_patch.hpp"
#include "reports/record/text.hpp"

namespace mlc {

void ManifestOptions::add_to(CLI::App& manifest) {
  manifest_ = &manifest;
  request.name.clear();
  manifest.add_option("--nodes", request.nodes, "workers, one a node (default 2)")
      ->check(CLI::Range(1, 5000));
  manifest
      .add_option("--gpus", request.gpus,
                  "GPUs and ranks of each; 0: one rank in host memory (default 8; of a campaign 0)")
      ->check(CLI::Range(0, 64));
  manifest
      .add_option("--rails", request.rails,
                  "VFs of each, as resources mlc.io/railN and networks railN (default 4)")
      ->check(CLI::Range(0, 64));
  manifest.add_option("--image", request.image, "default mlc-bench:0.1.0")->type_name("IMAGE");
  manifest.add_option("--name", request.name, "default mlc-COMMAND")->type_name("NAME");
  manifest.add_option("--namespace", request.name_space, "where the networks are (default mlc-bench)")
      ->type_name("NAME");
  manifest
      .add_option(
          "--kind", kind,
          "mpijob (Kubeflow v2beta1), indexed-job without an operator, or sbatch for Slurm (default mpijob; "
          "of a campaign indexed-job)")
      ->check(CLI::IsMember({"mpijob", "indexed-job", "sbatch"}));
  manifest
      .add_option("--launcher", launcher,
                  "of an sbatch script: srun, where Slurm has PMIx, or mpirun (default srun)")
      ->check(CLI::IsMember({"srun", "mpirun"}));
  manifest
      .add_option(
          "--interface", request.interface,
          "that carries ssh, MPI and NCCL's bootstrap (default eth0; in an sbatch script what MPI finds)")
      ->type_name("NAME");
  manifest.add_option("--queue", request.queue, "Kueue's local queue, or Slurm's partition")
      ->type_name("NAME");
  manifest.add_option("--deadline", deadline, "of the Job as a whole (default 1h)")->type_name("TIME");
  manifest.add_flag("--as-root", request.root,
                    "as root: where the nodes limit locked memory, nobody else can pin it");
}

ManifestRequest ManifestOptions::request_for(const CLI::App& command) const {
  ManifestRequest made = request;
  const auto seconds = parse_seconds(deadline);
  if (!seconds || *seconds < 1)
    throw UsageError("--deadline '" + printable(deadline) + "' is no time", "write 30m or 1h");
  made.deadline_s = *seconds;
  made.command = words_of(command);
  if (made.name.empty()) made.name = "mlc-" + command.get_name();
  // "NAME-worker-NNN" has to be a DNS label.
  if (!is_node_name(made.name) || std::isdigit(static_cast<unsigned char>(made.name.front())) != 0 ||
      made.name.find('.') != std::string::npos || made.name.size() > 50)
    throw UsageError("--name '" + printable(made.name) + "' is no name for a Job",
                     "a-z, 0-9 and '-', at most 50 of them, a letter first");
  if (!is_node_name(made.name_space) || made.name_space.size() > 63)
    throw UsageError("--namespace '" + printable(made.name_space) + "' is no namespace");
  return made;
}

std::vector<std::string> words_of(const CLI::App& command) {
  std::vector<std::string> words{command.get_name()};
  for (const auto* option : command.get_options()) {
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

ExitCode print_batch_script(const ManifestOptions& options, const ManifestRequest& request, bool apart) {
  for (const char* of_pods : {"--image", "--namespace", "--rails"})
    if (options.given(of_pods))
      throw UsageError(std::string(of_pods) + " is for Pods, and a batch script has none");
  // Slurm reads up to the first blank of such a line.
  for (const auto* name : {&request.queue, &request.interface})
    if (std::ranges::any_of(*name, [](unsigned char c) { return c <= ' ' || c == 127; }))
      throw UsageError("'" + printable(*name) + "' is no name");
  std::fputs(batch_script({.name = request.name,
                           .command = request.command,
                           .nodes = request.nodes,
                           .gpus = request.gpus,
                           .partition = request.queue,
                           .interface = options.given("--interface") ? request.interface : "",
                           .launcher = options.launcher,
                           .root = request.root,
                           .apart = apart,
                           .deadline_s = request.deadline_s})
                 .c_str(),
             stdout);
  return ExitCode::pass;
}

}  // namespace mlc
