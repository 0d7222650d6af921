#include "bench/cli/collective_options.hpp"

#include <algorithm>
#include <filesystem>

#include "bench/backends/backends.hpp"
#include "bench/backends/nccl.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/ranks/launched_as.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Of several launches each needs to know less, and all together take about as long as one: a launch has as
// much of the second as still holds a warm-up and a dozen large messages. What limits a comparison is what
// launches differ by, so a launch stops early only where its own error is small beside that.
constexpr double usual_precision = 2, precision_of_one_launch = 0.5;  // per cent
constexpr double usual_seconds = 1, least_seconds_of_one_launch = 0.3;

template <class T, class Parse, class Names>
std::vector<T> names_from(const std::string& flag, const std::string& text, Parse&& parse, const Names& names,
                          auto&& name_of) {
  std::vector<T> values;
  std::vector<std::string> known;
  for (const auto& entry : names)
    known.push_back(std::string(name_of(entry)));
  for (const auto& word : text == "all" ? known : split(text)) {
    const auto value = parse(word);
    if (!value) {
      const auto near = nearest(word, known);
      throw UsageError(flag + " '" + printable(word) + "' is none of " + join(known, ", ") + ", all",
                       near ? "did you mean '" + *near + "'?" : "");
    }
    values.push_back(*value);
  }
  if (values.empty()) throw UsageError(flag + " is empty");
  return values;
}

// `mpi_wanted`: ranks that nothing but MPI starts are asked for.
std::string backend_from(const std::string& name, bool mpi_wanted) {
  if (name == "auto") return default_backend(mpi_wanted || is_mpi_rank(from_environment));
  std::vector<std::string> known{"auto"};
  for (const auto& backend : all_backends()) {
    if (backend.name == name) return name;
    known.push_back(backend.name);
  }
  const auto near = nearest(name, known);
  throw UsageError("--backend '" + printable(name) + "' is none of " + join(known, ", "),
                   near ? "did you mean '" + *near + "'?" : "");
}

// On one node GPUs need no MPI, and host memory has a backend of its own for local processes.
bool launcher_is_processes(const std::string& launcher, const std::string& backend, bool elsewhere) {
  const std::vector<std::string> known{"auto", "mpirun", "processes"};
  if (std::ranges::find(known, launcher) == known.end()) {
    const auto near = nearest(launcher, known);
    throw UsageError("--launcher '" + printable(launcher) + "' is none of " + join(known, ", "),
                     near ? "did you mean '" + *near + "'?" : "");
  }
  if (launcher == "processes" && elsewhere)
    throw UsageError("--launcher processes starts ranks on this node only",
                     "--hosts and --hostfile need mpirun");
  if (launcher == "processes" && backend == "mpi")
    throw UsageError("the mpi backend needs ranks that mpirun started",
                     "with --launcher processes take --backend shm");
  if (launcher == "mpirun" && backend == "shm")
    throw UsageError("the shm backend's ranks are plain processes, not mpirun's",
                     "leave --launcher, or take --backend mpi");
  return backend == "shm" || (backend == "nccl" && !elsewhere && launcher != "mpirun");
}

// What only NCCL does would be left out in silence, and its figures be taken for those that were asked for.
void refuse_unused(const CollectiveOptions& o, const std::string& backend) {
  for (const auto& [given, flag] :
       {std::pair{o.graphs > 0, "-G"}, std::pair{o.registration > 0, "--register"},
        std::pair{o.share_gpu, "--share-gpu"}, std::pair{o.nccl_tests.aggregate > 1, "-m"},
        std::pair{o.nccl_tests.cta_policy > 0, "-x"}})
    if (given && backend != "nccl")
      throw UsageError(std::string(flag) + " is for the nccl backend, and this run takes " + backend,
                       "take --backend nccl, or leave " + std::string(flag) + " away");
}

// An option of NCCL's that may stand alone, and then means 1.
void add_number_or_bare(CLI::App& c, const char* names, int& value, int most, const char* type,
                        const char* about) {
  const std::string flag = std::string(names).substr(0, 2);
  c.add_option_function<std::string>(
       names,
       [&value, most, flag](const std::string& text) {
         try {
           value = text.empty() ? 1 : number_from<int>(flag, text, 0, most, "");
         } catch (const UsageError& error) {  // while it reads, CLI11 lets only its own errors pass
           throw CLI::ValidationError(error.what(), CLI::ExitCodes::ValidationError);
         }
       },
       about)
      ->group("Ranks")
      ->expected(0, 1)
      ->type_name(type);
}

}  // namespace

