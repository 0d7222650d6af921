"""The whole way of new nodes, for every overlay as it is rendered: shut, the dispatcher's Job for the local stages, the fabric stage, open; or
refused, with what is wrong named. The dispatcher and all Pods run with the command lines, accounts, volumes and capabilities that ship,
each Pod in a network of its own (kubelet.py), against an API server that grants what the overlay grants. What is replaced is the
measuring (measured.py, played_stage.py), the scheduler and the Job's controller (controllers.py)."""
import glob, json, os, re, shutil, signal, subprocess, unittest

import access, controllers, kubelet, pod_network
from api_server import ApiServer
from cluster import FOREIGN, SOURCE, STARTUP, Case, wait_for
from manifests_test import MANIFESTS, needs_tools, overlay, validate

try:
    import yaml
    from measured import policy_text, record, section, tool, trees
except ImportError:
    yaml = None

HERE = os.path.dirname(os.path.abspath(__file__))
LACK = "needs root, for file systems and networks as Pods have them" if not (kubelet.POSSIBLE and pod_network.POSSIBLE) else \
    f"pip install -r tests/k8s/requirements.txt: {access.MISSING}" if access.MISSING else ""
OVERLAYS = sorted(os.listdir(f"{MANIFESTS}/overlays"))


def key_files(directory):
    """What docs/fabric.md tells an operator to make a Secret of."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{directory}/id_rsa"], check=True)
    files = {}
    for name, file in (("id_rsa", "id_rsa"), ("authorized_keys", "id_rsa.pub")):
        with open(f"{directory}/{file}") as f:
            files[name] = f.read()
    return files


class Story(Case):
    def cluster(self, objects, nodes, **world):
        """A cluster to which these objects were applied, and in which such nodes have come up, shut."""
        self.objects, self.policy = objects, policy_text(objects)
        self.network = self.enterContext(pod_network.PodNetwork())
        os.mkdir(self.path("api"))
        self.api = self.enterContext(ApiServer(self.path("api"), network=self.network))
        self.api.enforce(objects)
        self.api.token = "nobody-has-this-one"
        for one in objects:
            if one["kind"] == "CronJob":
                self.api.add_cronjob(one)
            if one["kind"] == "ConfigMap":
                self.api.add_configmap("mlc-bench", one["metadata"]["name"])
        self.identity = {n: {"boot": f"0000000{i}-0000-4000-8000-00000000000{i}", "machine": f"{i:032x}"} for i, n in enumerate(nodes, 1)}
        for node in nodes:
            made = self.api.add_node(node, [FOREIGN, STARTUP], boot=self.identity[node]["boot"],
                                     labels={"mlc-bench.io/admission": "pending", "kubernetes.io/hostname": node})
            made["status"]["nodeInfo"]["machineID"] = self.identity[node]["machine"]
            made["metadata"]["creationTimestamp"] = self.api.now(-60)
        self.world = {"nodes": self.identity, "rails": 4, "busbw": {"allreduce": [95, 90], "allgather": [95, 90], "reducescatter": [95, 90], "alltoall": [22, 20]}, **world}
        self.secrets = {"mlc-fabric": key_files(self.directory.name)}
        self.logs, self.mbit = {}, {}

    def pod(self, template, node, name, index=None, played=None):
        """On that node, with the node's own disk, boot and token of the account that the template names."""
        token = self.api.token_of(template["spec"]["serviceAccountName"], node)
        # What is played is the fabric stage's measuring only.
        preload = played and {"LD_PRELOAD": "/image/played/libother_stages.so", "MLC_TEST_STAGES": "/image/played/played_stage.py",
                              "MLC_TEST_WORLD": "/image/played/world.json", "MLC_TEST_CAMPAIGN": "/image/played/played_campaign", "MLC_TEST_LOG": "/image/played/log",
                              "ASAN_OPTIONS": "verify_asan_link_order=0"}
        pod = kubelet.Pod(template, self.objects, self.api, node, self.path(f"pods/{name}"), token=token, name=name, identity=self.identity.get(node),
                          network=self.network, index=index, secrets=self.secrets, played=played, preload=preload,
                          labels={"batch.kubernetes.io/job-name": name})
        pod.host = self.path(f"disk-{node}")
        return pod

    def dispatch(self, code=0):
        template, = [o["spec"]["jobTemplate"]["spec"]["template"] for o in self.objects
                     if o["kind"] == "CronJob" and o["metadata"]["name"] == "mlc-dispatch"]
        self.rounds = getattr(self, "rounds", 0) + 1
        ran = self.pod(template, "control-plane", f"mlc-dispatch-{self.rounds}").run()
        self.assertEqual(ran.code, code, ran)
        for name, job in self.api.jobs.items():
            validate([{**job, "apiVersion": "batch/v1"}])
        return ran

    def waiting(self, kind):
        """Jobs of that kind that are not over."""
        return {n: j for n, j in self.api.jobs.items() if j["metadata"]["labels"]["mlc-bench.io/kind"] == kind and "conditions" not in j.get("status", {})}

    def run_local(self, name, tree="healthy", failing=None):
        """The Job's Pod where the scheduler puts it, and its end; how often it was made anew is the template's say."""
        job, codes = self.api.jobs[name], []
        node, = controllers.places(self.api, job)
        controllers.at_work(self.api, name)
        while not codes or not controllers.settle(self.api, name, codes):
            pod = self.pod(job["spec"]["template"], node, f"{name}-{len(codes)}")
            said = record(pod, self.policy, tree, failing)
            ran = pod.run()
            codes.append(ran.code)
            self.logs[f"{node} {name}"] = f"{said}{ran}"
        return node, codes

    def begin_fabric(self, name):
        """The processes of its Pods, by node."""
        job = self.api.jobs[name]
        nodes = controllers.places(self.api, job)
        self.assertEqual(len(nodes), job["spec"]["completions"], self.told())
        controllers.at_work(self.api, name, len(nodes))
        pods = {}
        for index, node in enumerate(nodes):
            played = None
            if "busbw" in self.world:
                played = self.path(f"played-{node}")
                os.makedirs(played, exist_ok=True)
                built = f"{os.environ['MLC_BUILD']}/tests/k8s"
                for file in (f"{built}/libother_stages.so", f"{built}/played_campaign", f"{HERE}/played_stage.py"):
                    shutil.copy(file, played)
                with open(f"{played}/world.json", "w") as f:
                    json.dump(self.world, f)
            pods[node] = self.pod(job["spec"]["template"], node, f"{name}-{index}", index=index, played=played)
            if self.mbit:
                pod_network.hold_to(pods[node].holder, self.mbit.get(node, self.mbit["others"]))
        processes = {}
        for node, pod in pods.items():  # when all have their addresses
            self.logs[f"{node} {name}"] = path = os.path.join(pod.played or self.directory.name, "log" if pod.played else f"log-{node}")
            with open(path, "wb") as log:
                processes[node] = pod.start(root=self.root(node, name), output=log)
            self.addCleanup(lambda p=processes[node]: (p.kill(), p.wait()))
        return processes

    def root(self, node, name):
        os.makedirs(self.path(f"root-{node}-{name}"))
        return self.path(f"root-{node}-{name}")

    def run_fabric(self, name):
        """Exit codes by node, when its controller has seen them too."""
        codes = {node: process.wait(timeout=150) for node, process in self.begin_fabric(name).items()}
        controllers.settle(self.api, name, list(codes.values()))
        return codes

    def told(self):
        said = [subprocess.run(["cat", log], capture_output=True, text=True).stdout if os.path.exists(log) else log for log in self.logs.values()]
        return "\n".join(f"--- {name}\n{text}" for name, text in zip(self.logs, said))

    def label(self, node):
        return self.api.nodes[node]["metadata"]["labels"]["mlc-bench.io/admission"]

    def is_open(self, node):
        shut = STARTUP["key"] in self.api.taints(node)
        good = (self.api.condition(node) or {}).get("status") == "True"
        self.assertEqual((self.label(node) == "admitted", good), (not shut, not shut), f"{node}: {self.api.nodes[node]}\n{self.told()}")
        return not shut

    def cilium_is_ready(self):
        for node in self.api.nodes.values():
            node["spec"]["taints"] = [t for t in node["spec"]["taints"] if t != FOREIGN]

    def through_local_stages(self, nodes):
        """One Job for each node, held to it; and no place for it as long as the node has no network."""
        self.dispatch()
        jobs = self.waiting("burnin")
        self.assertEqual(len(jobs), len(nodes))
        for job in jobs.values():
            self.assertEqual(controllers.places(self.api, job), [], "its taints and no others are tolerated")
        self.cilium_is_ready()
        done = {}
        for name, job in jobs.items():
            node, codes = self.run_local(name)
            self.assertEqual(job["metadata"]["labels"]["mlc-bench.io/node"], node)
            self.assertEqual(codes, [0], self.told())
            done[node] = name
        self.assertEqual(set(done), set(nodes))


