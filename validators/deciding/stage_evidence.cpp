#include "validators/deciding/stage_evidence.hpp"

#include <algorithm>
#include <charconv>
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
  if (policy.node && policy.node->gpus.value_or(0) > 0) checks.emplace_back("gpu.count");
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

// The value of an option in a stage's command, in each form that the command line takes: "--dtype int8",
// "--dtype=int8", "-d int8", "-dint8".
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

// Null: what else a stage may run leaves no series.
const KnownCollective* collective_of(const BurninStage& stage, const Wanted& wanted) {
  const auto known = std::ranges::find(wanted.collectives, stage.command.front(), &KnownCollective::name);
  return known == wanted.collectives.end() ? nullptr : &*known;
}

// A number that comes with an option; -1 where it is none.
int number_of(const std::string& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? number : -1;
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

// What an option of names stands for; empty: it is not there.
template <class Table, class NameOf>
std::vector<std::string> names_asked(const BurninStage& stage, std::initializer_list<std::string_view> option,
                                     const Table& all, NameOf name_of) {
  const auto text = option_of(stage, option);
  if (text != "all") return split(text.value_or(""));
  std::vector<std::string> names;
  for (const auto& entry : all)
    names.emplace_back(name_of(entry));
  return names;
}

// The forms that are measured where a stage asks for `placement` ("in", "out", "both").
std::vector<std::string> forms_asked(const std::string& placement, const KnownCollective& collective,
                                     const std::string& backend) {
  if (std::ranges::find(collective.one_buffer_over, backend) != collective.one_buffer_over.end())
    return {"in_place"};
  std::vector<std::string> forms;
  if (placement != "in") forms.emplace_back("out_of_place");
  if (placement != "out" && collective.in_place) forms.emplace_back("in_place");
  return forms;
}

// One series that a launch has to leave. Empty or 0: any.
struct AskedSeries {
  std::string dtype, redop, placement;
  std::uint64_t size = 0;

  std::string text() const {
    std::string words;
    for (const auto& word : {dtype, redop, size > 0 ? bytes_text(size) : "", placement})
      words += (word.empty() || words.empty() ? "" : " ") + word;
    return words;
  }
};

std::vector<AskedSeries> asked_series(const BurninStage& stage, const KnownCollective& collective,
                                      const std::string& backend, std::uint64_t least_size) {
  auto dtypes = names_asked(stage, {"-d", "--dtype", "--datatype"}, dtype_names,
                            [](const auto& entry) { return entry.name; });
  auto redops =
      names_asked(stage, {"-o", "--op"}, redop_names, [](const auto& entry) { return entry.second; });
  auto sizes = sizes_asked(stage);
  std::erase_if(sizes, [&](std::uint64_t size) { return size < least_size; });
  if (dtypes.empty()) dtypes.emplace_back();
  if (redops.empty() || !collective.reduces) redops = {""};
  if (sizes.empty()) sizes.push_back(0);
  std::vector<AskedSeries> all;
  for (const auto& dtype : dtypes)
    for (const auto& redop : redops)
      for (const auto size : sizes)
        for (const auto& form :
             forms_asked(option_of(stage, {"--placement"}).value_or("both"), collective, backend))
          all.push_back({dtype, redop, form, size});
  return all;
}

bool answers(const Series& series, const AskedSeries& asked, std::uint64_t rounded) {
  return (asked.dtype.empty() || parse_dtype(series.dtype) == parse_dtype(asked.dtype)) &&
         (asked.redop.empty() || parse_redop(series.redop) == parse_redop(asked.redop)) &&
         series.placement == asked.placement &&
         (asked.size == 0 ||
          (series.requested_bytes <= asked.size && asked.size - series.requested_bytes < rounded));
}

// What the launch has no series of. A rank's share is rounded down to at most 16 bytes: sizes that come to
// the same are measured once, and what comes to nothing not at all.
std::vector<std::string> missing_series(const Report& report, const BurninStage& stage,
                                        const KnownCollective& collective, int launch) {
  std::vector<const Series*> own;
  std::uint64_t rounded = 1;
  for (const auto& series : report.series)
    if (series.launch == launch && is_of(series, stage))
      own.push_back(&series),
          rounded = std::max(rounded, std::uint64_t{16} * static_cast<unsigned>(series.ranks));
  if (own.empty()) return {stage.command.front() + " as it was asked for"};
  std::vector<std::string> missing;
  for (const auto& asked : asked_series(stage, collective, own.front()->backend, rounded))
    if (std::ranges::none_of(own, [&](const Series* series) { return answers(*series, asked, rounded); }))
      missing.push_back(asked.text());
  return missing;
}

bool in_room(const std::string& check, const std::string& room) { return check.starts_with(room + "."); }

// The checks and rooms that a `validate` stage names, wherever they stand among its options.
std::vector<std::string> named_checks(const BurninStage& stage, const std::vector<KnownCheck>& known) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i < stage.command.size(); ++i)
    if (std::ranges::any_of(known, [&](const KnownCheck& check) {
          return check.name == stage.command[i] || in_room(check.name, stage.command[i]);
        }))
      names.push_back(stage.command[i]);
  return names;
}

