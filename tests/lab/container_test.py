"""Pods on the lab's nodes: containers of crun with networks of CNI, as the manifests ask for them; what is planted is found from inside."""
import copy, json, os, shutil, subprocess, sys, tempfile, threading, unittest

import cases
import image
import pods
from cases import LabCase, peer_of, shown
from lab import SOURCE, LabError

os.environ.setdefault("MLC_SOURCE", SOURCE)
os.environ.setdefault("MLC_BENCH", "mlc-bench")
sys.path[:0] = [os.path.join(SOURCE, "tests", name) for name in ("k8s", "cli")]
import api_server  # noqa: E402
from manifests_test import KUBECTL, MISSING, containers, render  # noqa: E402

FOREIGN = {"key": "node.cilium.io/agent-not-ready", "value": "true", "effect": "NoExecute"}
STARTUP = {"key": "mlc-bench.io/unvalidated", "effect": "NoSchedule"}
SMALL = "--sizes 64K --qps 1 --depth 16 --max-time 1s --precision 20"  # see rdma_test


def why_no_containers():
    if MISSING or not KUBECTL:
        return f"pip install -r tests/k8s/requirements.txt: {MISSING or 'no kubectl'}"
    for path, package in (("/usr/lib/cni/host-device", "containernetworking-plugins"), ("/usr/bin/crun", "crun"),
                          (pods.SECCOMP, "golang-github-containers-common")):
        if not os.path.exists(path):
            return f"there is no {path} (package {package})"
    return ""


def pod_addresses(node):
    return ",".join(f"10.1{rail}.{node.removeprefix('node')}.20" for rail in range(4))


def at_once(*actions):
    """All of them, each in a thread of its own; the first error is the caller's."""
    results, errors = [None] * len(actions), []

    def one(i, action):
        try:
            results[i] = action()
        except BaseException as error:  # noqa: BLE001 (it is raised again below)
            errors.append(error)
    threads = [threading.Thread(target=one, args=(i, action)) for i, action in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@unittest.skipIf(why_no_containers(), why_no_containers())
class Containers(LabCase):
    @classmethod
    def setUpClass(cls):
        lab = cases.LAB
        if not os.path.exists(lab.file("image")):
            image.make_image(lab.file("image"), lab.bench)
        cls.objects = render(os.path.join(SOURCE, "tests/lab/overlay"))
        job, = [o for o in cls.objects if o["kind"] == "CronJob" and o["metadata"]["name"] == "mlc-burnin"]
        cls.template = job["spec"]["jobTemplate"]["spec"]["template"]
        cls.container, = containers(job)
        cls.networks = [o for o in cls.objects if o["kind"] == "NetworkAttachmentDefinition"]
        cls.configmaps = {o["metadata"]["name"]: o.get("data", {}) for o in cls.objects if o["kind"] == "ConfigMap"}
        cls.addClassCleanup(lab.on_all, f"{lab.file('guest/pods')} end", lab.nodes[:2], timeout=120)
        lab.on_all(f"{lab.file('guest/pods')} begin", lab.nodes[:2], timeout=120)
        cls.pods = dict(zip(lab.nodes[:2], at_once(*[lambda node=node: cls.a_pod(node, "burnin").up() for node in lab.nodes[:2]])))
        for pod in cls.pods.values():
            cls.addClassCleanup(lambda pod=pod: pod.attached and pod.down())

    @classmethod
    def a_pod(cls, node, name, template=None, **more):
        more = {"definitions": cls.networks, "configmaps": cls.configmaps, **more}
        return pods.Sandbox(cases.LAB, node, template or cls.template, name, **more)

    def look(self, pod, container=None, checks=()):
        """The findings from inside a Pod that are neither pass nor skip, with the policy as the manifest mounts it."""
        policy = next(word for word in self.container["args"] if word.startswith("--policy="))
        done = pod.run(container or self.container, ["mlc-bench", "validate", *checks, policy, "--peer", pod_addresses(peer_of(pod.node)), "--format", "json"])
        try:
            report = json.loads(done.out)
        except ValueError:
            self.fail(f"no report: {done}")
        self.assertEqual(done.code, {"pass": 0, "fail": 1, "inconclusive": 2}[report["verdict"]["decision"]], done)
        return [f for f in report["findings"] if f["status"] not in ("pass", "skip")]

    def changed(self, change):
        container = copy.deepcopy(self.container)
        change(container)
        return container

    def test_a_healthy_pod_finds_nothing(self):
        for found in at_once(*[lambda pod=pod: self.look(pod) for pod in self.pods.values()]):
            self.assertEqual(shown(found), "")

    def test_the_container_is_what_the_manifest_says(self):
        """Else the faults below would be found because of something else."""
        done = self.pods["node0"].run(self.container, ["sh", "-c", "grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/1/comm; "
                                                       "ls /sys/class/net /dev/infiniband; cat /sys/fs/cgroup/memory.max; touch /usr/x; which gcc python3 qemu-img"])
        for line in ("CapBnd:\t0000000000006000", "CapEff:\t0000000000006000", "NoNewPrivs:\t1", "Seccomp:\t2", "eth0\nlo\nnet1\nnet2\nnet3\nnet4",
                     "rdma_cm\nuverbs0\nuverbs1\nuverbs2\nuverbs3", f"\n{1 << 30}\n"):
            self.assertIn(line, done.out, done)
        self.assertIn("Read-only file system", done.err)
        self.assertNotEqual(done.code, 0, f"the image has a compiler, a Python or QEMU: {done}")

    def test_without_ipc_lock_it_is_the_locked_memory(self):
        found = self.look(self.pods["node0"], self.changed(lambda c: c["securityContext"]["capabilities"]["add"].remove("IPC_LOCK")))
        self.assertEqual([(f["check"], f["status"]) for f in found], [("rdma.memlock", "fail")], shown(found))
        self.assertIn("IPC_LOCK", found[0]["remedy"])

    def test_without_the_volume_shared_memory_is_small(self):
        found = self.look(self.pods["node0"], self.changed(lambda c: c["volumeMounts"].remove({"name": "shm", "mountPath": "/dev/shm"})))
        self.assertEqual([(f["check"], f["status"], f["observed"]) for f in found], [("host.shm", "fail", "0.06 GiB")], shown(found))
        self.assertIn("emptyDir", found[0]["remedy"])