void CollectiveOptions::add_to(CLI::App& c) {
  sizes.add_to(c, bytes_text(default_begin), bytes_text(default_end), "");
  c.add_option("-d,--datatype", dtype,
               "dtypes, comma-separated, or all (default float; mlc-bench list dtypes)")
      ->group("Operation")
      ->type_name("DTYPE,...");
  if (collective->reduces)
    c.add_option("-o,--op", redop, "sum, prod, min, max, avg, comma-separated, or all (default sum)")
        ->group("Operation")
        ->type_name("OP,...");
  // nccl-tests takes it everywhere.
  c.add_option("-r,--root", root,
               collective->rooted ? "root rank (default 0)" : "no effect here: it has no root")
      ->group(collective->rooted ? "Operation" : "As in nccl-tests")
      ->type_name("RANK")
      ->check(CLI::Validator(
          [](std::string& text) {
            return text == "all" || text == "-1"
                       ? std::string("one root a run: for r in 0 1; do mlc-bench ... -r $r; done")
                       : std::string();
          },
          ""));
  c.add_option("--placement", placement, "in, out or both (default both)")
      ->group("Operation")
      ->type_name("in|out|both");
  measuring.add_to(
      c, "timed iterations of each size",
      "verified iterations in each window of timed ones; 0 switches verification off (default 1)", 1000);
  launches.add_to(c);
  c.add_option("-w,--warmup,--warmup_iters", warmup,
               "untimed iterations first, or auto: until two windows agree (default auto)")
      ->group("Measuring");
  c.add_option(
       "--timing", timing,
       "slowest: an operation is over when its last rank has it; osu, imb: as those suites reckon, to "
       "compare (mlc-bench explain timing)")
      ->group("Measuring")
      ->type_name("slowest|osu|imb");
  add_policy(c, policy);
  measuring.add_admission_to(c);
  c.add_option("--backend", backend, "auto, nccl, mpi, shm or loopback (mlc-bench list backends)")
      ->group("Ranks")
      ->type_name("auto|BACKEND");
  c.add_option("--launcher", launcher,
               "auto, mpirun or processes: how the ranks of this node are started; processes need no MPI "
               "(default auto)")
      ->group("Ranks")
      ->type_name("auto|mpirun|processes");
  c.add_option("--ranks", ranks, "how many ranks to start (default: one per GPU, else 2 to 4)")
      ->group("Ranks")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
  c.add_option("--hosts", hosts, "start the ranks on these hosts, through mpirun")
      ->group("Ranks")
      ->type_name("A,B,...");
  c.add_option("--hostfile", hostfile, "or on those of an Open MPI host file")
      ->group("Ranks")
      ->type_name("FILE");
  add_timeout(c, "-T,--timeout", timeout, "Ranks",
              "how long nothing may move before the rank at fault is named");
  add_number_or_bare(
      c, "-R,--register,--local_register", registration, 2, "0|1|2",
      "0: not; 1: register the buffers with NCCL; 2: as symmetric windows, the same on all ranks; "
      "bare: 1 (nccl backend)");
  add_number_or_bare(
      c, "-G,--graph,--cudagraph", graphs, 1'000'000, "N",
      "time launches of a CUDA graph of the operation; as many as -n says, whatever number stands "
      "here, but 0: none (nccl backend)");
  c.add_flag("--share-gpu", share_gpu,
             "several ranks on one GPU, to test for correctness; over sockets, so never for bandwidth (nccl "
             "backend)")
      ->group("Ranks");
  add_inject(c, fault, rank_faults(), "");
  nccl_tests.add_to(c);
  output.add_to(c);
}

int CollectiveOptions::ranks_on(int of_hosts) const {
  const auto each = nccl_tests.ranks_per_process();
  return ranks > 0 ? ranks : each ? *each * std::max(of_hosts, 1) : 0;
}

// What nccl-tests calls otherwise becomes what it is called here.
CollectiveOptions in_our_words(const CollectiveOptions& typed) {
  CollectiveOptions o = typed;
  if (o.ranks > 0 && o.nccl_tests.ranks_per_process().value_or(o.ranks) != o.ranks)
    throw UsageError("--ranks " + std::to_string(o.ranks) + ", but -t times -g are " +
                         std::to_string(*o.nccl_tests.ranks_per_process()),
                     "give one of them");
  if (const auto cycles = o.nccl_tests.cycles; cycles.value_or(0) > 0) {
    if (o.launches.count.value_or(*cycles) != *cycles)
      throw UsageError("-N " + std::to_string(*cycles) + " and --launches " +
                           std::to_string(*o.launches.count) + " are two ways to say the same",
                       "give one of them");
    o.launches.count = cycles;
  }
  if (!o.nccl_tests.json.empty()) {
    if (o.output.to_file() || (!o.output.format.empty() && o.output.format != "json"))
      throw UsageError("-J is --output FILE --format json; give one of them");
    o.output.output = o.nccl_tests.json, o.output.format = "json";
  }
  return o;
}

