#include "bench/cli/help_text.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "bench/cli/wrapped.hpp"
#include "bench/collectives/collective.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

struct Example {
  std::string_view line, what;
};

struct ShortHelp {
  std::string_view command;
  std::vector<Example> examples;
  std::vector<std::string_view> usual;  // options; empty: all
};

const std::vector<ShortHelp>& short_helps() {
  static const std::vector<ShortHelp> helps{
      {"mlc-bench",
       {{"mlc-bench validate --policy h100-4x200g", "is this node wired right?"},
        {"mlc-bench allreduce", "ranks of this machine"},
        {"mlc-bench gpu --policy h100-4x200g", "are its GPUs sound?"},
        {"mlc-bench burnin --policy h100-4x200g", "all of it, with one verdict"}},
       {}},
      {"collective",
       {{"mlc-bench allreduce", "ranks of this machine"},
        {"mlc-bench allreduce --hosts gpu-a,gpu-b --policy FILE", "judged"},
        {"mlc-bench allreduce -b 8 -e 8G -f 2 -d bfloat16", "as nccl-tests"},
        {"mlc-bench allreduce --sizes 1G --output run.json", "for compare"}},
       {"--minbytes", "--maxbytes", "--stepfactor", "--sizes", "--datatype", "--op", "--iters", "--launches",
        "--policy", "--backend", "--ranks", "--hosts", "--timeout", "--format", "--output"}},
      {"rdma",
       {{"mlc-bench rdma", "each rail with itself, through its NIC"},
        {"mlc-bench rdma --listen", "on one node, and on the other:"},
        {"mlc-bench rdma --connect gpu-b --policy FILE", "all rails"},
        {"mpirun -n 2 --host gpu-a,gpu-b mlc-bench rdma --latency", ""}},
       {"--latency", "--bidirectional", "--memory", "--sizes", "--rails", "--matrix", "--qps", "--policy",
        "--listen", "--connect", "--output"}},
      {"fleet",
       {{"mlc-bench fleet --hosts 'gpu-[1-64]' --topology FILE", "which cable is it?"},
        {"mlc-bench fleet --hosts a,b,c --interfaces rail0,rail1", "over TCP"},
        {"mlc-bench fleet --simulate --nodes 512", "how often right"},
        {"mlc-bench fleet --plan --nodes 512", "rounds, pairs, time and bytes"}},
       {"--hosts", "--topology", "--policy", "--rail-rate", "--interfaces", "--keep", "--simulate", "--plan",
        "--nodes", "--format", "--output"}},
      {"burnin",
       {{"mlc-bench burnin --policy h100-4x200g", "a new node: every stage, one verdict"},
        {"mlc-bench burnin --policy FILE --with-peers gpu-b", "a known good one"},
        {"mlc-bench burnin --policy FILE --health", "light, for an open node"},
        {"mlc-bench burnin --policy FILE --admit NODE --publish", "and tell the cluster"}},
       {"--policy", "--with-peers", "--health", "--passive", "--fabric", "--budget", "--state", "--run-id",
        "--admit", "--publish", "--format", "--output"}},
      {"gpu",
       {{"mlc-bench gpu", "all GPUs, about two minutes"},
        {"mlc-bench gpu --full --policy h100-4x200g", "about six, judged"},
        {"mlc-bench gpu memory --gpus 3", "one test on one GPU"}},
       {"--quick", "--full", "--gpus", "--memory", "--policy", "--timeout", "--output"}},
      {"validate",
       {{"mlc-bench validate --policy h100-4x200g", "all checks"},
        {"mlc-bench validate net rdma.port-state", "a room, or one check"},
        {"mlc-bench validate --root DIR", "a node that was captured elsewhere"}},
       {}},
      {"admit",
       {{"mlc-bench admit --node N --report run.json --policy FILE", "a dry run"},
        {"mlc-bench admit --node N --report run.json --policy FILE --publish", ""}},
       {"--node", "--report", "--policy", "--publish", "--begin", "--expire", "--kubeconfig"}},
      {"manifest",
       {{"mlc-bench manifest allreduce --nodes 4 | kubectl apply -f -", "MPIJob"},
        {"mlc-bench manifest allreduce --kind sbatch | sbatch", "Slurm"},
        {"mlc-bench manifest fleet --nodes 64 | kubectl apply -f -", "a campaign"}},
       {"--nodes", "--gpus", "--rails", "--image", "--namespace", "--queue", "--kind", "--output"}},
      {"report",
       {{"mlc-bench report run.json", "as it was shown"},
        {"mlc-bench report run.json --output run.html", "a page"},
        {"mlc-bench report run.json --format csv --table findings", "for pandas"}},
       {}},
      {"compare",
       {{"mlc-bench compare BASE.json NEW.json", "is it slower?"},
        {"mlc-bench compare OLD/ NEW/", "folders of launches"}},
       {}},
      {"history",
       {{"mlc-bench history DIR", "who is slow, what changed when"},
        {"mlc-bench history import fleet.db DIR", "into one file"},
        {"mlc-bench history fleet.db --output fleet.html", "a page"}},
       {}},
      {"policy",
       {{"mlc-bench policy show h100-4x200g > site.yaml", "to begin with"},
        {"mlc-bench policy keys node.rails", "what may be written"},
        {"mlc-bench policy check site.yaml", "before it judges"}},
       {}},
      {"explain",
       {{"mlc-bench explain net.rail-routes", "a check"},
        {"mlc-bench explain alltoall", "how bandwidth is reckoned"},
        {"mlc-bench explain verdict", "what has to be there for a pass"}},
       {}},
      {"dispatch",
       {{"mlc-bench dispatch --policy FILE", "who waits, and why"},
        {"mlc-bench dispatch --policy FILE --publish", "makes the Jobs"}},
       {"--policy", "--publish", "--kubeconfig", "--image"}},
      {"ipam",
       {{"mlc-bench ipam", "every rail address of the fleet, twice"}},
       {"--kubeconfig", "--publish", "--format", "--output"}},
  };
  return helps;
}

