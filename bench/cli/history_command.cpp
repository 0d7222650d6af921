#include <cstdio>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/engine/sweep.hpp"
#include "reports/faces/history_faces.hpp"
#include "reports/history/cuts.hpp"
#include "reports/history/history_files.hpp"
#include "reports/history/history_store.hpp"
#include "reports/record/text.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

struct HistoryArguments {
  std::vector<std::string> paths;
  std::string every = "24h", repairs;
  std::string store;  // of import
  std::vector<std::string> imports;
  OutputOptions output;
};

ExitCode run_history(const HistoryArguments& arguments) {
  if (arguments.paths.empty())
    throw UsageError("history needs a folder, reports or a store", "mlc-bench history --help");
  arguments.output.check();
  HistoryOptions options;
  const auto every = parse_seconds(arguments.every);
  if (!every || *every < 1)
    throw UsageError("--every '" + printable(arguments.every) + "' is no time of a second or more",
                     "write 24h, 30m or 900s");
  options.slot_s = static_cast<std::int64_t>(*every);
  if (!arguments.repairs.empty()) {
    try {
      options.repairs = repairs_from_csv(read_whole(arguments.repairs, {.bytes = 16 << 20}));
    } catch (const std::exception& why) {
      throw UsageError("--repairs " + printable(arguments.repairs) + ": " + why.what());
    }
  }

  History history;
  std::vector<std::string> left_out;
  std::vector<std::filesystem::path> paths;
  for (const auto& path : arguments.paths) {
    if (!is_store_file(path)) {
      paths.emplace_back(path);
      continue;
    }
    try {
      HistoryStore(path, HistoryStore::Mode::read).read(history);
    } catch (const std::exception& error) {
      left_out.emplace_back(error.what());
    }
  }
  const auto files = report_files(paths, left_out);
  read_runs(files, left_out, [&](std::vector<HistoryRun>&& runs) {
    for (const auto& run : runs)
      if (!history.add(run)) left_out.push_back("run " + run.id + ": read twice, counted once");
  });
  history.sort();
  for (const auto& repair : options.repairs)
    if (std::ranges::none_of(history.groups(), [&](const History::Group& group) {
          return std::ranges::any_of(group.tracks, [&](const History::Track& track) {
            return track.node == repair.node || track.node.starts_with(repair.node + "+") ||
                   track.node.ends_with("+" + repair.node);
          });
        }))
      left_out.push_back("repair of " + repair.node + ": no run of that node");
  HistoryResult result = analyse(history, options);
  result.left_out = std::move(left_out);
  const auto format = arguments.output.chosen();
  publish(arguments.output, format == "json"   ? to_json(result)
                            : format == "html" ? to_html(result)
                                               : to_text(result, {arguments.output.style().colour}));
  return exit_code_of(decide(result));
}

ExitCode run_import(const HistoryArguments& arguments) {
  HistoryStore store(arguments.store, HistoryStore::Mode::write);
  std::vector<std::string> left_out;
  const auto files = report_files({arguments.imports.begin(), arguments.imports.end()}, left_out);
  std::size_t added = 0, known = 0, read = 0;
  Progress progress(arguments.output.progress_as());
  const auto began = std::chrono::steady_clock::now();
  read_runs(files, left_out, [&](std::vector<HistoryRun>&& runs) {
    read = std::min(read + runs_at_once, files.size());
    progress.show("reports: " +
                  done_text(read, files.size(),
                            std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()));
    const std::size_t fresh = store.add(runs);
    added += fresh, known += runs.size() - fresh;
  });
  progress.clear();
  for (const auto& line : left_out)
    std::fprintf(stderr, "left out: %s\n", printable(line, 400).c_str());
  std::printf("%s: %zu runs added, %zu were there already, %zu files left out\n",
              printable(arguments.store).c_str(), added, known, left_out.size());
  return added + known > 0 ? ExitCode::pass : ExitCode::inconclusive;
}

}  // namespace

void add_history_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand("history",
                                         "many reports over time: who is slow beside its peers, whose level "
                                         "changed when, and what changed with it");
  auto arguments = std::make_shared<HistoryArguments>();
  command
      ->add_option("paths", arguments->paths,
                   "reports (JSON), folders of them, or a store made by 'history import'")
      ->type_name("FILE");
  command
      ->add_option("--every", arguments->every,
                   "how often each node is measured: runs this near are compared with each other")
      ->capture_default_str();
  command
      ->add_option(
          "--repairs", arguments->repairs,
          "CSV of NODE,TIME,WHAT: what a node showed before is not compared with what it shows after, "
          "as where a GPU is another")
      ->type_name("FILE");
  arguments->output.formats = {"text", "json", "html"};
  arguments->output.add_to(*command);
  command->footer(
      "Exits 0 if all is steady, 1 if something is worse than before or than its peers, 2 if fewer than two "
      "runs could be read.");
  auto* import =
      command->add_subcommand("import", "adds reports to a store: one SQLite file, safe under two writers");
  import->add_option("store", arguments->store, "the file; it is made if it is not there")
      ->required()
      ->type_name("FILE");
  import->add_option("paths", arguments->imports, "reports (JSON) or folders of them")
      ->required()
      ->type_name("FILE");
  command->callback([&invocation, arguments, import] {
    if (import->parsed())
      invocation.run = [arguments] { return run_import(*arguments); };
    else
      invocation.run = [arguments] { return run_history(*arguments); };
  });
}

}  // namespace mlc
