#include "bench/rdma/connection.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "bench/ranks/frame.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc::rdma {

namespace {

using Json = nlohmann::json;

constexpr std::size_t most_items = 100'000;

// What a peer says is read here and nowhere else: each mistake in it names itself.
template <class Reader>
auto read(const std::string& text, const char* what, Reader&& reader) {
  try {
    return reader(read_json(text));
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string("the peer's ") + what +
                             " cannot be read: " + printable(error.what()));
  }
}

template <class T>
std::vector<T> numbers(const Json& json) {
  if (json.size() > most_items)
    throw std::runtime_error("a list of " + std::to_string(json.size()) + " items");
  if constexpr (std::is_integral_v<T>) {
    std::vector<T> whole;
    for (const auto& one : json)
      whole.push_back(whole_number<T>(one));
    return whole;
  } else {
    return json.get<std::vector<T>>();
  }
}

template <class Lane, class Writer>
std::string list_text(const std::vector<Lane>& lanes, Writer&& writer) {
  Json json = Json::array();
  for (const auto& lane : lanes)
    json.push_back(writer(lane));
  // A device name or an error text may hold anything; what is not UTF-8 is replaced, not refused.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class Lane, class Reader>
std::vector<Lane> list_from(const std::string& text, std::size_t lanes, const char* what, Reader&& reader) {
  return read(text, what, [&](const Json& json) {
    if (!json.is_array() || json.size() != lanes)
      throw std::runtime_error("it has " + std::to_string(json.size()) + " entries where " +
                               std::to_string(lanes) + " belong: the two ends measure different things");
    std::vector<Lane> list;
    for (const auto& each : json)
      list.push_back(reader(each));
    return list;
  });
}

Json to_json(const std::vector<CounterDelta>& deltas) {
  Json json = Json::array();
  for (const auto& delta : deltas)
    json.push_back({delta.name, delta.by});
  return json;
}

}  // namespace

