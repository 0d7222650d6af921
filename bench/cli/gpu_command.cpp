// `gpu`: the burn-in of this node's GPUs.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <random>

#include "bench/backends/communicator.hpp"
#include "bench/cli/commands.hpp"
#include "bench/cli/machine_lack.hpp"
#include "bench/cli/measuring_options.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/recorder.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/engine/sweep.hpp"
#include "bench/gpu/burnin.hpp"
#include "bench/gpu/judge_telemetry.hpp"
#include "bench/gpu/stress/all.hpp"
#include "reports/faces/findings_text.hpp"
#include "reports/faces/gpu_text.hpp"
#include "reports/faces/progress.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"
#include "validators/host/clock.hpp"
#include "validators/host/whole_file.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

namespace {

struct GpuOptions {
  std::vector<std::string> tests;
  bool quick = false, full = false;
  std::string gpus, policy = "local", timeout = "60s", memory, fault, write_telemetry;
  std::uint64_t seed = 1;
  OutputOptions output;
};

// The same, understood and checked before any GPU is looked at.
struct GpuRequest {
  std::vector<const GpuTest*> tests;
  std::vector<std::string> gpus;  // index, UUID or PCI address; empty: all
  Policy policy;
  GpuExpectation expected;
  double timeout_s = 60;
  std::string fault_text;  // as it was given
  BurninOptions burnin;
};

std::vector<const GpuTest*> tests_of(const GpuOptions& options) {
  std::vector<const GpuTest*> tests;
  std::vector<std::string> known;
  for (const GpuTest* test : all_gpu_tests())
    known.emplace_back(test->name);
  for (const auto& name : options.tests) {
    const GpuTest* test = find_gpu_test(name);
    if (test != nullptr) continue;
    const auto near = nearest(name, known);
    throw UsageError("there is no GPU test '" + printable(name) + "' (" + join(known, ", ") + ")",
                     near ? "did you mean '" + *near + "'?" : "");
  }
  // In the table's order, each once: the memory test is held against the copy rate measured before it.
  for (const GpuTest* test : all_gpu_tests())
    if (options.tests.empty() ? (options.full || test->quick_s > 0)
                              : std::ranges::count(options.tests, test->name) > 0)
      tests.push_back(test);
  return tests;
}

GpuRequest request_of(const GpuOptions& options) {
  options.output.check();
  if (options.quick && options.full)
    throw UsageError("--quick and --full are two forms of one run", "give one of them");
  GpuRequest request;
  request.tests = tests_of(options);
  request.gpus = split(options.gpus);
  request.policy = named_policy(options.policy);
  request.expected = request.policy.gpu.value_or(GpuExpectation{});
  // A GPU that could not be tested keeps a burn-in from being a pass, whatever else the policy lets go.
  request.policy.unknown_blocks = true;
  request.timeout_s = seconds_from("--timeout", options.timeout, "1s");
  request.burnin.seed = options.seed;
  request.burnin.node = node_name();
  if (!options.memory.empty()) {
    request.burnin.most_memory = size_from("--memory", options.memory);
    if (request.burnin.most_memory < 1 << 30)
      throw UsageError("--memory '" + printable(options.memory) + "' is less than 1 GiB", "write 4G");
    request.expected.memory_tested = 0;  // asked for less: how much it was is in the finding
  }
  if (!options.fault.empty()) {
    request.fault_text = options.fault;
    request.burnin.fault = fault_from(options.fault, gpu_faults());
    const std::string_view finder = request.burnin.fault->kind == Fault::Kind::sm ? "sm" : "memory";
    if (std::ranges::find(request.tests, finder, &GpuTest::name) == request.tests.end())
      throw UsageError("--inject: the test '" + std::string(finder) +
                       "', which would find it, is not among those to run");
  }
  return request;
}

// "00000000:C1:00.0", as NVIDIA's tools write it, is "0000:c1:00.0".
bool same_pci(std::string name, const std::string& pci) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto domain = name.find(':');
  if (domain == 8 && name.starts_with("0000")) name.erase(0, 4);
  return name == pci;
}

std::vector<GpuIdentity> chosen_gpus(const GpuInventory& inventory, const std::vector<std::string>& names) {
  if (names.empty()) return inventory.gpus;
  std::vector<GpuIdentity> chosen;
  for (const auto& name : names) {
    const auto found = std::ranges::find_if(inventory.gpus, [&](const GpuIdentity& gpu) {
      return name == std::to_string(gpu.index) || name == gpu.uuid || same_pci(name, gpu.pci);
    });
    if (found == inventory.gpus.end())
      throw UsageError("there is no GPU '" + printable(name) + "' here; there are " +
                           std::to_string(inventory.gpus.size()) + ", from 0 on",
                       "--gpus takes CUDA's numbers, UUIDs or PCI addresses, comma-separated: nvidia-smi "
                       "--query-gpu=index,uuid,pci.bus_id --format=csv");
    if (std::ranges::find(chosen, found->index, &GpuIdentity::index) == chosen.end())
      chosen.push_back(*found);
  }
  return chosen;
}