@needs_tools
@unittest.skipIf(LACK, LACK)
class AsShipped(Story):
    def test_new_nodes_are_opened_when_all_is_measured(self):
        for name in OVERLAYS:
            with self.subTest(name):
                objects = overlay(name)
                self.directory.cleanup()
                os.makedirs(self.directory.name)
                nodes = ["gpu-a", "gpu-b", "gpu-c", "gpu-d"]
                self.cluster(objects, nodes)
                self.through_local_stages(nodes)
                if "fabric" in yaml.safe_load(self.policy):
                    self.assertEqual([self.is_open(n) for n in nodes], [False] * 4)
                    self.dispatch()
                    fabric, = self.waiting("fabric")
                    self.assertEqual(self.run_fabric(fabric), dict.fromkeys(nodes, 0), self.told())
                self.assertEqual([self.is_open(n) for n in nodes], [True] * 4)
                ran = self.dispatch()
                self.assertIn("4 nodes: 4 admitted", ran.out)
                self.assertEqual((self.waiting("burnin"), self.waiting("fabric")), ({}, {}))

    def test_one_key_more_measures_between_any_nodes(self):
        """What docs/fabric.md says for policies without a fabric section, with sshd and mpirun as they are: nothing is played."""
        with open(os.path.join(SOURCE, "docs/fabric.md")) as f:
            more, = re.findall(r"```yaml\n# generic: .*?\n(.*?)```", f.read(), re.S)
        objects = overlay("generic")
        config = next(o for o in objects if o["kind"] == "ConfigMap" and "policy.yaml" in o.get("data", {}))
        config["data"]["policy.yaml"] += more
        self.cluster(objects, ["gpu-a", "gpu-b"])
        del self.world["busbw"]
        self.through_local_stages(["gpu-a", "gpu-b"])
        self.assertEqual([self.label("gpu-a"), self.label("gpu-b")], ["fabric", "fabric"], self.told())
        self.dispatch()
        fabric, = self.waiting("fabric")
        self.assertEqual(self.run_fabric(fabric), {"gpu-a": 0, "gpu-b": 0}, self.told())
        self.assertEqual([self.is_open("gpu-a"), self.is_open("gpu-b")], [True, True])

    def campaign(self, nodes, **mbit):
        """The Job of a fabric stage that is `fleet`, with flows as they are over the Pods' network, where each way is held to a rate: nothing is played."""
        objects = overlay("generic")
        config = next(o for o in objects if o["kind"] == "ConfigMap" and "policy.yaml" in o.get("data", {}))
        config["data"]["policy.yaml"] += """
dispatch: {partners: 3}
fabric:
  budget: 30 min
  stages:
    - {stage: fabric-fleet, command: [fleet, --engine, tcp, --rail-rate, "0.0152", --test-time, 1s], limit: 3 min}
"""
        self.cluster(objects, nodes)
        del self.world["busbw"]
        self.mbit = {"others": 16, **mbit}
        self.through_local_stages(nodes)
        self.dispatch()
        fabric, = self.waiting("fabric")
        return fabric

    def decided(self, codes):
        """Two processors carry all of it: one that was disturbed is left open (2), and nobody else is at fault."""
        self.assertLessEqual(set(codes.values()), {0, 2}, self.told())
        for node, code in codes.items():
            self.assertEqual(self.is_open(node), code == 0, self.told())

    def test_a_campaign_shuts_the_slow_node_and_no_other(self):
        codes = self.run_fabric(self.campaign(["gpu-a", "gpu-b", "gpu-c", "gpu-d"], **{"gpu-c": 8}))
        self.assertEqual(codes.pop("gpu-c"), 1, self.told())
        self.decided(codes)
        self.assertFalse(self.is_open("gpu-c"))
        self.assertEqual(self.label("gpu-c"), "refused")
        self.assertIn("node gpu-c", self.api.condition("gpu-c")["message"])

    def test_a_member_that_dies_in_a_campaign_is_not_opened_and_ends_no_other(self):
        processes = self.begin_fabric(self.campaign(["gpu-a", "gpu-b", "gpu-c", "gpu-d"]))
        wait_for(lambda: "a campaign of" in self.told(), timeout=60)
        processes["gpu-b"].kill()
        self.decided({node: process.wait(timeout=150) for node, process in processes.items() if node != "gpu-b"})
        self.assertFalse(self.is_open("gpu-b"))

    def test_nobody_is_opened_where_who_leads_dies(self):
        processes = self.begin_fabric(self.campaign(["gpu-a", "gpu-b", "gpu-c", "gpu-d"]))
        wait_for(lambda: "a campaign of" in self.told(), timeout=60)
        leader = next(iter(processes))
        processes[leader].kill()
        self.assertEqual({process.wait(timeout=150) for node, process in processes.items() if node != leader}, {2}, self.told())
        self.assertEqual([node for node in processes if self.is_open(node)], [])

    def test_a_bad_rail_is_named_and_its_partners_open(self):
        nodes = ["gpu-a", "gpu-b", "gpu-c", "gpu-d"]
        self.cluster(overlay("sakura-h100"), nodes, bad=[["gpu-c", 2, "both"]])
        self.through_local_stages(nodes)
        self.dispatch()
        fabric, = self.waiting("fabric")
        self.assertEqual(self.run_fabric(fabric), {"gpu-a": 0, "gpu-b": 0, "gpu-c": 1, "gpu-d": 0}, self.told())
        self.assertEqual([n for n in nodes if self.is_open(n)], ["gpu-a", "gpu-b", "gpu-d"])
        self.assertEqual(self.label("gpu-c"), "refused")
        self.assertEqual(self.api.condition("gpu-c")["status"], "False")
        self.assertIn("rail 2", self.api.condition("gpu-c")["message"])
        self.assertIn("gpu-c", self.dispatch().out)

    # A short burn-in that really measures, with something to be killed in.
    SHORT = """policy: short
unknown_blocks: false
node: {host: {nofile: 1}}
confidence: {observe: 3 s, stall: 20 s}
thresholds:
  - {collective: allreduce, min_size: 64K, busbw_at_least: 0.001 GB/s}
burnin:
  stages:
    - {stage: validate, command: [validate, host.limits], limit: 2 min}
    - {stage: first, command: [allreduce, --backend, loopback, --sizes, 64K], limit: 2 min}
    - {stage: second, command: [allreduce, --backend, loopback, --sizes, 128K], limit: 2 min}
admit: {valid_for: 168 h}
"""

    def begin_local(self, name):
        """Its Pod, measuring for itself."""
        node, = controllers.places(self.api, self.api.jobs[name])
        controllers.at_work(self.api, name)
        pod = self.pod(self.api.jobs[name]["spec"]["template"], node, name)
        self.logs[name] = self.path(f"log-{name}")
        with open(self.logs[name], "wb") as log:
            process = pod.start(root=self.root(node, name), output=log)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        run_id, = [e["value"] for e in self.api.jobs[name]["spec"]["template"]["spec"]["containers"][0]["env"] if e["name"] == "RUN_ID"]
        return process, f"{pod.host}/var/lib/mlc-bench/{run_id}"

    def short(self):
        """One new node, and its Job under the short policy."""
        objects = overlay("generic")
        config = next(o for o in objects if o["kind"] == "ConfigMap" and "policy.yaml" in o.get("data", {}))
        config["data"]["policy.yaml"] = self.SHORT
        self.cluster(objects, ["gpu-a"])
        self.cilium_is_ready()
        self.dispatch()
        job, = self.waiting("burnin")
        return job

    def killed_and_gone_on_with(self, number):
        job = self.short()
        process, folder = self.begin_local(job)
        wait_for(lambda: glob.glob(f"{folder}/second*.log"), timeout=60)
        process.send_signal(number)
        code = process.wait(timeout=self.api.jobs[job]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])
        controllers.end(self.api, job, True, "DeadlineExceeded")
        self.assertFalse(self.is_open("gpu-a"))
        first, = glob.glob(f"{folder}/first*.json")
        measured = os.stat(first).st_mtime_ns
        said = self.dispatch().out
        self.assertRegex(said, r"gpu-a +pending +one Job without a verdict .*; again after", "nothing is tried at once")
        self.assertEqual(self.waiting("burnin"), {})
        self.api.date_offset_s += 660
        self.dispatch()
        after, = self.waiting("burnin")
        self.assertNotEqual(after, job)
        process, again = self.begin_local(after)
        self.assertEqual(process.wait(timeout=120), 0, self.told())
        self.assertEqual((again, os.stat(first).st_mtime_ns), (folder, measured), "what was measured is not measured anew")
        controllers.end(self.api, after)
        self.assertTrue(self.is_open("gpu-a"))
        return code

    def test_a_run_that_is_told_to_stop_is_gone_on_with(self):
        """As at the Job's deadline, by preemption and by a drain."""
        self.assertEqual(self.killed_and_gone_on_with(signal.SIGTERM), 130, self.told())

    def test_a_run_that_is_killed_is_gone_on_with(self):
        self.killed_and_gone_on_with(signal.SIGKILL)

    def booted_anew(self, boot):
        self.identity["gpu-a"]["boot"] = boot
        self.api.nodes["gpu-a"]["status"]["nodeInfo"]["bootID"] = boot

    def test_a_node_that_is_booted_in_mid_run_is_measured_anew(self):
        job = self.short()
        process, folder = self.begin_local(job)
        wait_for(lambda: glob.glob(f"{folder}/second*.log"), timeout=60)
        first, = glob.glob(f"{folder}/first*.json")
        process.kill()
        process.wait()
        self.booted_anew("00000009-0000-4000-8000-000000000009")
        node, = self.api.nodes
        pod = self.pod(self.api.jobs[job]["spec"]["template"], node, f"{job}-again")  # podReplacementPolicy
        ran = pod.run()
        self.assertEqual(ran.code, 0, ran)
        self.assertNotIn(first, glob.glob(f"{folder}/first*.json"), "of another boot nothing counts")
        controllers.settle(self.api, job, [0])
        self.assertTrue(self.is_open("gpu-a"))

    def test_a_node_that_is_made_anew_in_mid_run_is_another(self):
        """Its namesake must not be opened by what the one before it showed, and nothing waits for that one."""
        job = self.short()
        process, folder = self.begin_local(job)
        wait_for(lambda: glob.glob(f"{folder}/second*.log"), timeout=60)
        del self.api.nodes["gpu-a"]
        made = self.api.add_node("gpu-a", [STARTUP], boot="00000007-0000-4000-8000-000000000007",
                                 labels={"mlc-bench.io/admission": "pending", "kubernetes.io/hostname": "gpu-a"})
        made["metadata"]["uid"] = "another"
        self.assertNotEqual(process.wait(timeout=60), 0, self.told())
        controllers.end(self.api, job, failed=True)
        self.assertFalse(self.is_open("gpu-a"))
        self.dispatch()
        after, = self.waiting("burnin")
        self.assertNotEqual(after, job, "named after its uid")

    def test_a_clock_that_is_wrong_by_a_day(self):
        """The node's: either way it is measured, said, and told by the server's clock, so that nobody takes its look for an old one."""
        for ahead in (86400, -86400):
            with self.subTest(ahead=ahead):
                self.directory.cleanup()
                os.makedirs(self.directory.name)
                job = self.short()
                self.api.date_offset_s = -ahead
                process, _ = self.begin_local(job)
                self.assertEqual(process.wait(timeout=100), 0, self.told())
                self.assertRegex(self.told(), f"clock of this node is 86[34]\\d\\d.00 s {'ahead of' if ahead > 0 else 'behind'} that of the API server")
                controllers.end(self.api, job)
                self.assertTrue(self.is_open("gpu-a"))
                tested = self.api.nodes["gpu-a"]["metadata"]["annotations"]["mlc-bench.io/tested-at"]
                self.assertLess(self.api.now(-300), tested)
                self.assertLessEqual(tested, self.api.now(60))
                self.assertIn("1 node: 1 admitted", self.dispatch().out)
                self.assertEqual(self.waiting("passive"), {}, "it was looked at just now")


if __name__ == "__main__":
    unittest.main()
