// `ipam`: the rail addresses of the whole fleet, looked at once and not by each node.
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <thread>

#include "bench/cli/commands.hpp"
#include "bench/cli/kubernetes_options.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/engine/sweep.hpp"
#include "k8s/admission/node_patch.hpp"
#include "k8s/ipam/judge.hpp"
#include "k8s/ipam/reading.hpp"
#include "k8s/ipam/telling.hpp"
#include "reports/faces/findings_text.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc {

namespace {

// A run names no more than this; what is beyond is counted. Each costs a request or an event.
constexpr std::size_t most_addresses = 100, most_nodes = 50;

struct IpamOptions {
  std::string again = "20s", config_map = "mlc-bench/mlc-bench-ipam";
  double full_from = 90;  // per cent
  KubernetesOptions kubernetes;
  OutputOptions output;
};

struct Look {
  std::vector<Finding> findings;
  std::map<std::string, std::string> notes;  // by node
};

Look look(ApiClient& api, double again_s, double full_from) {
  auto records = ipam::read_records(api);
  if (!records)
    return {{{"ipam.duplicates",
              "pools",
              Status::unknown,
              "the cluster has no IPPools (HTTP 404)",
              {},
              "/apis/whereabouts.cni.cncf.io/v1alpha1/ippools",
              "is Whereabouts installed in this cluster? without it there is nothing to look at"}},
            {}};
  auto troubles = ipam::troubles_of(*records);
  if (!troubles.empty()) {
    // One list is read after the other while Pods come and go: only what is still there is said.
    std::this_thread::sleep_for(std::chrono::duration<double>(again_s));
    records = ipam::read_records(api);
    if (!records) throw std::runtime_error("the IPPools have gone between two readings");
    troubles = ipam::confirmed(troubles, ipam::troubles_of(*records));
  }
  ipam::NodeOfPod nodes;
  std::size_t named = 0;
  for (const auto& trouble : troubles) {
    if (trouble.kind != ipam::Trouble::duplicate && trouble.kind != ipam::Trouble::unrecorded) continue;
    if (++named > most_addresses) break;
    for (std::size_t i = 0; i < trouble.pods.size() && i < 8; ++i)
      if (!nodes.contains(trouble.pods[i])) nodes[trouble.pods[i]] = ipam::node_of(api, trouble.pods[i]);
  }
  return {ipam::findings_of(*records, troubles, nodes, full_from, most_addresses),
          ipam::notes_for_nodes(troubles, nodes, most_nodes)};
}

// The question is the same at every site: no finding may fail, and what could not be read is no pass. A
// node's policy has no part in it.
Policy question() {
  Policy policy =
      read_policy("policy: ipam\nabout: one owner for each rail address\nunknown_blocks: true\n", "built in");
  policy.node.emplace().keys.insert("ipam");  // what no file can ask
  return policy;
}

void show(const IpamOptions& options, const Report& report) {
  const auto chosen = options.output.chosen();
  const std::string face =
      chosen == "text" ? findings_text(report, options.output.to_file() ? Style{} : options.output.style())
                       : render(report, chosen, options.output.file_style());
  publish(options.output, face);
}

ExitCode run_ipam(const IpamOptions& options, const std::vector<std::string>& arguments) {
  options.output.check();
  const auto again_s = parse_seconds(options.again);
  if (!again_s || *again_s > 600)
    throw UsageError("--again '" + printable(options.again) + "' is no time of up to 10 minutes",
                     "write 20s");
  if (options.full_from <= 0 || options.full_from > 100)
    throw UsageError("--full-from is a share of 1 to 100 per cent", "write --full-from 90");
  const auto slash = options.config_map.find('/');
  if (slash == options.config_map.npos || !is_node_name(options.config_map.substr(0, slash)) ||
      !is_node_name(options.config_map.substr(slash + 1)))
    throw UsageError("--config-map '" + printable(options.config_map) + "' is no NAMESPACE/NAME",
                     "write mlc-bench/mlc-bench-ipam");
  const Policy policy = question();
  Report report = new_report(policy, arguments);
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::string> untold;
  with_api(options.kubernetes, [&](ApiClient& api) {
    const Look found = look(api, *again_s, options.full_from / 100);
    report.findings = found.findings;
    report.run.duration_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    report.verdict = decide(report, policy);
    if (options.kubernetes.publish)
      untold = ipam::tell(api, {found.notes, report.run.id, to_json(report), options.config_map},
                          std::time(nullptr));
    else
      for (const auto& [node, note] : found.notes)
        std::fprintf(stderr, "with --publish, an event at node %s: %s\n", printable(node).c_str(),
                     note.c_str());
  });
  show(options, report);
  for (const auto& line : untold)
    std::fprintf(stderr, "%s\n", line.c_str());
  const ExitCode code = exit_code_of(report.verdict.decision);
  return code == ExitCode::pass && !untold.empty() ? ExitCode::tool : code;
}

}  // namespace

void add_ipam_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "ipam", "the rail addresses of the whole fleet: Whereabouts' pools against all Pods; marks no node");
  auto options = std::make_shared<IpamOptions>();
  command
      ->add_option("--again", options->again,
                   "what is wrong is looked at again after this long, and said if it is still there "
                   "(default 20s)")
      ->type_name("TIME");
  command
      ->add_option("--full-from", options->full_from, "a pool is nearly full from this share on (default 90)")
      ->type_name("PERCENT");
  command
      ->add_option("--config-map", options->config_map,
                   "with --publish: where the report is kept (default mlc-bench/mlc-bench-ipam)")
      ->type_name("NAMESPACE/NAME");
  options->kubernetes.add_connection_to(*command,
                                        "write the report, and an event at each node that is named");
  options->output.add_to(*command);
  command->footer(
      "It lists pools, reservations and the metadata of Pods, in pages, and reads nothing else of them. "
      "'mlc-bench explain ipam.duplicates' says what a finding means.");
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_ipam(*options, invocation.arguments); };
  });
}

}  // namespace mlc