// The report in the making: by the working thread, and by the watch if the run ends before its time.
class GpuRecord {
 public:
  GpuRecord(const GpuRequest& request, const OutputOptions& output, const std::vector<std::string>& arguments)
      : policy_(request.policy),
        output_(output),
        progress_(output.progress_as()),
        report_(new_report(request.policy, arguments, "", request.fault_text)) {
    report_.environment.nodes.push_back(this_node());
  }

  void tool(const std::string& name, const std::string& version) { report_.tool.built[name] = version; }
  // The GPUs of this node, those that are tested first.
  void gpus(std::vector<Gpu> gpus) {
    const std::lock_guard lock(mutex_);
    node().gpus = std::move(gpus);
  }
  void live(const std::string& text) {
    const std::lock_guard lock(mutex_);
    progress_.show(text);
  }
  void before(std::vector<Finding> findings) {
    const std::lock_guard lock(mutex_);
    before_ = std::move(findings);
  }

  void take(const BurninOutcome& outcome) {
    const std::lock_guard lock(mutex_);
    report_.findings = before_;
    report_.findings.insert(report_.findings.end(), outcome.findings.begin(), outcome.findings.end());
    report_.figures.gpu_results = outcome.results;
    report_.figures.matrices = outcome.matrices;
    report_.figures.gpu_traces.clear();
    for (std::size_t i = 0; i < outcome.tracks.size(); ++i)
      report_.figures.gpu_traces.push_back(
          trace_of(outcome.tracks[i], node().name,
                   i < node().gpus.size() ? node().gpus[i].index : static_cast<int>(i)));
  }

  // What the tool could not do.
  void trouble(const std::string& what, const std::string& phase) {
    const std::lock_guard lock(mutex_);
    report_.errors.push_back(
        {.what = what,
         .where = node().name,
         .phase = phase,
         .hint = "what was found until then is in the report; mend this and run it again"});
    progress_.clear();
    std::fputs(error_text(report_.errors.back(), output_.error_style()).c_str(), stderr);
  }

  ExitCode finish() {
    const std::lock_guard lock(mutex_);
    const bool told = conclude();
    const ExitCode code = exit_code_of(report_.verdict.decision);
    return (told && report_.errors.empty()) || code == ExitCode::fail ? code : ExitCode::tool;
  }

  // While `gpus` may be asked which of them a run waits for.
  void waits_for(std::function<std::vector<std::string>()> gpus) {
    const std::lock_guard lock(mutex_);
    waits_for_ = std::move(gpus);
  }

  ExitCode end(const Ending& ending) {
    const std::lock_guard lock(mutex_);
    progress_.end();
    report_.errors.push_back(ending.error);
    report_.errors.back().where = node().name;
    if (ending.code != ExitCode::interrupted && waits_for_) name_those_that_hang(ending.error.phase);
    (void)conclude();
    std::fputs(error_text(report_.errors.back(), output_.error_style()).c_str(), stderr);
    // What was found of a GPU stands, whatever became of the tool behind it.
    const bool failed = report_.verdict.decision == Decision::fail;
    return failed && ending.code != ExitCode::interrupted ? ExitCode::fail : ending.code;
  }

 private:
  Node& node() { return report_.environment.nodes.front(); }

  // One alone hangs itself; of several each may wait for another, or all for the driver.
  void name_those_that_hang(const std::string& phase) {
    const auto names = waits_for_();
    for (const auto& name : names) {
      Finding finding =
          trouble_finding(name, GpuError(GpuTrouble::hung, "a call into its driver does not return"), phase);
      if (names.size() > 1) finding.status = Status::unknown;
      report_.findings.push_back(std::move(finding));
    }
  }

  // Whether all of it could be written. What cannot be keeps nothing else from being told.
  bool conclude() {
    progress_.clear();
    report_.run.duration_s = clock_.now() - started_;
    report_.verdict = decide(report_, policy_);
    const auto text = [&](const Style& style) {
      return gpu_results_text(report_, style) + findings_text(report_, style);
    };
    const bool as_text = output_.chosen() == "text";
    const bool to_file = output_.to_file();
    bool told = true;
    const auto attempt = [&](const std::function<void()>& write) {
      try {
        write();
      } catch (const std::exception& error) {
        told = false, std::fprintf(stderr, "error: %s\n", error.what());
      }
    };
    attempt([&] {
      if (!to_file || !output_.quiet)
        std::fputs((as_text || to_file ? text(output_.style())
                                       : render(report_, output_.chosen(), output_.file_style()))
                       .c_str(),
                   stdout);
      if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
        throw std::runtime_error("cannot write to stdout");
    });
    attempt([&] {
      if (to_file)
        write_whole(output_.output,
                    as_text ? text({}) : render(report_, output_.chosen(), output_.file_style()));
    });
    return told;
  }

  std::mutex mutex_;
  const Policy& policy_;
  const OutputOptions& output_;
  Progress progress_;
  SteadyClock clock_;
  double started_ = clock_.now();
  Report report_;
  std::vector<Finding> before_;
  std::function<std::vector<std::string>()> waits_for_;
};

