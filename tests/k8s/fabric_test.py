"""The fabric stage with several Pods: processes of this machine, each with a boot, a machine id and a state folder of its own,
against the tests' API server. What they measure of each other is played (played_stage.py), with planted faults."""
import json, os, signal, socket, subprocess, threading, time, unittest

from cluster import BENCH, FOREIGN, STARTUP, ApiServer, Case, a_report, clean_environment, digest, finding, report, run, wait_for
from program import HAS_MPI

BUILD = os.environ["MLC_BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))
MOUNTS = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
AS_NODE = 'mount --bind "$1" /proc/sys/kernel/random/boot_id; mount --bind "$2" /etc/machine-id; shift 2; exec "$@"'
POLICY = """policy: test
target: {rails: 2, rail_gbit_s: 200, mtu: 4096}
node: {rails: {rate_gbit_s: 200}}
rdma: {share_of_ceiling: 0.95}
dispatch: {partners: %d}
burnin:
  stages:
    - {stage: checks, command: [validate, rdma.port-state]}
fabric:
  budget: 10 min
  stages:
    - {stage: fabric-rails, command: [rdma, write, --connect, "{peer}"], limit: 20 s}
    - {stage: fabric-allreduce, command: [allreduce, --backend, mpi, --hosts, "{nodes}", --sizes, 1M, --placement, out], limit: 20 s}
admit: {valid_for: 168 h}
"""


def free_ports(count):
    """The first of so many that are free one after the other."""
    for first in range(30000 + os.getpid() % 20000, 55000, count):
        try:
            taken = [socket.create_server(("", first + i)) for i in range(count)]
        except OSError:
            continue
        for one in taken:
            one.close()
        return first
    raise AssertionError("no free ports")


class Group(Case):
    def group(self, nodes, witnesses=(), partners=3, collective=False, **world):
        os.mkdir(self.path("api"))
        self.api = ApiServer(self.path("api")).__enter__()
        self.addCleanup(self.api.__exit__)
        self.api.add_configmap("mlc-bench", "mlc-bench-quarantine")
        lines = (POLICY % partners).split("\n")
        self.policy_text = "\n".join(line for line in lines if collective or "fabric-allreduce" not in line)
        self.policy = self.write("policy.yaml", self.policy_text)
        self.key = self.write("key", "k" * 64)
        self.nodes, self.pods, self.port = list(nodes), {}, free_ports(len(nodes) + 1)
        self.identity = {n: {"boot": f"0000000{i}-0000-4000-8000-00000000000{i}", "machine": f"{i:032x}"}
                         for i, n in enumerate(self.nodes, 1)}
        self.world = self.write("world.json", json.dumps({"nodes": self.identity, "rails": 2, **world}))
        self.new = self.write("members", json.dumps([{"name": n} for n in nodes if n not in witnesses]))
        for node in self.nodes:
            open_ = node in witnesses
            self.api.add_node(node, [FOREIGN] if open_ else [FOREIGN, STARTUP], boot=self.identity[node]["boot"],
                              labels={"mlc-bench.io/admission": "admitted" if open_ else "fabric"})
            self.api.nodes[node]["status"]["nodeInfo"]["machineID"] = self.identity[node]["machine"]
            if open_:
                self.api.nodes[node]["status"]["conditions"].append(
                    {"type": "MLClusterReady", "status": "True", "reason": "Admitted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"})
            self.local_report(node)

    def local_report(self, node, **changes):
        local = a_report(node=node, boot=self.identity[node]["boot"], findings=[finding("rdma.port-state", "pass")], run_id="local-1")
        local["environment"]["nodes"][0]["machine_id"] = self.identity[node]["machine"]
        local["run"]["policy_digest"] = digest(self.policy_text)
        for change, value in changes.items():
            local["run"][change] = value
        os.makedirs(self.path(f"state-{node}/local-1"), mode=0o700, exist_ok=True)
        self.write(f"state-{node}/local-1/report.json", json.dumps(local))

    def start(self, node, key=None, members=None, gather="20s"):
        index = self.nodes.index(node)
        env = clean_environment(NODE_NAME=node, JOB_COMPLETION_INDEX=str(index), KUBECONFIG=self.api.kubeconfig(),
                                LD_PRELOAD=f"{BUILD}/tests/k8s/libother_stages.so", MLC_TEST_STAGES=f"{HERE}/played_stage.py",
                                MLC_TEST_CAMPAIGN=f"{BUILD}/tests/k8s/played_campaign",
                                MLC_TEST_WORLD=self.world, MLC_TEST_LOG=self.path(f"{node}.log"),
                                ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        with open(self.path(f"{node}.log"), "wb") as log:
            self.pods[node] = subprocess.Popen(
                [*MOUNTS, "sh", "-ec", AS_NODE, "sh", *self.identity_files(node), BENCH, "burnin", "--fabric", "--policy", self.policy,
                 "--run-id", "fabric-1", "--leader", "127.0.0.1", "--members", str(members or len(self.nodes)), "--new-nodes", self.new,
                 "--key", key or self.key, "--port", str(self.port), "--gather", gather, "--state", self.path(f"state-{node}"),
                 "--admit", node, "--publish", "--settle", "0", "--output", self.path(f"{node}.json")],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        self.addCleanup(lambda p=self.pods[node]: (p.kill(), p.wait()))

    def identity_files(self, node):
        return [self.write(f"{node}.{what}", self.identity[node][what] + "\n") for what in ("boot", "machine")]

    def log(self, node):
        with open(self.path(f"{node}.log"), errors="replace") as f:
            return f.read()

    def ends(self, *nodes, within=50):
        """Exit codes, by node."""
        until = time.monotonic() + within
        codes = {}
        for node in nodes or self.nodes:
            try:
                codes[node] = self.pods[node].wait(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.fail(f"{node} does not end:\n" + "\n".join(f"--- {n}\n{self.log(n)}" for n in self.pods))
        return codes

    def all(self, within=50, **more):
        for node in self.nodes:
            self.start(node, **more)
        return self.ends(within=within)

    def told(self):
        return "\n".join(f"--- {n}\n{self.log(n)}" for n in self.pods)

    def label(self, node):
        return self.api.nodes[node]["metadata"]["labels"].get("mlc-bench.io/admission")

    def opened(self, *nodes):
        for node in nodes:
            self.assertEqual(self.label(node), "admitted", self.told())
            self.assertNotIn(STARTUP["key"], self.api.taints(node))
            self.assertEqual(self.api.condition(node)["status"], "True")

    def not_opened(self, *nodes):
        for node in nodes:
            self.assertNotEqual(self.label(node), "admitted", self.told())
            self.assertIn(STARTUP["key"], self.api.taints(node))
            self.assertNotEqual((self.api.condition(node) or {}).get("status"), "True")


@unittest.skipIf(subprocess.run([*MOUNTS, "true"], capture_output=True).returncode != 0, "a mount namespace of its own is needed")
class Fabric(Group):
    def test_nodes_without_witnesses_open_each_other(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d"], collective=True)
        self.assertEqual(set(self.all().values()), {0}, self.told())
        self.opened(*self.nodes)
        one = report(self.path("gpu-b.json"))
        self.assertEqual([s["stage"] for s in one["stages"]], ["checks", "fabric-rails", "fabric-allreduce"])
        self.assertEqual({(r["node"], r["rail"]) for r in one["figures"]["rails"] if r["peer"] == "gpu-b"},
                         {(n, r) for n in ("gpu-a", "gpu-c", "gpu-d") for r in (0, 1)}, "over every rail, from three others")
        self.assertEqual(len([s for s in one["series"] if s["stage"] == "fabric-allreduce"]), 3)

    def test_one_bad_rail_is_named_and_the_others_open(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d"], collective=True, bad=[["gpu-c", 1, "sending"]])
        self.assertEqual(self.all(), {"gpu-a": 0, "gpu-b": 0, "gpu-c": 1, "gpu-d": 0}, self.told())
        self.opened("gpu-a", "gpu-b", "gpu-d")
        self.not_opened("gpu-c")
        because = report(self.path("gpu-c.json"))["verdict"]["because"]
        self.assertRegex(because[0], r"gpu-c rail 1: rail 1, sending, is bad: to gpu-a: 87.5 of 200 Gbit/s")
        self.assertIn("rail 1", self.api.condition("gpu-c")["message"])
        other = report(self.path("gpu-a.json"))
        self.assertEqual([(f["subject"], f["status"]) for f in other["findings"] if f["check"] == "fabric.partner"], [("gpu-c rail 1", "skip")])

    def test_a_bad_witness_is_taken_out_and_shuts_nobody_else_out(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d", "gpu-e"], witnesses=["gpu-b", "gpu-c", "gpu-d", "gpu-e"], bad=[["gpu-c", 0, "both"]])
        codes = self.all()
        self.assertEqual(codes.pop("gpu-c"), 1, self.told())
        self.assertEqual(codes["gpu-a"], 0, self.told())
        self.opened("gpu-a")
        self.assertNotEqual(self.api.condition("gpu-c")["status"], "True")
        for witness in ("gpu-b", "gpu-d", "gpu-e"):
            self.assertEqual(self.api.condition(witness)["lastTransitionTime"], "2026-01-01T00:00:00Z", "a good witness is left as it is")

    def test_a_node_as_a_whole(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d"], bad=[["gpu-a", None, "both"]])
        self.assertEqual(self.all(), {"gpu-a": 1, "gpu-b": 0, "gpu-c": 0, "gpu-d": 0}, self.told())
        self.assertIn("the node as a whole", report(self.path("gpu-a.json"))["verdict"]["because"][0])

    def test_two_nodes_cannot_tell_whose_it_is(self):
        self.group(["gpu-a", "gpu-b"], partners=1, bad=[["gpu-a", 1, "both"]])
        self.assertEqual(self.all(), {"gpu-a": 2, "gpu-b": 2}, self.told())
        self.not_opened(*self.nodes)
        self.assertIn("cannot be told", str(report(self.path("gpu-b.json"))["verdict"]["because"]))

    def test_two_good_nodes_are_enough_where_the_policy_says_so(self):
        self.group(["gpu-a", "gpu-b"], partners=1)
        self.assertEqual(set(self.all().values()), {0}, self.told())
        self.opened(*self.nodes)

    def test_too_few_partners_open_nobody(self):
        self.group(["gpu-a", "gpu-b", "gpu-c"])
        self.assertEqual(set(self.all().values()), {2}, self.told())
        self.not_opened(*self.nodes)
        self.assertIn("met 2 of 3 others", str(report(self.path("gpu-b.json"))["verdict"]["because"]))

    def test_a_member_that_is_killed_stops_nobody_else(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d", "gpu-e"], slow_s=0.5)
        for node in self.nodes:
            self.start(node)
        wait_for(lambda: "round 2" in self.log("gpu-a"))
        self.pods["gpu-e"].kill()
        codes = self.ends("gpu-a", "gpu-b", "gpu-c", "gpu-d")
        self.assertEqual(set(codes.values()), {0}, self.told())
        self.opened("gpu-a", "gpu-b", "gpu-c", "gpu-d")
        self.not_opened("gpu-e")

    def test_without_its_leader_nobody_concludes_anything(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d"], slow_s=0.5)
        for node in self.nodes:
            self.start(node)
        wait_for(lambda: "round 2" in self.log("gpu-a"))
        self.pods["gpu-a"].kill()
        self.assertEqual(set(self.ends("gpu-b", "gpu-c", "gpu-d").values()), {2}, self.told())
        self.not_opened(*self.nodes)
        self.assertIn("leader of the fabric stage was lost", str(report(self.path("gpu-b.json"))["verdict"]["because"]))

    def test_one_that_is_told_to_stop_has_no_verdict(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d", "gpu-e"], slow_s=0.5)
        for node in self.nodes:
            self.start(node)
        wait_for(lambda: "round 2" in self.log("gpu-a"))
        self.pods["gpu-e"].send_signal(signal.SIGTERM)
        codes = self.ends()
        self.assertEqual(codes.pop("gpu-e"), 130, self.told())
        self.assertEqual(set(codes.values()), {0}, self.told())
        self.assertEqual([path for _, path in self.api.writes() if "gpu-e" in path], [])

    def test_a_member_that_hangs_stops_nobody_else(self):
        """It keeps its node's meetings until the stage's limit, and half a minute more; the others then do without it."""
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d", "gpu-e"], hang=["gpu-e"])
        codes = self.all(within=200)
        self.assertNotEqual(codes.pop("gpu-e"), 0, self.told())
        self.assertEqual(set(codes.values()), {0}, self.told())
        self.opened("gpu-a", "gpu-b", "gpu-c", "gpu-d")
        self.not_opened("gpu-e")

    def test_a_member_that_never_comes_is_waited_for_and_then_not(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d", "gpu-e"])
        for node in self.nodes[:-1]:
            self.start(node, gather="4s")
        self.assertEqual(set(self.ends(*self.nodes[:-1]).values()), {0}, self.told())

    def test_what_a_node_showed_alone_must_be_of_this_boot_and_policy(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d"])
        self.local_report("gpu-b", policy_digest="sha256:" + "0" * 64)
        os.remove(self.path("state-gpu-c/local-1/report.json"))
        self.identity["gpu-d"]["boot"], kept = "another-boot", self.identity["gpu-d"]["boot"]
        self.local_report("gpu-d")
        self.identity["gpu-d"]["boot"] = kept
        self.assertEqual(self.all(), {"gpu-a": 0, "gpu-b": 2, "gpu-c": 2, "gpu-d": 2}, self.told())
        self.opened("gpu-a")
        self.not_opened("gpu-b", "gpu-c", "gpu-d")
        for node, said in (("gpu-b", "under another policy"), ("gpu-c", "there is no report"), ("gpu-d", "another boot")):
            self.assertIn(said, str(report(self.path(f"{node}.json"))["findings"][-1]))

    def test_who_has_not_the_key_takes_no_part(self):
        self.group(["gpu-a", "gpu-b", "gpu-c", "gpu-d", "gpu-e"], partners=3)
        stop = threading.Event()

        def noise():
            while not stop.wait(0.3):
                for junk in (b"GET / HTTP/1.1\r\n\r\n", b"MLCR\x00\x01\x01\x00\xff\xff\xff\xff", os.urandom(64), b""):
                    try:
                        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                            s.sendall(junk)
                    except OSError:
                        pass
        thread = threading.Thread(target=noise)
        thread.start()
        try:
            for node in self.nodes[:-1]:
                self.start(node, members=4)
            self.start("gpu-e", gather="5s", key=self.write("other", "x" * 64))
            codes = self.ends()
        finally:
            stop.set()
            thread.join()
        self.assertEqual(codes.pop("gpu-e"), 2, self.told())
        self.assertEqual(set(codes.values()), {0}, self.told())
        self.not_opened("gpu-e")

    def test_without_a_key_it_says_what_to_do(self):
        self.group(["gpu-a", "gpu-b"], partners=1)
        self.assertEqual(set(self.all(key=self.path("none")).values()), {2}, self.told())
        self.assertIn("docs/fabric.md", str(report(self.path("gpu-b.json"))["verdict"]["because"]))
        self.not_opened(*self.nodes)

    def test_words_that_do_not_go_together(self):
        self.group(["gpu-a", "gpu-b"])
        for words, said in ((["--fabric"], "needs --leader"), (["--fabric", "--health"], "exclude"), (["--leader", "x"], "belong to --fabric"),
                            (["--fabric", "--leader", "x", "--key", "k"], "which member"), (["--fabric", "--leader", "x", "--key", "k", "--index", "0", "--gather", "9d"], "no time")):
            ran = run("burnin", "--policy", self.policy, *words)
            self.assertEqual((ran.code, said in ran.err), (64, True), ran)


REAL = """policy: real
node: {rails: {rate_gbit_s: 200}}
dispatch: {partners: 1}
confidence: {observe: 200 ms}
thresholds:
  - {collective: allreduce, min_size: 64K, busbw_at_least: 0.001 GB/s}
burnin:
  stages:
    - {stage: checks, command: [validate, rdma.port-state]}
fabric:
  stages:
    - {stage: fabric-allreduce, command: [allreduce, --backend, mpi, --hosts, "{nodes}", --sizes, 64K, --placement, out], limit: 60 s}
"""
SSHD = """Port 2222
PidFile none
HostKey {0}
AuthorizedKeysFile {0}.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
"""
LACK = ("root is needed" if os.geteuid() != 0 else "sshd is not installed" if not os.path.exists("/usr/sbin/sshd") else "mpirun is not installed"
        if not HAS_MPI else "network namespaces cannot be made" if subprocess.run(["unshare", "-nmu", "true"], capture_output=True).returncode else "")
# As the manifest's Pod: these capabilities, and none can be gained.
TIGHT = ["setpriv", "--no-new-privs", "--bounding-set=-all,+ipc_lock,+setuid,+setgid,+sys_chroot", "--inh-caps=-all"]


@unittest.skipIf(LACK, LACK)
class Networks(Group):
    """Two Pods with networks, hosts' names and boots of their own: sshd and mpirun as they ship, nothing is played."""

    def test_two_pods_measure_each_other_over_ssh_and_mpirun(self):
        self.group(["gpu-a", "gpu-b"], partners=1)
        self.policy_text, self.policy = REAL, self.write("real.yaml", REAL)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("id")], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        sshd = self.write("sshd_config", SSHD.format(self.path("id")))
        holders = []
        for node in self.nodes:
            holders.append(subprocess.Popen(["unshare", "-n", "sleep", "120"]))
            self.addCleanup(lambda p=holders[-1]: (p.kill(), p.wait()))
            self.local_report(node)
        wait_for(lambda: len({os.readlink(f"/proc/{pid}/ns/net") for pid in ["self", *(p.pid for p in holders)]}) == 3)
        name = f"v{os.getpid() % 100000}"
        subprocess.run(["ip", "link", "add", f"{name}a", "netns", str(holders[0].pid), "type", "veth", "peer", "name", f"{name}b", "netns", str(holders[1].pid)], check=True)
        for index, (holder, end) in enumerate(zip(holders, "ab")):
            enter = ["nsenter", "-n", "-t", str(holder.pid)]
            for words in (["addr", "add", f"10.99.0.{index + 1}/24", "dev", name + end], ["link", "set", name + end, "up"], ["link", "set", "lo", "up"]):
                subprocess.run([*enter, "ip", *words], check=True)
            node = self.nodes[index]
            only = "10.99.0.0/24"
            env = clean_environment(NODE_NAME=node, JOB_COMPLETION_INDEX=str(index), OMPI_MCA_btl_tcp_if_include=only, OMPI_MCA_oob_tcp_if_include=only,
                                    OMPI_MCA_btl="tcp,self", OMPI_MCA_pml="ob1", OMPI_MCA_plm_rsh_args=f"-p 2222 -i {self.path('id')} -o StrictHostKeyChecking=no "
                                    "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR")
            with open(self.path(f"{node}.log"), "wb") as log:
                self.pods[node] = subprocess.Popen(
                    [*enter, "unshare", "-mu", "sh", "-ec", "hostname pod-$0; " + AS_NODE, str(index), *self.identity_files(node), *TIGHT, BENCH,
                     "burnin", "--fabric", "--policy", self.policy, "--run-id", "fabric-1", "--leader", "10.99.0.1", "--members", "2", "--key", self.path("id"), "--serve-ssh", sshd,
                     "--state", self.path(f"state-{node}"), "--output", self.path(f"{node}.json")], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
            self.addCleanup(lambda p=self.pods[node]: (p.kill(), p.wait()))
        self.assertEqual(self.ends(within=90), {"gpu-a": 0, "gpu-b": 0}, self.told())
        for node in self.nodes:
            one = report(self.path(f"{node}.json"))
            series, = one["series"]
            self.assertEqual((series["nodes"], series["ranks"], series["wrong"], series["threshold"]["status"]), (2, 2, 0, "pass"))
            self.assertEqual({n["boot_id"] for n in one["environment"]["nodes"]}, {i["boot"] for i in self.identity.values()})
