#include "bench/cli/collective_options.hpp"

#include <algorithm>

#include "bench/backends/backends.hpp"
#include "bench/backends/nccl.hpp"
#include "bench/cli/typed_values.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

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

std::string backend_from(const std::string& name) {
  if (name == "auto") return default_backend();
  std::vector<std::string> known{"auto"};
  for (const auto& backend : all_backends()) {
    if (backend.name == name) {
      if (!backend.absent.empty())
        throw UsageError("backend " + name + " is not here: " + backend.absent, "mlc-bench list backends");
      return name;
    }
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

}  // namespace

void CollectiveOptions::add_to(CLI::App& c) {
  c.add_option("-b,--minbytes", begin, "smallest size (default " + bytes_text(default_begin) + ")")
      ->group("Sizes")
      ->type_name("SIZE");
  c.add_option("-e,--maxbytes", end, "largest size (default " + bytes_text(default_end) + ")")
      ->group("Sizes")
      ->type_name("SIZE");
  c.add_option("-i,--stepbytes", step, "fixed step from size to size")->group("Sizes")->type_name("SIZE");
  c.add_option("-f,--stepfactor", factor, "factor from size to size (default 4)")
      ->group("Sizes")
      ->type_name("NUMBER");
  c.add_option("--sizes", sizes, "an explicit list instead: 4K,1M,1G")->group("Sizes")->type_name("SIZE,...");
  c.add_option("-d,--datatype", dtype,
               "dtypes, comma-separated, or all (default float; mlc-bench list dtypes)")
      ->group("Operation")
      ->type_name("DTYPE,...");
  if (collective->reduces)
    c.add_option("-o,--op", redop, "sum, prod, min, max, avg, comma-separated, or all (default sum)")
        ->group("Operation")
        ->type_name("OP,...");
  if (collective->rooted)
    c.add_option("-r,--root", root, "root rank (default 0)")->group("Operation")->type_name("RANK");
  c.add_option("--placement", placement, "in, out or both (default both)")
      ->group("Operation")
      ->type_name("in|out|both");
  c.add_option("-n,--iters", iterations,
               "timed iterations of each size, or auto: until the answer is precise (default auto)")
      ->group("Measuring");
  c.add_option("-w,--warmup,--warmup_iters", warmup,
               "untimed iterations first, or auto: until two windows agree (default auto)")
      ->group("Measuring");
  c.add_option("-c,--check", check,
               "verified iterations in each window of timed ones; 0 switches verification off (default 1)")
      ->group("Measuring")
      ->check(CLI::Range(0, 1000));
  c.add_option("--precision", precision,
               "auto: stop when the median is known to +- this many per cent (default 2)")
      ->group("Measuring")
      ->check(CLI::Range(1e-6, 100.0))
      ->type_name("PERCENT");
  c.add_option("--max-time", max_time,
               "auto: longest time for one size (default 1s; 20s where a threshold is to be decided)")
      ->group("Measuring")
      ->type_name("TIME");
  c.add_option("--seed", seed, "of the data (default 1)")->group("Measuring");
  c.add_option("--policy", policy,
               "file or name of the policy to judge by (default local; mlc-bench list policies)")
      ->group("Judging")
      ->type_name("FILE|POLICY");
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
  c.add_option("-T,--timeout", timeout,
               "how long nothing may move before the rank at fault is named (default 60s)")
      ->group("Ranks")
      ->type_name("TIME");
  c.add_flag("--register", register_buffers, "register the buffers with NCCL (nccl backend)")->group("Ranks");
  c.add_flag("-G,--graph", graphs, "time launches of a CUDA graph of the operation (nccl backend)")
      ->group("Ranks");
  c.add_flag("--share-gpu", share_gpu,
             "several ranks on one GPU, to test for correctness; over sockets, so never for bandwidth (nccl "
             "backend)")
      ->group("Ranks");
  c.add_option("--inject", fault,
               "plant a fault, to see it found: flip:rank=1,index=7,bit=3 | delay:rank=1,us=500 | "
               "hang:rank=1,after=50 | die:rank=1,after=50")
      ->group("Testing")
      ->type_name("FAULT");
  output.add_to(c);
}

CollectiveRequest request_of(const CollectiveOptions& o) {
  CollectiveRequest request;
  SweepRequest& sweep = request.sweep;
  sweep.collective = o.collective, sweep.root = o.root;
  SizeRange range{.begin = size_if("-b", o.begin),
                  .end = size_if("-e", o.end),
                  .step = size_if("-i", o.step),
                  .factor = std::nullopt,
                  .explicit_sizes = {}};
  if (!o.factor.empty()) range.factor = number_from<double>("-f", o.factor, 1.0001, 1e6, "");
  for (const auto& size : split(o.sizes))
    range.explicit_sizes.push_back(size_from("--sizes", size));
  if (!o.sizes.empty() && range.explicit_sizes.empty()) throw UsageError("--sizes is empty");
  if (std::ranges::find(range.explicit_sizes, std::uint64_t{0}) != range.explicit_sizes.end())
    throw UsageError("--sizes: there is nothing to measure in an empty message");
  request.sizes_given =
      !o.begin.empty() || !o.end.empty() || !o.sizes.empty() || !o.step.empty() || !o.factor.empty();
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
  if (o.iterations != "auto")
    runner.iterations = number_from<int>("-n", o.iterations, 1, 100'000'000, ", or auto");
  if (o.warmup != "auto") runner.warmup = number_from<int>("-w", o.warmup, 0, 100'000'000, ", or auto");
  runner.check = o.check, runner.precision = o.precision / 100, runner.seed = o.seed;
  if (!o.max_time.empty())
    runner.max_seconds = runner.max_seconds_question = seconds_from("--max-time", o.max_time);
  if (!o.fault.empty()) {
    runner.fault = parse_fault(o.fault);
    if (!runner.fault)
      throw UsageError("--inject '" + printable(o.fault) + "' is no fault", "flip:rank=1,index=7,bit=3");
  }
  request.timeout_s = seconds_from("--timeout", o.timeout);
  // Without mpirun there is no MPI to carry host memory.
  request.backend = backend_from(
      o.backend == "auto" && o.launcher == "processes" && !nccl_absent().empty() ? "shm" : o.backend);
  request.hosts = split(o.hosts);
  if (!o.hosts.empty() && !o.hostfile.empty())
    throw UsageError("--hosts and --hostfile are two ways to say the same; give one of them");
  const bool elsewhere = !request.hosts.empty() || !o.hostfile.empty();
  if (elsewhere && request.backend == "loopback")
    throw UsageError("the loopback backend runs in one process; it cannot use other hosts",
                     "take --backend mpi");
  if (elsewhere && request.backend == "shm")
    throw UsageError("the shm backend is memory of one node; it cannot use other hosts",
                     "take --backend mpi");
  request.processes = launcher_is_processes(o.launcher, request.backend, elsewhere);
  request.policy = load_policy(o.policy);
  for (const auto& threshold : request.policy.thresholds) {
    if (find_collective(threshold.collective) == nullptr)
      throw PolicyError(request.policy.name + ": a threshold names the collective '" +
                        printable(threshold.collective) + "', which does not exist");
    if (!threshold.dtype.empty() && !parse_dtype(threshold.dtype))
      throw PolicyError(request.policy.name + ": a threshold names the dtype '" + printable(threshold.dtype) +
                        "', which does not exist");
    if (!threshold.redop.empty() && !parse_redop(threshold.redop))
      throw PolicyError(request.policy.name + ": a threshold names the op '" + printable(threshold.redop) +
                        "', which does not exist");
  }
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
  return plan(sweep, shape.ranks);
}

}  // namespace mlc
