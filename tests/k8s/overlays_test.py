"""Every overlay as it is rendered: its commands, under its policy, its accounts and its capabilities, in a root as its Pods have it
(kubelet.py), against the API server of the tests, which grants and lets through what that overlay does.

What is replaced is the measuring, and nothing after it: no machine of these tests has GPUs, NCCL or rails. `validate` reads a captured
tree in place of this machine; what the other stages would have measured is put into the node's state folder as the records of an
attempt that was killed (measured.py), and the Pod goes on from there. Reading them, merging, deciding and publishing are the
program's own, in the Pod."""
import itertools, os, tempfile, unittest

import access, kubelet
from cluster import FOREIGN, STARTUP, Case, ClusterCase, utc
from ipam_test import FleetCase
from manifests_test import MANIFESTS, needs_tools, overlay

try:
    import yaml
    from measured import policy_text, record, section, trees
except ImportError:
    yaml = None

OVERLAYS = sorted(os.listdir(f"{MANIFESTS}/overlays"))
# What a check does that an ordinary process may not. The probes are sent where the policy's node.probe asks for them.
NET_RAW = {"gateways": "net.reachability", "duplicates": "net.duplicate-address", "path_mtu": "net.path-mtu"}
# Beyond its first 64 bytes a device's configuration space is for SYS_ADMIN (pci_read_config of the kernel); /dev/kmsg is no device of
# a container that is not privileged. Neither is to be had: in a Pod these are unknown.
NOT_IN_A_POD = {"pci.max-read-request", "pci.relaxed-ordering", "pci.acs", "gpu.xid"}


# What is no fault unless the policy says what is right: which routes a rail has; and what takes packets to be found.
ONLY_WHERE_SAID = {"route-missing": "node.rails.addresses", "gateway-silent": "node.probe.gateways", "address-of-two": "node.probe.duplicates"}


def is_said(policy, key):
    """Has the policy that key? What is no key is said by all."""
    for word in (key or "").split("."):
        policy = policy.get(word, {}) if word else True
    return bool(policy)


def held_to(api, objects, template):
    """From now on the server lets that template's account do what these objects grant it, and no more."""
    if access.MISSING:
        raise unittest.SkipTest(f"pip install -r tests/k8s/requirements.txt: {access.MISSING}")  # unheld, it would show less than it says
    api.enforce(objects, account=template["spec"]["serviceAccountName"], node="gpu-a")


def cron_jobs(objects):
    return {o["metadata"]["name"]: o["spec"]["jobTemplate"] for o in objects if o["kind"] == "CronJob"}


def runs_of(objects):
    """(name, section, pod template) of each template that runs stages."""
    for name, job in cron_jobs(objects).items():
        template = job["spec"]["template"]
        container, = template["spec"]["containers"]
        words = container["command"][1:] + container.get("args", [])
        if words[0] == "burnin":
            yield name, section(words), template


def is_named(check, names):
    """A check by its name or its room."""
    return check in names or check.split(".")[0] in names


def asks(stage, check):
    """Does this stage make that check?"""
    words = [w for w in stage["command"] if not w.startswith("-")]
    return words[0] == "validate" and (len(words) == 1 or is_named(check, words[1:]))


def probes(stage, policy):
    """The checks of a stage that send packets of their own."""
    return {check for key, check in NET_RAW.items() if policy.get("node", {}).get("probe", {}).get(key) and asks(stage, check)}


@needs_tools
class Capabilities(Case):
    def test_each_template_has_what_the_checks_of_its_policy_need(self):
        compared = 0
        for name in OVERLAYS:
            objects = overlay(name)
            policy = yaml.safe_load(policy_text(objects))
            for job, run_kind, template in runs_of(objects):
                with self.subTest(overlay=name, job=job):
                    if run_kind not in policy:
                        continue  # no Job is made of it
                    stages = policy[run_kind]["stages"]
                    need = {"NET_RAW"} if any(probes(stage, policy) for stage in stages) else set()
                    # rdma pins memory; so does rdma.memlock, as much as the policy says (node.rails.register).
                    registers = policy.get("node", {}).get("rails", {}).get("register")
                    if any(s["command"][0] == "rdma" or (registers and asks(s, "rdma.memlock")) for s in stages):
                        need.add("IPC_LOCK")
                    container = template["spec"]["containers"][0]
                    has = set(container["securityContext"]["capabilities"].get("add", []))
                    self.assertLessEqual(need, has, f"{run_kind} runs {stages}")
                    sshd = {"SETUID", "SETGID", "SYS_CHROOT"} if any("--serve-ssh" in w for w in container["args"]) else set()
                    self.assertLessEqual(has - need, {"IPC_LOCK"} | sshd, "and nothing that nothing needs")
                    compared += bool(need)
        self.assertGreaterEqual(compared, 2)

    def test_a_policy_asks_a_pod_for_nothing_that_it_cannot_see(self):
        """Where an unknown finding blocks, one of them makes every verdict inconclusive, for ever."""
        asked = 0
        for name in OVERLAYS:
            objects = overlay(name)
            policy = yaml.safe_load(policy_text(objects))
            if not policy["unknown_blocks"]:
                continue
            for job, run_kind, template in runs_of(objects):
                side = policy["node"]["host" if template["spec"].get("hostNetwork") else "pod"]
                skipped = policy["node"].get("skip", []) + side.get("skip", [])
                for stage in policy.get(run_kind, {"stages": []})["stages"]:
                    asked += stage["command"][0] == "validate"
                    unseen = {c for c in NOT_IN_A_POD if asks(stage, c) and not is_named(c, skipped)}
                    self.assertEqual(unseen, set(), f"{name}, {job}")
        self.assertGreaterEqual(asked, 2)


