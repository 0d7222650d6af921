"""What the cluster refuses: that the API server of the tests refuses it as the real one does, and what this program makes of it."""
import json, os, ssl, unittest, urllib.error, urllib.request

import access
from api_server import ApiServer
from cluster import FOREIGN, STARTUP, Case, ClusterCase, a_report, digest, finding, start, utc

needs_wheels = unittest.skipIf(access.MISSING, f"pip install -r tests/k8s/requirements.txt: {access.MISSING}")
NODES = "/api/v1/nodes"
MERGE, JSON_PATCH, STRATEGIC = (f"application/{kind}+json" for kind in ("merge-patch", "json-patch", "strategic-merge-patch"))
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def job(name, **spec):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}], **spec}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": {"app": name[0]}}, "spec": {"template": template}}


class Asking(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("api"))
        self.api = ApiServer(self.path("api")).__enter__()
        self.addCleanup(self.api.__exit__)

    def ask(self, method, path, body=None, kind="application/json", accept="application/json", token=None):
        """(status, answer) of a request of the account whose token file that is; without one, of the test's."""
        with open(token or self.api.path("token")) as f:
            headers = {"Authorization": "Bearer " + f.read().strip(), "Content-Type": kind, "Accept": accept}
        data = None if body is None else json.dumps(body).encode()
        trust = ssl.create_default_context(cafile=self.api.path("ca.crt"))
        try:
            request = urllib.request.Request(self.api.url + path, data, headers, method=method)
            with urllib.request.urlopen(request, context=trust, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


class Server(Asking):
    JOBS = "/apis/batch/v1/namespaces/mlc-bench/jobs"

    def test_lists_come_in_pages_that_grow_too_old(self):
        for i in range(5):
            self.api.add_node(f"gpu-{i}", labels={"pool": "a" if i < 3 else "b"})
        _, first = self.ask("GET", NODES + "?limit=500")
        self.assertEqual((len(first["items"]), first["metadata"]["remainingItemCount"]), (2, 3))
        _, one = self.ask("GET", NODES + "?limit=1")
        self.assertEqual((len(one["items"]), one["metadata"]["remainingItemCount"]), (1, 4))
        _, second = self.ask("GET", NODES + "?continue=" + first["metadata"]["continue"])
        self.assertEqual([n["metadata"]["name"] for n in second["items"]], ["gpu-2", "gpu-3"])
        _, chosen = self.ask("GET", NODES + "?limit=1&labelSelector=pool%20in%20(a)")
        self.assertNotIn("remainingItemCount", chosen["metadata"], "nobody counts what a selector leaves")
        self.api.forget_lists()
        code, said = self.ask("GET", NODES + "?continue=" + first["metadata"]["continue"])
        self.assertEqual((code, said["reason"]), (410, "Expired"))
        self.assertEqual(self.ask("GET", NODES + "?continue=nonsense")[0], 400)

    def test_metadata_alone(self):
        self.api.add_node("gpu-a", [STARTUP])
        _, answer = self.ask("GET", NODES, accept=METADATA)
        self.assertEqual((answer["kind"], sorted(answer["items"][0])), ("PartialObjectMetadataList", ["apiVersion", "kind", "metadata"]))
        _, answer = self.ask("GET", NODES + "/gpu-a", accept=METADATA.replace("List", ""))
        self.assertEqual((answer["kind"], "spec" in answer), ("PartialObjectMetadata", False))

    def test_jobs_are_made_once_listed_by_label_and_deleted(self):
        self.assertEqual(self.ask("POST", self.JOBS, job("a-1"))[0], 201)
        code, said = self.ask("POST", self.JOBS, job("a-1"))
        self.assertEqual((code, said["reason"]), (409, "AlreadyExists"))
        self.ask("POST", self.JOBS, job("b-1"))
        _, listed = self.ask("GET", self.JOBS + "?labelSelector=app%3Da")
        self.assertEqual([j["metadata"]["name"] for j in listed["items"]], ["a-1"])
        self.assertEqual(self.ask("DELETE", self.JOBS + "/a-1", {"preconditions": {"uid": "another"}})[0], 409)
        self.assertEqual(self.ask("DELETE", self.JOBS + "/a-1", {"propagationPolicy": "Background"})[0], 200)
        self.assertEqual(self.ask("GET", self.JOBS + "/a-1")[0], 404)
        elsewhere = {**job("c"), "metadata": {"name": "c", "namespace": "mlc-bench"}}
        self.assertEqual(self.ask("POST", self.JOBS.replace("mlc-bench", "other"), elsewhere)[0], 400)
        self.assertEqual(self.ask("GET", "/apis/jobset.x-k8s.io/v1alpha2/namespaces/mlc-bench/jobsets")[0], 404, "not installed")


@needs_wheels
class Enforcement(Asking):
    """Of the shipped objects: what each refuses, and that a right one passes."""

    def setUp(self):
        super().setUp()
        self.objects = access.rendered("overlays/sakura-h100")
        self.api.enforce(self.objects, node="gpu-a")
        for name in ("gpu-a", "gpu-b"):
            self.api.add_node(name, [FOREIGN, STARTUP])["metadata"]["labels"]["pool"] = "a"
        for name in ("mlc-bench-quarantine", "other"):
            self.api.add_configmap("mlc-bench", name)

    def patch(self, path, body, kind=MERGE, token=None):
        return self.ask("PATCH", path, body, kind, token=token)

    def test_rbac_grants_and_nothing_else_does(self):
        ledger = "/api/v1/namespaces/mlc-bench/configmaps/"
        for method, path, code in (("GET", NODES + "/gpu-a", 200), ("GET", NODES, 403), ("DELETE", NODES + "/gpu-a", 403),
                                   ("GET", ledger + "mlc-bench-quarantine", 200), ("GET", ledger + "other", 403),
                                   ("GET", ledger.replace("mlc-bench", "default", 1) + "mlc-bench-quarantine", 403),
                                   ("GET", "/api/v1/namespaces/mlc-bench/secrets/x", 403), ("GET", "/api/v1/pods", 403)):
            with self.subTest(method=method, path=path):
                got, said = self.ask(method, path)
                self.assertEqual(got, code, said)
        self.assertEqual(self.ask("POST", Server.JOBS, job("a"))[0], 403)
        nobody = self.api.token_of("default")
        self.assertEqual(self.ask("GET", NODES + "/gpu-a", token=nobody)[0], 403)

    def test_a_burn_in_writes_its_own_node_and_only_what_is_ours(self):
        ours = {"metadata": {"labels": {"mlc-bench.io/tier": "full"}, "annotations": {"mlc-bench.io/run": "r"}}}
        self.assertEqual(self.patch(NODES + "/gpu-a", ours)[0], 200)
        code, said = self.patch(NODES + "/gpu-b", ours)
        self.assertEqual((code, said["reason"]), (422, "Invalid"))
        self.assertIn("ValidatingAdmissionPolicy 'mlc-bench-own-node-only'", said["message"])
        self.assertIn("to no other", said["message"])
        without_node = self.api.token_of("mlc-bench")
        self.assertEqual(self.patch(NODES + "/gpu-a", ours, token=without_node)[0], 422, "a token that names no node")
        other_node = self.api.token_of("mlc-bench", "gpu-b")
        self.assertEqual(self.patch(NODES + "/gpu-b", ours, token=other_node)[0], 200)
        foreign = {"type": "Ready", "status": "False"}
        before = json.dumps(self.api.nodes["gpu-a"])
        for path, body, kind in (("", {"metadata": {"labels": {"pool": "b"}}}, MERGE), ("", {"metadata": {"labels": {"pool": None}}}, MERGE),
                                 ("", {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}, MERGE),
                                 ("", {"metadata": {"annotations": {"x": "y"}}}, MERGE), ("", {"metadata": {"finalizers": ["x"]}}, MERGE),
                                 ("", {"spec": {"unschedulable": True}}, MERGE), ("", {"spec": {"taints": []}}, MERGE),
                                 ("", {"spec": {"providerID": "x"}}, MERGE), ("", [{"op": "remove", "path": "/spec/taints/0"}], JSON_PATCH),
                                 ("/status", {"status": {"conditions": [foreign]}}, STRATEGIC),
                                 ("/status", {"status": {"capacity": {"nvidia.com/gpu": "99"}}}, STRATEGIC),
                                 ("/status", {"status": {"nodeInfo": {"bootID": "another"}}}, STRATEGIC),
                                 ("", {"spec": {"podCIDR": "10.9.0.0/24"}}, MERGE), ("", {"spec": {"configSource": {"configMap": {}}}}, MERGE),
                                 ("/status", {"status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}}, MERGE),
                                 *(("/status", {"status": {key: [{"name": "x"}]}}, MERGE) for key in ("images", "volumesInUse", "volumesAttached", "runtimeHandlers")),
                                 *(("/status", {"status": {key: value}}, MERGE) for key, value in (("phase", "Running"), ("config", {"error": "x"}), ("features", {"a": True})))):
            with self.subTest(path=path, body=body):
                code, said = self.patch(NODES + "/gpu-a" + path, body, kind)
                self.assertEqual(code, 422, said)
                self.assertIn("a burn-in writes no", said["message"])
        self.assertEqual(json.dumps(self.api.nodes["gpu-a"]), before)
        self.assertEqual(self.patch(NODES + "/gpu-a", [{"op": "remove", "path": "/spec/taints/1"}], JSON_PATCH)[0], 200)
        ready = {"status": {"conditions": [{"type": "MLClusterReady", "status": "True"}]}}
        self.assertEqual(self.patch(NODES + "/gpu-a/status", ready, STRATEGIC)[0], 200)

    def test_the_dispatcher_writes_notes_and_nothing_else(self):
        token = self.api.token_of("mlc-bench-dispatch")
        before = json.dumps(self.api.nodes["gpu-a"])
        for body, said in (({"spec": {"taints": None}}, "nothing of a node's spec"), ({"spec": {"unschedulable": True}}, "nothing of a node's spec"),
                           ({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}, "no labels but"),
                           ({"metadata": {"labels": {"pool": None}}}, "no labels but"), ({"metadata": {"annotations": {"x": "y"}}}, "no annotations but"),
                           ({"metadata": {"finalizers": ["x"]}}, "no finalizers")):
            code, answer = self.patch(NODES + "/gpu-a", body, token=token)
            self.assertEqual(code, 422, body)
            self.assertIn(said, answer["message"])
        self.assertEqual(json.dumps(self.api.nodes["gpu-a"]), before)
        ours = {"metadata": {"labels": {"mlc-bench.io/due": "true"}, "annotations": {"mlc-bench.io/attempts": "{}"}}}
        self.assertEqual(self.patch(NODES + "/gpu-b", ours, token=token)[0], 200)

    def test_pod_security_of_the_namespace(self):
        for one in self.objects:
            if one["kind"] == "Namespace":
                one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"
        self.api.enforce(self.objects)
        operator = self.api.token_of("operator")
        self.assertEqual(self.ask("POST", Server.JOBS, job("good"), token=operator)[0], 201)
        for name, spec in (("host", {"hostNetwork": True}), ("path", {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
                           ("capable", {"containers": [{"name": "c", "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}}}]})):
            code, said = self.ask("POST", Server.JOBS, job(name, **spec), token=operator)
            self.assertEqual(code, 403, said)
            self.assertIn("violates PodSecurity", said["message"])


@needs_wheels
class Denied(ClusterCase):
    def test_a_denial_is_a_message_and_no_retry(self):
        ran = self.admit(report=a_report(), env=self.environment(node="gpu-b"))
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("a burn-in writes to the node it runs on, and to no other", ran.err)
        self.assertIn("mlc-bench-own-node-only", ran.err)
        self.assertEqual(len(self.api.writes()), 1, "asked once")
        self.assertLess(ran.seconds, 30)
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))

    def test_a_policy_with_taints_of_others_is_told(self):
        self.policy = self.write("other.yaml", "policy: test\nnode: {rails: {rate_gbit_s: 200}}\n"
                                 "burnin: {stages: [{stage: checks, command: [validate, rdma.port-state]}]}\n"
                                 "admit: {startup_taint: 'node.cilium.io/agent-not-ready:NoExecute'}\n")
        with open(self.policy) as f:
            report = a_report()
            report["run"]["policy_digest"] = digest(f.read())
        ran = self.admit(report=report)
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("a burn-in writes no taints but mlc-bench's", ran.err)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"], STARTUP["key"]])


class Costs(ClusterCase):
    """Requests from the taint to the open node: few, and as many in a large fleet as in a small one."""
    FABRIC = "fabric: {stages: [{stage: pairs, command: [rdma, write]}]}\n"

    def from_taint_to_open(self, nodes, fabric):
        for i in range(nodes):
            self.api.add_node(f"gpu-{i}")
        self.api.add_node("gpu-a", [FOREIGN, STARTUP])
        self.api.log.clear()
        with open(self.policy) as f:
            text = f.read()
        report = a_report()
        report["run"]["policy_digest"] = digest(text)
        self.assertEqual(self.admit("--begin", "--run-id", "run-1").code, 0)
        self.assertEqual(self.admit(report=report).code, 0)
        if fabric:
            self.assertEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"], "fabric")
            self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))
            report["run"].update(plan="fabric", id="fabric-1")
            report["stages"].append({"stage": "pairs", "command": ["rdma", "write"], "launches": 1, "status": "pass", "why": "in 1 s"})
            report["findings"].append({**finding("rdma.bandwidth", "pass"), "stage": "pairs"})
            report["figures"] = {"rails": [{"node": "gpu-a", "rail": 0, "device": "mlx5_0", "peer": "gpu-b", "operation": "write", "bytes": 65536,
                                            "gbit_s": 195, "ci_gbit_s": [194, 196], "status": "pass"}]}
            self.assertEqual(self.admit("--fabric", report=report).code, 0)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])
        self.assertEqual(self.api.condition("gpu-a")["status"], "True")
        self.assertFalse([path for _, path, _ in self.api.log if path == NODES], "nothing is listed")
        return len(self.api.log)

    def test_at_most_twelve_however_large_the_fleet(self):
        small = self.from_taint_to_open(3, fabric=False)
        self.assertEqual(self.from_taint_to_open(60, fabric=False), small)
        self.assertLessEqual(small, 12)

    def test_at_most_twelve_with_the_fabric_stage(self):
        with open(self.policy, "a") as f:
            f.write(self.FABRIC)
        self.assertLessEqual(self.from_taint_to_open(3, fabric=True), 12)

    def test_a_node_that_fails_lists_nothing(self):
        for i in range(40):
            self.api.add_node(f"gpu-{i}")
        self.assertEqual(self.admit(report=a_report(decision="fail")).code, 1)
        self.assertIn("mlc-bench.io/quarantine", self.api.taints("gpu-a"))
        self.assertFalse([path for _, path, _ in self.api.log if path == NODES])
        self.assertLessEqual(len(self.api.log), 10)


class Adversity(ClusterCase):
    """Slow servers, wrong clocks and others at the same work: nothing is admitted wrongly, and nothing is stuck."""

    def test_a_server_that_takes_its_time_is_waited_for(self):
        self.api.delay_s = 1.2
        ran = self.admit("--api-patience", "3", report=a_report())  # altogether longer than the patience, each answer shorter
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.api.condition("gpu-a")["status"], "True")

    def test_two_that_publish_at_once_leave_one_verdict(self):
        good, bad = (self.write(f"{name}.json", json.dumps(a_report(decision=name, run_id=name))) for name in ("pass", "fail"))
        words = ["--node", "gpu-a", "--policy", self.policy, "--settle", "0", "--publish"]  # each on a machine with a state of its own
        for _ in range(5):
            self.api.add_node("gpu-a", [FOREIGN, STARTUP])
            self.api.configmaps[("mlc-bench", "mlc-bench-quarantine")].pop("data", None)
            runs = [start("admit", *words, "--report", path, env=self.environment()) for path in (good, bad)]
            for one in runs:
                one.communicate(timeout=120)
            status, label = self.api.condition("gpu-a")["status"], self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"]
            self.assertEqual(label, {"True": "admitted", "False": "refused"}[status], "labels are of the run whose verdict stands")
            self.assertNotIn(STARTUP["key"] if status == "True" else "", self.api.taints("gpu-a"))
            if status == "True":
                self.assertNotIn("mlc-bench.io/quarantine", self.api.taints("gpu-a"))

    def test_a_clock_that_is_a_day_off_admits_nothing_it_should_not(self):
        """The server's clock is the one that counts: of the ledger, of what is too old and of what is yet to come."""
        for name in ("gpu-a", "gpu-b", "gpu-c"):
            self.api.add_node(name)
        self.api.date_offset_s = 86400
        self.assertEqual(self.admit(report=a_report(decision="fail")).code, 1)
        ledger = self.api.configmaps[("mlc-bench", "mlc-bench-quarantine")]["data"]
        self.assertGreater(ledger["gpu-a"], utc(80000), "as the server has the time")
        self.assertEqual(self.admit(node="gpu-b", report=a_report(node="gpu-b", decision="fail")).code, 1)
        self.assertEqual(sorted(ledger), ["gpu-a"])
        self.assertNotIn("mlc-bench.io/quarantine", self.api.taints("gpu-b"), "the share is used up, whatever a node's clock says")
        self.api.date_offset_s = -86400
        ran = self.admit(node="gpu-c", report=a_report(node="gpu-c"))
        self.assertEqual(ran.code, 2, ran)
        self.assertIn("yet to come", ran.err)
        self.assertNotEqual((self.api.condition("gpu-c") or {}).get("status"), "True")


if __name__ == "__main__":
    unittest.main()
