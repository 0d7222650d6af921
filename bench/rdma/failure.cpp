#include "bench/rdma/failure.hpp"

#include "validators/host/ipv4.hpp"

namespace mlc::rdma {

namespace {

std::string gid_text(const std::string& gid) {
  const auto address = mapped_ipv4(gid);
  return address ? to_string(*address) : gid;
}

}  // namespace

std::string failure_text(const std::string& what, const Ends& ends) {
  return what + " on " + ends.rail.name() + " of " + ends.node + ", GID " + std::to_string(ends.rail.gid_index) + " " +
         gid_text(ends.rail.gid) + ", towards " + ends.peer.name() + " of " + ends.peer_node + ", GID " + gid_text(ends.peer.gid);
}

std::string failure_remedy(const std::string& what, const Ends& ends) {
  const auto has = [&](const char* word) { return what.find(word) != std::string::npos; };
  const std::string mine = gid_text(ends.rail.gid), theirs = gid_text(ends.peer.gid);
  const std::string route = "on " + ends.node + ": ip route get " + theirs + " from " + mine + " oif " + ends.rail.netdev +
                            " (must leave by " + ends.rail.netdev + "), ip neigh show dev " + ends.rail.netdev +
                            " (must not say FAILED), ping -I " + ends.rail.netdev + " " + theirs;
  if (has("to RTR") || has("timed out"))
    return "the peer's address was not resolved; " + route + "; then mlc-bench validate net.rail-routes net.reachability";
  if (has("retry exceeded") || has("retry counter"))
    return "packets or their acknowledgements do not arrive; " + route + ", the same on " + ends.peer_node +
           "; then MTU and VLAN on both sides: mlc-bench validate rdma.mtu net.path-mtu vf.settings; then cable and switch "
           "port";
  if (has("Cannot allocate memory") || has("ibv_reg"))
    return "raise the limit of locked memory: ulimit -l unlimited, in a Pod the IPC_LOCK capability; see mlc-bench "
           "validate rdma.memlock";
  if (has("flushed"))
    return "the queue pair had failed before: look for the first error of this rail, and in dmesg";
  if (has("verification") || has("wrong"))
    return "data was changed on the way: exchange the NIC, the cable, the memory; dmesg for PCIe and ECC errors";
  return "dmesg on both nodes; mlc-bench validate rdma net";
}

}  // namespace mlc::rdma
