"""`mlc-bench validate` on the lab: nothing on healthy nodes, and of each planted fault exactly that, by its name."""
import dataclasses, time, unittest

import cases
from cases import LabCase, shown

# What cannot be tested on a rail without a link, and what else is seen of one that is up but reaches nobody.
NO_LINK = {("net.rail-routes", "unknown"), ("net.default-route", "unknown"), ("net.rules", "unknown"), ("net.reachability", "unknown"),
           ("net.path-mtu", "unknown"), ("net.rail-matrix", "unknown"), ("net.duplicate-address", "unknown")}
NOBODY = {("net.reachability", "fail"), ("net.path-mtu", "unknown"), ("net.rail-matrix", "fail")}


@dataclasses.dataclass
class Fault:
    """What is done to one rail of node0, and what the node then says: nothing but this, and of no other rail."""
    rail: int
    plant: str           # a command, or what the cable becomes
    check: str           # the check that names it,
    status: str
    says: str            # in these words
    besides: set = dataclasses.field(default_factory=set)  # what follows from it
    undo: str = ""       # what guest/rails does not put right by itself
    on: str = "node0"    # where the commands run
    subject: str = ""    # where it is not the rail


FAULTS = {
    "vf_down": Fault(1, "ip link set rail1 down", "rdma.port-state", "fail", "rail1 is set down", NO_LINK),
    "vf_without_mac": Fault(2, "ip link set pf2 vf 0 mac 00:00:00:00:00:00", "vf.mac", "fail", "VF 0: no admin MAC", NOBODY),
    "vf_missing": Fault(3, "echo 0 >/sys/class/net/pf3/device/sriov_numvfs", "vf.count", "fail", "0 VFs of 7 possible",
                        {("pci.inventory", "fail")}, subject="PF pf3, 0000:04:00.0"),
    "spoof_check_on": Fault(0, "ip link set pf0 vf 0 spoofchk on", "vf.spoof-check", "warn", "VF 0: spoof checking on"),
    "vlan_mismatch": Fault(1, "ip link set pf1 vf 0 vlan 100", "vf.vlan", "fail", "VF 0: VLAN 100", NOBODY),
    "mtu_1500": Fault(2, "ip link set rail2 mtu 1500", "rdma.mtu", "fail", "interface MTU 1500"),
    "route_missing": Fault(3, "ip route del 10.13.0.0/16 dev rail3", "net.rail-routes", "fail", "no route matches",
                           {("net.default-route", "fail")} | NOBODY),
    "route_via_wrong_rail": Fault(1, "ip route replace 10.11.0.0/16 via 10.10.0.1 dev rail0", "net.default-route", "fail", "leaves by rail0",
                                  {("net.rail-routes", "fail")} | NOBODY),
    "strict_rp_filter": Fault(2, "sysctl -q net.ipv4.conf.rail2.rp_filter=1", "net.sysctls", "warn", "rp_filter is effectively 1 (strict)"),
    # Whoever else has it is on this node's side of the router: the router itself, which then cannot answer the node.
    "duplicate_address": Fault(0, "ip addr add 10.10.0.10/32 dev rail0", "net.duplicate-address", "fail",
                               "10.10.0.10 is also owned by 52:54:00:02:00:00", NOBODY, undo="ip addr del 10.10.0.10/32 dev rail0", on="router"),
    "unplugged": Fault(1, "cable", "rdma.port-state", "fail", "its PF pf1 has no link", NO_LINK),
    # Soft RoCE speaks v2 only, so the kernel's answer is covered with another.
    "wrong_gid_type": Fault(3, "echo 'IB/RoCE v1' >/run/v1; mount --bind /run/v1 /sys/class/infiniband/roce3/ports/1/gid_attrs/types/1",
                            "rdma.gid-table", "fail", "10.13.0.10 is IB/RoCE v1",
                            undo="umount /sys/class/infiniband/roce3/ports/1/gid_attrs/types/1"),
}


def plant(lab, fault):
    if fault.plant == "cable":
        lab.cable("node0", fault.rail, False)
    else:
        lab.run(fault.on, fault.plant)
    # A carrier that goes is told to the kernel's other parts a moment later.
    time.sleep(0.5)


def mend(lab, fault):
    if fault.plant == "cable":
        lab.cable("node0", fault.rail, True)
    elif fault.undo:
        lab.run(fault.on, fault.undo)
    lab.mend_rails("node0", fault.rail)


class Validate(LabCase):
    def assert_healthy(self, node):
        self.assertEqual(shown(self.validate(node)), "")

    def test_healthy_nodes(self):
        for node in self.lab.nodes[:2]:
            done = self.bench(node, "validate", "--policy", cases.POLICY, "--peer", cases.rail_addresses(cases.peer_of(node)))
            self.assertEqual(done.code, 0, done)
            for line in ("index 1 is 10.1", "4220 bytes to 10.1", "matrix +... / .+.. / ..+. / ...+", "nobody else claims", "of 7 possible (4 alike)"):
                self.assertIn(line, done.out)

    def planted(self, fault):
        plant(self.lab, fault)
        try:
            found = self.validate("node0")
            rail = f"rail {fault.rail} (rail{fault.rail})"
            named = [f for f in found if (f["check"], f["status"]) == (fault.check, fault.status)
                     and fault.says in f["observed"] and f["subject"].startswith(fault.subject or rail)]
            self.assertTrue(named, f"nothing names it:\n{shown(found)}")
            self.assertEqual({(f["check"], f["status"]) for f in found}, {(fault.check, fault.status)} | fault.besides, shown(found))
            for finding in found:
                self.assertTrue(finding["subject"].startswith((rail, fault.subject or rail, "node")), shown([finding]))
                self.assertTrue(finding["remedy"], finding)
        finally:
            mend(self.lab, fault)
            self.assert_healthy("node0")


for name, fault in FAULTS.items():
    setattr(Validate, f"test_{name}", lambda self, fault=fault: self.planted(fault))
