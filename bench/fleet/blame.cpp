#include "bench/fleet/blame.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

using End = std::pair<int, int>;  // node, rail

// A meeting of two ends, both ways together.
struct Edge {
  End a, b;
  bool seen[2] = {false, false};  // a sends; b sends
  bool bad[2] = {false, false}, unknown = false;
  double worst = 2;  // share
  std::string what;  // of the worst

  Seen state() const {
    if (bad[0] || bad[1]) return Seen::bad;
    const bool both_ways = a.second == whole_node ? seen[0] || seen[1] : seen[0] && seen[1];
    return unknown || !both_ways ? Seen::unknown : Seen::good;
  }
  const End& other(const End& end) const { return end == a ? b : a; }
};

class Graph {
 public:
  Graph(int nodes, const std::vector<Observation>& observations) {
    std::map<std::pair<End, End>, Edge> edges;
    for (const auto& raw : observations) {
      const Observation seen = sound(raw);
      if (seen.from == seen.to || seen.from < 0 || seen.to < 0 || seen.from >= nodes || seen.to >= nodes ||
          seen.rail < whole_node || seen.peer_rail < whole_node ||
          (seen.rail == whole_node) != (seen.peer_rail == whole_node))
        continue;
      const End from{seen.from, seen.rail}, to{seen.to, seen.peer_rail};
      const std::size_t way = from < to ? 0 : 1;
      Edge& edge = edges[{std::min(from, to), std::max(from, to)}];
      edge.a = std::min(from, to), edge.b = std::max(from, to);
      edge.seen[way] = true;
      edge.unknown |= seen.seen == Seen::unknown;
      if (seen.seen == Seen::good) continue;
      const bool worse = seen.seen == Seen::bad ? !edge.bad[0] && !edge.bad[1] : edge.what.empty();
      if (seen.seen == Seen::bad) edge.bad[way] = true;
      const double share = seen.share.value_or(0);
      if (worse || (seen.seen == Seen::bad && share < edge.worst)) edge.worst = share, edge.what = seen.what;
    }
    for (auto& [ends, edge] : edges)
      edges_.push_back(std::move(edge));
    for (std::size_t i = 0; i < edges_.size(); ++i)
      of_[edges_[i].a].push_back(i), of_[edges_[i].b].push_back(i);
  }

  const std::map<End, std::vector<std::size_t>>& ends() const { return of_; }
  const Edge& edge(std::size_t i) const { return edges_[i]; }
  const std::vector<Edge>& edges() const { return edges_; }
  std::vector<const Edge*> at(const End& end, Seen seen) const {
    std::vector<const Edge*> found;
    if (const auto list = of_.find(end); list != of_.end())
      for (const std::size_t i : list->second)
        if (edges_[i].state() == seen) found.push_back(&edges_[i]);
    return found;
  }
  // Ends that are bound by meetings, over any number of others: those of one rail's fabric.
  std::vector<std::vector<End>> components() const {
    std::vector<std::vector<End>> all;
    std::set<End> done;
    for (const auto& [start, unused] : of_) {
      if (!done.insert(start).second) continue;
      std::vector<End> one{start};
      for (std::size_t i = 0; i < one.size(); ++i)
        for (const std::size_t e : of_.at(End(one[i])))
          if (const End next = edges_[e].other(one[i]); done.insert(next).second) one.push_back(next);
      all.push_back(std::move(one));
    }
    return all;
  }

 private:
  std::vector<Edge> edges_;
  std::map<End, std::vector<std::size_t>> of_;
};

int count(std::size_t n) { return static_cast<int>(n); }