// Is it one of those? A stage that names none runs all.
bool is_named(const std::vector<std::string>& names, const std::string& check) {
  return names.empty() || std::ranges::any_of(names, [&](const std::string& name) {
           return check == name || in_room(check, name);
         });
}

// What a stage finds: checks, and what `gpu` and `rdma` say.
bool is_of(const Finding& finding, const BurninStage& stage, const std::vector<KnownCheck>& known) {
  const std::string& command = stage.command.front();
  if (command == "gpu") return finding.check.starts_with("burnin.");
  if (command == "rdma") return finding.check.starts_with("rdma.");
  if (command == "fleet") return finding.check == "fleet.node" || finding.check == "fleet.location";
  return command == "validate" && is_named(named_checks(stage, known), finding.check);
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
  bool tested = false;
  std::set<std::string> checks, tested_checks;
};

Left left_by(const Report& report, const Wanted& wanted, const BurninStage& stage, int launch) {
  Left left;
  for (const auto& series : report.series)
    if (series.launch == launch && is_of(series, stage)) left.tested = true;
  for (const auto& finding : report.findings)
    if (finding.stage == stage.name && finding.launch == launch && is_of(finding, stage, wanted.checks)) {
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
  const auto names = named_checks(stage, wanted.checks);
  for (const auto& check : wanted.checks)
    if (is_named(names, check.name) && !left.checks.contains(check.name))
      missing.push_back("no finding of " + check.name);
  if (!names.empty()) return missing;
  for (const auto& check : always_tested(policy))
    if (std::ranges::find(wanted.checks, check, &KnownCheck::name) != wanted.checks.end() &&
        !left.tested_checks.contains(check))
      missing.push_back(check + " tested nothing");
  return missing;
}

// What a campaign did not show of the report's node. How it stands there is judged with the figures
// themselves.
// "5%", "0.05"; what is no number asks for nothing that a campaign could meet.
double share_of(const std::string& text) {
  const double value = std::strtod(text.c_str(), nullptr);
  return text.ends_with('%') ? value / 100 : value;
}

std::string missing_campaign(const Report& report, const Policy& policy, const BurninStage& stage) {
  if (!report.figures.fleet) return "the report has no figures of a campaign";
  const FleetFigures& fleet = *report.figures.fleet;
  const std::string own = report.environment.nodes.empty() ? "" : report.environment.nodes.front().name;
  const auto node = std::ranges::find(fleet.nodes, own, &NodeStanding::name);
  if (node == fleet.nodes.end()) return "the campaign did not have this node";
  const int most = static_cast<int>(fleet.nodes.size()) - 1;
  if (node->partners < std::min(2, most) || node->tests < 2)
    return "the campaign tested this node with " + std::to_string(node->partners) + " partners, in " +
           std::to_string(node->tests) + " tests";
  const int rails = std::max(policy.target ? policy.target->rails : 0,
                             policy.node && policy.node->rails ? *policy.node->rails : 0);
  if (fleet.rails < rails && !option_of(stage, {"--devices", "--interfaces"}))
    return "the campaign was held over " + std::to_string(fleet.rails) + " of " + std::to_string(rails) +
           " rails";
  const auto floor = option_of(stage, {"--floor"}), confidence = option_of(stage, {"--confidence"});
  // NaN, too, is none.
  if (!(fleet.floor <= (floor ? share_of(*floor) : usual_floor) * 1.001))
    return "the campaign accused nobody below " + percent_text(fleet.floor) + " of the rate";
  if (!(fleet.confidence <= (confidence ? share_of(*confidence) : usual_confidence) * 1.001))
    return "the campaign wanted " + fixed(fleet.confidence, 1) + " nats to accuse";
  const auto named = option_of(stage, {"--rail-rate"});
  const double asked = named           ? std::strtod(named->c_str(), nullptr)
                       : policy.target ? policy.target->rail_ceiling_gbit_s()
                                       : 0;
  if (fleet.target_inferred || fleet.target_gbit_s < asked * .999)
    return "the campaign was held against " +
           (fleet.target_inferred ? "its own fastest flows"
                                  : fixed(fleet.target_gbit_s, 2) + " Gbit/s a rail") +
           (asked > 0 ? ", and the policy asks for " + fixed(asked, 2) + " Gbit/s of payload"
                      : ", and a policy or a stage has to name a rate (--rail-rate)");
  return {};
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
  if (command == "fleet") return missing_campaign(report, policy, stage);
  if (command == "rdma" && !option_of(stage, {"--rails", "--devices"})) {
    for (const auto& figure : report.figures.rails)
      seen.insert(figure.rail);
    return too_few(seen, policy.node ? policy.node->rails : std::nullopt, " rails");
  }
  return {};
}

}  // namespace

