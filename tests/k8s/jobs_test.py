"""The Jobs of k8s/manifests/jobs, which are what `mlc-bench manifest` prints: their Pods with their commands, users and capabilities, each
in a network of its own (kubelet.py). Without GPUs: of the command line only sizes, policy and the number of ranks are other ones.
What the MPI operator adds to a Pod is added here (kubeflow/mpi-operator pkg/controller/mpi_job_controller.go)."""
import copy, json, os, signal, subprocess, time, unittest

import controllers, kubelet, pod_network
from api_server import ApiServer
from cluster import Case, wait_for
from manifests_test import MANIFESTS, needs_tools
from program import HAS_MPI

try:
    import yaml
except ImportError:
    yaml = None

LACK = "needs root, for file systems and networks as Pods have them" if not (kubelet.POSSIBLE and pod_network.POSSIBLE) else \
    "sshd is not installed" if not os.path.exists("/usr/sbin/sshd") else "" if HAS_MPI else "mpirun is not installed"


def shrunk(words, ranks):
    """For host ranks: small sizes, nothing to be compared with."""
    words = [w.replace("--sizes=1G", "--sizes=64K").replace("ppr:8:node", "ppr:1:node") for w in words if w != "--policy=h100-4x200g"]
    return [ranks if w == "32" else w for w in words]


