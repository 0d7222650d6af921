#include "bench/cli/rdma_options.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/backends/memory.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/ranks/tcp_control.hpp"
#include "bench/rdma/rail_memory.hpp"
#include "bench/rdma/rates.hpp"
#include "reports/record/json_reader.hpp"

namespace mlc {

void RdmaOptions::add_to(CLI::App& c) {
  c.add_option("operation", operation, "write, read or send (default write)")->type_name("write|read|send");
  c.add_option("--mode", mode, "bandwidth, latency or rate (default bandwidth)")
      ->group("Operation")
      ->type_name("bandwidth|latency|rate");
  c.add_flag("--latency", latency, "the same as --mode latency: half of there and back; of a read, all of it")
      ->group("Operation");
  c.add_flag("--message-rate", message_rate, "the same as --mode rate: small messages, many to a doorbell")
      ->group("Operation");
  c.add_flag("--bidirectional", bidirectional, "both ends send at the same time")->group("Operation");
  c.add_flag("--one-way", one_way, "only from the first end to the second (default: one way, then the other)")
      ->group("Operation");
  c.add_option("--memory", memory, "host, or gpu: of the GPU nearest to each rail (default host)")
      ->group("Operation")
      ->type_name("host|gpu");

  sizes.add_to(c, "4 KiB of a range", "8 MiB of a range", " (default 64K; latency and rate 8)");

  c.add_option("--rails", rails, "only these rails: 0,2 (default all)")->group("Rails")->type_name("N,...");
  c.add_option("--devices", devices, "these RDMA devices are the rails, in this order: mlx5_0,mlx5_3")
      ->group("Rails")
      ->type_name("NAME,...");
  c.add_flag("--solo", solo, "each rail alone only")->group("Rails");
  c.add_flag("--together", together, "all rails at the same time only")->group("Rails");
  c.add_flag("--both", both, "each alone, then all at the same time (the default)")->group("Rails");
  c.add_flag("--matrix", matrix, "every rail with every rail of the peer, each alone")->group("Rails");

  c.add_option("--qps", pairs, "queue pairs per rail (default 4)")
      ->group("Queue pairs")
      ->check(CLI::Range(1, 1024));
  c.add_option("--depth,--tx-depth", depth, "sends outstanding per queue pair (default 128)")
      ->group("Queue pairs")
      ->check(CLI::Range(1, 1 << 15));
  c.add_option("--moderation,--cq-mod", moderation, "signal every n-th send (default 1 above 8 KiB, else 64)")
      ->group("Queue pairs")
      ->check(CLI::Range(1, 1 << 15));
  c.add_option("--post-list", chain, "sends per doorbell (default 1; with --message-rate 32)")
      ->group("Queue pairs")
      ->check(CLI::Range(1, static_cast<int>(rdma::QueuePair::most_in_chain)));
  c.add_option("--inline", inline_bytes,
               "largest message sent inline (default 0; with --latency 220 for write, 236 for send)")
      ->group("Queue pairs")
      ->check(CLI::Range(0, 4096));
  c.add_option("--traffic-class,--tclass", traffic_class, "of the GRH: DSCP x 4 (default 0)")
      ->group("Queue pairs")
      ->check(CLI::Range(0, 255));
  c.add_option("-m,--mtu", mtu, "RDMA path MTU: 256 to 4096 (default: what both ports have active)")
      ->group("Queue pairs")
      ->check(CLI::IsMember({256, 512, 1024, 2048, 4096}));
  c.add_option("-x,--gid-index", gid_index, "row of the GID table (default: as NCCL chooses it)")
      ->group("Queue pairs")
      ->check(CLI::Range(0, 4095));

  measuring.add_to(c, "messages per queue pair (latency 1000)",
                   "0 switches verification of the data off (default 1)", 1);
  c.add_option("--wait", wait,
               "spin, yield or event, while nothing completes; auto: by the cores there are (default auto)")
      ->group("Measuring")
      ->type_name("auto|spin|yield|event");
  add_policy(c, policy);
  measuring.add_admission_to(c);

  listens = c.add_option("--listen", listen,
                         "wait for a peer on TCP port PORT (default " + std::to_string(rdma::default_port) +
                             "); what is measured, the peer says")
                ->group("Peer")
                ->expected(0, 1)
                ->type_name("[PORT]");
  c.add_option("--connect", connect, "measure with the one that listens there")
      ->group("Peer")
      ->type_name("HOST[:PORT]");
  c.add_flag("--loopback", loopback, "each rail with itself; the default without a peer")->group("Peer");
  add_timeout(c, "-T,--timeout,--deadline", timeout, "Peer",
              "how long a peer may be silent, or nothing may move, before that is an error");
  add_inject(c, fault, rail_faults(), " on this end");
  output.add_to(c);
}

namespace {

std::vector<int> rail_list(const std::string& text) {
  std::vector<int> rails;
  for (const auto& part : split(text))
    rails.push_back(number_from<int>("--rails", part, 0, 1023, ""));
  if (!text.empty() && rails.empty()) throw UsageError("--rails is empty");
  return rails;
}

// "gpu-b", "gpu-b:18517", "10.0.0.2:18517", "[fd00::2]:18517", "fd00::2"
void read_peer(const std::string& text, RdmaRequest& request) {
  std::string host = text, port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string::npos)
      throw UsageError("--connect '" + printable(text) + "' has no closing bracket");
    host = text.substr(1, close - 1), port = text.substr(close + 1);
    if (!port.empty() && port.front() == ':') port.erase(0, 1);
  } else if (std::ranges::count(text, ':') == 1) {
    host = text.substr(0, text.find(':')), port = text.substr(text.find(':') + 1);
    if (port.empty()) throw UsageError("--connect '" + printable(text) + "' has no port after the colon");
  }
  if (host.empty()) throw UsageError("--connect needs a host", "--connect gpu-b, --connect 10.0.0.2:18516");
  request.connect_host = host;
  request.connect_port =
      port.empty() ? rdma::default_port : number_from<int>("--connect", port, 1, 65535, "");
}

