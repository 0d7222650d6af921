#include <algorithm>
#include <cstdio>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

// What a subnet manager gives a port. P_Keys: bit 15 is full membership, two limited members do not talk
// (IBTA 10.9.1.1).
struct Subnet {
  Read<std::uint64_t> lid, manager;  // of this port, of the subnet manager; 0: none
  std::vector<std::uint64_t> keys;  // those in use, in order: index 0 is what jobs take unless told otherwise
};

struct Port {
  std::string subject, rdma, netdev;
  Read<std::string> state, phys_state, link_layer, rate;
  Read<std::uint64_t> netdev_speed;       // Mbit/s; VFs may not say
  bool set_down = false;                  // by an administrator, a playbook or a CNI: the cable may be good
  std::string dead_pf;                    // name of a VF's PF in this namespace that has no link
  std::vector<std::string> dead_members;  // of a bond
  Subnet subnet;                          // InfiniBand
};

struct Wanted {
  std::optional<double> rate;
  std::string link_layer;  // empty: what the port says
  std::optional<unsigned> key;
};

// Gbit/s. An RDMA port cannot say less (1X SDR, drivers/infiniband/core/verbs.c ib_get_eth_speed): it stands
// for every slower interface under soft RoCE.
constexpr double least_rate = 2.5;

std::string hex4(std::uint64_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%04llx", static_cast<unsigned long long>(value));
  return text;
}

void judge_link_layer(CheckFindings& findings, const Port& port, const std::string& observed,
                      const std::string& wanted, const std::string& expected, const std::string& source) {
  findings.fail(port.subject, port.rdma + " is " + observed, expected, source,
                "the policy is for " + wanted +
                    " (node.rails.link_layer): judge this node under the policy of "
                    "its own fabric; only if the port is meant for " +
                    wanted + ": mlxconfig -d " + port.rdma +
                    " set LINK_TYPE_P1=" + (wanted == "Ethernet" ? "2" : "1") + ", then power-cycle");
}

void judge_subnet(CheckFindings& findings, const Port& port, std::optional<unsigned> key,
                  const std::string& rate) {
  const Subnet& subnet = port.subnet;
  const std::string source = port_path(port.rdma) + "{lid,sm_lid,pkeys}",
                    expected = "a LID, a subnet manager, full membership of " +
                               (key ? "partition " + hex4(*key) : std::string("the partition at index 0"));
  const auto member = [](std::uint64_t own) { return (own & 0x8000) != 0; };
  if (!subnet.lid || !subnet.manager || subnet.keys.empty()) {
    findings.unknown(port.subject,
                     !subnet.lid       ? subnet.lid.why
                     : !subnet.manager ? subnet.manager.why
                                       : "no P_Key could be read",
                     expected, source, "read it by hand: ibstat " + port.rdma);
    return;
  }
  const auto own = std::ranges::find_if(
      subnet.keys, [&](std::uint64_t one) { return key && (one & 0x7fff) == (*key & 0x7fff); });
  // Unicast LIDs are 1 to 0xbfff (IBTA 4.1.3).
  if (*subnet.manager == 0 || *subnet.lid == 0 || *subnet.lid > 0xbfff)
    findings.fail(port.subject,
                  *subnet.manager == 0 ? "no subnet manager has been here (SM LID 0)"
                                       : "LID " + hex4(*subnet.lid) + " is none that a port can have",
                  expected, source,
                  "start a subnet manager on the fabric (opensm, UFM, or the switch's own), then: sminfo; "
                  "ibstat " +
                      port.rdma);
  else if (key && own == subnet.keys.end())
    findings.fail(port.subject, "not in partition " + hex4(*key) + ", only in " + hex4(subnet.keys.front()),
                  expected, source,
                  "add the port's GUID to the partition on the subnet manager (partitions.conf)");
  else if (!member(key ? *own : subnet.keys.front()))
    findings.fail(port.subject,
                  "a limited member of partition " + hex4(key ? *own : subnet.keys.front()) +
                      ": two limited members do not reach each other",
                  expected, source,
                  "make the port a full member on the subnet manager (partitions.conf: GUID=full)");
  else
    findings.pass(port.subject,
                  "ACTIVE at " + rate + ", LID " + std::to_string(*subnet.lid) + ", P_Key " +
                      hex4(key ? *own : subnet.keys.front()),
                  expected, source);
}

