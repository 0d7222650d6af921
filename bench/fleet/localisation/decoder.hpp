// Which few components explain all flows that were bad: tomography by maximum a posteriori, greedily, then
// with passes of drop, swap and refit. Knows neither fabrics nor rounds' meaning, components by number alone.
// Pure.
//
// A flow shows the worst of what it crosses. The one thing that is not usual is the round rule: flows of one
// round are no independent evidence (another job or a hiccup spoils many at once), so that what a component
// stands to gain is held against "each of its bad rounds was spoilt by something else", which a round can
// outdo by no more than ln(1 / spoilt) = 6.2 nats. Without it decoding accuses healthy nodes (docs/fleet.md).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/fleet/localisation/components.hpp"
#include "bench/fleet/localisation/likelihood.hpp"

namespace mlc::fleet {

struct Prior {
  float log_odds = 0;    // of being at fault, with what counters say
  float spoilt = 2e-3f;  // P(all its flows of a round are bad, and it is not), of severities below "dead"
  // Components of one place are no rivals: whoever is sent there finds either. -1: a place of its own.
  std::int32_t node = -1, rail = -1;  // rail -1: the node as a whole
};

struct Problem {
  int rounds = 0;
  // Of flow f: crossed[begin[f]] to crossed[begin[f + 1]].
  std::vector<std::uint32_t> begin{0};
  std::vector<ComponentId> crossed;
  std::vector<std::uint8_t> round;  // from 0
  std::vector<Logs> logs;
  std::vector<std::int32_t> from, to;  // nodes
  std::vector<Prior> priors;           // by component

  void add(int in_round, int sender, int receiver, const Logs& fits, std::span<const ComponentId> crosses);
  std::size_t flows() const { return round.size(); }
};

inline constexpr int most_rounds = 16;
// By how much a round, and a partner, must speak for a fault to count as a sighting of it (the margin asks
// for more), and a flow be worse than explained to be on the list of those to watch.
inline constexpr double bad_round_nats = 1, bad_partner_nats = .5, watched_nats = 6;

struct Weight {
  double gain = 0;   // of naming it, over not
  double trans = 0;  // of saying that its bad rounds were spoilt by something that is gone
  int severity = 0;  // the best fit: position in severities
  double suspicion() const { return gain - (trans > 0 ? trans : 0); }
};

struct Rival {
  ComponentId component = 0;
  Weight weight;
};

// A component that explains flows.
struct Explanation {
  ComponentId component = 0;
  Weight weight;
  double margin = 0;          // over the best of chance and all rivals
  std::vector<Rival> rivals;  // that would explain as much, within `rivals_within`; the best first
  int bad_rounds = 0, partners = 0;
};

class Decoder {
 public:
  // Rivals that come within so many nats are listed.
  explicit Decoder(const Problem& problem, double rivals_within = 5);

  const std::vector<Explanation>& explanations() const { return explanations_; }
  bool explains(ComponentId component) const { return fitted_[component] >= 0; }
  // Position in severities at which the flow is explained; -1: it is healthy.
  int explained_at(std::size_t flow) const { return explained_[flow]; }
  // By how many nats the flow is worse than explained.
  double unexplained(std::size_t flow) const;
  std::span<const std::uint32_t> flows_of(ComponentId component) const;
  // Of a component that explains nothing, beside all that do.
  Weight weigh(ComponentId component) const;
  // Components that could still be at fault with more than `least`, explaining none now: the others cannot.
  std::vector<ComponentId> possible(double least) const;

 private:
  void index();
  void search();
  // Best first, of these; what was added, with its weight.
  std::vector<Explanation> add_greedily(const std::vector<ComponentId>& candidates);
  bool improve();
  // Several that share nothing but what they are plugged into: their gain together, in the place of one that
  // is gone.
  bool split(double gain, ComponentId gone, const std::vector<ComponentId>& rivals,
             std::vector<Explanation>& parts);
  Explanation judge(ComponentId component, double rivals_within);
  void count_sightings(Explanation& judged) const;
  void put(ComponentId component, int severity);
  void take(ComponentId component);
  void refit_flows(ComponentId component);
  double bad_by(std::size_t flow, int severity) const;
  // On flows that a fault of this severity would explain better than what does; each once.
  void collect_rivals(ComponentId component, int severity, std::vector<ComponentId>& rivals);
  bool one_place(ComponentId a, ComponentId b) const;

  const Problem& problem_;
  std::vector<std::uint32_t> begin_, flows_;  // of each component
  std::vector<std::int8_t> fitted_;           // of each component: its severity; -1: explains nothing
  std::vector<std::int8_t> explained_;        // of each flow
  std::vector<std::uint32_t> stamp_;
  std::uint32_t stamped_ = 0;
  std::vector<Explanation> explanations_;
};

}  // namespace mlc::fleet
