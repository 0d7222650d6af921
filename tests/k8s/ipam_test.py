"""`ipam`: one look at the rail addresses of the fleet, with an account that may list three things and nothing else, against an API
server that answers as the real one does: pages that end at an old token with 410, metadata alone where that is asked for, tables."""
import copy, json, os, shutil, subprocess, threading, unittest, urllib.parse

from cluster import BENCH, ApiServer, Case, clean_environment, run

GROUP = "/apis/whereabouts.cni.cncf.io/v1alpha1/"
METADATA = "as=PartialObjectMetadataList"
MOUNTS = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


class Fleet(ApiServer):
    """Pools, reservations and Pods, listed as the API server lists them; `full` counts the Pods that were sent with more than metadata."""

    def __init__(self, directory, **more):
        self.lists, self.accept, self.stale, self.full, self.forbidden = {"ippools": [], "overlappingrangeipreservations": [], "pods": []}, threading.local(), 0, 0, ()
        super().__init__(directory, **more)

    def allocate(self, pool, offset, podref):
        one = next((p for p in self.lists["ippools"] if p["spec"]["range"] == pool), None)
        if one is None:
            one = {"metadata": {"name": pool.replace("/", "-"), "namespace": "kube-system"}, "spec": {"range": pool, "allocations": {}}}
            self.lists["ippools"].append(one)
        if podref:
            one["spec"]["allocations"][str(offset)] = {"id": "c", "podref": podref, "ifname": "net1"}

    def pod(self, name, node, *ips, phase="Running"):
        status = [{"name": "cilium", "ips": ["10.244.0.9"], "default": True}] + [{"name": "r", "interface": f"net{i + 1}", "ips": [ip]} for i, ip in enumerate(ips)]
        self.lists["pods"].append({"metadata": {"name": name, "namespace": "bench", "annotations": {"k8s.v1.cni.cncf.io/network-status": json.dumps(status)}},
                                   "spec": {"nodeName": node, "containers": [{"env": [{"name": "PASSWORD", "value": "secret-of-a-pod"}]}]}, "status": {"phase": phase}})

    def answer(self, method, url, headers, body):
        self.accept.value = headers.get("Accept", "")
        return super().answer(method, url, headers, body)

    def route(self, method, path, query, kind, body):
        what = path.rsplit("/", 1)[1]
        if what in self.forbidden:
            return 403, {"kind": "Status", "code": 403, "message": f"{what} is forbidden"}
        if method == "GET" and what in self.lists:
            return self.listed(what, path, query)
        return super().route(method, path, query, kind, body)

    def listed(self, what, path, query):
        items = self.lists[what]
        for term in filter(None, query.get("fieldSelector", [""])[0].split(",")):
            field, unequal, value = term.partition("!=") if "!=" in term else term.partition("=")
            first, second = field.split(".")
            items = [i for i in items if (i[first].get(second, "") == value) != (unequal == "!=")]
        if path.startswith("/api/v1/namespaces/"):
            items = [i for i in items if i["metadata"]["namespace"] == path.split("/")[4]]
        if "as=Table" in self.accept.value:
            return 200, {"kind": "Table", "columnDefinitions": [{"name": "Name"}, {"name": "Node", "priority": 1}],
                         "rows": [{"cells": [i["metadata"]["name"], i["spec"]["nodeName"] or "<none>"]} for i in items]}
        start, size = int(query.get("continue", ["0"])[0]), min(2, int(query["limit"][0]))
        if start and self.stale > 0:
            self.stale -= 1
            return 410, {"kind": "Status", "code": 410, "reason": "Expired", "message": "The provided continue parameter is too old"}
        shown = copy.deepcopy(items[start:start + size])
        if METADATA in self.accept.value:
            shown = [{"metadata": i["metadata"]} for i in shown]
        elif what == "pods":
            self.full += len(shown)
        return 200, {"kind": "List", "metadata": {"continue": str(start + size)} if start + size < len(items) else {}, "items": shown}