class Pods(Case):
    def setUp(self):
        super().setUp()
        self.network = self.enterContext(pod_network.PodNetwork())
        os.mkdir(self.path("api"))
        self.api = self.enterContext(ApiServer(self.path("api"), network=self.network))
        subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-f", self.path("id_rsa")], check=True)
        self.keys = {}
        for name, file in (("id_rsa", "id_rsa"), ("id_rsa.pub", "id_rsa.pub"), ("authorized_keys", "id_rsa.pub")):
            with open(self.path(file)) as f:
                self.keys[name] = f.read()
        self.processes, self.objects = {}, []

    @staticmethod
    def shipped(name):
        with open(f"{MANIFESTS}/jobs/{name}.yaml") as f:
            return [o for o in yaml.safe_load_all(f) if o]

    def pod(self, template, name, index=None, **more):
        number = len(self.network.addresses)
        identity = {"boot": f"{number:08x}-0000-4000-8000-000000000000", "machine": f"{number + 1:032x}"}
        return kubelet.Pod(template, self.objects, self.api, f"node-of-{name}", self.path(f"pods-{name}"), name=name, identity=identity,
                           network=self.network, index=index, **more)

    def start(self, pod):
        os.mkdir(self.path(f"root-{pod.name}"))
        with open(self.path(f"{pod.name}.log"), "wb") as log:
            self.processes[pod.name] = pod.start(root=self.path(f"root-{pod.name}"), output=log)
        self.addCleanup(lambda p=self.processes[pod.name]: (p.kill(), p.wait()))
        return self.processes[pod.name]

    def log(self, name):
        with open(self.path(f"{name}.log"), errors="replace") as f:
            return f.read()

    def told(self):
        return "\n".join(f"--- {n}\n{self.log(n)}" for n in self.processes)


    def controller(self, pods, within=90, killed=()):
        """What the Job's controller does until the Job is over and its Pods have ended: their codes, by index, and the outcome.
        `killed`: by the kernel or with their node, of which the kubelet says 137."""
        until, outcome = time.monotonic() + within, ""
        while not outcome:
            self.assertLess(time.monotonic(), until, self.told())
            outcome = controllers.outcome(self.job["spec"], {i: 137 if i in killed else p.returncode for i, p in enumerate(pods) if p.poll() is not None})
            time.sleep(0.05)
        for pod in pods:
            if pod.poll() is None:
                pod.send_signal(signal.SIGTERM)
        grace = self.job["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
        return {i: p.wait(timeout=grace) for i, p in enumerate(pods)}, outcome


@needs_tools
@unittest.skipIf(LACK, LACK)
class IndexedJob(Pods):
    def begin(self, change=lambda words: words):
        service, self.job = self.shipped("allreduce-indexed-job")
        self.assertTrue(service["spec"]["publishNotReadyAddresses"], "index 0 looks for the others before any is ready")
        spec, name = self.job["spec"], self.job["metadata"]["name"]
        container, = spec["template"]["spec"]["containers"]
        container["command"] = change(shrunk(container["command"], str(spec["completions"])))
        pods = [self.pod(spec["template"], f"{name}-{i}", i, secrets={f"{name}-ssh": self.keys}) for i in range(spec["completions"])]
        return [self.start(pod) for pod in pods]

    def test_all_end_with_index_0(self):
        pods = self.begin()
        codes, outcome = self.controller(pods)
        self.assertEqual((outcome, codes[0]), ("Complete", 0), self.told())
        self.assertIn("4 ranks · 4 nodes · mpi", self.log("mlc-allreduce-0"))

    def test_a_failure_ends_all_too(self):
        pods = self.begin(lambda words: [w.replace("--sizes=64K", "--sizes=never") for w in words])
        codes, outcome = self.controller(pods)
        self.assertEqual((outcome, codes[0]), ("Failed", 64), self.told())

    def test_a_worker_that_is_lost_ends_all(self):
        pods = self.begin(lambda words: [*words, "--max-time", "60s", "--precision", "0.00001", "--launches", "1"])
        wait_for(lambda: "4 ranks" in self.log("mlc-allreduce-0"), timeout=60)
        pods[2].kill()
        codes, outcome = self.controller(pods)
        self.assertEqual(outcome, "Failed", self.told())
        self.assertNotEqual(codes[0], 0)

    def test_one_that_waits_for_the_others_can_be_told_to_stop(self):
        spec = self.shipped("allreduce-indexed-job")[1]["spec"]
        alone = self.start(self.pod(spec["template"], "mlc-allreduce-0", 0, secrets={"mlc-allreduce-ssh": self.keys}))
        wait_for(lambda: "listening" in self.log("mlc-allreduce-0"))
        time.sleep(1)
        self.assertIsNone(alone.poll(), self.told())
        alone.send_signal(signal.SIGTERM)
        self.assertEqual(alone.wait(timeout=30), 130, self.told())


@needs_tools
@unittest.skipIf(LACK, LACK)
class Campaign(Pods):
    """`manifest fleet`, over the Pods' one network, each Pod's way held to 16 Mbit/s. Index 0 says what came of it."""
    MBIT = 16
    FOUND = (1, 2)  # where two processors carry all of them a path may be slow beside what is planted: 1

    def begin(self, *more, slow={}, absent=(), keys={}):
        _, self.job = self.shipped("fleet-indexed-job")
        spec, name = self.job["spec"], self.job["metadata"]["name"]
        container, = spec["template"]["spec"]["containers"]
        words = dict(w.split("=") for w in container["command"][2:]) | {"--rail-rate": self.MBIT / 1000 * .95, "--test-time": "1s"} | dict(w.split("=") for w in more)
        self.assertEqual(words.pop("--policy"), "h100-4x200g")
        container["command"] = [*container["command"][:2], *(f"{k}={v}" for k, v in words.items())]
        pods = []
        for i in range(spec["completions"]):
            if i in absent:
                continue
            pod = self.pod(spec["template"], f"{name}-{i}", i, secrets={f"{name}-key": {"key": keys.get(i, "k" * 44)}})
            pod_network.hold_to(pod.holder, slow.get(i, self.MBIT))
            pods.append(self.start(pod))
        return pods

    def test_nobody_is_accused_and_index_0_alone_has_the_answer(self):
        codes, outcome = self.controller(self.begin())
        self.assertNotIn("FAULTY", self.log("mlc-fleet-0"))
        self.assertEqual({codes[i] for i in (1, 2, 3)}, {0}, self.told())
        self.assertEqual(outcome, "Failed" if codes[0] else "Complete")
        self.assertEqual("".join(self.log(f"mlc-fleet-{i}") for i in (1, 2, 3)), "")

    def test_who_is_slow_is_named_by_its_node_and_the_job_fails(self):
        codes, outcome = self.controller(self.begin("--format=json", slow={2: self.MBIT / 2}))
        self.assertEqual((outcome, codes[0]), ("Failed", 1), self.told())
        report = json.loads(self.log("mlc-fleet-0"))
        accused = [f["subject"] for f in report["findings"] if f["status"] == "fail" and not f["subject"].startswith("the path ")]
        self.assertEqual([one.split(",")[0] for one in accused], ["node node-of-mlc-fleet-2"], self.told())

    def test_a_pod_that_is_killed_is_lost_and_ends_no_other(self):
        pods = self.begin("--test-time=4s")
        time.sleep(8)  # they have met by then, and have rounds before them
        pods[3].kill()
        codes, outcome = self.controller(pods, killed=(3,))
        self.assertEqual((outcome, codes[1]), ("Failed", 0), self.told())
        self.assertIn(codes[0], self.FOUND)
        self.assertIn("node-of-mlc-fleet-3 is gone", self.log("mlc-fleet-0"))
        self.assertIn("1 lost", self.log("mlc-fleet-0"))

    def test_a_pod_that_never_finds_a_node_does_not_keep_the_others(self):
        pods = self.begin("--gather=8s", absent=(3,))
        codes, outcome = self.controller(pods)
        self.assertEqual((outcome, codes[1], codes[2]), ("Failed", 0, 0), self.told())
        self.assertIn(codes[0], self.FOUND)
        self.assertIn("index 3 did not come", self.log("mlc-fleet-0"))
        self.assertIn("1 lost", self.log("mlc-fleet-0"))

    def test_another_key_takes_no_part(self):
        codes, _ = self.controller(self.begin("--gather=8s", keys={1: "x" * 44}))
        self.assertIn(codes[0], self.FOUND, self.told())
        self.assertIn("does not have the key of this group", self.log("mlc-fleet-0"))
        self.assertIn("1 lost", self.log("mlc-fleet-0"))
        self.assertEqual(codes[1], 3)

    def test_what_was_measured_is_told_when_the_job_is_ended(self):
        pods = self.begin("--test-time=20s")
        time.sleep(8)
        for pod in pods:
            pod.send_signal(signal.SIGTERM)
        self.assertEqual([p.wait(timeout=30) for p in pods], [130] * 4, self.told())
        self.assertIn("interrupted", self.log("mlc-fleet-0"))


@needs_tools
@unittest.skipIf(LACK, LACK)
class OfTheOperator(Pods):
    def operated(self, job, role):
        """The template of a role as the operator makes Pods of it: the keys in their place, the hosts in theirs."""
        name, spec = job["metadata"]["name"], job["spec"]
        template = copy.deepcopy(spec["mpiReplicaSpecs"][role]["template"])
        pod, (container,) = template["spec"], template["spec"]["containers"]
        pod.setdefault("volumes", []).append({"name": "ssh-auth", "secret": {"secretName": f"{name}-ssh"}})
        mounts = container.setdefault("volumeMounts", [])
        mounts.append({"name": "ssh-auth", "mountPath": spec["sshAuthMountPath"]})
        pod["subdomain"] = name
        if role == "Launcher":
            pod["volumes"].append({"name": "mpi-job-config", "configMap": {"name": f"{name}-config"}})
            mounts.append({"name": "mpi-job-config", "mountPath": "/etc/mpi"})
            container["env"] = [{"name": k, "value": v} for k, v in (
                ("OMPI_MCA_orte_keep_fqdn_hostnames", "true"), ("OMPI_MCA_orte_default_hostfile", "/etc/mpi/hostfile"),
                ("OMPI_MCA_plm_rsh_args", "-o ConnectionAttempts=10"), ("OMPI_MCA_orte_set_default_slots", str(spec["slotsPerWorker"])))]
        return template

    def test_the_launcher_starts_ranks_on_its_workers(self):
        job, = self.shipped("allreduce-mpijob")
        name, workers = job["metadata"]["name"], job["spec"]["mpiReplicaSpecs"]["Worker"]["replicas"]
        self.objects = [{"kind": "ConfigMap", "metadata": {"name": f"{name}-config"}, "data": {
            "hostfile": "".join(f"{name}-worker-{i}.{name} slots={job['spec']['slotsPerWorker']}\n" for i in range(workers))}}]
        secrets = {f"{name}-ssh": self.keys}
        pods = [self.pod(self.operated(job, "Worker"), f"{name}-worker-{i}", secrets=secrets) for i in range(workers)]
        launcher = self.operated(job, "Launcher")
        container, = launcher["spec"]["containers"]
        container["command"] = shrunk(container["command"], str(workers))
        last = self.pod(launcher, f"{name}-launcher", secrets=secrets)
        for pod in pods:
            self.start(pod)
        # launcherCreationPolicy: WaitForWorkersReady, which is that their sshd answers.
        self.assertEqual(job["spec"]["launcherCreationPolicy"], "WaitForWorkersReady")
        wait_for(lambda: all("listening" in self.log(pod.name) for pod in pods))
        self.assertEqual(self.start(last).wait(timeout=100), 0, self.told())
        self.assertIn("4 ranks · 4 nodes · mpi", self.log(f"{name}-launcher"))
        # cleanPodPolicy: Running, so that they end with it.
        self.assertEqual(job["spec"]["runPolicy"]["cleanPodPolicy"], "Running")
        for pod in pods:
            self.processes[pod.name].send_signal(signal.SIGTERM)
            self.processes[pod.name].wait(timeout=30)


if __name__ == "__main__":
    unittest.main()
