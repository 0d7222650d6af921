#include <cstdio>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/policy_reference.hpp"
#include "bench/cli/stage_commands.hpp"
#include "bench/engine/sweep.hpp"
#include "reports/record/text.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/validate.hpp"
#include "validators/policy/effective_policy.hpp"

namespace mlc {

namespace {

struct PolicyArguments {
  std::string policy = "local", file, section;
  std::string format = "text";
};

bool is_under(std::string_view path, std::string_view section) {
  return path.starts_with(section) &&
         (path.size() == section.size() || path[section.size()] == '.' || path[section.size()] == '[');
}

ExitCode show_keys(const PolicyArguments& arguments) {
  if (arguments.format != "text" && arguments.format != "markdown")
    throw UsageError("--format '" + printable(arguments.format) + "' is neither text nor markdown");
  const std::string section = described_path(arguments.section);
  std::vector<PolicyKey> keys;
  std::vector<std::string> known;
  for (const auto& key : policy_keys()) {
    known.emplace_back(key.path);
    if (section.empty() || is_under(key.path, section)) keys.push_back(key);
  }
  if (keys.empty()) {
    const auto near = nearest(arguments.section, known);
    throw UsageError("a policy has no key '" + printable(arguments.section) + "'",
                     near ? "did you mean '" + *near + "'?" : "mlc-bench policy keys lists all");
  }
  const std::string text =
      arguments.format == "markdown" ? policy_keys_markdown(keys) : policy_keys_text(keys);
  std::fputs(text.c_str(), stdout);
  return ExitCode::pass;
}

std::string counted(std::size_t count, std::string_view one) {
  return std::to_string(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

// What it asks for, in one line.
ExitCode check(const PolicyArguments& arguments) {
  const Policy policy = policy_with_plans(arguments.file);
  require_known_checks(policy, all_checks());
  std::vector<std::string> has;
  if (policy.target)
    has.push_back("target " + std::to_string(policy.target->rails) + " x " +
                  shortest(policy.target->rail_gbit_s) + " Gbit/s");
  if (!policy.thresholds.empty()) has.push_back(counted(policy.thresholds.size(), "threshold"));
  if (policy.rdma) has.emplace_back("rdma");
  if (policy.node) has.push_back("node (" + counted(policy.node->keys.size(), "key") + ")");
  if (policy.gpu) has.emplace_back("gpu");
  for (const auto& [name, plan] :
       {std::pair{"burnin", &policy.burnin}, std::pair{"fabric", &policy.fabric},
        std::pair{"health", &policy.health}, std::pair{"passive", &policy.passive}})
    if (*plan) has.push_back(std::string(name) + " (" + counted((*plan)->stages.size(), "stage") + ")");
  std::printf("%s: policy %s can be used: %s\n%s\n", printable(arguments.file).c_str(),
              printable(policy.name).c_str(), has.empty() ? "it asks for nothing" : join(has, ", ").c_str(),
              policy.digest.c_str());
  return ExitCode::pass;
}

}  // namespace

void add_policy_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "policy", "what a policy asks for, what may be written in one, and whether one can be used");
  command->require_subcommand(1);
  auto arguments = std::make_shared<PolicyArguments>();
  auto* show = command->add_subcommand(
      "show", "the whole policy as YAML: with every default, and where each value comes from");
  show->add_option("policy", arguments->policy, "a built-in policy, or a file")
      ->type_name("FILE|POLICY")
      ->capture_default_str();
  auto* keys = command->add_subcommand("keys", "what may be written: kind, unit, default and meaning");
  keys->add_option("section", arguments->section, "only this key, or those of this section: node.rails")
      ->type_name("KEY");
  keys->add_option("--format", arguments->format, "text, or markdown for a page")
      ->type_name("text|markdown")
      ->capture_default_str();
  auto* checked = command->add_subcommand(
      "check", "reads a policy as every command would, its stages' command lines too");
  checked->add_option("file", arguments->file, "a file, or a built-in policy")
      ->required()
      ->type_name("FILE|POLICY");
  command->footer(
      "Exits 64 where the policy cannot be used, and says what is at fault: with its line, or its stage.");
  command->callback([&invocation, arguments, show, keys] {
    if (show->parsed())
      invocation.run = [arguments] {
        std::fputs(effective_policy(policy_with_plans(arguments->policy)).c_str(), stdout);
        return ExitCode::pass;
      };
    else if (keys->parsed())
      invocation.run = [arguments] { return show_keys(*arguments); };
    else
      invocation.run = [arguments] { return check(*arguments); };
  });
}

}  // namespace mlc
