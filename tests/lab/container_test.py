"""Pods on the lab's nodes: containers of crun with networks of CNI, as the manifests ask for them; what is planted is found from inside."""
import copy, functools, json, os, shutil, subprocess, sys, tempfile, threading, unittest

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
SMALL = "--one-way --solo --sizes 64K --qps 1 --depth 16 --max-time 1s --precision 20"  # see rdma_test


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


@functools.cache
def a_key():
    """What is in the Secret of a group: {file: text}."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-f", f"{directory}/id_rsa"], check=True)
        shutil.copy(f"{directory}/id_rsa.pub", f"{directory}/authorized_keys")
        files = {}
        for name in os.listdir(directory):
            with open(os.path.join(directory, name)) as f:
                files[name] = f.read()
        return files


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
        cls.policy = next(word for word in cls.container["args"] if word.startswith("--policy="))
        cls.networks = [o for o in cls.objects if o["kind"] == "NetworkAttachmentDefinition"]
        cls.configmaps = {o["metadata"]["name"]: o.get("data", {}) for o in cls.objects if o["kind"] == "ConfigMap"}
        cls.addClassCleanup(lab.on_all, f"{lab.file('guest/pods')} end", lab.nodes[:2], timeout=120)
        lab.on_all(f"{lab.file('guest/pods')} begin", lab.nodes[:2], timeout=120)
        cls.pods = {node: cls.a_pod(node, "burnin") for node in lab.nodes[:2]}
        for pod in cls.pods.values():
            cls.addClassCleanup(lambda pod=pod: pod.attached and pod.down())

    def healthy(self, *nodes):
        """The Pods of the manifest's burn-in, on node0 or on both."""
        wanted = [self.pods[node] for node in nodes]
        at_once(*[pod.up for pod in wanted if not pod.attached])
        return wanted if len(wanted) > 1 else wanted[0]

    @classmethod
    def a_pod(cls, node, name, template=None, **more):
        more = {"definitions": cls.networks, "configmaps": cls.configmaps, **more}
        return pods.Sandbox(cases.LAB, node, template or cls.template, name, **more)

    def look(self, pod, container=None, checks=()):
        """The findings from inside a Pod that are neither pass nor skip, with the policy as the manifest mounts it."""
        done = pod.run(container or self.container, ["mlc-bench", "validate", *checks, self.policy, "--peer", pod_addresses(peer_of(pod.node)), "--format", "json"])
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
        for found in at_once(*[lambda pod=pod: self.look(pod) for pod in self.healthy("node0", "node1")]):
            self.assertEqual(shown(found), "")

    def test_the_container_is_what_the_manifest_says(self):
        """Else the faults below would be found because of something else."""
        done = self.healthy("node0").run(self.container, ["sh", "-c", "grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/1/comm; "
                                                       "ls /sys/class/net /dev/infiniband; cat /sys/fs/cgroup/memory.max; touch /usr/x; which gcc python3 qemu-img"])
        for line in ("CapBnd:\t0000000000006000", "CapEff:\t0000000000006000", "NoNewPrivs:\t1", "Seccomp:\t2", "eth0\nlo\nnet1\nnet2\nnet3\nnet4",
                     "rdma_cm\nuverbs0\nuverbs1\nuverbs2\nuverbs3", f"\n{1 << 30}\n"):
            self.assertIn(line, done.out, done)
        self.assertIn("Read-only file system", done.err)
        self.assertNotEqual(done.code, 0, f"the image has a compiler, a Python or QEMU: {done}")

    def test_without_ipc_lock_it_is_the_locked_memory(self):
        found = self.look(self.healthy("node0"), self.changed(lambda c: c["securityContext"]["capabilities"]["add"].remove("IPC_LOCK")))
        self.assertEqual([(f["check"], f["status"]) for f in found], [("rdma.memlock", "fail")], shown(found))
        self.assertIn("IPC_LOCK", found[0]["remedy"])

    def test_without_the_volume_shared_memory_is_small(self):
        found = self.look(self.healthy("node0"), self.changed(lambda c: c["volumeMounts"].remove({"name": "shm", "mountPath": "/dev/shm"})))
        self.assertEqual([(f["check"], f["status"], f["observed"]) for f in found], [("host.shm", "fail", "0.06 GiB")], shown(found))
        self.assertIn("emptyDir", found[0]["remedy"])

    def tmp_of(self, pod, name):
        """A file that a container left in its /tmp, an emptyDir of its Pod."""
        return self.lab.run(pod.node, f"cat /run/pods/{pod.name}.volumes/tmp/{name}").out

    def test_four_rails_carry_rdma_between_pods(self):
        here, there = self.healthy("node0", "node1")
        listening = there.start(self.container, ["mlc-bench", "rdma", "--listen", "--timeout", "60s", "--quiet", "--output", "/tmp/rdma.json"])
        self.lab.run("node1", "until ss -tln | grep -q :18516; do sleep 0.1; done", timeout=60)
        done = here.run(self.container, ["mlc-bench", "rdma", "write", *SMALL.split(), self.policy, "--connect", there.address, "--timeout", "60s", "--quiet",
                                         "--output", "/tmp/rdma.json"])
        other = self.lab.finish("node1", "rdma --listen", listening, 180)
        self.assertEqual((done.code, other.code), (0, 0), f"{done}\n{other}")
        rails = json.loads(self.tmp_of(here, "rdma.json"))["figures"]["rails"]
        self.assertEqual({(rail["rail"], rail["device"], rail["phase"]) for rail in rails},
                         {(r, f"roce{r}", "solo") for r in range(4)})
        for rail in rails:
            self.assertEqual(rail["wrong"], 0, rail)
            self.assertGreater(rail["gbit_s"], 0, rail)

    def test_allreduce_over_ssh_between_pods(self):
        """The Indexed Job of `mlc-bench manifest`: Pods with their rails, of which index 0 starts the ranks."""
        made = subprocess.run([self.lab.bench, "manifest", "allreduce", "--kind", "indexed-job", "--nodes", "2", "--gpus", "0", "--sizes", "4K,64K", "-n", "5", "--timeout", "3min"],
                              capture_output=True, text=True, check=True).stdout
        import yaml
        template, = [o["spec"]["template"] for o in yaml.safe_load_all(made) if o and o["kind"] == "Job"]
        secrets = {"mlc-allreduce-ssh": a_key()}
        both = self.healthy("node0", "node1")
        hosts = {pod.address: f"mlc-allreduce-{i}.mlc-allreduce mlc-allreduce-{i}" for i, pod in enumerate(both)}  # the Service's names
        workers = []
        for i, pod in enumerate(both):
            own = copy.deepcopy(template)
            own["spec"]["containers"][0]["env"].append({"name": "JOB_COMPLETION_INDEX", "value": str(i)})  # as the Job's controller does
            workers.append(pod.beside(own, f"mlc-allreduce-{i}", secrets, hosts))
        leader, other = workers
        process = other.start(other.spec["containers"][0])
        self.addCleanup(process.communicate)
        self.addCleanup(other.kill)
        done = leader.run(leader.spec["containers"][0], timeout=240)
        self.assertEqual(done.code, 0, done)
        self.assertIn("2 ranks · 2 nodes · mpi", done.out)
        self.assertIn("PASS", done.out)

    def an_api_server(self):
        """It runs here, and the nodes reach it through ssh. Their Pods have the account that the manifests give them."""
        directory = tempfile.mkdtemp(prefix="mlc-lab-api-")
        self.addCleanup(shutil.rmtree, directory)
        api = api_server.ApiServer(directory).__enter__()
        self.addCleanup(api.__exit__)
        api.add_configmap("mlc-bench", "mlc-bench-quarantine")
        with open(api.path("ca.crt")) as f:
            self.account = {"ca.crt": f.read(), "token": api.token, "namespace": "mlc-bench"}
        for node in self.lab.nodes[:2]:
            boot = self.lab.run(node, "cat /proc/sys/kernel/random/boot_id").out.strip()
            api.add_node(node, [FOREIGN, STARTUP], boot=boot)
            forward = f"127.0.0.1:{api.port}:127.0.0.1:{api.port}"
            subprocess.run(self.lab.ssh(node, "-O", "forward", "-R", forward), check=True, capture_output=True, timeout=60)
            self.addCleanup(subprocess.run, self.lab.ssh(node, "-O", "cancel", "-R", forward), capture_output=True, timeout=60)
        return api

    def may_publish(self, pod, api):
        pod.service, pod.account = ("127.0.0.1", api.port), self.account
        return pod

    def admission(self, api, node):
        return api.nodes[node]["metadata"]["labels"]["mlc-bench.io/admission"]

    def fabric_pods(self, both, api):
        """The Pods of the group that the dispatcher makes of the manifest's template, over these rails."""
        template, = [copy.deepcopy(o["spec"]["jobTemplate"]["spec"]["template"]) for o in self.objects
                     if o["kind"] == "CronJob" and o["metadata"]["name"] == "mlc-fabric"]
        container = template["spec"]["containers"][0]
        env = {one["name"]: one for one in container["env"]}
        env["PODS"]["value"] = "2"
        hosts = {pod.address: f"mlc-fabric-{i}.mlc-fabric mlc-fabric-{i}" for i, pod in enumerate(both)}  # the Service's names
        members = json.dumps([{"name": pod.node, "uid": f"uid-{pod.node}", "try": 0} for pod in both])
        made = []
        for i, pod in enumerate(both):
            own = copy.deepcopy(template)
            own["spec"]["containers"][0]["env"].append({"name": "JOB_COMPLETION_INDEX", "value": str(i)})  # as the Job's controller does
            made.append(pod.beside(own, f"mlc-fabric-{i}", {"mlc-fabric": a_key()}, hosts))
            made[-1].annotations = {**pod.annotations, "mlc-bench.io/members": members}
            self.may_publish(made[-1], api)
        return made

    def test_from_tainted_to_open_over_the_rails(self):
        """Each container as it is rendered: the local stages hand both nodes over, and meeting each other over four rails opens them."""
        both = self.healthy("node0", "node1")
        api = self.an_api_server()
        for pod in both:
            self.may_publish(pod, api)
        for pod, done in zip(both, at_once(*[lambda pod=pod: pod.run(self.container, timeout=300) for pod in both])):
            self.assertEqual(done.code, 0, done)
            self.assertEqual(self.admission(api, pod.node), "fabric", done)
            self.assertIn(STARTUP["key"], api.taints(pod.node), "nobody has measured its way to others")
        group = self.fabric_pods(both, api)
        for pod, done in zip(both, at_once(*[lambda one=one: one.run(one.spec["containers"][0], timeout=480) for one in group])):
            self.assertEqual(done.code, 0, done)
            self.assertEqual(api.taints(pod.node), [FOREIGN["key"]], done)
            self.assertEqual(api.condition(pod.node)["status"], "True")
            self.assertEqual(self.admission(api, pod.node), "admitted")
        said = json.loads(self.lab.run("node0", "cat $(ls -t /var/lib/mlc-bench/*/report.json | head -1)").out)
        rails = {(one["node"], one["rail"], one["peer"]) for one in said["figures"]["rails"]}
        self.assertEqual(rails, {(a, rail, b) for a, b in (("node0", "node1"), ("node1", "node0")) for rail in range(4)})

    def test_wrong_vf_refuses_the_node_and_names_the_rail(self):
        pod = self.another_pod("refused", definitions=self.exchanged())
        api = self.an_api_server()
        anew = self.changed(lambda c: next(one for one in c["env"] if one["name"] == "RUN_ID").update(value="refused"))  # no other run goes on in it
        done = self.may_publish(pod, api).run(anew, timeout=300)
        self.assertEqual(done.code, 1, done)
        self.assertEqual(self.admission(api, "node0"), "refused")
        self.assertIn(STARTUP["key"], api.taints("node0"))
        self.assertIn("rail 2 (net3)", api.condition("node0")["message"])

    def exchanged(self):
        """The resourceName annotations of two networks, exchanged: each interface has the other rail's VF under its addresses."""
        networks = copy.deepcopy(self.networks)
        key = "k8s.v1.cni.cncf.io/resourceName"
        second, third = (next(o for o in networks if o["metadata"]["name"] == name)["metadata"]["annotations"] for name in ("rail2", "rail3"))
        second[key], third[key] = third[key], second[key]
        return networks

    def another_pod(self, name, **more):
        """On node0, in place of the healthy one."""
        if self.pods["node0"].attached:
            self.pods["node0"].down()
        pod = self.a_pod("node0", name, **more)
        self.addCleanup(pod.down)
        return pod.up()

    def test_wrong_count_is_the_rail_that_is_missing(self):
        template = copy.deepcopy(self.template)
        template["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] = "rail0@net1,rail1@net2,rail2@net3"
        found = self.look(self.another_pod("three-rails", template=template))
        self.assertEqual([(f["check"], f["status"]) for f in found],
                         [("pci.inventory", "fail"), ("pod.attachment", "fail"), ("pod.devices", "fail")], shown(found))
        self.assertIn("rail 3 (10.13.0.0/16) is missing", found[0]["observed"])
        self.assertEqual(found[1]["observed"], "3 attachments")

    def test_wrong_vfs_are_named(self):
        found = self.look(self.another_pod("exchanged", definitions=self.exchanged()))
        self.assertEqual({f["subject"] for f in found}, {"rail 2 (net3)", "rail 3 (net4)"}, shown(found))
        self.assertEqual({f["check"] for f in found}, {"net.reachability", "net.path-mtu", "net.rail-matrix"}, shown(found))
        for subject, gateway in (("rail 2 (net3)", "10.12.0.1"), ("rail 3 (net4)", "10.13.0.1")):
            self.assertIn(("net.reachability", "fail", subject, f"gateway {gateway} does not answer"),
                          [(f["check"], f["status"], f["subject"], f["observed"]) for f in found], shown(found))

    def test_wrong_address_is_another_pods(self):
        """Two Pods of one rail's network with one address, as Whereabouts is known to give them."""
        self.addCleanup(self.lab.run, "router", "ip neigh flush dev rail0")  # else it goes on asking the wrong one of them
        for node in self.lab.nodes[:2]:  # one switch for both, where the lab has a router between them
            self.lab.run("router", f"bridge link set dev {node}-rail0 isolated off")
            self.addCleanup(self.lab.run, "router", f"bridge link set dev {node}-rail0 isolated on")
        self.healthy("node1")
        found = self.look(self.another_pod("same-address", addresses={"rail0": "10.10.1.20"}))
        failed = [(f["check"], f["subject"], f["observed"]) for f in found if f["status"] == "fail"]
        self.assertEqual(failed, [("net.duplicate-address", "rail 0 (net1)", "10.10.1.20 is also owned by 52:54:00:aa:01:00")], shown(found))
        self.assertEqual({f["subject"].split(" to ")[0] for f in found}, {"rail 0 (net1)"}, shown(found))

    def test_wrong_overlay_mtu_forgets_vxlan(self):
        template = copy.deepcopy(self.template)
        del template["metadata"]["annotations"]
        pod = self.a_pod("node0", "full-frames", template, overlay_mtu=1500, first=False).up()
        self.addCleanup(pod.down)
        found = self.look(pod, checks=["overlay"])
        self.assertEqual([(f["check"], f["status"], f["observed"]) for f in found],
                         [("overlay.mtu", "fail", "MTU 1500 over the underlay with 1500")], shown(found))