// The ends at fault of one component.
std::map<End, bool> at_fault_in(const Graph& graph, const std::vector<End>& component) {
  std::map<End, bool> accused;  // to: good with some
  for (const End& end : component) {
    if (!graph.at(end, Seen::good).empty()) continue;
    const auto bad = graph.at(end, Seen::bad);
    const auto known_good = std::ranges::count_if(
        bad, [&](const Edge* edge) { return !graph.at(edge->other(end), Seen::good).empty(); });
    if (count(bad.size()) >= least_to_blame && 2 * known_good > count(bad.size())) accused[end] = false;
  }
  // What these explain is explained. Of what is left, one that is bad now and then can be told only alone.
  const auto left_at = [&](const End& end) {
    auto bad = graph.at(end, Seen::bad);
    std::erase_if(
        bad, [&](const Edge* edge) { return accused.contains(edge->other(end)) || accused.contains(end); });
    return bad;
  };
  std::size_t left = 0;
  for (const End& end : component)
    left += left_at(end).size();
  std::vector<End> candidates;
  for (const End& end : component) {
    const auto bad = left_at(end);
    if (graph.at(end, Seen::good).empty() || 2 * bad.size() != left)
      continue;  // each is seen from both its ends
    auto decided = graph.at(end, Seen::good).size() + bad.size();
    const bool others_good = std::ranges::all_of(
        bad, [&](const Edge* edge) { return !graph.at(edge->other(end), Seen::good).empty(); });
    if (count(decided) >= least_to_blame && 2 * bad.size() > decided && others_good)
      candidates.push_back(end);
  }
  if (candidates.size() == 1) accused[candidates.front()] = true;
  return accused;
}

std::string rail_text(int rail) { return rail == whole_node ? "the node" : "rail " + std::to_string(rail); }

Fault fault_of(const Graph& graph, const End& end, bool sometimes, const std::vector<std::string>& names) {
  Fault fault{.node = end.first, .rail = end.second, .sometimes = sometimes};
  auto bad = graph.at(end, Seen::bad);
  std::ranges::stable_sort(bad, {}, &Edge::worst);
  bool sends = false, receives = false;
  for (const Edge* edge : bad) {
    const std::size_t mine = edge->a == end ? 0 : 1;
    sends |= edge->bad[mine], receives |= edge->bad[1 - mine];
    fault.evidence.push_back((edge->bad[0] && edge->bad[1] ? "with "
                              : edge->bad[mine]            ? "to "
                                                           : "from ") +
                             names[static_cast<std::size_t>(edge->other(end).first)] + ": " + edge->what);
  }
  if (end.second != whole_node && sends != receives) fault.way = sends ? Way::sending : Way::receiving;
  return fault;
}

// All rails of a node at fault are one fault: what they share.
void put_together(std::vector<Fault>& faults, const Graph& graph) {
  std::map<int, int> rails, bad;
  for (const auto& [end, unused] : graph.ends())
    if (end.second != whole_node) ++rails[end.first];
  for (const auto& fault : faults)
    if (fault.rail != whole_node && fault.way == Way::both && !fault.sometimes) ++bad[fault.node];
  for (const auto& [node, number] : bad) {
    if (number < 2 || number < rails[node]) continue;
    Fault whole{.node = node, .evidence = {}};
    for (const auto& fault : faults)
      if (fault.node == node)
        for (const auto& line : fault.evidence)
          whole.evidence.push_back((fault.rail == whole_node ? "" : rail_text(fault.rail) + " ") + line);
    std::erase_if(faults, [&, n = node](const Fault& fault) { return fault.node == n; });
    faults.push_back(std::move(whole));
  }
}

class Judge {
 public:
  Judge(const Graph& graph, const std::vector<std::string>& names, const Asked& asked, std::set<End> accused)
      : graph_(graph), names_(names), asked_(asked), accused_(std::move(accused)) {
    for (const auto& end : accused_)
      guilty_.insert(end.first);
    for (int rail = 0; rail < asked.rails; ++rail)
      rails_.insert(rail);
    for (const auto& [end, unused] : graph.ends())
      rails_.insert(end.second);
  }

  NodeOutcome of(int node) const {
    NodeOutcome outcome;
    int good = -1;
    for (const int rail : rails_) {
      const auto here = judge({node, rail}, outcome.why);
      good = good < 0 ? here : std::min(good, here);
    }
    outcome.good = std::max(good, 0);
    if (rails_.empty()) outcome.why.emplace_back("it met nobody");
    outcome.status = outcome.why.empty() ? Status::pass : Status::unknown;
    return outcome;
  }

