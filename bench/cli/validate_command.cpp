// `validate`, and its companion `capture`, which records a node so that it can be validated elsewhere.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>

#include "bench/cli/commands.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/engine/sweep.hpp"
#include "reports/faces/findings_text.hpp"
#include "reports/faces/line.hpp"
#include "reports/record/json.hpp"
#include "reports/record/text.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/validate.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/clock.hpp"
#include "validators/host/ipv4.hpp"
#include "validators/host/whole_file.hpp"
#include "validators/policy/lock_file.hpp"

namespace mlc {

namespace {

struct ValidateOptions {
  std::vector<std::string> checks, peers;
  std::string root = "/", node_file, policy = "local", write_lock;
  OutputOptions output;
};

// "10.10.0.22,10.11.0.22,...": the peer's addresses in rail order.
std::vector<Ipv4> read_peer(const std::string& text) {
  std::vector<Ipv4> addresses;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    const auto address = parse_ipv4(std::string_view(text).substr(at, end - at));
    if (!address)
      throw UsageError("--peer '" + printable(text) + "': '" + printable(text.substr(at, end - at)) +
                           "' is no IPv4 address",
                       "write the peer's rail addresses in rail order: --peer 10.10.0.22,10.11.0.22");
    addresses.push_back(*address);
    at = end + 1;
  }
  return addresses;
}

Policy read_policy_of(const ValidateOptions& options) {
  Policy policy = named_policy(options.policy);
  require_known_checks(policy, all_checks());
  if (!options.peers.empty()) {
    if (!policy.node) policy.node.emplace();
    policy.node->keys.insert("probe.peers");
  }
  for (const auto& peer : options.peers)
    policy.node->peers.push_back(read_peer(peer));
  return policy;
}

std::shared_ptr<const Host> host_of(const ValidateOptions& options) {
  if (options.root == "/" && options.node_file.empty()) return live_host();
  try {
    return captured_host(options.root, options.node_file);
  } catch (const std::exception& error) {
    throw UsageError(error.what(), "--root takes a folder that 'mlc-bench capture DIR' wrote");
  }
}

Node node_of(const Host& host, bool live) {
  if (live) return this_node();
  Node node;
  const auto name = host.kernel_name();
  node.name = name ? name->hostname : "captured node";
  node.kernel = name ? name->release : "";
  return node;
}

ExitCode write_lock_file(const ValidateOptions& options, const Host& host) {
  std::map<std::string, std::string> unread;
  const LockFile lock = collect_versions(host, unread);
  for (const auto& [name, why] : unread)
    std::fprintf(stderr, "not locked: %s: %s\n", printable(name).c_str(), printable(why).c_str());
  if (lock.versions.empty()) throw std::runtime_error("no version could be read, so no lock was written");
  std::error_code error;
  if (std::filesystem::exists(options.write_lock, error) &&
      !std::filesystem::is_regular_file(options.write_lock, error))
    throw UsageError("--write-lock " + printable(options.write_lock) + " is no file", "name a new file");
  write_whole(options.write_lock, lock_text(lock));
  std::printf("%zu versions locked in %s\n", lock.versions.size(), printable(options.write_lock).c_str());
  return unread.empty() ? ExitCode::pass : ExitCode::inconclusive;
}

std::string face_of(const Report& report, const OutputOptions& output) {
  const auto chosen = output.chosen();
  return chosen == "text" ? findings_text(report, output.to_file() ? Style{} : output.style())
                          : render(report, chosen, output.file_style());
}

std::vector<const Check*> checks_of(const ValidateOptions& options) {
  try {
    return select_checks(options.checks, all_checks());
  } catch (const UnknownCheck& error) {
    throw UsageError(error.what(), "mlc-bench list checks");
  }
}

ExitCode run_validate(ValidateOptions options, const std::vector<std::string>& arguments) {
  options.output.check();
  const Policy policy = read_policy_of(options);
  const auto checks = checks_of(options);
  const bool live = options.root == "/" && options.node_file.empty();
  const auto host = host_of(options);
  if (!options.write_lock.empty()) return write_lock_file(options, *host);

  Report report = new_report(policy, arguments);
  report.environment.nodes.push_back(node_of(*host, live));
  report.run.id = new_run_id(report.environment.nodes.front().name, report.run.started);
  const auto started = std::chrono::steady_clock::now();
  report.findings = validate(host, policy, checks);
  report.run.duration_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  report.verdict = decide(report, policy);
  const std::string face = face_of(report, options.output);
  if (options.output.to_file()) {
    write_whole(options.output.output, face);
    if (!options.output.quiet) std::fputs(findings_text(report, options.output.style()).c_str(), stdout);
  } else {
    std::fputs(face.c_str(), stdout);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw std::runtime_error("cannot write to stdout");
  return exit_code_of(report.verdict.decision);
}

ExitCode run_capture(const std::string& directory, const std::string& policy_name) {
  const Policy policy = named_policy(policy_name);
  std::error_code error;
  if (std::filesystem::exists(directory, error) &&
      (!std::filesystem::is_directory(directory, error) || !std::filesystem::is_empty(directory, error)))
    throw UsageError(printable(directory) + " exists and is not an empty folder", "name a new folder");
  const Recording recording;
  const auto findings = validate(recording.host(), policy, all_checks());
  std::map<std::string, std::string> unread;
  collect_versions(*recording.host(), unread);
  // What no check asks of this node, and whoever validates the tree may.
  for (const auto family : {IpFamily::v4, IpFamily::v6})
    recording.host()->routes(family), recording.host()->rules(family);
  recording.host()->nexthops();
  recording.write(directory);
  const auto unknown = std::ranges::count(findings, Status::unknown, &Finding::status);
  std::printf("captured in %s; %td findings were unknown here and will be there\n",
              printable(directory).c_str(), unknown);
  std::printf("validate it with: mlc-bench validate --root %s --policy %s\n", printable(directory).c_str(),
              printable(policy_name).c_str());
  return ExitCode::pass;
}

}  // namespace

void add_validate_command(CLI::App& program, Invocation& invocation) {
  auto* command =
      program.add_subcommand("validate", "is this node wired the way the policy says? reads, never changes");
  auto options = std::make_shared<ValidateOptions>();
  command
      ->add_option("check", options->checks,
                   "checks or rooms (rdma, net, gpu, ...); all of them if none is named")
      ->type_name("CHECK|ROOM");
  add_policy(*command, options->policy);
  command->add_option("--root", options->root, "a captured node instead of this one")->type_name("DIR");
  command
      ->add_option("--node-file", options->node_file, "its netlink and other answers (default DIR/node.json)")
      ->type_name("FILE");
  command
      ->add_option("--peer", options->peers,
                   "a peer's rail addresses in rail order, to be reached: A,B,C,D; may be repeated")
      ->type_name("ADDRESSES");
  command
      ->add_option("--write-lock", options->write_lock,
                   "write the versions of this node to FILE, for image.drift, and check nothing")
      ->type_name("FILE");
  options->output.add_to(*command);
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_validate(*options, invocation.arguments); };
    invocation.check = [options] { (void)checks_of(*options); };
  });
}

void add_capture_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "capture", "record what the checks read of this node, so that it can be validated elsewhere");
  auto directory = std::make_shared<std::string>();
  auto policy = std::make_shared<std::string>("local");
  command->add_option("directory", *directory, "a new folder")->required()->type_name("DIR");
  add_policy(*command, *policy,
             "the policy whose questions are recorded; its probes are sent (default local: none)");
  command->callback([&invocation, directory, policy] {
    invocation.run = [directory, policy] { return run_capture(*directory, *policy); };
  });
}

}  // namespace mlc
