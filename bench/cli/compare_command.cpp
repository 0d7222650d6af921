#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/report_reader.hpp"
#include "bench/cli/typed_values.hpp"
#include "reports/faces/comparison_faces.hpp"

namespace mlc {

namespace {

struct CompareArguments {
  std::string base, next, tolerance = "2%";
  bool all = false;
  OutputOptions output;
};

ExitCode run_compare(const CompareArguments& arguments) {
  arguments.output.check();
  const double tolerance = fraction_from("--tolerance", arguments.tolerance);
  const Comparison comparison = compare(read_runs_together(arguments.base),
                                        read_runs_together(arguments.next), {.tolerance = tolerance});
  const auto format = arguments.output.chosen();
  publish(arguments.output,
          format == "json"   ? to_json(comparison)
          : format == "html" ? to_html(comparison)
          : format == "markdown"
              ? to_markdown(comparison)
              : to_text(comparison, {.colour = arguments.output.style().colour, .all = arguments.all}));
  return exit_code_of(comparison.decision);
}

}  // namespace

void add_compare_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "compare", "a new report against an old one, by intervals: SAME, FASTER, SLOWER or UNDECIDED");
  auto arguments = std::make_shared<CompareArguments>();
  command->add_option("base", arguments->base, "the old report (JSON), or a folder of several runs")
      ->required()
      ->type_name("FILE|DIR");
  command
      ->add_option("new", arguments->next, "the new report (JSON), a folder of several runs, or - for stdin")
      ->required()
      ->type_name("FILE|DIR");
  command->add_option("--tolerance", arguments->tolerance, "a slowdown that does not matter, as 2% or 0.02")
      ->capture_default_str();
  command->add_flag("--all", arguments->all, "list what is the same too");
  arguments->output.formats = {"text", "json", "html", "markdown"};
  arguments->output.add_to(*command);
  command->footer(
      "Exits 0 if nothing got slower by more than the tolerance, 1 if something did, 2 if that could not be "
      "decided. One launch a side decides nothing, whatever its own interval: collectives are measured in "
      "five "
      "where --output is a JSON file (--launches), and of what has no --launches (rdma) a folder holds "
      "several "
      "runs. What is alike in all launches of one run and not in the next's (heat, neighbours) is not seen.");
  command->callback(
      [&invocation, arguments] { invocation.run = [arguments] { return run_compare(*arguments); }; });
}

}  // namespace mlc