std::string to_text(const NodeFacts& facts) {
  Json rails = Json::array();
  for (const auto& rail : facts.rails)
    rails.push_back({{"index", rail.index},
                     {"device", rail.device},
                     {"netdev", rail.netdev},
                     {"gid", rail.gid},
                     {"gid_index", rail.gid_index},
                     {"network", rail.network},
                     {"rate_gbit_s", rail.rate_gbit_s},
                     {"problem", rail.problem},
                     {"warning", rail.warning},
                     {"doubt", rail.doubt}});
  const Json json{{"protocol", protocol_version},
                  {"version", facts.version},
                  {"node", facts.node},
                  {"memory", facts.memory},
                  {"rails", rails}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

NodeFacts node_facts_from(const std::string& text) {
  return read(text, "description of itself", [](const Json& json) {
    if (whole_number<int>(json.at("protocol")) != protocol_version)
      throw std::runtime_error("it speaks version " + std::to_string(whole_number<int>(json.at("protocol"))) +
                               " of the protocol, this program version " + std::to_string(protocol_version));
    NodeFacts facts{json.at("node").get<std::string>(),
                    json.at("version").get<std::string>(),
                    json.at("memory").get<std::string>(),
                    {}};
    if (json.at("rails").size() > 1024) throw std::runtime_error("it has too many rails");
    for (const auto& rail : json.at("rails"))
      facts.rails.push_back({.index = whole_number<int>(rail.at("index")),
                             .device = printable(rail.at("device").get<std::string>(), 64),
                             .netdev = printable(rail.at("netdev").get<std::string>(), 64),
                             .gid = printable(rail.at("gid").get<std::string>(), 64),
                             .gid_index = whole_number<int>(rail.at("gid_index")),
                             .network = printable(rail.at("network").get<std::string>(), 64),
                             .rate_gbit_s = rail.at("rate_gbit_s").get<double>(),
                             .numa_node = -1,
                             .problem = rail.at("problem").get<std::string>(),
                             .warning = rail.at("warning").get<std::string>(),
                             .doubt = rail.at("doubt").get<std::string>()});
    return facts;
  });
}

std::string to_text(const std::vector<LaneAddress>& lanes) {
  return list_text(lanes, [](const LaneAddress& lane) {
    Json pairs = Json::array();
    for (const auto& pair : lane.pairs)
      pairs.push_back({pair.number, pair.sequence});
    return Json{{"error", lane.error}, {"gid", lane.gid},     {"lid", lane.lid},
                {"mtu", lane.mtu},     {"reads", lane.reads}, {"source", lane.source},
                {"sink", lane.sink},   {"key", lane.key},     {"pairs", pairs}};
  });
}

std::vector<LaneAddress> lane_addresses_from(const std::string& text, std::size_t lanes) {
  return list_from<LaneAddress>(text, lanes, "connection data", [](const Json& json) {
    LaneAddress lane{.error = json.at("error").get<std::string>(),
                     .gid = json.at("gid").get<GidBytes>(),
                     .lid = whole_number<std::uint16_t>(json.at("lid")),
                     .mtu = whole_number<int>(json.at("mtu")),
                     .reads = whole_number<int>(json.at("reads")),
                     .source = whole_number<std::uint64_t>(json.at("source")),
                     .sink = whole_number<std::uint64_t>(json.at("sink")),
                     .key = whole_number<std::uint32_t>(json.at("key")),
                     .pairs = {}};
    if (json.at("pairs").size() > 1024) throw std::runtime_error("it has too many queue pairs");
    for (const auto& pair : json.at("pairs"))
      lane.pairs.push_back(
          {whole_number<std::uint32_t>(pair.at(0)), whole_number<std::uint32_t>(pair.at(1))});
    return lane;
  });
}

std::string to_text(const std::vector<LaneReport>& lanes) {
  return list_text(lanes, [](const LaneReport& lane) {
    return Json{{"error", lane.error},
                {"mtu", lane.mtu},
                {"sent", lane.sent},
                {"median_gbit_s", lane.median_gbit_s},
                {"mean_gbit_s", lane.mean_gbit_s},
                {"ci_gbit_s", lane.ci_gbit_s},
                {"windows", lane.windows},
                {"answer", lane.answer},
                {"doubt", lane.doubt},
                {"observed_s", lane.observed_s},
                {"stop", lane.stop},
                {"latency_us", lane.latency_us},
                {"edges_us", lane.edges_us},
                {"counts", lane.counts}};
  });
}

std::vector<LaneReport> lane_reports_from(const std::string& text, std::size_t lanes) {
  return list_from<LaneReport>(text, lanes, "results", [](const Json& json) {
    LaneReport lane{.error = json.at("error").get<std::string>(),
                    .mtu = whole_number<int>(json.at("mtu")),
                    .sent = numbers<std::uint64_t>(json.at("sent")),
                    .median_gbit_s = json.at("median_gbit_s").get<double>(),
                    .mean_gbit_s = json.at("mean_gbit_s").get<double>(),
                    .ci_gbit_s = json.at("ci_gbit_s").get<std::array<double, 2>>(),
                    .windows = whole_number<std::uint64_t>(json.at("windows")),
                    .answer = whole_number<int>(json.at("answer")),
                    .doubt = printable(json.at("doubt").get<std::string>(), 20),
                    .observed_s = json.at("observed_s").get<double>(),
                    .stop = printable(json.at("stop").get<std::string>(), 20),
                    .latency_us = numbers<double>(json.at("latency_us")),
                    .edges_us = numbers<double>(json.at("edges_us")),
                    .counts = numbers<std::uint64_t>(json.at("counts"))};
    if (!lane.counts.empty() && lane.edges_us.size() != lane.counts.size() + 1)
      throw std::runtime_error("a histogram needs one edge more than counts");
    if (!lane.latency_us.empty() && lane.latency_us.size() != 6)
      throw std::runtime_error("there are " + std::to_string(lane.latency_us.size()) +
                               " latencies where 6 belong");
    return lane;
  });
}

std::string to_text(const std::vector<LaneCheck>& lanes) {
  return list_text(lanes, [](const LaneCheck& lane) {
    Json json{{"error", lane.error}, {"first_wrong", lane.first_wrong}, {"counters", to_json(lane.counters)}};
    if (lane.wrong) json["wrong"] = *lane.wrong;
    return json;
  });
}

std::vector<LaneCheck> lane_checks_from(const std::string& text, std::size_t lanes) {
  return list_from<LaneCheck>(text, lanes, "verification", [](const Json& json) {
    LaneCheck lane{.error = json.at("error").get<std::string>(),
                   .wrong = {},
                   .first_wrong = json.at("first_wrong").get<std::string>(),
                   .counters = {}};
    if (json.contains("wrong")) lane.wrong = whole_number<std::uint64_t>(json.at("wrong"));
    if (json.at("counters").size() > 1000) throw std::runtime_error("it has too many counters");
    for (const auto& delta : json.at("counters"))
      lane.counters.push_back(
          {printable(delta.at(0).get<std::string>(), 80), whole_number<std::uint64_t>(delta.at(1))});
    return lane;
  });
}

}  // namespace mlc::rdma