@needs_tools
@unittest.skipUnless(kubelet.POSSIBLE, "needs root, for a file system as a Pod has it")
class AsRendered(ClusterCase):
    """The local stages of a new node, from the Job that ships."""

    def join(self, node="gpu-a"):
        with open("/proc/sys/kernel/random/boot_id") as f:
            self.api.add_node(node, [FOREIGN, STARTUP], boot=f.read().strip())

    def pod(self, objects, name, tree, failing=None):
        """The Pod of that template on gpu-a, when its stages have been measured."""
        template = cron_jobs(objects)[name]["spec"]["template"]
        directory = tempfile.mkdtemp(dir=self.path("."))
        held_to(self.api, objects, template)
        pod = kubelet.Pod(template, objects, self.api, "gpu-a", directory)
        self.inconclusive = record(pod, policy_text(objects), tree, failing)
        return pod

    def open(self):
        """As a burn-in an hour ago has left it. Until when it is known good."""
        metadata = self.api.nodes["gpu-a"]["metadata"]
        metadata["labels"]["mlc-bench.io/admission"] = "admitted"
        node = self.api.nodes["gpu-a"]
        metadata["annotations"].update({"mlc-bench.io/tested-at": utc(-3600), "mlc-bench.io/expires": utc(3600),
                                        "mlc-bench.io/boot-id": node["status"]["nodeInfo"]["bootID"]})
        # What opened it took the taint of new nodes away.
        node["spec"]["taints"] = [one for one in node["spec"].get("taints", []) if one["key"] != STARTUP["key"]]
        self.api.nodes["gpu-a"]["status"]["conditions"].append(
            {"type": "MLClusterReady", "status": "True", "reason": "Admitted", "message": "", "lastTransitionTime": utc(-3600)})
        return metadata["annotations"]["mlc-bench.io/expires"]

    def admission(self):
        return self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"]

    def test_a_healthy_node_is_let_in_by_every_overlay(self):
        for name in OVERLAYS:
            with self.subTest(name):
                objects = overlay(name)
                self.join()
                ran = self.pod(objects, "mlc-burnin", "healthy").run()
                self.no_secret(ran.out + ran.err)
                self.assertEqual(ran.code, 0, f"{self.inconclusive}{ran}")
                local_only = "fabric" not in yaml.safe_load(policy_text(objects))
                self.assertEqual(self.admission(), "admitted" if local_only else "fabric")
                self.assertEqual(STARTUP["key"] in self.api.taints("gpu-a"), not local_only, "open only when all is measured")
                self.assertIn(FOREIGN["key"], self.api.taints("gpu-a"))

    def test_each_faulty_node_is_refused_and_says_why(self):
        faults = trees()[1]["pod"]
        self.assertGreaterEqual(len(faults), 8)
        refused = {name: 0 for name in OVERLAYS}
        for name, (tree, check) in itertools.product(OVERLAYS, faults.items()):
            if tree == "healthy":
                continue
            with self.subTest(overlay=name, tree=tree):
                objects = overlay(name)
                self.join()
                ran = self.pod(objects, "mlc-burnin", tree).run()
                if not is_said(yaml.safe_load(policy_text(objects)), ONLY_WHERE_SAID.get(tree)):
                    self.assertEqual(ran.code, 0, "no fault by this policy, so that this list is of use")
                    continue
                self.assertEqual(ran.code, 1, f"{self.inconclusive}{ran}")
                self.assertEqual(self.admission(), "refused")
                self.assertEqual(self.api.condition("gpu-a")["status"], "False")
                self.assertIn(check, ran.out)
                self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))
                refused[name] += 1
        self.assertEqual(refused["sakura-h100"], len(faults) - 1, "all but the healthy one")
        self.assertGreaterEqual(min(refused.values()), 5)

    def test_each_stage_that_fails_refuses_the_node(self):
        objects = overlay("sakura-h100")
        for stage in yaml.safe_load(policy_text(objects))["burnin"]["stages"]:
            if stage["command"][0] == "validate":
                continue
            with self.subTest(stage["stage"]):
                self.join()
                ran = self.pod(objects, "mlc-burnin", "healthy", failing=stage["stage"]).run()
                self.assertEqual(ran.code, 1, f"{self.inconclusive}{ran}")
                self.assertEqual(self.admission(), "refused")

    def test_a_health_run_renews_and_takes_away(self):
        for name in OVERLAYS:
            with self.subTest(name):
                objects = overlay(name)
                for tree, code, state in (("healthy", 0, "admitted"), ("port-down", 1, "refused")):
                    self.join()
                    until = self.open()
                    ran = self.pod(objects, "mlc-health", tree).run()
                    self.assertEqual(ran.code, code, f"{self.inconclusive}{ran}")
                    self.assertEqual(self.admission(), state)
                    if code == 0:
                        self.assertGreater(self.api.nodes["gpu-a"]["metadata"]["annotations"]["mlc-bench.io/expires"], until)

    def test_prometheus_gets_a_file_of_each_kind_of_run(self):
        """In one folder of the node, and no sample twice, in one file or in two: node_exporter would drop them all."""
        objects = overlay("sakura-h100")
        self.join()
        seen, files = [], {}
        for name in ("mlc-burnin", "mlc-health", "mlc-passive"):
            if name != "mlc-burnin":
                self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"] = "admitted"
            pod = self.pod(objects, name, "healthy")
            self.assertIn(pod.run().code, (0, 2))
            folder = pod.host + "/var/lib/node_exporter/textfile_collector"
            file, = os.listdir(folder)
            with open(f"{folder}/{file}") as f:
                files[file] = [line.rsplit(" ", 1)[0] for line in f if not line.startswith("#")]
            seen += files[file]
        self.assertEqual(set(files), {f"mlc-bench-{k}.prom" for k in ("burnin", "health", "passive")})
        self.assertEqual([s for s in seen if seen.count(s) > 1], [])
        self.assertLess(len(seen), 1000, "docs/metrics.md says how many series a node is")
        self.assertTrue(any('stage="allreduce",launch="3"' in s for s in files["mlc-bench-burnin.prom"]))

    def test_a_look_without_load_extends_and_doubts(self):
        for tree, code in (("healthy", 0), ("port-down", 1)):
            with self.subTest(tree):
                self.join()
                before = self.open()
                ran = self.pod(overlay("sakura-h100"), "mlc-passive", tree).run()
                self.assertEqual(ran.code, code, f"{self.inconclusive}{ran}")
                after = self.api.nodes["gpu-a"]["metadata"]["annotations"]
                self.assertEqual(after["mlc-bench.io/expires"] > before, tree == "healthy", after)
                self.assertEqual("mlc-bench.io/suspected-at" in after, tree != "healthy", after)
                self.assertEqual(self.admission(), "admitted", "one look alone takes nobody out")