class FleetCase(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("api"))
        self.api = Fleet(self.path("api")).__enter__()
        self.addCleanup(self.api.__exit__)
        self.api.add_configmap("mlc-bench", "mlc-bench-ipam")
        for i in range(5):
            self.api.allocate("10.10.0.0/16", 5 + i, f"bench/w-{i}")
            self.api.pod(f"w-{i}", f"gpu-{i}", f"10.10.0.{5 + i}")

    def ipam(self, *more, code=None, env=None):
        ran = run("ipam", "--again", "0", "--format", "json", *more, env=env or clean_environment(KUBECONFIG=self.api.kubeconfig()))
        self.assertNotIn(self.api.token, ran.out + ran.err)
        self.assertNotIn("secret-of-a-pod", ran.out + ran.err)
        if code is not None:
            self.assertEqual(ran.code, code, ran)
        return ran

    def findings(self, ran, status):
        return [f for f in json.loads(ran.out)["findings"] if f["status"] == status]


class TheFleet(FleetCase):
    def test_a_healthy_fleet_passes_and_no_pod_is_read_whole(self):
        self.api.pod("done", "gpu-9", "10.10.0.5", phase="Succeeded")  # has ended: its address is another's now
        ran = self.ipam(code=0)
        self.assertEqual({f["check"] for f in json.loads(ran.out)["findings"]}, {"ipam.duplicates", "ipam.leaks", "ipam.space"})
        self.assertEqual(self.api.full, 0)
        self.assertEqual(self.api.writes(), [])
        self.assertEqual({path for _, path, _ in self.api.log}, {GROUP + "ippools", GROUP + "overlappingrangeipreservations", "/api/v1/pods"})

    def test_a_duplicate_is_said_at_both_nodes_and_marks_neither(self):
        self.api.pod("thief", "gpu-7", "10.10.0.6")
        for node in ("gpu-1", "gpu-7"):
            self.api.add_node(node)
        nodes = copy.deepcopy(self.api.nodes)
        ran = self.ipam("--publish", code=1)
        one, = self.findings(ran, "fail")
        self.assertEqual((one["check"], one["subject"], one["observed"]), ("ipam.duplicates", "10.10.0.6", "owned by bench/thief on gpu-7 and bench/w-1 on gpu-1"))
        events = list(self.api.events.values())
        self.assertEqual({e["regarding"]["name"] for e in events}, {"gpu-1", "gpu-7"})
        self.assertTrue(all("10.10.0.6" in e["note"] and e["reason"] == "RailAddress" for e in events), events)
        self.assertEqual(self.api.nodes, nodes, "no node is marked, nor read")
        kept = json.loads(self.api.configmaps[("mlc-bench", "mlc-bench-ipam")]["data"]["report.json"])
        self.assertEqual(kept["findings"], json.loads(ran.out)["findings"])
        self.assertEqual(self.api.full, 0)

    def test_without_publish_nothing_is_written(self):
        self.api.pod("thief", "gpu-7", "10.10.0.6")
        self.assertIn("gpu-7", self.ipam(code=1).err)
        self.assertEqual(self.api.writes(), [])

    def test_what_is_gone_at_the_second_look_is_not_said(self):
        """A Pod that was made between the list of the pools and that of the Pods has an address that no pool had."""
        self.api.pod("new", "gpu-8", "10.10.0.99")
        seen = []

        def allocated_meanwhile(method, path):
            seen.append(path)
            if path == "/api/v1/pods":
                self.api.allocate("10.10.0.0/16", 99, "bench/new")
        self.api.faults.append(lambda method, path: allocated_meanwhile(method, urllib.parse.urlsplit(path).path))
        self.ipam(code=0)
        self.assertGreater(sum(p.endswith("ippools") for p in seen), 1, "it looked twice")

    def test_a_list_that_has_become_too_old_begins_anew(self):
        self.api.stale = 2
        ran = self.ipam(code=0)
        self.assertIn("5 addresses", ran.out, "none of them twice")
        self.api.stale = 10 ** 6
        ran = self.ipam(code=3)
        self.assertIn("410", ran.err)

    def test_leaks_warn_and_a_full_pool_fails(self):
        self.api.allocate("10.11.0.0/30", 1, "bench/gone")
        self.api.allocate("10.11.0.0/30", 2, "bench/gone")
        ran = self.ipam(code=1)
        self.assertEqual([f["check"] for f in self.findings(ran, "fail")], ["ipam.space"])
        self.assertEqual([f["check"] for f in self.findings(ran, "warn")], ["ipam.leaks"])
        self.assertIn("bench/gone", ran.out)

    def test_what_may_not_be_listed_is_no_pass(self):
        for what in self.api.lists:
            self.api.forbidden = (what,)
            ran = self.ipam(code=3)
            self.assertIn("403", ran.err)
        self.api.forbidden = ()
        self.api.faults.append(lambda method, path: (404, {}) if "whereabouts" in path else None)
        ran = self.ipam(code=2)
        self.assertIn("Whereabouts", ran.out)

    def test_a_report_that_could_not_be_kept_is_said(self):
        del self.api.configmaps[("mlc-bench", "mlc-bench-ipam")]
        ran = self.ipam("--publish", code=3)
        self.assertIn("mlc-bench/mlc-bench-ipam", ran.err)

    def test_usage(self):
        for words in (["--again", "long"], ["--full-from", "0"], ["--full-from", "101"], ["--config-map", "x"], ["--config-map", "a/../b"]):
            self.ipam(*words, code=64)
        self.assertEqual(self.api.log, [])
        ran = run("ipam", env=clean_environment(KUBECONFIG=""))
        self.assertEqual(ran.code, 64, ran)
        for check in ("ipam.duplicates", "ipam.leaks", "ipam.space"):
            self.assertEqual(run("explain", check).code, 0)


