"""`mlc-bench validate` on the lab: nothing on healthy nodes, and of each planted fault exactly that, by its name."""
import contextlib, unittest

import cases
from cases import LabCase, peer_of, rail_address, shown

GUEST_RAILS = "{}/guest/rails {}"


class Fault:
    """What is done to rail `rail` of node0, and what the node must then say."""

    def __init__(self, rail, plant, finds, undo="", elsewhere=None):
        self.rail, self.plant, self.undo = rail, plant, undo
        self.finds = finds  # (check, status) of every finding
        self.on = elsewhere or "node0"  # where the commands run; the fault is always node0's


FAULTS = {
    "vf_down": Fault(1, "ip link set rail1 down", set()),
    "vf_without_mac": Fault(2, "ip link set pf2 vf 0 mac 00:00:00:00:00:00", set()),
    "vf_missing": Fault(3, "echo 0 >/sys/class/net/pf3/device/sriov_numvfs", set()),
    "spoof_check_on": Fault(0, "ip link set pf0 vf 0 spoofchk on", set()),
    "vlan_mismatch": Fault(1, "ip link set pf1 vf 0 vlan 100", set()),
    "mtu_1500": Fault(2, "ip link set rail2 mtu 1500", set()),
    "route_missing": Fault(3, "ip route del 10.13.0.0/16 dev rail3", set()),
    "route_via_wrong_rail": Fault(1, "ip route replace 10.11.0.0/16 via 10.10.0.1 dev rail0", set()),
    "strict_rp_filter": Fault(2, "sysctl -q net.ipv4.conf.rail2.rp_filter=1", set()),
    "duplicate_address": Fault(0, "ip addr add 10.10.0.10/32 dev rail0", set(), undo="ip addr del 10.10.0.10/32 dev rail0", elsewhere="node1"),
    "wrong_gid_type": Fault(3, "echo 'IB/RoCE v1' >/run/v1; mount --bind /run/v1 /sys/class/infiniband/roce3/ports/1/gid_attrs/types/1", set(),
        undo="umount /sys/class/infiniband/roce3/ports/1/gid_attrs/types/1"),
    "packet_loss": Fault(2, "tc qdisc add dev node0-rail2 root netem loss 20%", set(), undo="tc qdisc del dev node0-rail2 root", elsewhere="router"),
    "shaped": Fault(3, "tc qdisc add dev node0-rail3 root tbf rate 10mbit burst 20k latency 50ms", set(), undo="tc qdisc del dev node0-rail3 root", elsewhere="router"),
}
