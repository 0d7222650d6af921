#include "bench/cli/nccl_tests_options.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "bench/ranks/launched_as.hpp"
#include "reports/record/text.hpp"
#include "reports/record/usage_error.hpp"

namespace mlc {

// A flag that changes nothing here: values that ask for what is done anyway, and what is to be said of
// others.
struct NcclTestsFlag {
  const char* names;
  const char* about;
  std::vector<int> same;
  const char* why_not;
  const char* instead;
};

namespace {

constexpr const char* blocking = "-z,--blocking";

const std::array<NcclTestsFlag, 10>& flags() {
  static const std::array<NcclTestsFlag, 10> table{{
      {"-p,--parallel_init", "communicators are always made in parallel: no effect", {0, 1}, "", ""},
      {blocking,
       "0: operations back to back, as on GPUs; 3: each from a barrier that is not timed, as on hosts",
       {0, 3},
       "",
       ""},
      {"-y,--stream_null",
       "0: operations have a stream of their own",
       {0},
       "operations have a stream of their own; the null stream would wait for whatever else the process does",
       "leave -y away"},
      {"-a,--average",
       "3: the slowest rank's time counts",
       {3},
       "the slowest rank's time counts (3); rank 0's, the mean or the shortest hide a slow rank",
       "take -a 3, or leave it away; --timing osu gives means, to compare"},
      {"-C,--report_cputime",
       "0: the time of operations, not of the calls",
       {0},
       "the time that the CPU needs to launch is not measured",
       "mlc-bench gpu launch measures that of a kernel"},
      {"-I", "percentiles over the iterations are always in the report: no effect", {0, 1}, "", ""},
      {"-S,--report_timestamps",
       "0: the report says when it began",
       {0},
       "lines have no time stamps; the report says when the run began and how long it took",
       "take --output FILE.json"},
      {"-M,--memory,--memory_report",
       "0: no report of memory",
       {0},
       "NCCL's own use of memory is not reported",
       "nvidia-smi shows what is used while it runs"},
      {"-D,--device_implementation",
       "0: NCCL's own collectives, not kernels of the test's",
       {0},
       "kernels of one's own on NCCL's device functions are another path than a training job's",
       "leave -D and -V away; -R 2 and -x 2 take NCCL's own symmetric and copy-engine paths"},
      {"-V,--device_cta_count",
       "0: of -D's kernels",
       {0},
       "there are no kernels of -D's here, so no blocks of theirs",
       "leave -D and -V away"},
  }};
  return table;
}

std::string short_name(const NcclTestsFlag& flag) { return std::string(flag.names).substr(0, 2); }

// How operations are entered is fixed by where the memory is.
void check_blocking(int value, const std::string& backend) {
  const int ours = backend == "nccl" ? 0 : 3;
  if (value == ours) return;
  throw UsageError("-z " + std::to_string(value) + ": over " + backend + " " +
                       (ours == 0 ? "operations follow each other on the stream without a host in between"
                                  : "each operation begins at a barrier that is not timed") +
                       " (-z " + std::to_string(ours) + "), and no other way is there",
                   "take -z " + std::to_string(ours) + ", or leave it away");
}

void check_no_groups() {
  for (const char* name : {"NCCL_TESTS_SPLIT", "NCCL_TESTS_SPLIT_MASK"}) {
    const std::string value = from_environment(name).value_or("");
    if (value.empty() || value == "0" || value == "0x0" || value == "AND 0x0") continue;
    throw UsageError(
        std::string(name) + "='" + printable(value) +
            "' asks for groups of ranks that run at once, which is not done here: all ranks would "
            "be one group, and the figures others than those asked for",
        "unset it, and start one mlc-bench for each group");
  }
  if (const auto least = from_environment("NCCL_TESTS_MIN_BW"); least && std::atof(least->c_str()) > 0)
    throw UsageError(
        "NCCL_TESTS_MIN_BW='" + printable(*least) + "' asks for a bandwidth, which is a policy's here",
        "unset it, and write a threshold: mlc-bench policy keys thresholds");
}

}  // namespace

void NcclTestsOptions::add_to(CLI::App& c) {
  const auto group = [](CLI::Option* option) { return option->group("As in nccl-tests"); };
  const auto number = [&](const char* names, auto& value, const char* about, int least, int most) {
    group(c.add_option(names, value, about))->check(CLI::Range(least, most))->type_name("N");
  };
  number("-g,--ngpus", gpus, "as --ranks: a process has one GPU here, so -g 8 is 8 ranks", 1, 1 << 20);
  number("-t,--nthreads", threads, "times -g: -t 2 -g 4 is 8 ranks", 1, 1 << 20);
  number("-m,--agg_iters,--aggregate", aggregate,
         "operations in one group call (nccl backend); times are those of one (default 1)", 1, 1000);
  number("-N,--run_cycles", cycles, "as --launches", 0, 1000);
  number("-K", skipped, "untimed iterations beside those of -w", 0, 100'000'000);
  number("-u,--unalign", unaligned, "buffers begin so many elements behind a page's border (default 0)", 0,
         1 << 16);
  number("-x,--cta_policy", cta_policy,
         "how NCCL uses SMs: 0 default, 1 few, 2 none where copy engines can (nccl backend)", 0, 2);
  group(c.add_option("-J,--output_file", json, "as --output FILE --format json"))->type_name("FILE");
  for (const NcclTestsFlag& flag : flags())
    group(c.add_option_function<int>(
              flag.names, [this, &flag](const int& value) { given_.emplace_back(&flag, value); }, flag.about))
        ->type_name("N");
}

std::optional<int> NcclTestsOptions::ranks_per_process() const {
  if (!threads && !gpus) return std::nullopt;
  const long long ranks = static_cast<long long>(threads.value_or(1)) * gpus.value_or(1);
  if (ranks > 1 << 20) throw UsageError("-t times -g are more than " + std::to_string(1 << 20) + " ranks");
  return static_cast<int>(ranks);
}

void NcclTestsOptions::check(const std::string& backend) const {
  for (const auto& [flag, value] : given_) {
    if (flag->names == blocking) {
      check_blocking(value, backend);
    } else if (std::ranges::find(flag->same, value) == flag->same.end()) {
      throw UsageError(short_name(*flag) + " " + std::to_string(value) + ": " +
                           (*flag->why_not == '\0' ? "is none of 0, 1" : flag->why_not),
                       flag->instead);
    }
  }
  if (cycles == 0)
    throw UsageError("-N 0: a run without an end has no result",
                     "take -N with how often, or a health CronJob for a look again and again");
  check_no_groups();
}

}  // namespace mlc
