"""A node that loses power in the middle of a run is named by the other within the deadline."""
import time

from cases import LabCase
from mpi_test import MPI

DEADLINE = 25  # seconds: the --timeout of the runs, within which an emulated and busy node must also have started its ranks


class PowerOff(LabCase):
    def setUp(self):
        if not hasattr(self.lab, "power_on"):
            self.skipTest("this lab belongs to another process, which alone can switch its nodes on again")

    def switch_off_during(self, command, started, listening=None):
        """What node0 says of a run in which node1 goes off, and how many seconds later."""
        process = self.lab.start("node0", command, timeout=150)
        until = time.monotonic() + 60
        while self.lab.run("node0", started, check=False).code != 0:
            self.assertLess(time.monotonic(), until, "the run never began")
            if process.poll() is not None:
                self.fail(f"the run ended before the power went off: {self.lab.finish('node0', command, process, 150)}")
            time.sleep(0.5)
        self.lab.power_off("node1")
        off = time.monotonic()
        try:
            done = self.lab.finish("node0", command, process, 150)
            seconds = time.monotonic() - off
        finally:
            if listening:
                listening.kill()
                listening.communicate()
            self.lab.power_on("node1")
            self.lab.wait("node1", 180)
        self.assertNotEqual(done.code, 0, done)
        self.assertIn("node1", done.err, done)
        # The deadline, ten seconds for mpirun to end, and time for a busy machine to notice.
        self.assertLess(seconds, 2 * DEADLINE + 10, done)
        return done

    def sends(self, counters):
        """A shell condition: something has gone over rail 0 since the lab's start was noted."""
        return f"[ $(cat {counters}) -gt $(($(cat /run/before) + 2000000)) ]"

    def test_allreduce_names_the_dead_node(self):
        counter = "/sys/class/net/rail0/statistics/tx_bytes"
        self.lab.run("node0", f"cat {counter} >/run/before")
        self.switch_off_during(MPI + f"mlc-bench allreduce --hosts node0,node1 --ranks 2 --sizes 1M -n 100000 --timeout {DEADLINE}", self.sends(counter))

    def test_rdma_names_the_dead_node(self):
        counter = "/sys/class/net/rail0/statistics/tx_bytes"
        self.lab.run("node0", f"cat {counter} >/run/before")
        listening = self.lab.start("node1", f"mlc-bench rdma --listen --timeout {DEADLINE}s", 150)
        self.lab.run("node1", "until ss -tln | grep -q :18516; do sleep 0.1; done", timeout=30)
        self.switch_off_during(f"mlc-bench rdma write --sizes 64K --qps 1 --depth 16 --one-way --solo --rails 0 -n 100000 --connect node1 --timeout {DEADLINE}s",
                               self.sends(counter), listening)