// Of a command of a command: what it has, all of it.
const ShortHelp& help_of(const CLI::App& app) {
  static const ShortHelp without{"", {}, {}};
  const auto& helps = short_helps();
  if (app.get_parent() != nullptr && app.get_parent()->get_parent() != nullptr) return without;
  const std::string_view name = app.get_parent() != nullptr && find_collective(app.get_name()) != nullptr
                                    ? "collective"
                                    : std::string_view(app.get_name());
  const auto found = std::ranges::find(helps, name, &ShortHelp::command);
  return found == helps.end() ? without : *found;
}

class OneScreen final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    if (mode != CLI::AppFormatMode::Normal)
      return CLI::Formatter::make_help(app, name, CLI::AppFormatMode::Normal);
    const ShortHelp& help = help_of(*app);
    std::string text = wrapped(app->get_description(), 0) + "\n";
    for (const auto& [line, what] : help.examples) {
      const std::string typed = "  " + of_command(std::string(line), *app);
      text += what.empty() ? typed + "\n" : row(typed, "# " + std::string(what), 45);
    }
    if (app->get_parent() == nullptr) return text + commands(*app) + "\n" + wrapped(app->get_footer(), 0);
    text += (help.examples.empty() ? "" : "\n") + ("Usage: " + path_of(*app) + " [OPTIONS]") +
            positionals(*app) + "\n";
    for (const CLI::App* command : app->get_subcommands({}))
      text += row("  " + command->get_name(), command->get_description(), 12);
    std::size_t more = 0;
    for (const CLI::Option* option : app->get_options()) {
      if (!option->nonpositional())
        text += row("  " + option->get_name(true), option->get_description(), 30);
      else if (option == app->get_help_ptr() || option == app->get_help_all_ptr())
        continue;
      else if (is_usual(help, *option))
        text += row("  " + names_of(*option), option->get_description(), 30);
      else
        ++more;
    }
    if (more > 0) text += row("  --help-all", std::to_string(more) + " more options", 30);
    if (!app->get_footer().empty()) text += "\n" + footer_of(*app);
    return text;
  }

 private:
  // `left`, and from `column` on `right`; a comment follows where it has room.
  static std::string row(const std::string& left, const std::string& right, std::size_t column) {
    if (columns(left) + 2 <= column) return pad_right(left, column) + wrapped(right, column);
    if (right.starts_with('#')) return left + "  " + right + "\n";
    return left + "\n" + std::string(column, ' ') + wrapped(right, column);
  }

  // The examples of collectives are of one of them.
  static std::string of_command(std::string line, const CLI::App& app) {
    constexpr std::string_view one = "allreduce";
    const auto at = line.find(one);
    if (at != line.npos && find_collective(app.get_name()) != nullptr)
      line.replace(at, one.size(), app.get_name());
    return line;
  }

  // "-b,--minbytes SIZE"
  static std::string names_of(const CLI::Option& option) {
    std::string text = option.get_snames().empty() ? "" : "-" + option.get_snames().front();
    if (!option.get_lnames().empty()) text += (text.empty() ? "--" : ",--") + option.get_lnames().front();
    const std::string type = short_type(option.get_type_name());
    return text + (type.empty() ? "" : " " + type);
  }

  static std::string path_of(const CLI::App& app) {
    return app.get_parent() == nullptr ? "mlc-bench" : path_of(*app.get_parent()) + " " + app.get_name();
  }

  static bool is_usual(const ShortHelp& help, const CLI::Option& option) {
    if (help.usual.empty()) return true;
    return std::ranges::any_of(option.get_lnames(), [&](const std::string& name) {
      return std::ranges::find(help.usual, "--" + name) != help.usual.end();
    });
  }

  // "FILE|POLICY" and not "INT:INT in [1 - 1024]"; a long list of words is in --help-all.
  static std::string short_type(const std::string& type) {
    std::string word = type;
    for (const char* validator : {":INT", ":UINT", ":FLOAT", ":TEXT", ":{"})
      word = word.substr(0, word.find(validator));
    return word.size() <= 24 ? word : "WORD";
  }

  static std::string positionals(const CLI::App& app) {
    std::string text;
    for (const CLI::Option* option : app.get_options())
      if (!option->nonpositional())
        text += option->get_required() ? " " + option->get_name(true) : " [" + option->get_name(true) + "]";
    return text;
  }

  // Its lines are its own: there may be commands among them.
  static std::string footer_of(const CLI::App& app) {
    std::string text;
    const std::string footer = app.get_footer();
    for (std::size_t at = 0; at < footer.size();) {
      const auto end = std::min(footer.find('\n', at), footer.size());
      const std::string line = footer.substr(at, end - at);
      text += columns(line) <= terminal_columns ? line + "\n" : wrapped(line, 0);
      at = end + 1;
    }
    return text;
  }

  // What fits one line.
  static std::string first_clause(const std::string& text) {
    if (12 + columns(text) <= terminal_columns) return text;
    const auto end = text.find_first_of(":;?");
    return end == text.npos ? text : text.substr(0, end);
  }

  static std::string commands(const CLI::App& program) {
    std::string text = "\n", collectives;
    for (const CLI::App* command : program.get_subcommands({})) {
      if (find_collective(command->get_name()) != nullptr)
        collectives += " " + command->get_name();
      else
        text += row("  " + command->get_name(), first_clause(command->get_description()), 12);
    }
    return text + "\nCollectives:" + wrapped(collectives, 13).insert(0, " ") +
           "\nmlc-bench COMMAND --help, and --help-all for all of its options\n";
  }
};

}  // namespace

std::shared_ptr<CLI::Formatter> one_screen_help() { return std::make_shared<OneScreen>(); }

}  // namespace mlc
