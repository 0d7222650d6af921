// What is to be measured between two ends, and in which order. The same on both ends: over TCP the connecting
// end sends it, as JSON. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validators/host/verbs.hpp"

namespace mlc::rdma {

enum class Mode { bandwidth, latency, rate };

std::string_view to_string(Verb verb);
std::string_view to_string(Mode mode);
std::optional<Verb> parse_verb(std::string_view text);
std::optional<Mode> parse_mode(std::string_view text);

// What a rail must reach, and how that is judged (stats/judging.hpp).
struct RailQuestion {
  double gbit_s = 0;
  double false_admit = 1e-3, false_reject = 1e-2;
  int max_windows = 60;
  double observe_s = 0;  // admission, of all rails together, or of one where there is no more; 0: quick
  double stall_s = 0.5;
  bool operator==(const RailQuestion&) const = default;
};

inline constexpr double quick_question_s = 20;

struct Plan {
  Verb verb = Verb::write;
  Mode mode = Mode::bandwidth;
  std::vector<std::uint64_t> sizes{64 << 10};  // perftest's and the NGC certification's
  int pairs = 4;                               // queue pairs per rail
  int depth = 128;                             // sends outstanding per queue pair
  int moderation = 0;     // every n-th send is signalled; 0: 1 above 8 KiB, else 64, as perftest does
  int chain = 0;          // sends per doorbell; 0: 1, in rate mode 32
  int inline_bytes = -1;  // -1: 220 for write and 236 for send latency, else 0, as perftest does
  int traffic_class = 0;
  int mtu = 0;                   // bytes; 0: the smaller of the two ports' active MTUs
  bool both_directions = false;  // at the same time
  bool one_way = false;          // from the first end only; else one way, then the other
  bool solo = true, together = true;
  bool matrix = false;            // every rail with every rail of the peer, each alone
  bool chosen = false;            // only some rails were asked for: those that nobody meets are no fault
  bool check = true;              // verify the data
  std::optional<int> iterations;  // messages per queue pair; empty: by time
  double seconds = 1;             // for one cell, without a question
  double seconds_question = quick_question_s;
  double precision = 0.02;  // half the interval of the median, over it
  double window_s = 0.02;   // one sample of the rate lasts at least this long
  std::uint64_t seed = 1;
  std::optional<RailQuestion> question;  // of each rail, at sizes of at least `question_from`
  std::uint64_t question_from = 64 << 10;
  int retests = 1;  // of a rail that came out bad
  double timeout_s = 60;
  std::string memory = "host";  // or "gpu"
  bool operator==(const Plan&) const = default;

  int moderation_for(std::uint64_t bytes) const;  // divides depth evenly; a multiple of chain_for()
  int chain_for() const;
  std::uint32_t inline_for(std::uint64_t bytes) const;
};

inline constexpr std::uint64_t most_message = 1 << 30;  // an RC message ends at 2 GiB

nlohmann::json to_json(const Plan& plan);
// Throws std::runtime_error: a key missing, of the wrong type, or out of range.
Plan plan_from_json(const nlohmann::json& json);

enum class Direction { forth, back, both };  // forth: the first end initiates

// One thing to measure: which rails carry which size, which way.
struct Cell {
  std::uint64_t bytes = 0;
  std::vector<std::size_t> lanes;  // positions in the list of rail pairs
  Direction direction = Direction::forth;
  bool together = false;
  std::string name() const;
};

// Size by size; each rail alone, then all at once; one direction, then the other. With one rail there is
// nothing to put together.
std::vector<Cell> cells_of(const Plan& plan, std::size_t lanes);

}  // namespace mlc::rdma