 private:
  // How many it met well; says what is missing.
  int judge(const End& end, std::vector<std::string>& why) const {
    const int good = count(graph_.at(end, Seen::good).size());
    std::set<int> met, explained, unexplained;
    for (const Edge* edge : graph_.at(end, Seen::good))
      met.insert(edge->other(end).first);
    // A node at fault may have kept a meeting from its answer on any rail.
    for (const Seen seen : {Seen::bad, Seen::unknown})
      for (const Edge* edge : graph_.at(end, seen)) {
        const End& other = edge->other(end);
        if (accused_.contains(other) || accused_.contains({other.first, whole_node}) ||
            (seen == Seen::unknown && guilty_.contains(other.first)))
          met.insert(other.first), explained.insert(other.first);
        else if (seen == Seen::bad)
          unexplained.insert(other.first), why.push_back(open_text(end, *edge));
      }
    const std::string rail = end.second == whole_node ? "" : " over " + rail_text(end.second);
    const int least = std::max(1, asked_.partners - count(explained.size()));
    if (unexplained.empty() && (count(met.size()) < asked_.partners || good < least))
      why.push_back("met " + std::to_string(good) + " of " + std::to_string(asked_.partners) + " others" +
                    rail + first_unknown(end));
    return good;
  }

  std::string open_text(const End& end, const Edge& edge) const {
    const auto& peer = names_[static_cast<std::size_t>(edge.other(end).first)];
    const int met = count(graph_.at(end, Seen::good).size() + graph_.at(end, Seen::bad).size());
    std::string text = rail_text(end.second) + " with " + peer + ": " + edge.what + "; ";
    if (met < least_to_blame)
      return text + "which end is at fault cannot be told from " + std::to_string(met) + " meetings, " +
             std::to_string(least_to_blame) + " are needed";
    return text + "which end is at fault, or what lies between them, cannot be told";
  }

  std::string first_unknown(const End& end) const {
    for (const Edge* edge : graph_.at(end, Seen::unknown))
      if (!edge->what.empty())
        return " (" + names_[static_cast<std::size_t>(edge->other(end).first)] + ": " + edge->what + ")";
    for (const Edge* edge : graph_.at({end.first, whole_node}, Seen::unknown))
      if (!edge->what.empty())
        return " (" + names_[static_cast<std::size_t>(edge->other({end.first, whole_node}).first)] + ": " +
               edge->what + ")";
    return {};
  }

  const Graph& graph_;
  const std::vector<std::string>& names_;
  const Asked& asked_;
  std::set<End> accused_;
  std::set<int> guilty_;
  std::set<int> rails_;
};

}  // namespace

bool Outcome::at_fault(int node) const {
  return std::ranges::any_of(faults, [&](const Fault& fault) { return fault.node == node; });
}

std::string end_text(const Fault& fault) {
  return (fault.rail == whole_node ? "the node as a whole" : rail_text(fault.rail)) +
         (fault.way == Way::sending     ? ", sending"
          : fault.way == Way::receiving ? ", receiving"
                                        : "") +
         (fault.sometimes ? ", with most others" : "");
}

Outcome place_blame(const std::vector<std::string>& nodes, const std::vector<Observation>& observations,
                    const Asked& asked) {
  const Graph graph(count(nodes.size()), observations);
  Outcome outcome;
  std::set<End> accused;
  for (const auto& component : graph.components()) {
    std::size_t good = 0, bad = 0;
    for (const End& end : component)
      good += graph.at(end, Seen::good).size(), bad += graph.at(end, Seen::bad).size();
    if (good == 0 && bad > 0 && component.size() > 2)
      outcome.fabric.push_back(
          (component.front().second == whole_node
               ? "all meetings"
               : "all meetings over " + rail_text(component.front().second)) +
          " are bad: what they share is at fault, the rail's switch or its settings, and no node is "
          "blamed");
    for (const auto& [end, sometimes] : at_fault_in(graph, component)) {
      accused.insert(end);
      outcome.faults.push_back(fault_of(graph, end, sometimes, nodes));
    }
  }
  put_together(outcome.faults, graph);
  std::ranges::stable_sort(outcome.faults, {}, [](const Fault& fault) {
    return std::pair{fault.node, fault.rail};
  });
  const Judge judge(graph, nodes, asked, accused);
  for (int node = 0; node < count(nodes.size()); ++node) {
    NodeOutcome one = judge.of(node);
    if (outcome.at_fault(node)) {
      one.status = Status::fail, one.why.clear();
      for (const auto& fault : outcome.faults)
        if (fault.node == node) one.why.push_back(end_text(fault) + ": " + join(fault.evidence, "; "));
    }
    outcome.nodes.push_back(std::move(one));
  }
  return outcome;
}

}  // namespace mlc::fleet
