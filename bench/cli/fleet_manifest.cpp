// `manifest fleet`: a campaign as one Indexed Job, or as a batch script for Slurm.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/cli/fleet_leading.hpp"
#include "bench/cli/fleet_options.hpp"
#include "bench/cli/manifest_options.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/typed_values.hpp"
#include "k8s/manifests/campaign_job.hpp"
#include "reports/record/text.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

// Of which a ConfigMap takes 1 MiB, with its other text.
constexpr std::size_t most_bytes = 1'000'000;

struct FleetManifest {
  FleetCampaignOptions campaign;
  std::string gather = "5m", format, output;
};

bool is_text(const std::string& content) {
  try {
    (void)nlohmann::json(content).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

// Files of this machine that the Pods are to have, by name; `words` then have their place there.
std::map<std::string, std::string> files_of(const FleetCampaignOptions& campaign, const Policy& policy,
                                            std::vector<std::string>& words) {
  std::map<std::string, std::string> files;
  const auto take = [&](const std::string& option, const std::string& given, const std::string& name,
                        const std::string& content) {
    if (!is_text(content)) throw UsageError(option + " " + printable(given) + " is no UTF-8 text");
    files[name] = content;
    std::ranges::replace(words, option + "=" + given, option + "=" + campaign_files + "/" + name);
  };
  if (std::ranges::find(built_in_policies(), campaign.policy, &BuiltInPolicy::name) ==
      built_in_policies().end())
    take("--policy", campaign.policy, "policy.yaml", policy.text);
  if (!campaign.topology.empty() && campaign.topology != "none") {
    take("--topology", campaign.topology, "topology", fleet_topology_text(campaign.topology));
  }
  std::size_t bytes = 0;
  for (const auto& [name, content] : files)
    bytes += content.size();
  if (bytes > most_bytes)
    throw UsageError("policy and topology are more than the 1 MB that a ConfigMap holds",
                     "node,rail,leaf lines of the nodes that take part alone, or hostlists");
  return files;
}

ExitCode run_fleet_manifest(const ManifestOptions& options, const FleetManifest& fleet,
                            const CLI::App& command) {
  fleet.campaign.check();
  const Policy policy = named_policy(fleet.campaign.policy);
  ManifestRequest request = options.request_for(command);
  if (!options.given("--gpus")) request.gpus = 0;
  if (request.nodes < 2) throw UsageError("a campaign needs two nodes", "write --nodes 64");
  if (options.kind == "sbatch") {
    if (options.launcher == "mpirun")
      throw UsageError("mpirun ends with 0 whatever a campaign found",
                       "leave --launcher away: srun ends with its code");
    if (command.count("--gather") > 0)
      throw UsageError("--gather is for Pods: Slurm starts all at the same time");
    if (options.given("--gpus"))
      throw UsageError("--gpus is for Pods: a script has its nodes to itself, one agent on each");
    return print_batch_script(options, request, true);
  }
  if (options.kind == "mpijob")
    throw UsageError("a campaign is no MPIJob: with a launcher a node that dies would end the others",
                     "leave --kind away: an Indexed Job, one Pod a node");
  if (options.given("--interface"))
    throw UsageError("--interface is for ssh and MPI, which a campaign of Pods has not",
                     "rails over TCP are --interfaces net1,net2, after 'fleet'");
  for (const char* kept : {"--keep", "--resume", "--output"})
    if (command.count(kept) > 0)
      throw UsageError(std::string(kept) + " is for a machine that stays, and a Pod's files go with it",
                       "--format json, and read the log of index 0");
  (void)seconds_from("--gather", fleet.gather);
  std::erase(request.command, "--gather=" + fleet.gather);  // each Pod is given one
  const auto files = files_of(fleet.campaign, policy, request.command);
  std::fputs(to_yaml(campaign_job(request, files, fleet.gather)).c_str(), stdout);
  std::fprintf(stderr,
               "it needs a Secret with the campaign's key, once: head -c 32 /dev/urandom | base64 | kubectl "
               "-n %s create secret generic %s-key --from-file=key=/dev/stdin\n"
               "what came of it: kubectl -n %s logs -l "
               "batch.kubernetes.io/job-name=%s,batch.kubernetes.io/job-completion-index=0\n",
               request.name_space.c_str(), request.name.c_str(), request.name_space.c_str(),
               request.name.c_str());
  return ExitCode::pass;
}

}  // namespace

void add_fleet_manifest(CLI::App& manifest, const std::shared_ptr<ManifestOptions>& options,
                        Invocation& invocation) {
  auto* command = manifest.add_subcommand(
      "fleet", "a campaign: which node, rail, leaf or uplink is at fault (Indexed Job, or sbatch)");
  auto fleet = std::make_shared<FleetManifest>();
  fleet->campaign.add_rules_to(*command);
  fleet->campaign.add_fabric_to(*command);
  fleet->campaign.add_measuring_to(*command);
  fleet->campaign.add_keeping_to(*command);
  command->add_option("--gather", fleet->gather, "how long all Pods may take to come")
      ->capture_default_str()
      ->type_name("TIME");
  command->add_option("--format", fleet->format, "of what index 0 says")
      ->check(CLI::IsMember({"text", "json", "markdown"}))
      ->type_name("text|json|markdown");
  command->add_option("--output", fleet->output, "in a batch script, file for the report")->type_name("FILE");
  command->footer(
      "mlc-bench manifest fleet --nodes 64 --policy h100-4x200g --topology topology.conf | kubectl apply -f "
      "-\n"
      "--deadline before 'fleet' is of the Job, behind it of an agent's answer. --gpus 8 takes the nodes' "
      "GPUs for that long, so that nothing trains beside it. Files of --policy and "
      "--topology go along as a ConfigMap.");
  command->fallthrough();
  command->callback([&invocation, options, fleet, command] {
    invocation.run = [options, fleet, command] { return run_fleet_manifest(*options, *fleet, *command); };
  });
}

}  // namespace mlc
