#include "bench/cli/measuring_options.hpp"

#include <algorithm>

#include "bench/cli/typed_values.hpp"

namespace mlc {

void SizeOptions::add_to(CLI::App& command, const std::string& least, const std::string& most,
                         const std::string& list) {
  const auto add = [&](const char* names, std::string& value, const std::string& about, const char* type) {
    command.add_option(names, value, about)->group("Sizes")->type_name(type);
  };
  add("-b,--minbytes,--min-bytes", begin, "smallest size (default " + least + ")", "SIZE");
  add("-e,--maxbytes,--max-bytes", end, "largest size (default " + most + ")", "SIZE");
  add("-i,--stepbytes", step, "fixed step from size to size", "SIZE");
  add("-f,--stepfactor", factor, "factor from size to size (default 4)", "NUMBER");
  add("-s,--sizes", sizes, "an explicit list instead: 4K,1M,1G" + list, "SIZE,...");
}

SizeRange SizeOptions::range() const {
  SizeRange range{.begin = size_if("-b", begin),
                  .end = size_if("-e", end),
                  .step = size_if("-i", step),
                  .factor = std::nullopt,
                  .explicit_sizes = {}};
  if (!factor.empty()) range.factor = number_from<double>("-f", factor, 1.0001, 1e6, "");
  for (const auto& size : split(sizes))
    range.explicit_sizes.push_back(size_from("--sizes", size));
  if (!sizes.empty() && range.explicit_sizes.empty()) throw UsageError("--sizes is empty");
  return range;
}

void MeasuringOptions::add_to(CLI::App& command, const std::string& iterations_about,
                              const std::string& check_about, int most_checks) {
  const auto measuring = [](CLI::Option* option) { return option->group("Measuring"); };
  measuring(command.add_option("-n,--iters", iterations,
                               iterations_about + ", or auto: until the answer is precise (default auto)"));
  measuring(command.add_option("-c,--check", check, check_about))->check(CLI::Range(0, most_checks));
  measuring(command.add_option("--precision", precision,
                               "auto: stop when the median is known to +- this many per cent (default 2)"))
      ->check(CLI::Range(1e-6, 100.0))
      ->type_name("PERCENT");
  measuring(command.add_option(
                "--max-time", max_time,
                "auto: longest time for one size (default 1s; 20s where a threshold is to be decided)"))
      ->type_name("TIME");
  measuring(command.add_option("--seed", seed, "of the data (default 1)"));
}

std::optional<int> MeasuringOptions::fixed_iterations() const {
  return iterations == "auto"
             ? std::nullopt
             : std::optional(number_from<int>("-n", iterations, 1, 100'000'000, ", or auto"));
}

std::optional<double> MeasuringOptions::longest_s() const {
  return max_time.empty() ? std::nullopt : std::optional(seconds_from("--max-time", max_time));
}

void MeasuringOptions::add_admission_to(CLI::App& command) {
  command
      .add_flag("--admission", admission,
                "judge as a burn-in does: observe each threshold for as long as the policy asks (30s)")
      ->group("Judging");
}

double MeasuringOptions::longest_question_s(const Confidence& confidence) const {
  constexpr double quick_s = 20;
  return longest_s().value_or(admission ? std::max(quick_s, 3 * confidence.observe_s) : quick_s);
}

void add_policy(CLI::App& command, std::string& policy, const std::string& about) {
  command.add_option("--policy", policy, about)->group("Judging")->type_name("FILE|POLICY");
}

void add_timeout(CLI::App& command, const std::string& names, std::string& timeout, const std::string& group,
                 const std::string& about) {
  command.add_option(names, timeout, about + " (default 60s)")->group(group)->type_name("TIME");
}

void add_inject(CLI::App& command, std::string& fault, const FaultKinds& kinds, const std::string& where) {
  command.add_option("--inject", fault, "plant a fault" + where + ", to see it found: " + fault_forms(kinds))
      ->group("Testing")
      ->type_name("FAULT")
      // An empty text would be no fault, and its test would pass for nothing.
      ->check([&kinds](const std::string& text) {
        return text.empty() ? "names no fault; write " + fault_forms(kinds) : std::string();
      });
}

}  // namespace mlc