bool is_of(const Series& series, const BurninStage& stage) {
  const auto backend = option_of(stage, {"--backend"}),
             dtype = option_of(stage, {"-d", "--dtype", "--datatype"}),
             redop = option_of(stage, {"-o", "--op"}), ranks = option_of(stage, {"--ranks"}),
             root = option_of(stage, {"-r", "--root"});
  // One name; lists and "all" are of several, and any will do.
  const auto asked_dtype = dtype ? parse_dtype(*dtype) : std::optional(Dtype::float32);
  const auto asked_redop = redop ? parse_redop(*redop) : std::optional(Redop::sum);
  return series.stage == stage.name && series.collective == stage.command.front() &&
         (!backend || *backend == "auto" || series.backend == *backend) &&
         (!asked_dtype || parse_dtype(series.dtype) == asked_dtype) &&
         (!asked_redop || (series.redop.empty() && !redop) || parse_redop(series.redop) == asked_redop) &&
         (!ranks || series.ranks == number_of(*ranks)) && (!root || series.root == number_of(*root));
}

std::vector<std::string> missing_of(const Report& report, const Policy& policy, const Wanted& wanted,
                                    const BurninStage& stage) {
  const std::string name = "stage " + stage.name;
  if (const auto lacks = record_lacks(report, policy, stage); !lacks.empty()) return {name + lacks};
  std::vector<std::string> missing;
  const KnownCollective* collective = collective_of(stage, wanted);
  for (int launch = 1; launch <= stage.launches; ++launch) {
    const std::string which =
        name +
        (stage.launches > 1 ? ", launch " + std::to_string(launch) + " of " + std::to_string(stage.launches)
                            : "") +
        ": ";
    const Left left = left_by(report, wanted, stage, launch);
    if (!left.tested)
      missing.push_back(which + "the report shows nothing that it measured or could test");
    else if (collective)
      if (const auto series = missing_series(report, stage, *collective, launch); !series.empty())
        missing.push_back(which + "the report has no series of " + join(series, ", "));
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