rdma::Mode mode_of(const RdmaOptions& o) {
  const int given = (o.latency ? 1 : 0) + (o.message_rate ? 1 : 0) + (o.mode.empty() ? 0 : 1);
  if (given > 1)
    throw UsageError("--latency, --message-rate and --mode say the same thing; give one of them");
  if (o.latency) return rdma::Mode::latency;
  if (o.message_rate) return rdma::Mode::rate;
  if (o.mode.empty()) return rdma::Mode::bandwidth;
  const auto mode = rdma::parse_mode(o.mode);
  if (!mode) throw UsageError("--mode '" + printable(o.mode) + "' is none of bandwidth, latency, rate");
  return *mode;
}

std::vector<std::uint64_t> rdma_sizes(const RdmaOptions& o, rdma::Mode mode) {
  if (!o.sizes.given()) return {mode == rdma::Mode::bandwidth ? std::uint64_t{64 << 10} : std::uint64_t{8}};
  SizeRange sizes = o.sizes.range();
  if (o.sizes.range_given()) {
    if (!sizes.begin) sizes.begin = std::min<std::uint64_t>(4 << 10, sizes.end.value_or(8 << 20));
    if (!sizes.end) sizes.end = std::max<std::uint64_t>(8 << 20, *sizes.begin);
  }
  auto list = sizes_of(sizes);
  for (const auto size : list)
    if (size == 0 || size > rdma::most_message)
      throw UsageError("a message of " + bytes_text(size) + " cannot be measured",
                       "sizes are from 1 byte to " + bytes_text(rdma::most_message));
  return list;
}

void judge_by(const Policy& policy, bool admission, RdmaRequest& request) {
  if (policy.target) request.bounds.rail_gbit_s = policy.target->rail_gbit_s;
  if (!policy.rdma) return;
  const RdmaExpectation& expected = *policy.rdma;
  rdma::Plan& plan = request.plan;
  plan.retests = expected.retests, plan.question_from = request.bounds.from_bytes = expected.from_size;
  request.bounds.siblings_at_least = expected.share_of_siblings.value_or(0);
  request.bounds.together_at_least = expected.share_of_solo.value_or(0);
  request.bounds.latency_us = expected.latency_us;
  double bound = expected.rail_gbit_s.value_or(0);
  if (expected.share_of_ceiling)
    bound = *expected.share_of_ceiling * rdma::ceiling_gbit_s(policy.target->rail_gbit_s, policy.target->mtu,
                                                              static_cast<std::uint64_t>(policy.target->mtu));
  if (bound > 0 && plan.mode == rdma::Mode::bandwidth)
    plan.question = {.gbit_s = bound,
                     .false_admit = policy.confidence.false_admit,
                     .false_reject = policy.confidence.false_reject,
                     .max_windows = policy.confidence.max_batches,
                     .observe_s = admission ? policy.confidence.observe_s : 0,
                     .stall_s = policy.confidence.stall_s};
  plan.window_s = policy.confidence.batch_s;
}

}  // namespace

