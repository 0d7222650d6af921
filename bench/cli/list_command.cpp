#include <cstdio>

#include "bench/backends/backends.hpp"
#include "bench/cli/commands.hpp"
#include "bench/collectives/collective.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/gpu/stress/all.hpp"
#include "bench/ranks/launched_as.hpp"
#include "reports/faces/csv.hpp"
#include "reports/record/text.hpp"
#include "validators/checks/all.hpp"
#include "validators/host/verbs.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

namespace {

void line(std::string_view name, const std::string& text) {
  std::printf("%s  %s\n", pad_right(name, 14).c_str(), text.c_str());
}

void list_backends() {
  for (const auto& backend : all_backends()) {
    line(backend.name, backend.summary);
    line("", backend.absent.empty() ? "available" + (backend.version.empty() ? "" : ": " + backend.version)
                                    : "not here: " + backend.absent);
    if (const auto why = mpi_launcher_absent();
        backend.name == "mpi" && backend.absent.empty() && !why.empty())
      line("", "starts no ranks of its own: " + why + "; srun may");
  }
  std::printf("default here: %s\n", default_backend(is_mpi_rank(from_environment)).c_str());
  line("rdma", "RDMA verbs over the rails themselves; its own command, mlc-bench rdma");
  const std::string no_verbs = rdma::verbs_absent();
  line("", no_verbs.empty() ? "available: libibverbs" : "not here: " + no_verbs);
}

ExitCode list(const std::string& what) {
  if (what == "collectives") {
    for (const auto* collective : all_collectives())
      line(collective->name, std::string(collective->summary));
  } else if (what == "checks") {
    for (const auto* check : all_checks())
      std::printf("%s  %s\n", pad_right(check->name, 22).c_str(), std::string(check->summary).c_str());
  } else if (what == "backends") {
    list_backends();
  } else if (what == "policies") {
    for (const auto& policy : built_in_policies())
      line(policy.name, load_policy(std::string(policy.name)).about);
  } else if (what == "gpu-tests") {
    for (const auto* test : all_gpu_tests())
      line(test->name, std::string(test->summary));
  } else if (what == "dtypes") {
    for (const auto& dtype : dtype_names)
      line(dtype.name, std::to_string(dtype.width) + (dtype.width == 1 ? " byte, also " : " bytes, also ") +
                           std::string(dtype.alias));
  } else if (what == "tables") {
    for (const auto& table : csv_tables())
      line(table.name, "a line is " + std::string(table.about));
  } else {
    const std::vector<std::string> known{"collectives", "checks", "gpu-tests", "backends",
                                         "policies",    "dtypes", "tables"};
    const auto near = nearest(what, known);
    throw UsageError("there is no list of '" + printable(what) + "' (" + join(known, ", ") + ")",
                     near ? "did you mean '" + *near + "'?" : "");
  }
  return ExitCode::pass;
}

}  // namespace

void add_list_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "list", "what there is: collectives, checks, gpu-tests, backends, policies, dtypes, tables");
  auto what = std::make_shared<std::string>();
  command
      ->add_option("what", *what,
                   "collectives, checks, gpu-tests, backends, policies, dtypes or tables (of csv)")
      ->required()
      ->type_name("collectives|checks|gpu-tests|backends|policies|dtypes|tables");
  command->callback([&invocation, what] { invocation.run = [what] { return list(*what); }; });
}

}  // namespace mlc
