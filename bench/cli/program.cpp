#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>

#include "bench/backends/communicator.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/help_text.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/ranks/launched_as.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/record/text.hpp"
#include "validators/policy/yaml_reader.hpp"

namespace mlc {

namespace {

// A mistake in the command line is the same on every rank: rank 0 says it for all.
int complain(ExitCode code, const std::string& what, const std::string& hint = {}) {
  const auto as = launched_as(from_environment);
  if (code == ExitCode::usage && as && as->rank > 0) return static_cast<int>(code);
  std::fputs(error_text({.what = what, .where = {}, .phase = {}, .hint = hint}, {}).c_str(), stderr);
  return static_cast<int>(code);
}

// Long options and subcommands of a parsed command, for suggestions.
std::vector<std::string> known_words(const CLI::App& command) {
  std::vector<std::string> words;
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames())
      words.push_back("--" + name);
    for (const auto& name : option->get_snames())
      words.push_back("-" + name);
  }
  for (const auto* sub : command.get_subcommands({}))
    words.push_back(sub->get_name());
  return words;
}

// The subcommand of a subcommand that was typed last.
const CLI::App& deepest(const CLI::App& program) {
  const CLI::App* command = &program;
  while (!command->get_subcommands().empty())
    command = command->get_subcommands().front();
  return *command;
}

std::string suggestion(const CLI::App& command, const std::string& word) {
  auto words = known_words(command);
  std::string name;
  // What is above it is understood behind it, too.
  for (const CLI::App* above = &command; above->get_parent() != nullptr; above = above->get_parent()) {
    name = above->get_name() + " " + name;
    if (above != &command) std::ranges::move(known_words(*above), std::back_inserter(words));
  }
  const auto near = nearest(word.substr(0, word.find('=')), words);
  return near ? "did you mean '" + *near + "'?" : "mlc-bench " + name + "--help lists what there is";
}

// A word that nobody understands is why one is missing that is required.
int complain_of_word(const CLI::App& program, const char* otherwise) {
  const auto extras = program.remaining(true);
  const CLI::App& command = deepest(program);
  if (extras.empty()) return complain(ExitCode::usage, otherwise, suggestion(command, ""));
  return complain(ExitCode::usage, "'" + printable(extras.front()) + "' is not understood here",
                  suggestion(command, extras.front()));
}

}  // namespace

void describe_program(CLI::App& program, Invocation& invocation) {
  program.name("mlc-bench");
  program.description("Measures collectives over the interconnect and says whether a node may train.");
  program.set_version_flag("--version", "mlc-bench " MLC_VERSION);
  program.formatter(one_screen_help());
  program.set_help_flag("-h,--help", "examples, and the options that most need");
  program.set_help_all_flag("--help-all", "all options");
  program.require_subcommand(1);
  program.footer(
      "Exit codes: 0 pass, 1 the node or a threshold failed, 2 inconclusive, 3 the tool failed, 64 usage, "
      "130 interrupted.");
  add_collective_commands(program, invocation);
  add_gpu_command(program, invocation);
  add_rdma_command(program, invocation);
  add_fleet_command(program, invocation);
  add_list_command(program, invocation);
  add_explain_command(program, invocation);
  add_policy_command(program, invocation);
  add_validate_command(program, invocation);
  add_capture_command(program, invocation);
  add_report_command(program, invocation);
  add_compare_command(program, invocation);
  add_history_command(program, invocation);
  add_burnin_command(program, invocation);
  add_manifest_command(program, invocation);
  add_admit_command(program, invocation);
  add_ipam_command(program, invocation);
  add_dispatch_command(program, invocation);
}

int run_program(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App program;
  Invocation invocation{{argv + 1, argv + argc}, {}};
  describe_program(program, invocation);
  if (argc < 2) {
    std::fputs(program.help().c_str(), stdout);
    return static_cast<int>(ExitCode::usage);
  }
  const std::string first = argv[1];
  const auto named = [&](const CLI::App* command) { return command->get_name() == first; };
  if (!first.starts_with('-') && std::ranges::none_of(program.get_subcommands({}), named))
    return complain(ExitCode::usage, "there is no command '" + printable(first) + "'",
                    suggestion(program, first));
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& request) {
    program.exit(request);  // --help, --version
    return 0;
  } catch (const CLI::ExtrasError& error) {
    return complain_of_word(program, error.what());
  } catch (const CLI::RequiredError& error) {
    return complain_of_word(program, error.what());
  } catch (const CLI::ParseError& error) {
    const std::string command =
        program.get_subcommands().empty() ? "" : " " + program.get_subcommands().front()->get_name();
    return complain(ExitCode::usage, error.what(), "mlc-bench" + command + " --help");
  }
  try {
    return static_cast<int>(invocation.run());
  } catch (const UsageError& error) {
    return complain(ExitCode::usage, error.what(), error.hint);
  } catch (const PolicyError& error) {
    return complain(ExitCode::usage, std::string("policy: ") + error.what());
  } catch (const BackendError& error) {
    return complain(ExitCode::tool, error.what(), error.hint);
  } catch (const std::bad_alloc&) {
    return complain(ExitCode::tool, "out of memory", "take a smaller largest size (-e)");
  } catch (const std::exception& error) {
    return complain(ExitCode::tool, error.what());
  }
}

}  // namespace mlc