RdmaRequest rdma_request_of(const RdmaOptions& o) {
  RdmaRequest request;
  rdma::Plan& plan = request.plan;
  const auto verb = rdma::parse_verb(o.operation);
  if (!verb) {
    const auto near = nearest(o.operation, std::vector<std::string>{"write", "read", "send"});
    throw UsageError("'" + printable(o.operation) + "' is none of write, read, send",
                     near ? "did you mean '" + *near + "'?" : "");
  }
  plan.verb = *verb, plan.mode = mode_of(o), plan.sizes = rdma_sizes(o, plan.mode);
  plan.pairs = o.pairs, plan.depth = o.depth, plan.moderation = o.moderation, plan.chain = o.chain;
  plan.inline_bytes = o.inline_bytes, plan.traffic_class = o.traffic_class, plan.mtu = o.mtu;
  plan.check = o.measuring.check > 0, plan.seed = o.measuring.seed;
  plan.precision = o.measuring.precision_or(2);
  if (o.bidirectional && o.one_way) throw UsageError("--bidirectional and --one-way exclude each other");
  if (o.bidirectional && plan.mode == rdma::Mode::latency)
    throw UsageError("--bidirectional has no meaning for latency: every round goes there and back");
  plan.both_directions = o.bidirectional, plan.one_way = o.one_way;
  if ((o.solo ? 1 : 0) + (o.together ? 1 : 0) + (o.both ? 1 : 0) + (o.matrix ? 1 : 0) > 1)
    throw UsageError("--solo, --together, --both and --matrix exclude each other; give one of them");
  plan.solo = !o.together, plan.together = !o.solo && !o.matrix, plan.matrix = o.matrix;
  if (plan.inline_bytes > 0 && plan.verb == rdma::Verb::read)
    throw UsageError("a read sends no data that could be inline");
  if (plan.chain > plan.depth) throw UsageError("--post-list is larger than --depth");
  if (plan.moderation > plan.depth) throw UsageError("--moderation is larger than --depth");
  plan.iterations = o.measuring.fixed_iterations();
  plan.seconds = o.measuring.longest_s().value_or(plan.seconds);
  plan.timeout_s = seconds_from("--timeout", o.timeout, "100ms");
  if (o.memory != "host" && o.memory != "gpu")
    throw UsageError("--memory '" + printable(o.memory) + "' is none of host, gpu");
  plan.memory = o.memory;
  if (plan.memory == "gpu") {
    if (const auto why = rdma::gpu_memory_absent(); !why.empty()) throw BackendError("--memory gpu: " + why);
    if (plan.mode == rdma::Mode::latency && plan.verb == rdma::Verb::write)
      throw UsageError(
          "the latency of a write is seen by waiting in memory, which the host cannot do in a GPU's",
          "take 'send --latency' or 'read --latency'");
  }
  request.rails = {rail_list(o.rails), split(o.devices),
                   o.gid_index >= 0 ? std::optional(o.gid_index) : std::nullopt};
  plan.chosen = !o.rails.empty() || !o.devices.empty();
  if (!o.rails.empty() && !o.devices.empty()) throw UsageError("--rails and --devices exclude each other");
  const std::vector<std::pair<std::string, rdma::Wait>> waits{{"auto", rdma::Wait::automatic},
                                                              {"spin", rdma::Wait::spin},
                                                              {"yield", rdma::Wait::yield},
                                                              {"event", rdma::Wait::event}};
  const auto wait = std::ranges::find(waits, o.wait, [](const auto& entry) { return entry.first; });
  if (wait == waits.end())
    throw UsageError("--wait '" + printable(o.wait) + "' is none of auto, spin, yield, event");
  request.wait = wait->second;
  if (!o.fault.empty()) {
    request.fault = fault_from(o.fault, rail_faults());
    request.fault_text = o.fault;
    check_verified(*request.fault, o.measuring.check);
    if (request.fault->kind == Fault::Kind::flip)
      check_below("index", request.fault->index, *std::ranges::max_element(plan.sizes),
                  "the bytes of the largest message");
  }
  const bool listens = o.listens != nullptr && o.listens->count() > 0;
  if ((listens ? 1 : 0) + (o.connect.empty() ? 0 : 1) + (o.loopback ? 1 : 0) > 1)
    throw UsageError("--listen, --connect and --loopback exclude each other");
  if (listens)
    request.listen =
        o.listen.empty() ? rdma::default_port : number_from<int>("--listen", o.listen, 1, 65535, "");
  if (!o.connect.empty()) read_peer(o.connect, request);
  request.loopback = o.loopback;
  request.policy = named_policy(o.policy);
  judge_by(request.policy, o.measuring.admission, request);
  plan.seconds_question = o.measuring.longest_question_s(request.policy.confidence);
  o.output.check();
  return request;
}

