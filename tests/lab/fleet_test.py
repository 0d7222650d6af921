"""A campaign of four nodes over four rails of soft RoCE: loss on one link, one way, is named by node, rail and direction."""
import json

from cases import LabCase

RAILS, NODES = range(4), range(4)
# So slow that the links are what limits, and not the emulated processors: then healthy rails are alike within a few per cent.
SHAPED = "root handle 1: tbf rate 600kbit burst 3k limit 200k"
# 1 KiB of payload: what carries it can be told from an acknowledgement by its length.
FLEET = "mlc-bench fleet --engine verbs --depth 1 --message-size 1K --test-time 10s --deadline 30s --keep /run/kept --output /run/fleet.json"
MPIRUN = ("mpirun --mca oob_tcp_if_include mgmt --mca btl tcp,self --mca btl_tcp_if_include mgmt --enable-recovery "
          "--mca orte_abort_on_non_zero_status 0 -np 4 --host node0,node1,node2,node3")
SHORT_OF_HEALTHY = .95
# What is lost is sent again at once, so that half of all takes but a fifth of the rate: no more than what these
# processors do to a healthy rail. Of three quarters a rail loses half.
LOSS = 75


def loses(device, parent, share):
    """tc commands: of the data that leaves by a device so much is lost, and of the acknowledgements nothing."""
    return (f"tc qdisc add dev {device} {parent} handle 2: prio bands 3 && tc qdisc add dev {device} parent 2:3 netem loss {share}% limit 200 && "
            f"tc filter add dev {device} parent 2: protocol ip prio 1 u32 match u16 0x0400 0x0400 at 2 flowid 2:3 && "
            f"tc filter add dev {device} parent 2: protocol ip prio 9 u32 match u32 0 0 flowid 2:1")


class Fleet(LabCase):
    healthy_rate = None  # Gbit/s of payload that a shaped rail carries, one way

    def shape(self):
        self.lab.run("router", " && ".join(f"tc qdisc replace dev node{node}-rail{rail} {SHAPED}" for node in NODES for rail in RAILS))

    def setUp(self):
        self.shape()
        if Fleet.healthy_rate is None:
            guess = .00023
            report = self.campaign(guess)
            Fleet.healthy_rate = guess * self.lower_quartile()
            self.assertEqual(self.faulty(report), [], report["findings"])

    def campaign(self, rate):
        done = self.lab.run("node0", f"rm -rf /run/kept /run/fleet.json; {MPIRUN} {FLEET} --rail-rate {rate:.7f} >/run/said 2>&1; "
                            "cat /run/fleet.json || cat /run/said", timeout=150, check=False)
        self.assertTrue(done.out.startswith("{"), done)
        report = json.loads(done.out)
        fleet = report["figures"]["fleet"]
        self.assertEqual((fleet["engine"], fleet["rails"], len(fleet["nodes"]), fleet["not_measured"]), ("verbs", 4, 4, 0), fleet)
        self.assertLessEqual(fleet["rounds"], 5)
        return report

    def lower_quartile(self):
        rounds = [json.loads(line) for line in self.lab.run("node0", "cat /run/kept/campaign.ndjson").out.splitlines()]
        rates = sorted(flow["rate"] for each in rounds for result in each.get("results", []) for flow in result["flows"])
        return rates[len(rates) // 4]

    @staticmethod
    def faulty(report):
        return [f["subject"] for f in report["findings"] if f["status"] == "fail"]

    def named(self, where, node):
        report = self.campaign(Fleet.healthy_rate * SHORT_OF_HEALTHY)
        self.assertEqual(self.faulty(report), [where], json.dumps(report["findings"], indent=1))
        standing = {each["name"]: each["standing"] for each in report["figures"]["fleet"]["nodes"]}
        self.assertEqual([name for name, is_ in standing.items() if is_ == "FAULTY"], [node])

    def with_loss(self, machine, device, parent, where, node):
        self.lab.run(machine, loses(device, parent, LOSS))
        try:
            self.named(where, node)
        finally:
            self.lab.run(machine, f"tc qdisc del dev {device} {parent}")

    def test_loss_towards_a_node_names_its_receiving_end(self):
        self.with_loss("router", "node1-rail2", "parent 1:", "node node1, rail 2, receiving", "node1")

    def test_loss_of_what_a_node_sends_names_its_sending_end(self):
        self.with_loss("node3", "rail0", "root", "node node3, rail 0, sending", "node3")