ExitCode run_gpu(const GpuOptions& options, const std::vector<std::string>& arguments) {
  const GpuRequest request = request_of(options);
  block_signals();
  GpuRecord record(request, options.output, arguments);
  Watch watch(
      {.timeout_s = request.timeout_s + 10, .node = node_name()},  // the GPU's own deadline speaks first
      [&](const Ending& ending) { return record.end(ending); });
  Pulse& pulse = watch.pulse();
  pulse.enter("looking for GPUs");
  const GpuInventory inventory = find_gpus();
  if (!inventory.absent.empty())
    return report_lack({.what = "a GPU",
                        .why = inventory.absent,
                        .required = request.policy.gpu ? "GPUs, as its section 'gpu' describes them" : "",
                        .machines = inventory.built_in,
                        .remedy = "nvidia-smi, dmesg and lspci show what became of them"},
                       request.policy, options.output, arguments);
  const auto chosen = chosen_gpus(inventory, request.gpus);
  pulse.enter("looking at the GPUs");
  const auto telemetry = nvml_telemetry();
  record.tool("cuda",
              inventory.runtime + ", driver " + (inventory.driver.empty() ? "unknown" : inventory.driver));
  std::vector<Finding> before;
  std::vector<std::unique_ptr<GpuDevice>> devices;
  std::vector<Gpu> tested, left_out;
  for (const auto& gpu : chosen) {
    GpuState state = telemetry->state(gpu.uuid);
    // A slice has a UUID of its own, which NVML does not list among the GPUs; its name tells.
    if (gpu.name.find("MIG") != std::string::npos) state.mig = true;
    auto findings = judge_state(gpu_text(gpu), state, request.expected.ecc);
    const bool usable = findings.empty();
    before.insert(before.end(), findings.begin(), findings.end());
    const Gpu described{.index = gpu.index,
                        .name = gpu.name,
                        .uuid = gpu.uuid,
                        .pci = gpu.pci,
                        .driver = telemetry->driver()};
    if (!usable) {
      left_out.push_back(described);
      continue;
    }
    try {
      pulse.enter("opening " + gpu_text(gpu));
      devices.push_back(open_gpu(gpu, request.timeout_s));
      tested.push_back(described);
    } catch (const GpuError& error) {
      left_out.push_back(described);
      before.push_back(trouble_finding(gpu_text(gpu), error, "opening it"));
    }
  }
  tested.insert(tested.end(), left_out.begin(), left_out.end());
  record.gpus(tested);
  record.before(before);
  record.take({});
  SteadyClock clock;
  if (!devices.empty()) {
    Burnin burnin(std::move(devices), request.expected, request.burnin, *telemetry, clock, pulse,
                  [&](const std::string& text) { record.live(text); });
    burnin.take_progress([&](const BurninOutcome& outcome) { record.take(outcome); });
    record.waits_for([&] { return burnin.at_work(); });
    try {
      burnin.run(request.tests, !options.full);
    } catch (const UsageError& error) {
      // A fault that has no place here; what was found by then stands.
      if (before.empty() && burnin.outcome().findings.empty()) {
        record.waits_for({});
        throw;
      }
      record.trouble(error.what(), "the tests");
    } catch (const std::exception& error) {
      record.trouble(error.what(), "the tests");
    }
    record.waits_for({});
    record.take(burnin.outcome());
    try {
      if (!options.write_telemetry.empty())
        write_whole(options.write_telemetry, to_json(burnin.outcome().tracks));
    } catch (const std::exception& error) {
      record.trouble(error.what(), "writing telemetry");
    }
    pulse.enter("giving GPU memory back");
  }
  return record.finish();
}

}  // namespace

void add_gpu_command(CLI::App& program, Invocation& invocation) {
  auto* command =
      program.add_subcommand("gpu", "burn-in of this node's GPUs: memory, arithmetic, power, links");
  auto options = std::make_shared<GpuOptions>();
  std::vector<std::string> names;
  for (const GpuTest* test : all_gpu_tests())
    names.emplace_back(test->name);
  command
      ->add_option("test", options->tests,
                   "tests to run (" + join(names, ", ") + "); without any, all of --quick or --full")
      ->type_name("GPU-TEST");
  command->add_flag("--quick", options->quick, "the short form, about two minutes, without pulse (default)");
  command->add_flag("--full", options->full, "every test for longer, about six minutes");
  command->add_option("--gpus", options->gpus, "GPUs to test: numbers, UUIDs or PCI addresses (default all)")
      ->type_name("GPU,...");
  add_policy(*command, options->policy);
  add_timeout(*command, "-T,--timeout", options->timeout, "Options", "no single piece of work takes longer");
  command
      ->add_option("--memory", options->memory,
                   "test no more of each GPU's memory (default: all that can be had)")
      ->type_name("SIZE");
  command->add_option("--seed", options->seed, "of all data (default 1)");
  add_inject(*command, options->fault, gpu_faults(), "");
  command->add_option("--write-telemetry", options->write_telemetry, "write every NVML sample to FILE (JSON)")
      ->type_name("FILE");
  options->output.add_to(*command);
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_gpu(*options, invocation.arguments); };
    invocation.check = [options] { (void)request_of(*options); };
  });
}

}  // namespace mlc