@needs_tools
@unittest.skipUnless(kubelet.POSSIBLE, "needs root, for a file system as a Pod has it")
class TheFleetsAddresses(FleetCase):
    """The Job that looks at them, as it ships: what it finds, and that its account may do what it does and no more."""

    def run_job(self, *more):
        objects = overlay("sakura-h100")
        template = cron_jobs(objects)["mlc-ipam"]["spec"]["template"]
        held_to(self.api, objects, template)
        return kubelet.Pod(template, objects, self.api, "gpu-a", self.path("pod")).run(more=more)

    def test_a_duplicate_is_found_and_told(self):
        self.api.pod("thief", "gpu-7", "10.10.0.6")
        ran = self.run_job("--again", "0")
        self.assertEqual(ran.code, 1, ran)
        self.assertEqual({e["regarding"]["name"] for e in self.api.events.values()}, {"gpu-1", "gpu-7"})
        used = set()
        for method, path, _ in self.api.log:
            words = path.strip("/").split("/")
            group, words = ("", words[2:]) if words[0] == "api" else (words[1], words[3:])
            words = words[2:] if words[0] == "namespaces" else words
            verb = {"GET": "list", "PATCH": "patch", "POST": "create"}[method]
            used.add((group, words[0], words[1] if len(words) > 1 else "", verb))
        objects = overlay("sakura-h100")
        bindings = [o for o in objects if o["kind"].endswith("RoleBinding")]
        bound = {b["roleRef"]["name"] for b in bindings for s in b["subjects"] if s["name"] == "mlc-bench-ipam"}
        granted = set()
        for role in objects:
            if role["kind"] in ("Role", "ClusterRole") and role["metadata"]["name"] in bound:
                for rule in role["rules"]:
                    granted |= set(itertools.product(rule["apiGroups"], rule["resources"], rule.get("resourceNames", [""]), rule["verbs"]))
        self.assertEqual(used, granted)

    def test_a_healthy_fleet_passes(self):
        ran = self.run_job()
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.api.full, 0)


if __name__ == "__main__":
    unittest.main()
