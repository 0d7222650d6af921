#include <cstdio>
#include <memory>

#include "bench/cli/commands.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/report_reader.hpp"

namespace mlc {

void add_report_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand("report", "shows a report that was written before, in any face");
  auto path = std::make_shared<std::string>();
  auto options = std::make_shared<OutputOptions>();
  command->add_option("report", *path, "a report in JSON, or - for stdin")->required()->type_name("FILE");
  options->add_to(*command);
  // The verdict in the report is an old one: this command has done its work when the report is shown.
  command->footer("Exits 0 when it could show the report, whatever the report says.");
  command->callback([&invocation, path, options] {
    invocation.run = [path, options] {
      options->check();
      publish(*options, render(read_report(*path), options->chosen(), options->style()));
      return ExitCode::pass;
    };
  });
}

}  // namespace mlc
