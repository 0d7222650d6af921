#include "validators/deciding/stage_evidence.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>

#include "kernels/dtype.hpp"
#include "reports/record/size_range.hpp"
#include "reports/record/split.hpp"
#include "reports/record/text.hpp"
#include "reports/record/usage_error.hpp"

namespace mlc {

std::vector<std::string> always_tested(const Policy& policy) {
  std::vector<std::string> checks;
  if (policy.node && policy.node->rails) checks.emplace_back("pci.inventory");
  if (policy.node && policy.node->gpus) checks.emplace_back("gpu.count");
  return checks;
}

namespace {

// As it was run, a word has names where the policy has {peer}, {peers} or {nodes}.
bool is_word(const std::string& run, const std::string& asked) {
  const auto open = asked.find('{'), close = asked.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return run == asked;
  return run.size() >= open + asked.size() - close - 1 && run.starts_with(asked.substr(0, open)) &&
         run.ends_with(asked.substr(close + 1));
}

bool is_command(const std::vector<std::string>& run, const std::vector<std::string>& asked) {
  return std::ranges::equal(run, asked, is_word);
}

// The value of an option in a stage's command, however it is written there: "--backend nccl",
// "--backend=nccl",
// "-d int8", "-dint8".
std::optional<std::string> option_of(const BurninStage& stage,
                                     std::initializer_list<std::string_view> names) {
  for (std::size_t i = 0; i < stage.command.size(); ++i)
    for (const auto name : names) {
      const std::string& word = stage.command[i];
      if (word == name && i + 1 < stage.command.size()) return stage.command[i + 1];
      if (word == name || !word.starts_with(name)) continue;
      if (word[name.size()] == '=') return word.substr(name.size() + 1);
      if (!name.starts_with("--")) return word.substr(name.size());
    }
  return std::nullopt;
}

bool is_collective(const Report& report, const Policy& policy, const std::string& word) {
  return std::ranges::any_of(policy.thresholds, [&](const auto& t) { return t.collective == word; }) ||
         std::ranges::any_of(report.series, [&](const auto& s) { return s.collective == word; });
}

// Could this series be of this stage's command?
bool is_of(const Series& series, const BurninStage& stage) {
  const auto backend = option_of(stage, {"--backend"}),
             dtype = option_of(stage, {"-d", "--dtype", "--datatype"}),
             redop = option_of(stage, {"-o", "--op"});
  // One name; lists and "all" are of several, and any will do.
  const auto asked_dtype = dtype ? parse_dtype(*dtype) : std::optional(Dtype::float32);
  const auto asked_redop = redop ? parse_redop(*redop) : std::optional(Redop::sum);
  return series.collective == stage.command.front() &&
         (!backend || *backend == "auto" || series.backend == *backend) &&
         (!asked_dtype || parse_dtype(series.dtype) == asked_dtype) &&
         (!asked_redop || (series.redop.empty() && !redop) || parse_redop(series.redop) == asked_redop);
}

// The sizes that a collective stage's command names. Empty: the policy's own, or the program's.
std::vector<std::uint64_t> sizes_asked(const BurninStage& stage) {
  const auto listed = option_of(stage, {"-s", "--sizes"}),
             begin = option_of(stage, {"-b", "--minbytes", "--min-bytes"}),
             end = option_of(stage, {"-e", "--maxbytes", "--max-bytes"}),
             step = option_of(stage, {"-i", "--stepbytes"}),
             factor = option_of(stage, {"-f", "--stepfactor"});
  SizeRange range;
  if (begin) range.begin = parse_bytes(*begin);
  if (end) range.end = parse_bytes(*end);
  if (step) range.step = parse_bytes(*step);
  if (factor) range.factor = std::strtod(factor->c_str(), nullptr);
  for (const auto& text : split(listed.value_or("")))
    if (const auto size = parse_bytes(text)) range.explicit_sizes.push_back(*size);
  if (!listed && !begin && !end) return {};
  try {
    return sizes_of(range);
  } catch (const UsageError&) {
    return {};  // the command refuses it, and leaves no series at all
  }
}

// Those that the launch has no series of. A rank's share is rounded down to at most 16 bytes: sizes that come
// to the same are measured once, and what comes to nothing not at all.
std::vector<std::string> missing_sizes(const Report& report, const BurninStage& stage, int launch) {
  std::vector<const Series*> own;
  std::uint64_t rounded = 0;
  for (const auto& series : report.series)
    if (series.stage == stage.name && series.launch == launch && is_of(series, stage))
      own.push_back(&series),
          rounded = std::max(rounded, std::uint64_t{16} * static_cast<unsigned>(series.ranks));
  std::vector<std::string> missing;
  for (const auto size : sizes_asked(stage))
    if (size >= rounded && std::ranges::none_of(own, [&](const Series* series) {
          return series->requested_bytes <= size &&
                 size - series->requested_bytes < std::max(rounded, std::uint64_t{1});
        }))
      missing.push_back(bytes_text(size));
  return missing;
}

// Does a `validate` stage name checks? One that names none runs all.
bool names_some(const BurninStage& stage) {
  return stage.command.size() > 1 && !stage.command[1].starts_with('-');
}

// A check by its name or its room, as `validate` takes them.
bool names_check(const BurninStage& stage, const std::string& check) {
  for (std::size_t i = 1; i < stage.command.size() && !stage.command[i].starts_with('-'); ++i)
    if (check == stage.command[i] || check.starts_with(stage.command[i] + ".")) return true;
  return !names_some(stage);
}

// What a stage finds: checks, and what `gpu` and `rdma` say.
bool is_of(const Finding& finding, const BurninStage& stage) {
  const std::string& command = stage.command.front();
  if (command == "gpu") return finding.check.starts_with("burnin.");
  if (command == "rdma") return finding.check.starts_with("rdma.");
  return command != "validate" || names_check(stage, finding.check);
}

// One launch's series given out for another's.
bool repeats(const Report& report, const BurninStage& stage, int launch) {
  const auto same = [](const Series& a, const Series& b) {
    return a.collective == b.collective && a.requested_bytes == b.requested_bytes &&
           a.placement == b.placement && a.dtype == b.dtype && a.redop == b.redop && a.samples == b.samples &&
           a.time_us == b.time_us;
  };
  return std::ranges::any_of(report.series, [&](const Series& one) {
    return one.stage == stage.name && one.launch == launch && one.samples > 1 &&
           std::ranges::any_of(report.series, [&](const Series& other) {
             return other.stage == stage.name && other.launch > 0 && other.launch < launch &&
                    same(one, other);
           });
  });
}

// What one launch of a stage left: the stage's own finding says how it ended, and shows nothing.
struct Left {
  bool tested = false, series = false;
  std::set<std::string> checks, tested_checks;
};

Left left_by(const Report& report, const BurninStage& stage, int launch) {
  Left left;
  for (const auto& series : report.series)
    if (series.stage == stage.name && series.launch == launch && is_of(series, stage))
      left.tested = left.series = true;
  for (const auto& finding : report.findings)
    if (finding.stage == stage.name && finding.launch == launch && is_of(finding, stage)) {
      left.tested |= tested(finding.status);
      left.checks.insert(finding.check);
      if (tested(finding.status)) left.tested_checks.insert(finding.check);
    }
  return left;
}

// What is wrong with a stage's own record; empty: nothing.
std::string record_lacks(const Report& report, const Policy& policy, const BurninStage& stage) {
  const auto record = std::ranges::find(report.stages, stage.name, &StageRecord::name);
  if (record == report.stages.end()) return " of policy " + policy.name + " is not in the report";
  if (std::ranges::count(report.stages, stage.name, &StageRecord::name) > 1)
    return " is in the report more than once";
  if (record->status == Status::unknown || record->status == Status::skip) return ": " + record->why;
  if (record->status == Status::warn) return " is said to end with 'warn', which no stage does";
  if (record->status == Status::pass && record->launches < stage.launches)
    return " has " + std::to_string(record->launches) + " launches, and the policy asks for " +
           std::to_string(stage.launches);
  if (!is_command(record->command, stage.command))
    return " ran '" + join(record->command, " ") + "', and the policy says '" + join(stage.command, " ") +
           "'";
  return {};
}

// What a launch of `validate` has no finding of.
std::vector<std::string> missing_checks(const Policy& policy, const Wanted& wanted, const BurninStage& stage,
                                        const Left& left) {
  std::vector<std::string> missing;
  for (const auto& check : wanted.checks)
    if (names_check(stage, check.name) && !left.checks.contains(check.name))
      missing.push_back("no finding of " + check.name);
  if (names_some(stage)) return missing;
  for (const auto& check : always_tested(policy))
    if (std::ranges::find(wanted.checks, check, &KnownCheck::name) != wanted.checks.end() &&
        !left.tested_checks.contains(check))
      missing.push_back(check + " tested nothing");
  return missing;
}

// Figures of fewer GPUs or rails than the policy says there are, in a stage that measures all.
std::string missing_figures(const Report& report, const Policy& policy, const BurninStage& stage) {
  const std::string& command = stage.command.front();
  const auto too_few = [&](const std::set<int>& seen, std::optional<int> asked, const char* of) {
    const int wanted = asked.value_or(1);
    return static_cast<int>(seen.size()) >= wanted
               ? std::string()
               : "the report has figures of " + std::to_string(seen.size()) + " of " +
                     std::to_string(wanted) + of;
  };
  std::set<int> seen;
  if (command == "gpu" && !option_of(stage, {"--gpus", "--devices"})) {
    for (const auto& figure : report.figures.gpu_results)
      seen.insert(figure.gpu);
    return too_few(seen, policy.node ? policy.node->gpus : std::nullopt, " GPUs");
  }
  if (command == "rdma" && !option_of(stage, {"--rails", "--devices"})) {
    for (const auto& figure : report.figures.rails)
      seen.insert(figure.rail);
    return too_few(seen, policy.node ? policy.node->rails : std::nullopt, " rails");
  }
  return {};
}

}  // namespace

std::vector<std::string> missing_of(const Report& report, const Policy& policy, const Wanted& wanted,
                                    const BurninStage& stage) {
  const std::string name = "stage " + stage.name;
  if (const auto lacks = record_lacks(report, policy, stage); !lacks.empty()) return {name + lacks};
  std::vector<std::string> missing;
  for (int launch = 1; launch <= stage.launches; ++launch) {
    const std::string which =
        name +
        (stage.launches > 1 ? ", launch " + std::to_string(launch) + " of " + std::to_string(stage.launches)
                            : "") +
        ": ";
    const Left left = left_by(report, stage, launch);
    if (!left.tested)
      missing.push_back(which + "the report shows nothing that it measured or could test");
    else if (is_collective(report, policy, stage.command.front()) && !left.series)
      missing.push_back(which + "the report has no series of " + stage.command.front() +
                        " as it was asked for");
    else if (const auto sizes = missing_sizes(report, stage, launch); left.series && !sizes.empty())
      missing.push_back(which + "the report has no series of " + join(sizes, ", "));
    if (repeats(report, stage, launch)) missing.push_back(which + "its series are another launch's");
    if (stage.command.front() == "validate")
      for (const auto& check : missing_checks(policy, wanted, stage, left))
        missing.push_back(which + check);
  }
  if (const auto figures = missing_figures(report, policy, stage); !figures.empty())
    missing.push_back(name + ": " + figures);
  return missing;
}

}  // namespace mlc
