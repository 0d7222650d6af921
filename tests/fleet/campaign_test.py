"""`mlc-bench fleet` over 16 nodes that are network namespaces, with real routing, shaping and loss, started by mpirun over a stand-in for ssh."""
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fabric  # noqa: E402
import launching  # noqa: E402
from launching import MBIT, RAILS, RATE  # noqa: E402
from program import BENCH, HAS_MPI, Case, report  # noqa: E402


def why_not():
    if not HAS_MPI:
        return "MPI is not built in"
    if os.geteuid() != 0:
        return "needs root"
    return None


@unittest.skipIf(why_not(), why_not())
class Campaign(Case):
    """One fabric for all; each test plants its fault and heals it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        fabric.enter()
        cls.fabric = fabric.Fabric(mbit=MBIT)

    def setUp(self):
        super().setUp()
        self.said, self.report = "", None
        self.launch = launching.Launch(self.fabric, self.directory.name)

    def words(self, *more, output="fleet.json"):
        return self.launch.words(*more, output=output)

    def start(self, *more):
        return self.launch.start(*self.words(*more))

    def campaign(self, *more, **keywords):
        code, self.said = self.launch.run(*self.words(*more, **keywords))
        if os.path.exists(self.path("fleet.json")):
            self.report = report(self.path("fleet.json"))
        return code

    def standings(self):
        return launching.standings(self.report)

    def located(self, status="fail"):
        return launching.located(self.report, status)

    def healthy_but(self, *nodes):
        self.assertEqual({n: s for n, s in self.standings().items() if s not in ("CLEAN", "WATCH") and n not in nodes}, {}, self.said)

    def test_a_healthy_fleet_is_clean(self):
        self.assertEqual(self.campaign(), 0, self.said)
        self.assertEqual(set(self.standings().values()) - {"WATCH"}, {"CLEAN"}, self.said)
        self.assertIn("rounds, ", self.said)
        fleet = self.report["figures"]["fleet"]
        self.assertEqual((fleet["rails"], fleet["engine"], fleet["not_measured"], fleet["target_inferred"]), (4, "tcp", 0, False))
        self.assertEqual(self.report["verdict"]["decision"], "pass")

    def named(self, plant, heal, *where):
        plant()
        try:
            self.assertEqual(self.campaign(), 1, self.said)
        finally:
            heal()
        self.assertEqual(len(self.located()), 1, self.said)
        self.assertIn(self.located()[0], where, self.said)

    def test_a_slow_cable_is_named_by_rail_and_way(self):
        self.named(lambda: self.fabric.slow_sending(5, 2, .7), lambda: self.fabric.slow_sending(5, 2, 1), "node n5, rail 2, sending")
        self.healthy_but("n5")
        self.assertEqual(self.standings()["n5"], "FAULTY")
        remedy = next(f for f in self.report["findings"] if f["status"] == "fail")["remedy"]
        self.assertIn("swap the cable or the optics of this rail", remedy)

    def test_loss_at_one_end_names_that_end(self):
        # What it sends waits for acknowledgements that are lost as well: a little of it may be told too.
        self.named(lambda: self.fabric.lossy(12, 1, .3, receiving=True), lambda: self.fabric.heal(12), "node n12, rail 1, receiving", "node n12, rail 1")
        self.healthy_but("n12")

    def test_a_dead_rail_is_named(self):
        self.named(lambda: self.fabric.dead(7, 0), lambda: self.fabric.heal(7), "node n7, rail 0")
        self.healthy_but("n7")

    def test_a_slow_node_is_named_as_a_whole(self):
        self.named(lambda: self.fabric.slow_node(3, .75), lambda: self.fabric.slow_node(3, 1), "node n3")
        self.healthy_but("n3")

    def test_a_slow_leaf_accuses_no_node(self):
        self.named(lambda: self.fabric.slow_leaf(1, 2, .7), lambda: self.fabric.slow_leaf(1, 2, 1), "leaf leaf1r2, rail 2")
        self.assertNotIn("FAULTY", self.standings().values(), self.said)
        remedy = next(f for f in self.report["findings"] if f["status"] == "fail")["remedy"]
        self.assertIn("tell the network's people", remedy)

    def test_a_spine_that_is_unplugged_is_the_networks(self):
        self.fabric.unplug_spine(1, 1)
        try:
            self.assertEqual(self.campaign(), 1, self.said)
        finally:
            self.fabric.plug_spine(1, 1)
        self.assertTrue(all("path" in place and place.endswith("rail 1") for place in self.located()), self.said)
        self.assertLessEqual(len(self.located()), 2, "one line for each way, not for each port: " + self.said)
        self.assertNotIn("FAULTY", self.standings().values(), self.said)

    def test_a_killed_agent_is_lost_and_a_killed_coordinator_is_gone_on_with(self):
        running = self.start("--keep", self.path("kept"))
        lines = self.wait_for_rounds(1)
        self.kill("n9")
        out, err = running.communicate(timeout=120)
        self.report = report(self.path("fleet.json"))
        self.said = out + err
        self.assertEqual(running.returncode, 2, self.said)
        self.assertEqual(self.standings()["n9"], "LOST", self.said)
        self.healthy_but("n9")
        self.assertGreaterEqual(len(lines), 2)

        self.fabric.slow_end(5, 2, .7)
        try:
            running = self.start("--keep", self.path("other"))
            held = self.wait_for_rounds(1, "other")
            self.kill("n0")
            out, err = running.communicate(timeout=60)
            self.assertEqual(running.returncode, 3, out + err)
            self.assertEqual(self.campaign("--resume", self.path("other")), 1, self.said)
        finally:
            self.fabric.slow_end(5, 2, 1)
        self.assertEqual(self.located(), ["node n5, rail 2"], self.said)
        with open(self.path("other/campaign.ndjson"), encoding="utf-8") as file:
            self.assertEqual(file.read().splitlines()[:len(held)], held, "what was held is not held again")

    def test_an_agent_that_dies_before_all_have_met_holds_nobody(self):
        running = self.start("--gather", "8s")
        began = time.monotonic()
        while time.monotonic() - began < 30 and not self.kill("n5"):
            time.sleep(.01)
        out, err = running.communicate(timeout=90)
        # Killed so early that its launcher sees it, or while the others wait for it in MPI.
        self.assertIn(running.returncode, (2, 3), out + err)
        self.assertEqual("".join(subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout for name in self.fabric.names), "")

    def wait_for_rounds(self, rounds, name="kept"):
        for _ in range(600):
            try:
                with open(self.path(name + "/campaign.ndjson"), encoding="utf-8") as file:
                    lines = file.read().splitlines()
                if len(lines) > rounds:
                    return lines
            except FileNotFoundError:
                pass
            time.sleep(.1)
        self.fail("no round was held")
        return []

    @staticmethod
    def kill(node, with_signal=signal.SIGKILL):
        pids = subprocess.run(["ip", "netns", "pids", node], capture_output=True, text=True, check=True).stdout.split()
        for pid in pids:
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    if file.read().strip() == "mlc-bench":
                        os.kill(int(pid), with_signal)
                        return True
            except FileNotFoundError:  # gone meanwhile
                pass
        return False

    def test_two_campaigns_at_once_do_not_measure_each_other(self):
        # So long that the second, of which sixteen agents have to be started, comes in time.
        first = self.launch.start(*("15s" if word == "3s" else word for word in self.words("--keep", self.path("kept"))))
        self.wait_for_rounds(0)
        self.assertEqual(self.campaign(output="second.json"), 3, self.said)
        self.assertIn("was refused: another campaign is on it", self.said)
        first.communicate(timeout=120)
        self.assertEqual(first.returncode, 0)

    def test_without_a_target_or_a_topology_it_says_what_it_took(self):
        words = [w for w in self.words() if w not in ("--rail-rate", RATE, "--topology", self.launch.topology)]
        code, self.said = self.launch.run(*words)
        self.assertEqual(code, 0, self.said)
        self.assertIn("no rate was named (--rail-rate)", self.said)

    def member(self, index, count, *more, rails=RAILS):
        """One that is started by itself, as a Pod is."""
        words = [BENCH, "fleet", "--engine", "tcp", "--interfaces", rails, "--rail-rate", RATE, "--test-time", "2s", "--leader", f"{fabric.ADMIN}.1",
                 "--members", str(count), "--key", self.path("key"), "--output", self.path("fleet.json"), "--index", str(index), *more]
        return subprocess.Popen([*fabric.inside(f"n{index}"), "unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', f"n{index}", *words],
                                env=self.launch.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def members(self, indices, count, *more):
        self.write("key", "k" * 64)
        return {i: self.member(i, count, *more) for i in indices}

    def ended(self, members):
        codes, self.said = {}, ""
        for i, one in members.items():
            self.said += one.communicate(timeout=120)[0]
            codes[i] = one.returncode
        self.report = report(self.path("fleet.json"))
        return codes

    def test_members_without_a_launcher_and_one_that_never_comes(self):
        codes = self.ended(self.members(range(3), 4, "--gather", "4s"))
        self.assertEqual(codes, {0: 2, 1: 0, 2: 0}, self.said)  # index 0 alone has the answer
        self.assertEqual(self.standings()["index 3"], "LOST", self.said)
        self.healthy_but("index 3")

    def test_a_member_that_is_told_to_leave_is_lost_and_not_accused(self):
        members = self.members(range(4), 4, "--keep", self.path("kept"))
        self.wait_for_rounds(0)
        time.sleep(1.2)
        self.kill("n2", signal.SIGTERM)
        codes = self.ended(members)
        self.assertEqual((codes[0], codes[2]), (2, 130), self.said)
        self.assertEqual(self.standings()["n2"], "LOST", self.said)
        self.assertEqual(self.located(), [], self.said)

    def test_an_interface_that_one_node_lacks_is_told_as_the_cause(self):
        members = self.members(range(3), 4)
        members[3] = self.member(3, 4, rails="rail0,rail1,nope,rail3")
        self.assertEqual(self.ended(members)[0], 1, self.said)
        self.assertEqual(self.located(), ["node n3, rail 2"], self.said)
        self.assertIn("n3, rail 2: no interface nope", self.said)

    def test_a_campaign_is_gone_on_with_as_it_was_begun(self):
        self.assertEqual(self.campaign("--keep", self.path("kept"), "--rounds", "2"), 0, self.said)
        self.assertEqual(self.campaign("--resume", self.path("kept"), "--rounds", "2"), 0, self.said)
        self.assertEqual(self.campaign("--resume", self.path("kept"), "--floor", "40%"), 64, self.said)
        self.assertIn("was begun with --seed 1 --rounds 2", self.said)
        began = time.monotonic()
        self.assertEqual(self.campaign("--keep", self.path("kept")), 64, self.said)
        self.assertIn("has a campaign already", self.said)
        self.assertLess(time.monotonic() - began, 30, "known before anybody waits")

    def test_interrupted_it_says_what_it_has(self):
        running = self.start("--keep", self.path("kept"))
        self.wait_for_rounds(1)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 130, out + err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