void judge_port(CheckFindings& findings, const Port& port, const Wanted& wanted, double rate_wanted) {
  const std::string rate_text = shortest(rate_wanted) + " Gbit/s";
  const std::string source = port_path(port.rdma) + "{state,phys_state,link_layer,rate}";
  const std::string layer = !wanted.link_layer.empty() ? wanted.link_layer
                            : port.link_layer          ? *port.link_layer
                                                       : "Ethernet";
  const std::string expected = "ACTIVE, LinkUp, " + layer + ", " + rate_text;
  const Read<std::string>* all[]{&port.state, &port.phys_state, &port.link_layer, &port.rate};
  for (const auto* one : all)
    if (!*one) {
      findings.unknown(port.subject, one->why, expected, source,
                       "the device may have vanished: dmesg | grep mlx5_core, then run again");
      return;
    }
  const auto rate = leading_number(*port.rate);
  const std::string observed =
      *port.state + ", " + *port.phys_state + ", " + *port.link_layer + ", " + *port.rate;
  const bool infiniband = *port.link_layer == "InfiniBand";
  if (port.set_down && !infiniband)
    findings.fail(port.subject, port.netdev + " is set down; " + port.rdma + " is " + observed, expected,
                  "RTM_GETLINK IFF_UP of " + port.netdev + ", " + source,
                  "ip link set " + port.netdev +
                      " up, and find who set it down; its addresses and routes may have to be made again");
  else if (!port.dead_pf.empty())
    findings.fail(port.subject,
                  "its PF " + port.dead_pf + " has no link, though " + port.rdma + " says " + observed,
                  expected, "RTM_GETLINK of " + port.dead_pf + ", " + source,
                  "reseat or replace the cable of " + port.subject + ", check the switch port");
  else if (*port.link_layer != layer)
    judge_link_layer(findings, port, observed, layer, expected, source);
  else if (infiniband && port.state->starts_with("2:"))
    findings.fail(port.subject,
                  port.rdma + " is " + observed + ": the cable is good, no subnet manager made it active",
                  expected, source,
                  "start a subnet manager on the fabric (opensm, UFM, or the switch's own), then: sminfo");
  else if (!port.state->starts_with("4:") || !port.phys_state->starts_with("5:"))
    findings.fail(port.subject, port.rdma + " is " + observed, expected, source,
                  "reseat or replace the cable of " + port.subject +
                      ", check the switch port, then run: mlc-bench validate rdma.port-state");
  else if (!rate)
    findings.unknown(port.subject, "rate '" + printable(*port.rate, 40) + "' is no number", expected, source,
                     "read it by hand: rdma link show " + port.rdma + "/1");
  else if (*rate != rate_wanted)
    findings.fail(port.subject, port.rdma + " runs at " + *port.rate, rate_text, source,
                  "the port negotiated another speed: mlxlink -d " + port.rdma +
                      " -m -c; check FEC, cable and the switch port");
  else if (infiniband)
    judge_subnet(findings, port, wanted.key, *port.rate);
  else if (!port.dead_members.empty())
    findings.fail(port.subject,
                  join(port.dead_members, ", ") + " of the bond " + port.netdev + " has no link, though " +
                      port.rdma + " is " + observed,
                  "every member up", "RTM_GETLINK of " + join(port.dead_members, ", "),
                  "reseat or replace the cable of " + port.dead_members.front() +
                      ", check the switch port; the bond carries on with what is left");
  else if (rate_wanted > least_rate && port.netdev_speed &&
           static_cast<double>(*port.netdev_speed) < rate_wanted * 1000)
    findings.fail(
        port.subject,
        port.netdev + " says " + std::to_string(*port.netdev_speed) + " Mbit/s, the RDMA port " + *port.rate,
        rate_text, "/sys/class/net/" + port.netdev + "/speed",
        "mlxlink -d " + port.rdma + " -m -c shows what was negotiated");
  else
    findings.pass(port.subject, "ACTIVE at " + *port.rate, expected, source);
}

