// How the flows of one test are carried: all rails at once, both ways, each over as many queue pairs (over
// TCP: connections). Both ends make theirs (begin), tell each other where they are (offer, connect) and carry
// data for the same time (measure). What is wrong with one rail is in that rail's figures and stops no other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fleet/localisation/test_result.hpp"
#include "bench/fleet/measurement/flow_side.hpp"

namespace mlc::fleet {

struct TestTerms {
  std::string token;  // of this test alone: who has it belongs to it
  PlannedTest plan;
  int uplinks = 0;  // of a leaf; 0: not known
  double warm_up_s = .5, test_s = 1.5, connect_s = 3;
};

// The flow's source port, relative to the first that an engine uses: the same two nodes meet again over the
// same path, and queue pairs take ports of their own. The two lowest bits are the queue pair's.
int source_port_of(const TestTerms& terms, int queue_pair);
inline constexpr int source_ports = 1024 * queue_pairs;

inline constexpr std::size_t token_bytes = 32;

nlohmann::json to_json(const TestTerms& terms);
// Throws std::runtime_error or nlohmann::json::exception: a key missing, of another type, out of range.
TestTerms terms_from(const nlohmann::json& json);

class TestEnd {
 public:
  virtual ~TestEnd() = default;
  // For the other end.
  virtual nlohmann::json offer() = 0;
  // Within connect_s. Throws std::runtime_error where the offer is none.
  virtual void connect(const nlohmann::json& offer) = 0;
  // By rail. `alive` is called ten times a second; false from it ends the test.
  virtual std::vector<RailSides> measure(const std::function<bool()>& alive) = 0;
};

struct EngineRail {
  std::string name;     // of its device here
  double gbit_s = 0;    // what the link says of itself; 0: nothing
  std::string problem;  // why it carries nothing; empty: it does
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;
  virtual const std::vector<EngineRail>& rails() const = 0;
  virtual std::unique_ptr<TestEnd> begin(const TestTerms& terms) = 0;
};

}  // namespace mlc::fleet
