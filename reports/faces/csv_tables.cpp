// The tables of a report, but for the columns of the series (csv.cpp). Each line begins with its run, so that
// tables of many reports can be put together.
#include <algorithm>

#include "reports/faces/csv.hpp"

namespace mlc {

namespace {

// `row` gives a line of one of `all`; its names are the header.
template <class One, class Row>
std::string lines_of(const Report& report, const std::vector<One>& all, const Row& row) {
  std::string text = csv_names(row(report.run, One{}));
  for (const auto& one : all)
    text += csv_values(row(report.run, one));
  return text;
}

std::string series(const Report& report) {
  std::string text = csv_header();
  for (const auto& one : report.series)
    text += csv_line(report.run, one);
  return text;
}

// Which series a line is of.
CsvRow of_series(const Run& run, const Series& s) {
  return {{"run", run.id},
          {"collective", s.collective},
          {"dtype", s.dtype},
          {"redop", s.redop},
          {"root", csv_whole(s.root)},
          {"placement", s.placement},
          {"bytes", std::to_string(s.bytes)},
          {"stage", s.stage}};
}

// Lines of a list that each of `all` has, behind what says whose they are.
template <class Outer, class Head, class List, class Row>
std::string inner_lines(const Report& report, const std::vector<Outer>& all, const Head& head,
                        const List& list, const Row& row) {
  const auto whole = [&](const Outer& outer, CsvRow tail) {
    CsvRow line = head(report.run, outer);
    line.insert(line.end(), std::make_move_iterator(tail.begin()), std::make_move_iterator(tail.end()));
    return line;
  };
  using Inner = typename std::decay_t<decltype(list(all.front()))>::value_type;
  std::string text = csv_names(whole(Outer{}, row(0, Inner{})));
  for (const auto& outer : all) {
    std::size_t at = 0;
    for (const auto& inner : list(outer))
      text += csv_values(whole(outer, row(at++, inner)));
  }
  return text;
}

std::string launches(const Report& report) {
  return inner_lines(
      report, report.series, of_series, [](const Series& s) { return s.launches; },
      [](std::size_t at, const SeriesLaunch& launch) {
        return CsvRow{
            {"launch", std::to_string(at + 1)},          {"p50_us", csv_number(launch.p50_us)},
            {"mean_us", csv_number(launch.mean_us)},     {"ci_low_us", csv_number(launch.ci_us[0])},
            {"ci_high_us", csv_number(launch.ci_us[1])}, {"samples", std::to_string(launch.samples)}};
      });
}

std::string ranks(const Report& report) {
  return inner_lines(
      report, report.series, of_series, [](const Series& s) { return s.rank_p50_us; },
      [](std::size_t at, double p50_us) {
        return CsvRow{{"rank", std::to_string(at)}, {"p50_us", csv_number(p50_us)}};
      });
}

std::string rails(const Report& report) {
  return lines_of(report, report.figures.rails, [](const Run& run, const RailResult& rail) {
    std::vector<std::string> counters;
    for (const auto& counter : rail.counters)
      counters.push_back(counter.end + " " + counter.name + " +" + std::to_string(counter.by));
    return CsvRow{{"node", rail.node},
                  {"rail", std::to_string(rail.rail)},
                  {"device", rail.device},
                  {"netdev", rail.netdev},
                  {"peer", rail.peer},
                  {"peer_rail", std::to_string(rail.peer_rail)},
                  {"operation", rail.operation},
                  {"phase", rail.phase},
                  {"both_directions", csv_flag(rail.both_directions)},
                  {"bytes", std::to_string(rail.bytes)},
                  {"gbit_s", csv_number(rail.gbit_s)},
                  {"ci_low_gbit_s", csv_number(rail.ci_gbit_s[0])},
                  {"ci_high_gbit_s", csv_number(rail.ci_gbit_s[1])},
                  {"mean_gbit_s", csv_number(rail.mean_gbit_s)},
                  {"target_gbit_s", csv_number(rail.target_gbit_s)},
                  {"ceiling_gbit_s", csv_number(rail.ceiling_gbit_s)},
                  {"over_siblings", csv_number(rail.over_siblings)},
                  {"messages_per_s", csv_number(rail.messages_per_s)},
                  {"p50_us", csv_number(rail.p50_us)},
                  {"p90_us", csv_number(rail.p90_us)},
                  {"p99_us", csv_number(rail.p99_us)},
                  {"p999_us", csv_number(rail.p999_us)},
                  {"wrong", csv_whole(rail.wrong)},
                  {"memory", rail.memory},
                  {"attempts", std::to_string(rail.attempts)},
                  {"status", std::string(to_string(rail.status))},
                  {"why", rail.why},
                  {"counters", join(counters, "; ")},
                  {"peer_device", rail.peer_device},
                  {"run", run.id}};
  });
}

std::string rail_sums(const Report& report) {
  return lines_of(report, report.figures.rail_sums, [](const Run& run, const RailSum& sum) {
    return CsvRow{{"run", run.id},
                  {"node", sum.node},
                  {"peer", sum.peer},
                  {"operation", sum.operation},
                  {"bytes", std::to_string(sum.bytes)},
                  {"both_directions", csv_flag(sum.both_directions)},
                  {"rails", std::to_string(sum.rails)},
                  {"solo_gbit_s", csv_number(sum.solo_gbit_s)},
                  {"together_gbit_s", csv_number(sum.together_gbit_s)},
                  {"target_gbit_s", csv_number(sum.target_gbit_s)},
                  {"ceiling_gbit_s", csv_number(sum.ceiling_gbit_s)},
                  {"status", std::string(to_string(sum.status))},
                  {"why", sum.why}};
  });
}

std::string gpus(const Report& report) {
  return lines_of(report, report.figures.gpu_results, [](const Run& run, const GpuResult& gpu) {
    return CsvRow{{"run", run.id},
                  {"node", gpu.node},
                  {"gpu", std::to_string(gpu.gpu)},
                  {"uuid", gpu.uuid},
                  {"test", gpu.test},
                  {"metric", gpu.metric},
                  {"unit", gpu.unit},
                  {"value", csv_number(gpu.value)},
                  {"min", csv_number(gpu.min)},
                  {"max", csv_number(gpu.max)},
                  {"samples", std::to_string(gpu.samples)},
                  {"bound", csv_number(gpu.bound)},
                  {"share_of_limit", csv_number(gpu.share_of_limit)},
                  {"status", std::string(to_string(gpu.status))}};
  });
}

std::string gpu_traces(const Report& report) {
  struct Moment {
    double time_s = 0;
    std::optional<double> clock, power, temperature;
  };
  return inner_lines(
      report, report.figures.gpu_traces,
      [](const Run& run, const GpuTrace& trace) {
        return CsvRow{{"run", run.id}, {"node", trace.node}, {"gpu", std::to_string(trace.gpu)}};
      },
      [](const GpuTrace& trace) {
        const auto of = [](const std::vector<double>& values, std::size_t at) {
          return at < values.size() ? std::optional(values[at]) : std::nullopt;
        };
        std::vector<Moment> moments;
        for (std::size_t i = 0; i < trace.time_s.size(); ++i)
          moments.push_back(
              {trace.time_s[i], of(trace.sm_clock_mhz, i), of(trace.power_w, i), of(trace.temperature_c, i)});
        return moments;
      },
      [](std::size_t, const Moment& moment) {
        return CsvRow{{"time_s", csv_number(moment.time_s)},
                      {"sm_clock_mhz", csv_number(moment.clock)},
                      {"power_w", csv_number(moment.power)},
                      {"temperature_c", csv_number(moment.temperature)}};
      });
}

std::string gpu_events(const Report& report) {
  return inner_lines(
      report, report.figures.gpu_traces,
      [](const Run& run, const GpuTrace& trace) {
        return CsvRow{{"run", run.id},
                      {"node", trace.node},
                      {"gpu", std::to_string(trace.gpu)},
                      {"power_limit_w", csv_number(trace.power_limit_w)},
                      {"slowdown_temperature_c", csv_number(trace.slowdown_temperature_c)}};
      },
      [](const GpuTrace& trace) { return trace.events; },
      [](std::size_t, const GpuTrace::Event& event) {
        return CsvRow{{"time_s", csv_number(event.time_s)}, {"what", event.what}};
      });
}

std::string pairs(const Report& report) {
  struct Cell {
    std::string row, column;
    std::optional<double> value;
    std::string culprit, why;
  };
  return inner_lines(
      report, report.figures.matrices,
      [](const Run& run, const Matrix& matrix) {
        return CsvRow{{"run", run.id},
                      {"kind", matrix.kind},
                      {"title", matrix.title},
                      {"by", matrix.by},
                      {"unit", matrix.unit}};
      },
      [](const Matrix& matrix) {
        std::vector<Cell> cells;
        for (std::size_t i = 0; i < matrix.values.size() && !matrix.columns.empty(); ++i) {
          const std::size_t row = i / matrix.columns.size(), column = i % matrix.columns.size();
          if (row >= matrix.rows.size()) break;
          Cell cell{matrix.rows[row], matrix.columns[column], matrix.values[i], {}, {}};
          for (const auto& culprit : matrix.culprits)
            if (culprit.row == row && culprit.column == column) {
              cell.culprit = culprit.whole_row ? "row" : culprit.whole_column ? "column" : "pair";
              cell.why = culprit.why;
            }
          cells.push_back(std::move(cell));
        }
        return cells;
      },
      [](std::size_t, const Cell& cell) {
        return CsvRow{{"row", cell.row},
                      {"column", cell.column},
                      {"value", csv_number(cell.value)},
                      {"culprit", cell.culprit},
                      {"why", cell.why}};
      });
}

std::string histograms(const Report& report) {
  struct Bin {
    double from = 0, to = 0;
    std::uint64_t count = 0;
  };
  return inner_lines(
      report, report.figures.histograms,
      [](const Run& run, const Histogram& histogram) {
        return CsvRow{{"run", run.id}, {"title", histogram.title}, {"subject", histogram.subject}};
      },
      [](const Histogram& histogram) {
        std::vector<Bin> bins;
        for (std::size_t i = 0; i < histogram.counts.size() && i + 1 < histogram.edges_us.size(); ++i)
          bins.push_back({histogram.edges_us[i], histogram.edges_us[i + 1], histogram.counts[i]});
        return bins;
      },
      [](std::size_t, const Bin& bin) {
        return CsvRow{{"from_us", csv_number(bin.from)},
                      {"to_us", csv_number(bin.to)},
                      {"count", std::to_string(bin.count)}};
      });
}

std::string meetings(const Report& report) {
  return lines_of(report, report.figures.meetings, [](const Run& run, const NodeMeeting& meeting) {
    return CsvRow{
        {"run", run.id},        {"round", std::to_string(meeting.round)},           {"node", meeting.node},
        {"peer", meeting.peer}, {"status", std::string(to_string(meeting.status))}, {"why", meeting.why}};
  });
}

std::string standings(const Report& report) {
  const auto& fleet = report.figures.fleet;
  return lines_of(report, fleet ? fleet->nodes : std::vector<NodeStanding>{},
                  [](const Run& run, const NodeStanding& node) {
                    return CsvRow{{"run", run.id},
                                  {"node", node.name},
                                  {"standing", node.standing},
                                  {"tests", std::to_string(node.tests)},
                                  {"partners", std::to_string(node.partners)},
                                  {"worst_ratio", csv_number(node.worst_ratio)},
                                  {"leaves", join(node.leaves, " ")}};
                  });
}

std::string places(const Report& report) {
  const auto& fleet = report.figures.fleet;
  return lines_of(report, fleet ? fleet->places : std::vector<FleetPlace>{},
                  [](const Run& run, const FleetPlace& place) {
                    return CsvRow{{"run", run.id},
                                  {"where", place.where},
                                  {"standing", place.standing},
                                  {"severity", csv_number(place.severity)},
                                  {"margin", csv_number(place.margin)},
                                  {"rounds", std::to_string(place.rounds)},
                                  {"partners", std::to_string(place.partners)},
                                  {"rivals", join(place.rivals, "; ")},
                                  {"why", place.why}};
                  });
}

// One line for each direction of each rail of each test.
std::string flows(const Report& report) {
  struct Flow {
    int round = 0;
    std::string from, to;
    std::size_t rail = 0;
    double ratio = 0;
  };
  std::vector<Flow> all;
  if (const auto& fleet = report.figures.fleet) {
    const auto name = [&](int node) {
      const auto at = static_cast<std::size_t>(node);
      return at < fleet->nodes.size() ? fleet->nodes[at].name : "";
    };
    for (const auto& test : fleet->held)
      for (std::size_t i = 0; i < test.ratios.size(); ++i)
        all.push_back({test.round, name(i % 2 == 0 ? test.first : test.second),
                       name(i % 2 == 0 ? test.second : test.first), i / 2, test.ratios[i]});
  }
  return lines_of(report, all, [](const Run& run, const Flow& flow) {
    return CsvRow{{"run", run.id}, {"round", std::to_string(flow.round)}, {"from", flow.from},
                  {"to", flow.to}, {"rail", std::to_string(flow.rail)},   {"ratio", csv_number(flow.ratio)}};
  });
}

std::string findings(const Report& report) {
  return lines_of(report, report.findings, [](const Run& run, const Finding& finding) {
    return CsvRow{{"run", run.id},
                  {"stage", finding.stage},
                  {"launch", finding.launch > 0 ? std::to_string(finding.launch) : ""},
                  {"check", finding.check},
                  {"subject", finding.subject},
                  {"status", std::string(to_string(finding.status))},
                  {"observed", finding.observed},
                  {"expected", finding.expected},
                  {"source", finding.source},
                  {"remedy", finding.remedy},
                  {"depends_on", finding.depends_on}};
  });
}

std::string stages(const Report& report) {
  return lines_of(report, report.stages, [](const Run& run, const StageRecord& stage) {
    return CsvRow{{"run", run.id},
                  {"stage", stage.name},
                  {"command", join(stage.command, " ")},
                  {"launches", std::to_string(stage.launches)},
                  {"status", std::string(to_string(stage.status))},
                  {"why", stage.why}};
  });
}

// A line for each reason; a pass has none, and one line.
std::string verdict(const Report& report) {
  auto because = report.verdict.because;
  if (because.empty()) because.emplace_back();
  const auto& of = report.verdict;
  std::size_t number = 0;
  std::string text;
  for (const auto& reason : because) {
    const Run& run = report.run;
    const CsvRow row{{"run", run.id},
                     {"started", run.started},
                     {"duration_s", csv_number(run.duration_s)},
                     {"command", join(run.command, " ")},
                     {"plan", run.plan},
                     {"backend", run.backend},
                     {"nodes", std::to_string(run.nodes)},
                     {"ranks", std::to_string(run.ranks)},
                     {"policy", run.policy},
                     {"policy_digest", run.policy_digest},
                     {"version", report.tool.version},
                     {"decision", std::string(to_string(of.decision))},
                     {"reason_number", reason.empty() ? "" : std::to_string(++number)},
                     {"reason", reason}};
    if (text.empty()) text = csv_names(row);
    text += csv_values(row);
  }
  return text;
}

std::string errors(const Report& report) {
  return lines_of(report, report.errors, [](const Run& run, const ErrorEntry& error) {
    return CsvRow{{"run", run.id},
                  {"what", error.what},
                  {"where", error.where},
                  {"phase", error.phase},
                  {"hint", error.hint}};
  });
}

std::string nodes(const Report& report) {
  return lines_of(report, report.environment.nodes, [](const Run& run, const Node& node) {
    std::vector<std::string> versions;
    for (const auto& [what, version] : node.versions)
      versions.push_back(what + " " + version);
    return CsvRow{{"run", run.id},
                  {"node", node.name},
                  {"kernel", node.kernel},
                  {"os", node.os},
                  {"cpu", node.cpu},
                  {"cpus", std::to_string(node.cpus)},
                  {"gpus", std::to_string(node.gpus.size())},
                  {"ranks", rank_list(node.ranks)},
                  {"boot_id", node.boot_id},
                  {"machine_id", node.machine_id},
                  {"versions", join(versions, "; ")}};
  });
}

std::string devices(const Report& report) {
  return inner_lines(
      report, report.environment.nodes,
      [](const Run& run, const Node& node) {
        return CsvRow{{"run", run.id}, {"node", node.name}};
      },
      [](const Node& node) { return node.gpus; },
      [](std::size_t, const Gpu& gpu) {
        return CsvRow{{"gpu", std::to_string(gpu.index)},
                      {"name", gpu.name},
                      {"uuid", gpu.uuid},
                      {"pci", gpu.pci},
                      {"driver", gpu.driver}};
      });
}

}  // namespace

const std::vector<CsvTable>& csv_tables() {
  static const std::vector<CsvTable> tables{
      {"series", "a collective at one size", series},
      {"launches", "one launch of a series", launches},
      {"ranks", "one rank of a series", ranks},
      {"rails", "one rail, one way", rails},
      {"rail-sums", "all rails of a node, alone and together", rail_sums},
      {"gpus", "one figure of a GPU", gpus},
      {"gpu-traces", "one moment of a GPU", gpu_traces},
      {"gpu-events", "what befell a GPU", gpu_events},
      {"pairs", "two rails, nodes or GPUs", pairs},
      {"histograms", "one bin of a histogram", histograms},
      {"meetings", "two nodes of a fabric stage", meetings},
      {"standings", "a node in a campaign", standings},
      {"places", "where a campaign places a fault", places},
      {"flows", "one flow of a campaign", flows},
      {"findings", "what a check says of one thing", findings},
      {"stages", "a stage of a burn-in", stages},
      {"verdict", "a reason", verdict},
      {"errors", "what the tool could not do", errors},
      {"nodes", "a node that took part", nodes},
      {"devices", "a GPU of a node", devices},
  };
  return tables;
}

const CsvTable* find_csv_table(std::string_view name) {
  const auto& tables = csv_tables();
  const auto found = std::ranges::find(tables, name, &CsvTable::name);
  return found == tables.end() ? nullptr : &*found;
}

}  // namespace mlc
