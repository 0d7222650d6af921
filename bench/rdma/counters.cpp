#include "bench/rdma/counters.hpp"

#include <algorithm>
#include <array>

#include "validators/host/ethtool.hpp"
#include "validators/host/rdma_sysfs.hpp"

namespace mlc::rdma {

namespace {

struct Telling {
  std::string_view group, name;  // the name may end in * and begin with it
  std::string_view meaning;
};

// Worst first. Names: drivers/infiniband/hw/mlx5/counters.c, drivers/infiniband/sw/rxe/rxe_hw_counters.c,
// IBTA 16.1.3.5, drivers/net/ethernet/mellanox/mlx5/core/en_stats.c.
constexpr std::array<Telling, 33> table{{
    {"hw_counters", "req_transport_retries_exceeded",
     "retries ran out: a queue pair died; the peer cannot be reached this way"},
    {"hw_counters", "retry_exceeded_err",
     "retries ran out: a queue pair died; the peer cannot be reached this way"},
    {"hw_counters", "link_downed", "the link went down: cable, optics or switch port"},
    {"counters", "link_downed", "the link went down: cable, optics or switch port"},
    {"hw_counters", "local_ack_timeout_err", "acknowledgements never came: packets are lost on the way"},
    {"hw_counters", "completer_retry_err", "packets had to be sent again: loss on the way to the peer"},
    {"hw_counters", "packet_seq_err", "the peer saw packets missing: loss on the way to it"},
    {"hw_counters", "rcvd_seq_err", "the peer saw packets missing: loss on the way to it"},
    {"hw_counters", "out_of_sequence", "packets were lost on the way here"},
    {"hw_counters", "out_of_seq_request", "packets were lost on the way here"},
    {"hw_counters", "implied_nak_seq_err", "answers to reads were lost"},
    {"hw_counters", "duplicate_request", "the peer sent packets again: acknowledgements were lost or late"},
    {"hw_counters", "roce_adp_retrans", "adaptive retransmission was at work"},
    {"hw_counters", "roce_slow_restart", "senders had to start slowly again"},
    {"hw_counters", "send_err", "the interface refused packets"},
    {"hw_counters", "rx_icrc_encapsulated", "packets arrived broken"},
    {"counters", "symbol_error", "bits arrive broken: cable or optics"},
    {"counters", "port_rcv_errors", "packets arrive broken: cable or optics"},
    {"counters", "port_xmit_discards", "packets were thrown away on sending"},
    {"ethtool", "*discard*", "the NIC threw packets away"},
    {"ethtool", "rx_out_of_buffer", "no receive buffer was posted"},
    {"net", "rx_crc_errors", "packets arrive broken: cable or optics"},
    {"net", "rx_errors", "packets arrive broken"},
    {"net", "rx_dropped", "the interface dropped what came in"},
    {"net", "rx_missed_errors", "the interface had no buffer for what came in"},
    {"net", "tx_dropped", "the interface dropped what should go out: a shaper or a full queue"},
    {"net", "tx_errors", "sending failed"},
    {"hw_counters", "out_of_buffer", "no receive buffer was posted"},
    {"hw_counters", "rnr_nak_retry_err", "the receiver was not ready"},
    {"hw_counters", "rp_cnp_handled", "the peer or a switch asked this rail to slow down (CNP): congestion"},
    {"hw_counters", "np_ecn_marked_roce_packets",
     "switches marked packets on their way here (ECN): congestion"},
    {"hw_counters", "np_cnp_sent", "this end asked the peer to slow down (CNP): congestion"},
    {"ethtool", "*pause*", "flow control (PFC) stopped the line: a receiver behind it cannot keep up"},
}};

bool matches(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with('*')) return name == pattern;
  return name.find(pattern.substr(1, pattern.size() - 2)) != std::string_view::npos;
}

// Position in the table; its size for what tells nothing.
std::size_t rank_of(const std::string& counter) {
  const auto slash = counter.find('/');
  const std::string_view group(counter.data(), std::min(slash, counter.size()));
  const std::string_view name =
      slash == std::string::npos ? std::string_view() : std::string_view(counter).substr(slash + 1);
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i].group == group && matches(table[i].name, name)) return i;
  return table.size();
}

std::string short_name(const std::string& counter) { return counter.substr(counter.find('/') + 1); }

}  // namespace

CounterReading read_counters(const FileTree& files, const std::string& device, const std::string& netdev) {
  CounterReading reading;
  const auto add = [&](const std::string& group, const std::string& directory) {
    const auto names = files.list(directory);
    if (!names) return;
    for (const auto& name : *names)
      if (rank_of(group + "/" + name) < table.size())
        if (const auto value = files.number(directory + "/" + name)) reading[group + "/" + name] = *value;
  };
  add("hw_counters", port_path(device) + "hw_counters");
  add("counters", port_path(device) + "counters");
  if (!netdev.empty()) add("net", "/sys/class/net/" + netdev + "/statistics");
  if (!netdev.empty() && files.live())
    for (auto& [name, value] : ethtool_statistics(netdev))
      if (rank_of("ethtool/" + name) < table.size()) reading["ethtool/" + name] = value;
  return reading;
}

std::vector<CounterDelta> telling_deltas(const CounterReading& before, const CounterReading& after) {
  std::vector<CounterDelta> deltas;
  for (const auto& [name, value] : after) {
    const auto was = before.find(name);
    // One that went backwards was reset, by a driver or by hand: nothing can be said of it.
    if (was != before.end() && value > was->second && rank_of(name) < table.size())
      deltas.push_back({name, value - was->second});
  }
  std::ranges::stable_sort(deltas, {}, [](const CounterDelta& delta) { return rank_of(delta.name); });
  return deltas;
}

std::string explain(const std::vector<CounterDelta>& deltas) {
  std::string text;
  std::string_view last;
  std::size_t said = 0;
  for (const auto& delta : deltas) {
    const std::size_t rank = rank_of(delta.name);
    if (rank == table.size() || table[rank].meaning == last || said == 3) continue;
    last = table[rank].meaning, ++said;
    text += (text.empty() ? "" : "; ") + short_name(delta.name) + " +" + std::to_string(delta.by) + ": " +
            std::string(last);
  }
  return text;
}

}  // namespace mlc::rdma