const char* rdma_explained() {
  return R"(rdma: write, read and send between the rails of two nodes, without MPI or NCCL in between

alone     the payload rate of one rail, one way, while the node's other rails rest: the median over windows of 20 ms
together  the same with all rails at the same time, in one process; the sum is set against the sum of those alone: less
          means that the rails share something narrower than themselves (a PCIe switch, memory, the cores)
target    the rail's signalling rate: the policy's, else what its port says
ceiling   what the path MTU lets the wire carry as payload. RoCE v2 over IPv4 adds 82 bytes to a packet: 196.07 of
          200 Gbit/s at MTU 4096, 185.17 at 1024. 0.93 of the ceiling at 4096 is all there is at 1024: a wrong MTU
siblings  the rate over the median of the node's other rails: of four like rails, the one that differs is at fault
latency   half of there and back of a message (of a read: all of it), p50 to p99.9
counters  those of both ports that tell of loss, congestion or pauses, and moved meanwhile

rails     the policy's, by their addresses; else every RDMA device with an interface here. Rail i meets the peer's rail i,
          by their subnet where they share one. The GID is the one NCCL would take: RoCE v2, IPv4-mapped, of the rail's
          own interface
peers     mpirun or srun: one rank on each node, every two nodes meet, in rounds of disjoint pairs.
          --listen on one node and --connect NODE on the other: what is measured, the connecting end says.
          Neither: each rail with itself, through its NIC and no further
verdict   a policy's rdma: section says what each rail must reach; decided like the collectives' thresholds, with bounded
          error rates (mlc-bench explain thresholds). What comes out bad is measured again before it is called bad.
          --admission observes all rails together, as the one load that heats
)";
}

std::string plan_text(const rdma::Plan& plan, const rdma::Bounds& bounds) {
  nlohmann::json json{{"plan", rdma::to_json(plan)},
                      {"bounds",
                       {{"rail_gbit_s", bounds.rail_gbit_s},
                        {"siblings_at_least", bounds.siblings_at_least},
                        {"together_at_least", bounds.together_at_least},
                        {"from_bytes", bounds.from_bytes}}}};
  if (bounds.latency_us) json["bounds"]["latency_us"] = *bounds.latency_us;
  return json.dump();
}

std::pair<rdma::Plan, rdma::Bounds> plan_from_text(const std::string& text) {
  try {
    const auto json = read_json(text);
    const auto& from = json.at("bounds");
    rdma::Bounds bounds{.rail_gbit_s = from.at("rail_gbit_s").get<double>(),
                        .siblings_at_least = from.at("siblings_at_least").get<double>(),
                        .together_at_least = from.at("together_at_least").get<double>(),
                        .latency_us = {},
                        .from_bytes = from.at("from_bytes").get<std::uint64_t>()};
    if (from.contains("latency_us")) bounds.latency_us = from.at("latency_us").get<double>();
    return {rdma::plan_from_json(json.at("plan")), bounds};
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("the peer's plan cannot be read: ") + printable(error.what()));
  } catch (const JsonError& error) {
    throw std::runtime_error(std::string("the peer's plan cannot be read: ") + error.what());
  }
}

}  // namespace mlc
