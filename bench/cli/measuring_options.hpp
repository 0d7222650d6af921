// The options that commands which measure have in common: what was typed, and what it means.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "bench/engine/fault.hpp"
#include "bench/engine/sweep.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct SizeOptions {
  std::string begin, end, step, factor, sizes;

  // `list`, `least`, `most`: what holds where nothing is given, for the help.
  void add_to(CLI::App& command, const std::string& least, const std::string& most, const std::string& list);
  bool range_given() const { return !begin.empty() || !end.empty() || !step.empty() || !factor.empty(); }
  bool given() const { return range_given() || !sizes.empty(); }
  SizeRange range() const;  // throws UsageError
};

struct MeasuringOptions {
  std::string iterations = "auto", max_time;
  int check = 1;
  std::optional<double> precision;  // per cent
  std::uint64_t seed = 1;
  bool admission = false;

  void add_to(CLI::App& command, const std::string& iterations_about, const std::string& check_about,
              int most_checks);
  std::optional<int> fixed_iterations() const;  // empty: auto; throws UsageError
  std::optional<double> longest_s() const;      // empty: the command's own; throws UsageError
  double precision_or(double usual) const { return precision.value_or(usual) / 100; }  // per cent; a share
  void add_admission_to(CLI::App& command);
  // Time for a threshold: 20 s, or for admission three times the observation, since noise that lasts needs
  // more.
  double longest_question_s(const Confidence& confidence) const;
};

// --policy, --timeout and --inject.
void add_policy(CLI::App& command, std::string& policy,
                const std::string& about =
                    "file or name of the policy to judge by (default local; mlc-bench list policies)");
void add_timeout(CLI::App& command, const std::string& names, std::string& timeout, const std::string& group,
                 const std::string& about);
void add_inject(CLI::App& command, std::string& fault, const FaultKinds& kinds, const std::string& where);

}  // namespace mlc