@unittest.skipIf(subprocess.run([*MOUNTS, "true"], capture_output=True).returncode != 0, "a mount namespace of its own is needed")
class InAPod(FleetCase):
    """With the Pod's own account: its token goes to the server of the cluster and to nobody else."""

    def setUp(self):
        super().setUp()
        self.account, self.system = self.path("run/secrets/kubernetes.io/serviceaccount"), self.path("system")
        os.makedirs(self.account)
        os.mkdir(self.system)
        self.trust("ca.crt", "other.crt")

    def trust(self, cluster, system):
        """Which authority signs for the cluster, and which one this machine trusts in general."""
        shutil.copy(self.api.path("token"), self.account)
        shutil.copy(self.api.path(cluster), f"{self.account}/ca.crt")
        name = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", self.api.path(system)], check=True, capture_output=True, text=True)
        shutil.copy(self.api.path(system), f"{self.system}/{name.stdout.strip()}.0")

    def in_pod(self, said, code):
        env = clean_environment(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT_HTTPS=str(self.api.port))
        ran = run("-ec", 'mount --bind "$0" /run; mount --bind "$1" /etc/ssl/certs; shift; exec "$@"', self.path("run"), self.system,
                  BENCH, "ipam", "--again", "0", "--api-timeout", "3", "--api-patience", "3", program=[*MOUNTS, "sh"], env=env)
        self.assertNotIn(self.api.token, ran.out + ran.err)
        self.assertEqual(ran.code, code, ran)
        self.assertIn(said, ran.out + ran.err)

    def test_the_server_of_the_cluster_is_read(self):
        self.in_pod("each with one owner", 0)

    def test_a_server_that_only_the_system_trusts_hears_nothing(self):
        self.trust(cluster="other.crt", system="ca.crt")
        self.in_pod("certificate", 3)
        self.assertEqual(self.api.log, [])

    def test_an_empty_authority_is_not_that_of_the_system(self):
        self.trust(cluster="other.crt", system="ca.crt")
        open(f"{self.account}/ca.crt", "w").close()
        self.in_pod("ca.crt", 3)
        self.assertEqual(self.api.log, [])

    def test_a_redirect_is_not_followed(self):
        os.mkdir(self.path("elsewhere"))
        with ApiServer(self.path("elsewhere"), tls=False) as elsewhere:
            self.api.faults.append(lambda method, path: (302, {"Location": elsewhere.url + path}))
            self.in_pod("HTTP 302", 3)
            self.assertEqual(elsewhere.log, [])

    def test_a_server_that_hangs_is_given_up(self):
        self.api.faults.append(lambda method, path: "hang")
        self.in_pod("gave up", 3)


if __name__ == "__main__":
    unittest.main()
