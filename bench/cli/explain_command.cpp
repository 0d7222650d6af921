#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "bench/backends/nccl.hpp"
#include "bench/backends/nccl_features.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/question.hpp"
#include "bench/cli/rdma_options.hpp"
#include "bench/collectives/collective.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/engine/timing.hpp"
#include "bench/fleet/localisation/explained.hpp"
#include "bench/gpu/stress/all.hpp"
#include "k8s/ipam/judge.hpp"
#include "reports/record/text.hpp"
#include "validators/checks/all.hpp"
#include "validators/deciding/explained.hpp"

namespace mlc {

namespace {

ExitCode explain_check(const Check& check) {
  const auto part = [](const char* heading, std::string_view text) {
    std::printf("%s  %s\n", pad_right(heading, 5).c_str(), std::string(text).c_str());
  };
  std::printf("%s: %s\n\n", std::string(check.name).c_str(), std::string(check.summary).c_str());
  part("why", check.why);
  part("reads", check.reads);
  part("fix", check.fix);
  if (!check.keys.empty()) part("keys", "of a policy's `node`: " + std::string(check.keys));
  return ExitCode::pass;
}

ExitCode explain_gpu_test(const GpuTest& test) {
  std::printf("%s: %s\n\nlimit  %s\ntime   about %.0f s with --full%s\n", std::string(test.name).c_str(),
              std::string(test.summary).c_str(), std::string(test.limit).c_str(), test.full_s,
              test.quick_s > 0 ? "" : "; no part of --quick");
  return ExitCode::pass;
}

// Findings of `gpu` that are of no test, or of all.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> of_all_gpu_tests{{
    {"burnin.device",
     "the GPU answers its driver from the first test to the last: CUDA's own errors, and hangs"},
    {"burnin.state",
     "what NVML says before the first test: ECC, pending row remaps, MIG; such a GPU is not tested"},
    {"burnin.telemetry", "NVML is there to read clocks, power, heat and error counters while the tests run"},
    {"burnin.throttle",
     "no clock was held down meanwhile by heat, a power brake or the hardware; a power cap is usual"},
    {"burnin.counters", "ECC errors, row remaps, XIDs, NVLink and PCIe errors that were counted meanwhile"},
    {"burnin.pcie-link",
     "generation and width that the link had while data went over it, against the policy"},
}};

// "burnin.gemm-bf16-clock" is of the test gemm, "burnin.allreduce" of a stage.
bool explain_finding(std::string_view name) {
  for (const auto& [finding, text] : of_all_gpu_tests)
    if (finding == name) {
      std::printf(
          "%s: %s\n\nsee    mlc-bench gpu --help; the policy's section `gpu`: mlc-bench policy keys gpu\n",
          std::string(name).c_str(), std::string(text).c_str());
      return true;
    }
  constexpr std::string_view room = "burnin.";
  if (!name.starts_with(room)) return false;
  name.remove_prefix(room.size());
  const GpuTest* test = find_gpu_test(name.substr(0, name.find('-')));
  if (test != nullptr) (void)explain_gpu_test(*test);
  return test != nullptr;
}

ExitCode explain(const std::string& name) {
  for (const auto* check : all_checks())
    if (check->name == name) return explain_check(*check);
  for (const auto& check : ipam::fleet_checks())
    if (check.name == name) return explain_check(check);
  if (const GpuTest* test = find_gpu_test(name)) return explain_gpu_test(*test);
  if (explain_finding(name)) return ExitCode::pass;
  if (name == "rdma") {
    std::fputs(rdma_explained(), stdout);
    return ExitCode::pass;
  }
  if (name == "timing") {
    std::fputs(timing_explained(), stdout);
    return ExitCode::pass;
  }
  if (name == "fleet") {
    std::fputs(fleet::fleet_explained({}).c_str(), stdout);
    return ExitCode::pass;
  }
  if (name == "nccl") {
    std::fputs(nccl_explained(nccl_version()).c_str(), stdout);
    return ExitCode::pass;
  }
  if (name == "verdict") {
    std::fputs(verdict_explained(), stdout);
    return ExitCode::pass;
  }
  if (name == "thresholds") {
    std::fputs(thresholds_explained(), stdout);
    return ExitCode::pass;
  }
  const Collective* collective = find_collective(name);
  if (collective == nullptr) {
    std::vector<std::string> known{"rdma", "fleet", "timing", "thresholds", "verdict", "nccl"};
    for (const auto* each : all_collectives())
      known.emplace_back(each->name);
    for (const auto* each : all_checks())
      known.emplace_back(each->name);
    for (const auto& each : ipam::fleet_checks())
      known.emplace_back(each.name);
    for (const auto* each : all_gpu_tests())
      known.emplace_back(each->name);
    const auto near = nearest(name, known);
    throw UsageError(
        "nothing is known of '" + printable(name) + "'",
        near ? "did you mean '" + *near + "'?" : "mlc-bench list collectives, checks or gpu-tests");
  }
  std::printf("%s: %s\n\n", std::string(collective->name).c_str(), std::string(collective->summary).c_str());
  std::printf(
      "algbw  size / time; size is what the table shows%s\n",
      collective->chunked ? ": all chunks together, each rounded down to a multiple of 16 bytes" : "");
  std::printf("busbw  %s (n ranks): what each rank's link has to carry, whatever n is\n",
              std::string(collective->formula).c_str());
  std::printf("       the factor is");
  for (int ranks : {2, 4, 8, 16, 64})
    std::printf("  %.4g at %d", collective->bus_factor(ranks), ranks);
  std::printf("\nforms  %s%s%s\n", collective->in_place ? "in place and out of place" : "out of place only",
              collective->reduces ? "; takes --op" : "", collective->rooted ? "; takes --root" : "");
  return ExitCode::pass;
}

}  // namespace

void add_explain_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand("explain",
                                         "what a check, a collective, a GPU test, rdma, fleet, nccl, timing, "
                                         "thresholds or a verdict is: why it matters, where it reads, "
                                         "how to fix; how bandwidth is reckoned");
  auto name = std::make_shared<std::string>();
  command
      ->add_option("name", *name,
                   "a check, a collective, a GPU test, rdma, fleet, nccl, timing, thresholds or verdict")
      ->required()
      ->type_name("CHECK|COLLECTIVE|GPU-TEST|rdma|fleet|nccl|timing|thresholds|verdict");
  command->callback([&invocation, name] { invocation.run = [name] { return explain(*name); }; });
}

}  // namespace mlc
