#include "reports/faces/rails_text.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::size_t rate_width = 10, share_width = 11, time_width = 11;

// One table: the rails of one node towards one peer, at one size.
using Table = std::tuple<std::string, std::string, std::string, std::uint64_t, bool>;
Table table_of(const RailResult& rail) {
  return {rail.node, rail.peer, rail.operation, rail.bytes, rail.both_directions};
}

std::string rate(double gbit_s) { return fixed(gbit_s, gbit_s < 1 ? 4 : gbit_s < 10 ? 3 : 2); }
std::string share(double value, double of) { return of > 0 ? percent_text(value / of) : "-"; }

std::string device_text(const RailResult& rail) {
  return printable(rail.device + (rail.netdev.empty() ? "" : " " + rail.netdev), 40);
}

std::string counters_text(const RailResult& rail, std::string_view end) {
  std::vector<std::string> parts;
  for (const auto& counter : rail.counters)
    if (counter.end == end)
      parts.push_back(printable(counter.name.substr(counter.name.find('/') + 1), 60) + " +" +
                      std::to_string(counter.by));
  return join(parts, ", ");
}

struct Row {
  const RailResult* solo = nullptr;
  const RailResult* together = nullptr;
  const RailResult& any() const { return solo ? *solo : *together; }
  Status status() const {
    return worst(solo ? solo->status : Status::pass, together ? together->status : Status::pass);
  }
};

std::string verdict_cell(const Row& row, const Style& style) {
  const bool said = (row.solo && !row.solo->why.empty()) || (row.together && !row.together->why.empty());
  switch (row.status()) {
    case Status::pass:
      return style.green("✓");
    case Status::fail:
      return style.red("✗");
    default:
      return said ? style.yellow("?") : "-";
  }
}

std::string data_cell(const Row& row, const Style& style) {
  std::uint64_t wrong = 0;
  bool verified = false;
  for (const auto* each : {row.solo, row.together})
    if (each && each->wrong) verified = true, wrong += *each->wrong;
  return !verified ? pad_right("-", 4) : wrong == 0 ? pad_right("ok", 4) : style.red(pad_right("BAD", 4));
}

std::string row_text(const Row& row, bool latency, bool messages, std::size_t device_width,
                     const Style& style) {
  const RailResult& any = row.any();
  std::string line = pad_left(std::to_string(any.rail), 6) + "  " + pad_right(device_text(any), device_width);
  const auto time = [&](const std::optional<double>& us) {
    return pad_left(us ? time_text(*us) : "-", time_width);
  };
  if (latency) {
    line += time(any.p50_us) + time(any.p90_us) + time(any.p99_us) + time(any.p999_us);
  } else {
    const auto gbit_s = [&](const RailResult* rail) {
      return pad_left(rail ? rate(rail->gbit_s) : "-", rate_width);
    };
    line += gbit_s(row.solo) + gbit_s(row.together) +
            pad_left(share(any.gbit_s, any.target_gbit_s), share_width) +
            pad_left(share(any.gbit_s, any.ceiling_gbit_s), share_width) +
            pad_left(any.over_siblings ? fixed(*any.over_siblings, 2) : "-", rate_width);
    if (messages)
      line += pad_left(any.messages_per_s ? fixed(*any.messages_per_s / 1e6, 3) : "-", rate_width);
  }
  line += "  " + data_cell(row, style) + "  " + verdict_cell(row, style) +
          (any.attempts > 1 ? "  measured " + std::to_string(any.attempts) + " times" : "") + "\n";
  const std::string indent(8, ' ');
  for (const auto* each : {row.solo, row.together}) {
    if (!each) continue;
    const std::string when = row.solo && row.together ? (each == row.solo ? "alone: " : "together: ") : "";
    if (!each->why.empty()) line += indent + style.red(when) + printable(each->why, 500) + "\n";
    for (const std::string_view end : {"sender", "receiver"})
      if (const auto text = counters_text(*each, end); !text.empty())
        line += indent + style.yellow(when + std::string(end) + ": ") + text + "\n";
  }
  return line;
}

std::string heading(bool latency, bool messages, std::size_t device_width) {
  std::string line = pad_left("rail", 6) + "  " + pad_right("device", device_width);
  if (latency)
    for (const char* name : {"p50", "p90", "p99", "p99.9"})
      line += pad_left(name, time_width);
  else
    line += pad_left("alone", rate_width) + pad_left("together", rate_width) +
            pad_left("of target", share_width) + pad_left("of ceiling", share_width) +
            pad_left("/siblings", rate_width) + (messages ? pad_left("Mmsg/s", rate_width) : "");
  return line + "  data  policy";
}

