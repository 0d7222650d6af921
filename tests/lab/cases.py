"""What the lab's tests share: the lab (one for all of them) and ways to ask its nodes."""
import json, os, shlex, sys, unittest

from lab import SOURCE

POLICY = os.path.join(SOURCE, "tests/lab/lab.yaml")
LAB = None  # set by tests/lab/run before the tests start


def rail_address(node, rail):
    return f"10.1{rail}.{node.removeprefix('node')}.10"


def rail_addresses(node):
    return ",".join(rail_address(node, rail) for rail in range(4))


def peer_of(node):
    return {"node0": "node1", "node1": "node0"}[node]


def rdma_pair(lab, options, timeout=120, code=0):
    """The report of node0 after `mlc-bench rdma` between node0 and node1, without MPI."""
    listening = lab.start("node1", "mlc-bench rdma --listen --timeout 30s --quiet --output /run/rdma-listen.json", timeout)
    # Its waiting line, so that it is there before it is asked.
    lab.run("node1", "until ss -tln | grep -q :18516; do sleep 0.1; done", timeout=30)
    done = lab.run("node0", f"mlc-bench rdma {options} --connect node1 --timeout 30s --quiet --output /run/rdma.json", timeout, check=False)
    there = lab.finish("node1", "mlc-bench rdma --listen", listening, timeout)
    if done.code != code:
        raise AssertionError(f"mlc-bench rdma {options}: {done}\non the other node: {there}")
    return json.loads(lab.run("node0", "cat /run/rdma.json").out)


class LabCase(unittest.TestCase):
    maxDiff = None

    @property
    def lab(self):
        return LAB

    def bench(self, node, *arguments, timeout=120):
        """mlc-bench on a node, typed there."""
        return self.lab.run(node, "mlc-bench " + shlex.join(arguments), timeout=timeout, check=False)

    def validate(self, node, *more):
        """The findings of a node that are neither pass nor skip."""
        done = self.bench(node, "validate", "--policy", POLICY, "--peer", rail_addresses(peer_of(node)), "--format", "json", *more)
        try:
            report = json.loads(done.out)
        except ValueError:
            self.fail(f"no report: {done}")
        self.assertEqual(done.code, {"pass": 0, "fail": 1, "inconclusive": 2}[report["verdict"]["decision"]], done)
        return [f for f in report["findings"] if f["status"] not in ("pass", "skip")]


def shown(findings):
    return "\n".join(f"{f['status']:8} {f['check']}: {f['subject']}: {f['observed']}; expected {f['expected']}" for f in findings)