CollectiveRequest request_of(const CollectiveOptions& o) {
  CollectiveRequest request;
  SweepRequest& sweep = request.sweep;
  sweep.collective = o.collective, sweep.root = o.root;
  const SizeRange range = o.sizes.range();
  if (std::ranges::find(range.explicit_sizes, std::uint64_t{0}) != range.explicit_sizes.end())
    throw UsageError("--sizes: there is nothing to measure in an empty message");
  request.sizes_given = o.sizes.given();
  sweep.sizes = sizes_of(range);
  sweep.dtypes = names_from<Dtype>("-d", o.dtype, parse_dtype, dtype_names,
                                   [](const auto& entry) { return entry.name; });
  sweep.redops = names_from<Redop>("-o", o.redop, parse_redop, redop_names,
                                   [](const auto& entry) { return entry.second; });
  if (o.placement == "in")
    sweep.placements = {Placement::in_place};
  else if (o.placement == "out")
    sweep.placements = {Placement::out_of_place};
  else if (o.placement != "both")
    throw UsageError("--placement '" + printable(o.placement) + "' is none of in, out, both");

  RunnerOptions& runner = request.runner;
  runner.iterations = o.measuring.fixed_iterations();
  if (o.warmup != "auto") runner.warmup = number_from<int>("-w", o.warmup, 0, 100'000'000, ", or auto");
  if (o.nccl_tests.skipped > 0) runner.warmup = runner.warmup.value_or(0) + o.nccl_tests.skipped;
  const auto timing = parse_timing(o.timing);
  if (!timing)
    throw UsageError("--timing '" + printable(o.timing) + "' is none of slowest, osu, imb",
                     "mlc-bench explain timing");
  runner.timing = *timing;
  request.launches = o.launches.number(o.output.to_file() && o.output.chosen() == "json");
  runner.check = o.measuring.check, runner.seed = o.measuring.seed;
  runner.precision =
      o.measuring.precision_or(request.launches > 1 ? precision_of_one_launch : usual_precision);
  runner.max_seconds = std::max(usual_seconds / request.launches, least_seconds_of_one_launch);
  if (!o.fault.empty()) {
    runner.fault = fault_from(o.fault, rank_faults());
    check_verified(*runner.fault, o.measuring.check);
  }
  runner.unaligned = o.nccl_tests.unaligned;
  request.timeout_s = seconds_from("--timeout", o.timeout);
  // Without mpirun there is no MPI to carry host memory.
  request.backend = backend_from(
      o.backend == "auto" && o.launcher == "processes" && !nccl_absent().empty() ? "shm" : o.backend,
      o.launcher == "mpirun" || !o.hosts.empty() || !o.hostfile.empty());
  refuse_unused(o, request.backend);
  o.nccl_tests.check(request.backend);
  request.hosts = split(o.hosts);
  if (!o.hosts.empty() && !o.hostfile.empty())
    throw UsageError("--hosts and --hostfile are two ways to say the same; give one of them");
  const bool elsewhere = !request.hosts.empty() || !o.hostfile.empty();
  std::error_code error;
  if (!o.hostfile.empty() && !std::filesystem::is_regular_file(o.hostfile, error))
    throw UsageError("--hostfile " + printable(o.hostfile) + " is no file");
  if (elsewhere && request.backend == "loopback")
    throw UsageError("the loopback backend runs in one process; it cannot use other hosts",
                     "take --backend mpi");
  if (elsewhere && request.backend == "shm")
    throw UsageError("the shm backend is memory of one node; it cannot use other hosts",
                     "take --backend mpi");
  request.processes = launcher_is_processes(o.launcher, request.backend, elsewhere);
  request.policy = named_policy(o.policy);
  request.admission = o.measuring.admission;
  runner.max_seconds = o.measuring.longest_s().value_or(runner.max_seconds);
  runner.max_seconds_question = o.measuring.longest_question_s(request.policy.confidence);
  if (runner.timing != Timing::slowest &&
      std::ranges::any_of(request.policy.thresholds,
                          [&](const auto& threshold) { return threshold.collective == o.collective->name; }))
    throw UsageError("--timing " + o.timing + " is for comparison; policy " + request.policy.name +
                         " judges the slowest rank's times",
                     "leave one of the two");
  o.output.check();
  return request;
}

Sweep plan_for(const CollectiveRequest& request, const RunShape& shape) {
  SweepRequest sweep = request.sweep;
  if (!request.sizes_given) {
    const auto asked = policy_sizes(request.policy, sweep.collective->name, shape);
    sweep.sizes.insert(sweep.sizes.end(), asked.begin(), asked.end());
    std::ranges::sort(sweep.sizes);
    sweep.sizes.erase(std::ranges::unique(sweep.sizes).begin(), sweep.sizes.end());
  }
  if (one_buffer_only(shape.backend, sweep.collective->name)) sweep.placements = {Placement::in_place};
  Sweep planned = plan(sweep, shape.ranks);
  if (const auto& fault = request.runner.fault) check_fault(*fault, planned.cells, shape.ranks);
  return planned;
}

}  // namespace mlc
