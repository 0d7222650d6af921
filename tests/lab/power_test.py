"""A node that loses power in the middle of a run is named by the other within the deadline."""
import time, unittest

import cases
from cases import LabCase
from mpi_test import MPI


class PowerOff(LabCase):
    def test_allreduce_names_the_dead_node(self):
        if not hasattr(self.lab, "power_on"):
            self.skipTest("this lab belongs to another process, which alone can switch its nodes on again")
        began = time.monotonic()
        command = (MPI + "mlc-bench allreduce --hosts node0,node1 --ranks 2 --sizes 1M -n 100000 --timeout 10 --format json "
                   "--output /run/power.json")
        process = self.lab.start("node0", command, timeout=120)
        time.sleep(20)
        self.lab.power_off("node1")
        off = time.monotonic()
        done = self.lab.finish("node0", command, process, 120, began)
        print(done, time.monotonic() - off)
        self.lab.power_on("node1")
        self.lab.wait("node1", time.monotonic() + 120)