std::string sum_line(const RailSum& sum, std::size_t device_width, const Style& style) {
  const auto gbit_s = [](const std::optional<double>& value) {
    return pad_left(value ? rate(*value) : "-", rate_width);
  };
  const double best = sum.together_gbit_s.value_or(sum.solo_gbit_s.value_or(0));
  std::string line = pad_left("sum", 6) + "  " + pad_right("", device_width) + gbit_s(sum.solo_gbit_s) +
                     gbit_s(sum.together_gbit_s) + pad_left(share(best, sum.target_gbit_s), share_width) +
                     pad_left(share(best, sum.ceiling_gbit_s), share_width);
  if (sum.solo_gbit_s && sum.together_gbit_s)
    line += "  together " + percent_text(*sum.together_gbit_s / *sum.solo_gbit_s) + " of one by one";
  if (sum.status == Status::fail) line += "  " + style.red("✗");
  return line + "\n";
}

}  // namespace

std::string rails_text(const Report& report, const Style& style) {
  const auto& rails = report.figures.rails;
  std::string text;
  std::vector<Table> tables;
  for (const auto& rail : rails)
    if (std::ranges::find(tables, table_of(rail)) == tables.end()) tables.push_back(table_of(rail));
  std::size_t device_width = 8;
  for (const auto& rail : rails)
    device_width = std::max(device_width, columns(device_text(rail)));
  for (const auto& table : tables) {
    std::vector<std::pair<std::pair<int, int>, Row>> rows;
    bool latency = false, messages = false;
    for (const auto& rail : rails) {
      if (table_of(rail) != table) continue;
      latency = latency || rail.p50_us, messages = messages || (rail.messages_per_s && rail.bytes < 4096);
      const std::pair key{rail.rail, rail.peer_rail};
      auto row = std::ranges::find(rows, key, [](const auto& entry) { return entry.first; });
      if (row == rows.end()) row = rows.insert(rows.end(), {key, {}});
      (rail.phase == "together" ? row->second.together : row->second.solo) = &rail;
    }
    const RailResult& first = rows.front().second.any();
    text += text.empty() ? "" : "\n";
    text += style.bold("rdma " + printable(first.operation)) + "   " + printable(first.node, 80) +
            (first.peer.empty() ? ", looped back" : " → " + printable(first.peer, 80)) + " · " +
            bytes_text(first.bytes) + (first.both_directions ? " · both ways at once" : "") +
            (first.memory.empty() ? "" : " · " + printable(first.memory, 60) + " memory") + "\n" +
            style.dim(heading(latency, messages, device_width)) + "\n";
    const bool crossed = std::ranges::any_of(rows, [](const auto& entry) {
      return entry.first.second >= 0 && entry.first.first != entry.first.second;
    });
    for (const auto& [key, row] : rows) {
      if (crossed) text += style.dim("        to rail " + std::to_string(key.second)) + "\n";
      text += row_text(row, latency, messages, device_width, style);
    }
    for (const auto& sum : report.figures.rail_sums)
      if (Table{sum.node, sum.peer, sum.operation, sum.bytes, sum.both_directions} == table)
        text += sum_line(sum, device_width, style);
    if (!latency)
      text += style.dim(pad_left("", 8 + device_width) + pad_left("Gbit/s", rate_width) +
                        pad_left("Gbit/s", rate_width)) +
              "\n";
  }
  if (report.figures.meetings.size() > 1) {
    text += "\n" + style.bold("who met whom") + "\n";
    for (const auto& meeting : report.figures.meetings)
      text += "  round " + pad_right(std::to_string(meeting.round + 1), 4) + printable(meeting.node, 80) +
              " ↔ " + printable(meeting.peer, 80) + "  " +
              (meeting.status == Status::fail ? style.red("✗ ") + printable(meeting.why, 200)
                                              : style.green("✓")) +
              "\n";
  }
  return text;
}

std::string rail_remedies(const Report& report, const Style& style) {
  std::string text;
  for (const auto& finding : report.findings)
    if (finding.check.starts_with("rdma.") && !finding.remedy.empty() && finding.status != Status::pass)
      text += (finding.status == Status::fail ? style.red("✗ ") : style.yellow("! ")) +
              printable(finding.subject) + "\n    " + printable(finding.observed, 600) + "\n    next  " +
              printable(finding.remedy, 1000) + "\n";
  return text;
}

std::string rails_measured(const Report& report) {
  std::set<std::pair<std::string, int>> rails;
  std::set<std::string> nodes;
  bool verified = true;
  for (const auto& rail : report.figures.rails)
    rails.insert({rail.node, rail.rail}), nodes.insert(rail.node),
        verified = verified && rail.wrong.has_value();
  return std::to_string(rails.size()) + (rails.size() == 1 ? " rail of " : " rails of ") +
         std::to_string(nodes.size()) + (nodes.size() == 1 ? " node" : " nodes") +
         (verified ? ", every byte as it had to be" : ", not verified");
}

}  // namespace mlc
