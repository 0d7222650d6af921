"""What the tests of admit and burnin share: a cluster of one made-up API server, reports to publish, and a run of the program
after which nothing secret may have been said."""
import datetime, hashlib, json, os, sys, tempfile, unittest

sys.path.insert(0, os.path.join(os.environ["MLC_SOURCE"], "tests", "cli"))
from program import BENCH, SOURCE, Case, clean_environment, report, run, start, wait_for  # noqa: F401 (for the tests)
import access
from api_server import ApiServer

STARTUP = {"key": "mlc-bench.io/unvalidated", "effect": "NoSchedule"}
FOREIGN = {"key": "node.cilium.io/agent-not-ready", "value": "true", "effect": "NoExecute"}
POLICY = """policy: test
node: {rails: {rate_gbit_s: 200}}   # what rdma.port-state judges
burnin:
  stages:
    - {stage: checks, command: [validate, rdma.port-state]}
    - {stage: allreduce, command: [allreduce, --sizes, 1G], required: false}
health:
  stages:
    - {stage: checks, command: [validate, rdma.port-state]}
admit:
  quarantine: {share_per_hour: 0.1}
  valid_for: 168 h
  tiers:
    - {tier: full, collective: allreduce, size: 1G, busbw_gb_s: 90}
    - {tier: reduced, collective: allreduce, size: 1G, busbw_gb_s: 50}
"""


def utc(seconds=0):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def finding(check, status, observed="as it was seen", remedy="do this"):
    return {"check": check, "subject": "rail 2", "status": status, "observed": observed, "expected": "4: ACTIVE", "source": "/sys", "remedy": remedy,
            "stage": "checks", "launch": 1}


def a_report(node="gpu-a", decision="pass", findings=(), series=(), boot="boot-1", age_s=60, run_id="run-1", because=None, plan="burnin"):
    findings = list(findings) or [finding("rdma.port-state", decision if decision != "inconclusive" else "unknown")]
    because = because if because is not None else [f"{f['check']}: {f['subject']} {f['observed']}, expected {f['expected']}" for f in findings if f["status"] != "pass"]
    machine = {"name": node, "kernel": "6.1", "os": "", "cpu": "", "cpus": 2, "versions": {}, "gpus": [], "ranks": []}
    if boot:
        machine["boot_id"] = boot
    return {"schema": "mlc-bench/report/v1", "tool": {"version": "0.1.0", "built": {}},
            "run": {"id": run_id, "command": ["mlc-bench", "burnin"], "started": utc(-age_s), "duration_s": 30, "ranks": 1, "nodes": 1, "backend": "", "policy": "test",
                    "policy_digest": digest(POLICY), "plan": plan},
            "environment": {"nodes": [machine], "variables": {}}, "series": list(series), "findings": findings,
            "stages": [{"stage": "checks", "command": ["validate", "rdma.port-state"], "launches": 1, "status": {"inconclusive": "unknown"}.get(decision, decision), "why": "in 1 s"}],
            "verdict": {"decision": decision, "because": because}, "errors": []}


def a_series(busbw=95.0):
    algbw = busbw / 1.75
    us = (1 << 30) / algbw / 1e3
    return {"collective": "allreduce", "dtype": "float", "redop": "sum", "placement": "out_of_place", "bytes": 1 << 30, "requested_bytes": 1 << 30, "ranks": 8,
            "samples": 10, "time_us": {"min": us, "p50": us, "p95": us, "p99": us, "max": us}, "ci_us": [us, us], "cv": 0, "algbw_gb_s": algbw, "busbw_gb_s": busbw,
            "wrong": 0, "stop": "fixed", "stage": "allreduce"}


class ClusterCase(Case):
    """`self.api` with node gpu-a, tainted as Cluster API makes it, and a foreign taint beside. What the overlay grants and
    lets through is all that is granted, where the wheels for that are installed (access.py)."""
    OVERLAY = "overlays/sakura-h100"

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("api"))
        self.api = ApiServer(self.path("api")).__enter__()
        self.addCleanup(self.api.__exit__)
        self.api.add_node("gpu-a", [FOREIGN, STARTUP])
        self.api.add_configmap("mlc-bench", "mlc-bench-quarantine")
        self.policy = self.write("policy.yaml", POLICY)
        self.secrets = {self.api.token, "secret-token-of-"}
        if not access.MISSING:
            self.api.enforce(access.rendered(self.OVERLAY), node="gpu-a")

    def environment(self, node="gpu-a", account="mlc-bench", **more):
        """Of a Pod of that account on that node."""
        own = (node, account) == ("gpu-a", "mlc-bench")
        return clean_environment(KUBECONFIG=self.api.kubeconfig() if own else self.api.kubeconfig(account=account, node=node), **more)

    def words(self, *args, node="gpu-a", publish=True):
        words = ["--node", node, "--policy", self.policy, "--settle", "0", "--state", self.path("state"), *args]
        return words + (["--publish"] if publish else [])

    def admit(self, *args, node="gpu-a", publish=True, report=None, env=None):
        words = self.words(*args, node=node, publish=publish)
        if report is not None:
            words += ["--report", self.write(f"{node}.json", json.dumps(report))]
        ran = run("admit", *words, env=env or self.environment(node=node))
        self.no_secret(ran.out + ran.err)
        return ran

    def no_secret(self, text):
        for secret in self.secrets | {self.api.token}:
            self.assertNotIn(secret, text)
