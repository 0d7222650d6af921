"""`mlc-bench rdma` over the lab's four rails, and the faults that only a measurement shows."""
import json

import cases
from cases import LabCase, rdma_pair, shown

# One queue pair and few messages outstanding: with more, soft RoCE under emulation waits longer for its acknowledgements
# than the queue pair does.
SMALL = "--sizes 64K --qps 1 --depth 16 --max-time 1s --precision 20"


class Rdma(LabCase):
    def assert_carried(self, report, nodes):
        rails = report["figures"]["rails"]
        for rail in rails:
            self.assertEqual(rail["wrong"], 0, rail)
            self.assertGreater(rail["gbit_s"], 0, rail)
        self.assertEqual({(rail["node"], rail["rail"], rail["phase"]) for rail in rails},
                         {(node, rail, phase) for node in nodes for rail in range(4) for phase in ("solo", "together")})
        self.assertEqual({rail["device"] for rail in rails}, {f"roce{rail}" for rail in range(4)})

    def test_four_rails_at_once_over_mpi(self):
        """One rank a node, started over the management network; verified, per rail and direction, and summed."""
        before = {rail: int(self.lab.run("node0", f"cat /sys/class/infiniband/roce{rail}/ports/1/hw_counters/sent_pkts").out) for rail in range(4)}
        done = self.lab.run("node0", "mpirun --mca oob_tcp_if_include mgmt --mca btl tcp,self --mca btl_tcp_if_include mgmt -np 2 "
                            f"--host node0,node1 mlc-bench rdma write {SMALL} --quiet --output /run/rdma.json; cat /run/rdma.json", timeout=150, check=False)
        self.assertEqual(done.code, 0, done)
        report = json.loads(done.out)
        self.assertEqual(report["verdict"]["decision"], "pass", report["verdict"])
        self.assert_carried(report, ("node0", "node1"))
        for total in report["figures"]["rail_sums"]:
            self.assertEqual(total["rails"], 4)
            self.assertGreater(total["together_gbit_s"], 0)
        for rail in range(4):
            after = int(self.lab.run("node0", f"cat /sys/class/infiniband/roce{rail}/ports/1/hw_counters/sent_pkts").out)
            self.assertGreater(after - before[rail], 100, f"rail {rail} carried nothing")

    def campaign(self, *more):
        """Of two nodes, over real verbs: every two meet, three times."""
        words = "mlc-bench fleet --engine verbs --depth 2 --message-size 4K --test-time 2s --deadline 20s --quiet --output /run/fleet.json " + " ".join(more)
        done = self.lab.run("node0", "rm -f /run/fleet.json; mpirun --mca oob_tcp_if_include mgmt --mca btl tcp,self --mca btl_tcp_if_include mgmt -np 2 --host node0,node1 "
                            f"{words}; echo code $?; cat /run/fleet.json", timeout=170, check=False)
        self.assertIn("{", done.out, done)
        said, report = done.out[:done.out.index("{")], json.loads(done.out[done.out.index("{"):])
        return int(said.split("code ")[1].split()[0]), report, done

    def test_a_campaign_over_four_rails_measures_both_ways(self):
        code, report, done = self.campaign()
        fleet = report["figures"]["fleet"]
        self.assertEqual((fleet["engine"], fleet["rails"], fleet["tests"], fleet["not_measured"]), ("verbs", 4, 3, 0), done)
        # Emulated rails are too unlike each other for a pass to be promised.
        self.assertIn(code, (0, 2), done)
        self.assertEqual([f for f in report["findings"] if "carries nothing" in f["observed"]], [], done)

    def test_a_campaign_of_two_names_both_ends_of_a_dead_rail(self):
        self.lab.cable("node1", 2, False)
        try:
            code, report, done = self.campaign()
        finally:
            self.lab.cable("node1", 2, True)
            self.lab.mend_rails("node1", 2)
        self.assertEqual(code, 2, done)
        dead = [f for f in report["findings"] if "carries nothing" in f["observed"]]
        self.assertTrue(dead and all("rail 2" in f["subject"] for f in dead), done)

    def test_read_and_send_without_mpi(self):
        for operation in ("read", "send"):
            report = rdma_pair(self.lab, f"{operation} {SMALL} --one-way --solo --rails 1,3")
            rails = report["figures"]["rails"]
            self.assertEqual([(rail["rail"], rail["operation"], rail["wrong"]) for rail in rails], [(1, operation, 0), (3, operation, 0)])

    def test_healthy_rails_are_as_fast_as_their_siblings(self):
        report = rdma_pair(self.lab, f"write {SMALL} --one-way --solo --policy {cases.POLICY}")
        self.assertEqual(report["verdict"]["decision"], "pass", report["verdict"])

    def named(self, rail, plant, undo):
        """A fault of one rail that no check can see: validate finds nothing, the measurement names the rail."""
        self.lab.run("router", plant)
        try:
            self.assertEqual(shown(self.validate("node0")), "")
            report = rdma_pair(self.lab, f"write {SMALL} --one-way --solo --policy {cases.POLICY}", code=1)
        finally:
            self.lab.run("router", undo)
        bad = [f for f in report["findings"] if f["status"] == "fail"]
        self.assertEqual([f["subject"] for f in bad], [f"node0 rail {rail} (roce{rail}, rail{rail}) to node1"], shown(report["findings"]))
        self.assertIn("sibling", bad[0]["observed"])
        return report

    def test_packet_loss_on_one_rail(self):
        report = self.named(2, "tc qdisc add dev node1-rail2 root netem loss 5%", "tc qdisc del dev node1-rail2 root")
        # The counters say that it is loss and not a slow rail.
        remedy = [f["remedy"] for f in report["findings"] if f["status"] == "fail"][0]
        self.assertIn("counted on", remedy)

    def test_one_rail_shaped_to_a_tenth(self):
        self.named(3, "tc qdisc add dev node1-rail3 root tbf rate 7mbit burst 20k limit 2m", "tc qdisc del dev node1-rail3 root")