std::vector<Finding> judge(const std::vector<Port>& ports, const Wanted& wanted) {
  CheckFindings findings("rdma.port-state");
  // Without a policy the rails are each other's standard: the fastest is what they all should be.
  double rate_wanted = wanted.rate.value_or(0);
  for (const auto& port : ports)
    if (!wanted.rate && port.rate)
      rate_wanted = std::max(rate_wanted, leading_number(*port.rate).value_or(0));
  for (const auto& port : ports)
    judge_port(findings, port, wanted, rate_wanted);
  return findings.done();
}

Subnet read_subnet(const FileTree& files, const std::string& rdma) {
  Subnet subnet{files.number(port_path(rdma) + "lid"), files.number(port_path(rdma) + "sm_lid"), {}};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> rows;
  if (const auto names = files.list(port_path(rdma) + "pkeys"))
    for (const auto& name : *names)
      if (const auto row = whole_number(name))
        if (const auto key = files.number(port_path(rdma) + "pkeys/" + name); key && *key != 0)
          rows.emplace_back(*row, *key);
  std::ranges::sort(rows);
  for (const auto& [row, key] : rows)
    subnet.keys.push_back(key);
  return subnet;
}

Port read_port(const Host& host, const Rail& rail) {
  const auto read = [&](const char* name) { return host.files().text(port_path(rail.rdma) + name); };
  Port port{.subject = rail.name(),
            .rdma = rail.rdma,
            .netdev = rail.netdev,
            .state = read("state"),
            .phys_state = read("phys_state"),
            .link_layer = read("link_layer"),
            .rate = read("rate"),
            .netdev_speed = host.files().number("/sys/class/net/" + rail.netdev + "/speed"),
            .set_down = rail.link && !rail.link->up()};
  if (port.netdev_speed && *port.netdev_speed > 0x7fffffff)
    port.netdev_speed = Read<std::uint64_t>::unreadable("unknown");  // -1 as unsigned
  if (rail.infiniband()) port.subnet = read_subnet(host.files(), rail.rdma);
  for (const auto& member : rail.members)
    for (const auto& link : *host.links())
      if (link.name == member && !has_link(link)) port.dead_members.push_back(member);
  return port;
}

}  // namespace

extern const Check rdma_port_state{
    .name = "rdma.port-state",
    .summary =
        "every rail's RDMA port is ACTIVE at the rate the policy asks for; on InfiniBand it has LID, subnet "
        "manager and partition",
    .why =
        "A rail that is down or negotiated 100G sets the pace of every collective: all ranks wait for the "
        "slowest link.",
    .reads =
        "/sys/class/infiniband/*/ports/1/{state,phys_state,link_layer,rate}, on InfiniBand "
        "{lid,sm_lid,pkeys}, "
        "/sys/class/net/*/speed",
    .fix =
        "mlxlink -d DEVICE -m -c; clean or replace cable and optics; check FEC and speed on the switch port.",
    .keys = "rails.link_layer rails.pkey rails.rate_gbit_s",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.port-state");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Port> ports;
          for (const auto& rail : *rails)
            ports.push_back(read_port(host, rail));
          const auto nics = rail_nics(host, *rails);
          for (std::size_t i = 0; i < nics.size(); ++i)
            if ((*rails)[i].vf && nics[i].link && !has_link(*nics[i].link))
              ports[i].dead_pf = nics[i].link->name;
          const auto* node = expectation(policy);
          Wanted wanted;
          if (node) wanted = {node->rail_gbit_s, node->link_layer, node->pkey};
          if (node && !wanted.rate && policy.target) wanted.rate = policy.target->rail_gbit_s;
          return judge(ports, wanted);
        },
};

}  // namespace mlc::checks
