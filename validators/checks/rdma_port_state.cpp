#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Port {
  std::string subject, rdma, netdev;
  Read<std::string> state, phys_state, link_layer, rate;
  Read<std::uint64_t> netdev_speed;  // Mbit/s; VFs may not say
  bool set_down = false;             // by an administrator, a playbook or a CNI: the cable may be good
  std::string dead_pf;               // name of a VF's PF in this namespace that has no link
};

// Gbit/s. An RDMA port cannot say less (1X SDR, drivers/infiniband/core/verbs.c ib_get_eth_speed): it stands
// for every slower interface under soft RoCE.
constexpr double least_rate = 2.5;

std::vector<Finding> judge(const std::vector<Port>& ports, std::optional<double> asked_rate) {
  CheckFindings findings("rdma.port-state");
  // Without a policy the rails are each other's standard: the fastest is what they all should be.
  double rate_wanted = asked_rate.value_or(0);
  for (const auto& port : ports)
    if (!asked_rate && port.rate) rate_wanted = std::max(rate_wanted, leading_number(*port.rate).value_or(0));
  const std::string rate_text = shortest(rate_wanted) + " Gbit/s";
  for (const auto& port : ports) {
    const std::string source = port_path(port.rdma) + "{state,phys_state,link_layer,rate}";
    const std::string expected = "ACTIVE, LinkUp, Ethernet, " + rate_text;
    const Read<std::string>* all[]{&port.state, &port.phys_state, &port.link_layer, &port.rate};
    const Read<std::string>* unread = nullptr;
    for (const auto* one : all)
      if (!*one) unread = one;
    if (unread) {
      findings.unknown(port.subject, unread->why, expected, source,
                       "the device may have vanished: dmesg | grep mlx5_core, then run again");
      continue;
    }
    const auto rate = leading_number(*port.rate);
    const std::string observed =
        *port.state + ", " + *port.phys_state + ", " + *port.link_layer + ", " + *port.rate;
    if (port.set_down)
      findings.fail(port.subject, port.netdev + " is set down; " + port.rdma + " is " + observed, expected,
                    "RTM_GETLINK IFF_UP of " + port.netdev + ", " + source,
                    "ip link set " + port.netdev +
                        " up, and find who set it down; its addresses and routes may have to be made again");
    else if (!port.dead_pf.empty())
      findings.fail(port.subject,
                    "its PF " + port.dead_pf + " has no link, though " + port.rdma + " says " + observed,
                    expected, "RTM_GETLINK of " + port.dead_pf + ", " + source,
                    "reseat or replace the cable of " + port.subject + ", check the switch port");
    else if (!port.state->starts_with("4:") || !port.phys_state->starts_with("5:"))
      findings.fail(port.subject, port.rdma + " is " + observed, expected, source,
                    "reseat or replace the cable of " + port.subject +
                        ", check the switch port, then run: mlc-bench validate rdma.port-state");
    else if (*port.link_layer != "Ethernet")
      findings.fail(
          port.subject, port.rdma + " is " + observed, expected, source,
          "set the port to Ethernet: mlxconfig -d " + port.rdma + " set LINK_TYPE_P1=2, then power-cycle");
    else if (!rate)
      findings.unknown(port.subject, "rate '" + printable(*port.rate, 40) + "' is no number", expected,
                       source, "read it by hand: rdma link show " + port.rdma + "/1");
    else if (*rate != rate_wanted)
      findings.fail(port.subject, port.rdma + " runs at " + *port.rate, rate_text, source,
                    "the port negotiated another speed: mlxlink -d " + port.rdma +
                        " -m -c; check FEC, cable and the switch port");
    else if (rate_wanted > least_rate && port.netdev_speed &&
             static_cast<double>(*port.netdev_speed) < rate_wanted * 1000)
      findings.fail(port.subject,
                    port.netdev + " says " + std::to_string(*port.netdev_speed) + " Mbit/s, the RDMA port " +
                        *port.rate,
                    rate_text, "/sys/class/net/" + port.netdev + "/speed",
                    "mlxlink -d " + port.rdma + " -m -c shows what was negotiated");
    else
      findings.pass(port.subject, "ACTIVE at " + *port.rate, expected, source);
  }
  return findings.done();
}

}  // namespace

extern const Check rdma_port_state{
    .name = "rdma.port-state",
    .summary = "every rail's RDMA port is ACTIVE, on Ethernet, at the rate the policy asks for",
    .why =
        "A rail that is down or negotiated 100G sets the pace of every collective: all ranks wait for the "
        "slowest link.",
    .reads = "/sys/class/infiniband/*/ports/1/{state,phys_state,link_layer,rate}, /sys/class/net/*/speed",
    .fix =
        "mlxlink -d DEVICE -m -c; clean or replace cable and optics; check FEC and speed on the switch port.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.port-state");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Port> ports;
          for (const auto& rail : *rails) {
            const auto read = [&](const char* name) {
              return host.files().text(port_path(rail.rdma) + name);
            };
            ports.push_back({rail.name(),
                             rail.rdma,
                             rail.netdev,
                             read("state"),
                             read("phys_state"),
                             read("link_layer"),
                             read("rate"),
                             host.files().number("/sys/class/net/" + rail.netdev + "/speed"),
                             !rail.link->up(),
                             {}});
            if (ports.back().netdev_speed && *ports.back().netdev_speed > 0x7fffffff)
              ports.back().netdev_speed = Read<std::uint64_t>::unreadable("unknown");  // -1 as unsigned
          }
          const auto nics = rail_nics(host, *rails);
          for (std::size_t i = 0; i < nics.size(); ++i)
            if ((*rails)[i].vf && nics[i].link && !has_link(*nics[i].link))
              ports[i].dead_pf = nics[i].link->name;
          const auto* node = expectation(policy);
          std::optional<double> rate = node ? node->rail_gbit_s : std::nullopt;
          if (node && !rate && policy.target) rate = policy.target->rail_gbit_s;
          return judge(ports, rate);
        },
};

}  // namespace mlc::checks
