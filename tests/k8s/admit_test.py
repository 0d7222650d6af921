"""admit against an API server that behaves as the real one does, and misbehaves as the real one does."""
import json, os, random, re, shutil, signal, subprocess, threading, time, unittest

from cluster import BENCH, FOREIGN, POLICY, STARTUP, ApiServer, ClusterCase, a_report, a_series, digest, finding, run, start, utc

DOWN = finding("rdma.port-state", "fail", observed="1: DOWN", remedy="reseat or replace the cable")


class Verdicts(ClusterCase):
    def test_pass_opens_the_node(self):
        ready = self.api.condition("gpu-a", "Ready")
        ran = self.admit(report=a_report(series=[a_series()]))
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.api.nodes["gpu-a"]["spec"]["taints"], [FOREIGN])
        condition = self.api.condition("gpu-a")
        self.assertEqual((condition["status"], condition["reason"]), ("True", "Admitted"))
        for part in ("run run-1", "boot boot-1", "until 20"):
            self.assertIn(part, condition["message"])
        metadata = self.api.nodes["gpu-a"]["metadata"]
        self.assertEqual(metadata["labels"], {"mlc-bench.io/admission": "admitted", "mlc-bench.io/tier": "full"})
        self.assertEqual(metadata["annotations"]["mlc-bench.io/boot-id"], "boot-1")
        self.assertRegex(metadata["annotations"]["mlc-bench.io/expires"], r"^20\d\d-")
        self.assertEqual(self.api.condition("gpu-a", "Ready"), ready, "the kubelet's condition is the kubelet's")
        event, = self.api.events.values()
        self.assertEqual((event["type"], event["reason"], event["regarding"]["uid"]), ("Normal", "Admitted", "uid-gpu-a"))

    def test_slower_node_has_the_lower_tier(self):
        self.admit(report=a_report(series=[a_series(60.0)]))
        self.assertEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/tier"], "reduced")
        self.admit(report=a_report(series=[a_series(10.0)], run_id="run-2"))
        self.assertNotIn("mlc-bench.io/tier", self.api.nodes["gpu-a"]["metadata"]["labels"])

    def test_fail_keeps_the_node_shut_and_says_why(self):
        for i in range(10):
            self.api.add_node(f"gpu-{i}")
        ran = self.admit(report=a_report(decision="fail", findings=[finding("net.rules", "pass"), DOWN]))
        self.assertEqual(ran.code, 1, ran)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"], STARTUP["key"], "mlc-bench.io/quarantine"])
        condition = self.api.condition("gpu-a")
        self.assertEqual((condition["status"], condition["reason"]), ("False", "RdmaPortState"))
        self.assertIn("1: DOWN", condition["message"])
        self.assertIn("reseat or replace the cable", condition["message"])
        metadata = self.api.nodes["gpu-a"]["metadata"]
        self.assertEqual(metadata["labels"]["mlc-bench.io/admission"], "refused")
        self.assertIn("mlc-bench.io/quarantined-at", metadata["annotations"])
        self.assertEqual([e["type"] for e in self.api.events.values()], ["Warning"])

        ran = self.admit(report=a_report(run_id="after-repair"))
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]], "a repaired node is let out of quarantine")
        self.assertNotIn("mlc-bench.io/quarantined-at", self.api.nodes["gpu-a"]["metadata"]["annotations"])

    def test_inconclusive_is_unknown_and_stays_shut(self):
        ran = self.admit(report=a_report(decision="inconclusive"))
        self.assertEqual(ran.code, 2, ran)
        self.assertEqual(self.api.condition("gpu-a")["status"], "Unknown")
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))
        self.assertNotIn("mlc-bench.io/quarantine", self.api.taints("gpu-a"))

    def test_begin_makes_a_missing_condition_unknown(self):
        ran = self.admit("--begin", "--run-id", "run-7")
        self.assertEqual(ran.code, 0, ran)
        condition = self.api.condition("gpu-a")
        self.assertEqual((condition["status"], condition["reason"]), ("Unknown", "BurnInRunning"))
        self.assertIn("run-7", condition["message"])
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))

    def test_transition_time_moves_only_on_a_change(self):
        self.admit(report=a_report())
        self.api.condition("gpu-a")["lastTransitionTime"] = "2026-01-01T00:00:00Z"
        self.admit(report=a_report(run_id="run-2"))
        self.assertEqual(self.api.condition("gpu-a")["lastTransitionTime"], "2026-01-01T00:00:00Z")
        self.admit(report=a_report(decision="fail", run_id="run-3"))
        self.assertNotEqual(self.api.condition("gpu-a")["lastTransitionTime"], "2026-01-01T00:00:00Z")

    def test_the_same_verdict_twice_is_one_event_and_one_state(self):
        one = a_report()
        self.admit(report=one)
        self.admit(report=one)
        self.assertEqual(len(self.api.events), 1)
        self.assertEqual(len(self.api.nodes["gpu-a"]["status"]["conditions"]), 2)

    def test_reports_of_another_node_boot_or_time_open_nothing(self):
        for wrong in (a_report(node="gpu-b"), a_report(boot="boot-0")):
            ran = run("admit", *self.words(), "--report", self.write("r.json", json.dumps(wrong)), env=self.environment())
            self.assertEqual(ran.code, 3, ran)
            self.assertIn("the report is of", ran.err)
            self.assertIsNone(self.api.condition("gpu-a"))
        ran = self.admit(report=a_report(age_s=8 * 86400))
        self.assertEqual(ran.code, 2, ran)
        self.assertEqual((self.api.condition("gpu-a")["status"], self.api.condition("gpu-a")["reason"]), ("Unknown", "Expired"))
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))

    def test_health_renews_and_takes_away_but_never_gives(self):
        ran = self.admit("--health", report=a_report(plan="health", run_id="h1"))
        self.assertEqual(ran.code, 0, ran)
        self.assertIsNone(self.api.condition("gpu-a"))
        self.assertEqual(self.api.writes(), [])
        self.admit(report=a_report(series=[a_series()], age_s=86400))
        until = self.api.nodes["gpu-a"]["metadata"]["annotations"]["mlc-bench.io/expires"]
        self.admit("--health", report=a_report(plan="health", run_id="h2"))
        self.assertGreater(self.api.nodes["gpu-a"]["metadata"]["annotations"]["mlc-bench.io/expires"], until)
        self.assertEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/tier"], "full", "a light run measures no tier")
        self.admit("--health", report=a_report(plan="health", run_id="h3", decision="inconclusive"))
        self.assertEqual(self.api.condition("gpu-a")["status"], "True")
        self.admit("--health", report=a_report(plan="health", run_id="h4", decision="fail"))
        self.assertEqual(self.api.condition("gpu-a")["status"], "False")

    def test_expire_finds_the_stale_among_the_fleet(self):
        for name, boot, age in (("gpu-b", "boot-1", 86400), ("gpu-c", "boot-1", 6 * 86400), ("gpu-d", "boot-1", 60)):
            self.api.add_node(name, boot=boot)
            self.assertEqual(self.admit(node=name, report=a_report(node=name, age_s=age)).code, 0)
        self.api.nodes["gpu-c"]["metadata"]["annotations"]["mlc-bench.io/expires"] = utc(-5)
        self.api.nodes["gpu-d"]["status"]["nodeInfo"]["bootID"] = "boot-2"
        ran = run("admit", "--expire", "--policy", self.policy, "--publish", env=self.environment(account="operator"))
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual({n: (self.api.condition(n) or {}).get("status") for n in self.api.nodes},
                         {"gpu-a": None, "gpu-b": "True", "gpu-c": "True", "gpu-d": "Unknown"})
        self.assertEqual(self.api.condition("gpu-c")["reason"], "DueForALook", "stale is not bad")
        self.assertEqual(self.api.nodes["gpu-c"]["metadata"]["labels"]["mlc-bench.io/due"], "true")
        self.assertEqual(self.api.nodes["gpu-c"]["metadata"]["labels"]["mlc-bench.io/admission"], "admitted")
        self.assertEqual(self.api.condition("gpu-d")["reason"], "Rebooted")
        self.assertEqual(self.api.nodes["gpu-d"]["metadata"]["labels"]["mlc-bench.io/admission"], "pending")
        before = len(self.api.writes())
        self.assertEqual(run("admit", "--expire", "--policy", self.policy, "--publish", env=self.environment(account="operator")).code, 0)
        self.assertEqual(len(self.api.writes()), before, "what is said already is not said again")


class Looks(ClusterCase):
    """Stale is not bad, a look extends, and only a second failure is acted on."""

    def metadata(self):
        return self.api.nodes["gpu-a"]["metadata"]

    def passive(self, run_id, **more):
        return self.admit("--passive", report=a_report(plan="passive", run_id=run_id, **more))

    def setUp(self):
        super().setUp()
        with open(self.policy, "w") as f:
            f.write(POLICY.replace("admit:\n", "passive: {stages: [{stage: checks, command: [validate, rdma.port-state]}]}\nadmit:\n"))
        with open(self.policy) as f:
            text = f.read()
        self.digest = digest(text)

    def admit(self, *args, report=None, **more):
        if report:
            report["run"]["policy_digest"] = self.digest
        return super().admit(*args, report=report, **more)

    def refused(self):
        return (self.api.condition("gpu-a", "MLClusterRefused") or {}).get("status")

    def test_a_passive_look_extends_and_opens_only_what_is_open(self):
        self.assertEqual(self.passive("p0").code, 0)
        self.assertEqual(self.api.writes(), [], "it gives nothing")
        self.admit(report=a_report(age_s=86400))
        until = self.metadata()["annotations"]["mlc-bench.io/expires"]
        self.api.nodes["gpu-a"]["spec"]["taints"].append(dict(STARTUP))
        self.assertEqual(self.passive("p1").code, 0)
        self.assertGreater(self.metadata()["annotations"]["mlc-bench.io/expires"], until)
        self.assertIn("mlc-bench.io/looked-at", self.metadata()["annotations"])
        self.assertNotIn(STARTUP["key"], self.api.taints("gpu-a"), "put back by somebody, and no other run would tolerate it")

    def test_two_failed_looks_take_it_away_and_one_does_not(self):
        self.admit(report=a_report())
        for _ in range(2):
            self.assertEqual(self.passive("p1", decision="fail").code, 1)
            self.assertEqual((self.api.condition("gpu-a")["status"], self.api.condition("gpu-a")["reason"]), ("True", "Suspected"))
            self.assertEqual((self.metadata()["labels"]["mlc-bench.io/due"], self.refused()), ("true", None))
        self.assertNotIn("mlc-bench.io/quarantine", self.api.taints("gpu-a"))
        self.assertEqual(self.passive("p2", decision="fail").code, 1)
        self.assertEqual((self.api.condition("gpu-a")["status"], self.refused()), ("False", "False"), "nobody rebuilds it for two looks beside a job")
        self.assertIn("mlc-bench.io/quarantine", self.api.taints("gpu-a"))
        self.assertEqual(self.admit(report=a_report(decision="fail", run_id="under-load")).code, 1)
        self.assertEqual(self.refused(), "True")
        self.assertEqual(self.admit(report=a_report(run_id="after-repair")).code, 0)
        self.assertEqual((self.api.condition("gpu-a")["status"], self.refused()), ("True", "False"))
        self.assertNotIn("mlc-bench.io/suspected-at", self.metadata()["annotations"])

    def test_what_remakes_nodes_acts_on_the_second_failure_only(self):
        """By the condition that the shipped MachineHealthCheck names."""
        with open(os.path.join(os.environ["MLC_SOURCE"], "k8s/manifests/cluster-api/machine-health-check.yaml")) as f:
            acted_on = dict(re.findall(r"\{type: (MLCluster\w+), status: \"?(\w+)\"?,", f.read()))
        self.assertTrue(acted_on)

        def remade():
            return any((self.api.condition("gpu-a", kind) or {}).get("status") == status for kind, status in acted_on.items())
        self.admit("--begin", "--run-id", "r1")
        self.assertFalse(remade(), "a run that hangs")
        self.admit(report=a_report(decision="inconclusive", run_id="r1"))
        self.assertFalse(remade())
        self.admit(report=a_report(run_id="r2"))
        self.metadata()["annotations"]["mlc-bench.io/expires"] = utc(-90 * 86400)
        self.assertEqual(run("admit", "--expire", "--policy", self.policy, "--publish", env=self.environment(account="operator")).code, 0)
        self.assertEqual(self.api.condition("gpu-a")["reason"], "DueForALook")
        self.assertFalse(remade(), "stale is not bad")
        for _ in range(2):
            self.admit(report=a_report(decision="fail", run_id="r3"))
            self.assertFalse(remade(), "one run, however often it is published")
        self.admit(report=a_report(decision="fail", run_id="r4"))
        self.assertTrue(remade())

    def test_a_quarantine_that_was_put_off_is_made_up_for(self):
        for name in ("first", "second"):
            self.api.add_node(name)
            self.admit(node=name, report=a_report(node=name, decision="fail"))
        self.assertEqual(self.api.taints("second"), [])
        second = lambda: self.api.nodes["second"]["metadata"]
        look = lambda: self.admit("--passive", node="second", report=a_report(node="second", run_id="look", plan="passive"))
        self.assertIn("not quarantined", look().err)
        self.assertIn("mlc-bench.io/looked-at", second()["annotations"])
        self.api.configmaps[("mlc-bench", "mlc-bench-quarantine")]["data"]["first"] = utc(-3700)
        look()
        self.assertEqual(self.api.taints("second"), ["mlc-bench.io/quarantine"])
        self.assertEqual(self.api.condition("second")["status"], "False")
        self.assertEqual(second()["labels"]["mlc-bench.io/admission"], "refused")
        before = len(self.api.log)
        look()
        self.assertNotIn("PATCH", {method for method, _, _ in self.api.log[before:]}, "it is in quarantine already")


class Evidence(ClusterCase):
    """A report is evidence, not a verdict: what it says of itself opens nothing."""

    def opens_nothing(self, report, said, code=2):
        ran = self.admit(report=report)
        self.assertEqual(ran.code, code, ran)
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))
        self.assertNotEqual((self.api.condition("gpu-a") or {}).get("status"), "True")
        self.assertNotIn("mlc-bench.io/tier", self.api.nodes["gpu-a"]["metadata"]["labels"])
        self.assertIn(said, ran.err)

    def real_report(self, *words):
        """What the program itself writes, in this very boot, with a verdict of pass."""
        with open("/proc/sys/kernel/random/boot_id") as f:
            self.api.add_node("gpu-a", [FOREIGN, STARTUP], boot=f.read().strip())
        ran = run(*words, "--launches", "1", "--policy", self.policy, "--output", self.path("real.json"), env=self.environment(NODE_NAME="gpu-a"))
        self.assertEqual(ran.code, 0, ran)
        with open(self.path("real.json")) as f:
            return json.load(f)

    def test_a_run_of_one_command_opens_nothing(self):
        for words in (["allreduce", "--backend", "loopback", "--sizes", "64K"], ["allreduce", "--backend", "loopback", "--ranks", "2", "-d", "int8", "--sizes", "1M", "-n", "1"]):
            self.opens_nothing(self.real_report(*words), "the report is of no burn-in")

    def test_what_says_pass_and_shows_none_opens_nothing(self):
        skipped = a_report(findings=[finding("rdma.port-state", "skip")])
        failed = a_report(findings=[finding("rdma.port-state", "pass"), DOWN])
        failed["verdict"] = {"decision": "pass", "because": []}
        failed["stages"][0]["status"] = "pass"
        empty = a_report()
        empty.update(findings=[], series=[], stages=[])
        other = a_report()
        other["run"]["policy_digest"] = "sha256:" + "0" * 64
        old = a_report()
        old["tool"]["version"] = "0.0.9"
        unverified = a_report(series=[dict(a_series(), wrong=None)])
        planted = a_report()
        planted["run"]["fault"] = "delay:rank=1,us=5"
        for report, said, code in ((empty, "not in the report", 2), (skipped, "shows nothing", 2), (failed, "the report says pass; what it shows is fail", 1),
                                   (a_report(age_s=-9 * 365 * 86400), "yet to come", 2), (a_report(age_s=-600), "yet to come", 2), (other, "another policy", 2),
                                   (old, "version", 2), (unverified, "not verified", 2), (planted, "--inject", 2), (a_report(boot=None), "in which boot", 2)):
            with self.subTest(said=said):
                self.api.add_node("gpu-a", [FOREIGN, STARTUP])
                self.opens_nothing(report, said, code)

    def test_the_servers_clock_counts(self):
        """A machine whose own clock is ten years ahead neither makes its reports right nor others' late."""
        self.api.date_offset_s = -10 * 365 * 86400
        self.opens_nothing(a_report(), "yet to come")
        self.api.date_offset_s = 8 * 86400
        self.api.add_node("gpu-a", [FOREIGN, STARTUP])
        self.admit(report=a_report())
        self.assertEqual(self.api.condition("gpu-a")["reason"], "Expired")

    def test_another_machine_of_the_same_name_is_another(self):
        self.api.nodes["gpu-a"]["status"]["nodeInfo"]["machineID"] = "b" * 32
        report = a_report()
        report["environment"]["nodes"][0]["machine_id"] = "a" * 32
        self.opens_nothing(report, "another machine")
        report["environment"]["nodes"][0]["machine_id"] = "b" * 32
        self.assertEqual(self.admit(report=report).code, 0)

    def test_a_policy_that_asks_nothing_opens_nothing(self):
        self.policy = self.write("idle.yaml", "policy: idle\nunknown_blocks: false\nburnin: {stages: [{stage: checks, command: [validate, rdma.port-state]}]}\n")
        report = a_report()
        with open(self.policy) as f:
            report["run"]["policy_digest"] = digest(f.read())
        self.opens_nothing(report, "nothing was asked: policy idle")

    def test_a_lighter_run_is_no_burn_in(self):
        report = a_report()
        self.policy = self.write("two.yaml", POLICY.replace("health:", "    - {stage: more, command: [validate, net]}\nhealth:"))
        with open(self.policy) as f:
            report["run"]["policy_digest"] = digest(f.read())
        self.opens_nothing(report, "stage more of policy test is not in the report")


class DryRun(ClusterCase):
    def requests_of(self, text):
        return re.findall(r"^(PATCH|POST) (\S+)\nContent-Type: (\S+)$", text, re.M)

    def test_shows_what_a_real_run_sends_and_sends_nothing(self):
        for i in range(10):
            self.api.add_node(f"gpu-{i}")
        for decision, code in (("pass", 0), ("fail", 1)):
            one = a_report(decision=decision, run_id=f"run-{decision}")
            dry = self.admit(report=one, publish=False)
            self.assertEqual(dry.code, code, dry)
            self.assertIn("dry run: nothing was sent", dry.err)
            self.assertEqual(self.api.writes(), [])
            self.assertEqual(self.admit(report=one).code, code)
            sent = [entry for entry in self.api.log if entry[0] != "GET"]
            self.assertEqual(self.requests_of(dry.out), sent)
            self.assertGreaterEqual(len(sent), 4)
            self.api.log.clear()
            self.api.add_node("gpu-a", [FOREIGN, STARTUP])

    def test_of_a_refused_node_shows_what_opens_it(self):
        self.assertEqual(self.admit(report=a_report(decision="fail")).code, 1)
        self.assertIn("mlc-bench.io/quarantine", self.api.taints("gpu-a"))
        taints, self.api.log[:] = list(self.api.taints("gpu-a")), []
        again = a_report(run_id="after-repair")
        for report, code in ((again, 0), (a_report(decision="fail", run_id="still-bad"), 1), (a_report(decision="inconclusive", run_id="odd"), 2)):
            dry = self.admit(report=report, publish=False)
            self.assertEqual(dry.code, code, dry)
            self.assertIn("dry run: nothing was sent", dry.err)
            self.assertNotIn("internal", dry.err)
        self.assertEqual((self.api.writes(), self.api.taints("gpu-a")), ([], taints))
        dry = self.admit(report=again, publish=False)
        self.assertEqual(dry.out.count('"op": "remove"'), 2, "the startup taint and the quarantine")
        self.assertEqual(self.admit(report=again).code, 0)
        self.assertEqual(self.requests_of(dry.out), [entry for entry in self.api.log if entry[0] != "GET"])
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])

    def test_without_a_cluster_it_is_a_node_that_has_just_joined(self):
        ran = run("admit", "--node", "gpu-a", "--policy", self.policy, "--report", self.write("r.json", json.dumps(a_report())))
        self.assertEqual(ran.code, 0, ran)
        paths = [path for _, path, _ in self.requests_of(ran.out)]
        self.assertEqual(paths, ["/api/v1/nodes/gpu-a/status", "/api/v1/nodes/gpu-a", "/api/v1/nodes/gpu-a", "/apis/events.k8s.io/v1/namespaces/default/events"])
        self.assertIn('"op": "remove"', ran.out)
        published = run("admit", "--node", "gpu-a", "--policy", self.policy, "--report", self.path("r.json"), "--publish")
        self.assertEqual(published.code, 64, published)


class Faults(ClusterCase):
    def test_interrupted_answers_are_asked_for_again(self):
        for fault in ("drop", "half", "lost", (500, {}), (503, {})):
            for method in ("GET", "PATCH", "POST"):
                with self.subTest(fault=fault, method=method):
                    self.api.add_node("gpu-a", [FOREIGN, STARTUP])
                    self.api.events.clear()
                    self.api.faults.clear()
                    self.api.fail_times(2, fault, method)
                    ran = self.admit(report=a_report())
                    self.assertEqual(ran.code, 0, ran)
                    self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])
                    self.assertEqual(self.api.condition("gpu-a")["status"], "True")
                    self.assertEqual(len(self.api.events), 1)

    def test_retry_after_is_waited_for(self):
        self.api.fail_times(1, (429, {"Retry-After": "2"}))
        ran = self.admit(report=a_report())
        self.assertEqual(ran.code, 0, ran)
        self.assertGreaterEqual(ran.seconds, 2)

    def test_slow_answers_are_waited_for(self):
        """As long as each is below the time-out; the patience is for a server that does not answer."""
        self.api.delay_s = 0.5
        ran = self.admit("--api-timeout", "8s", "--api-patience", "1s", report=a_report())
        self.assertEqual(ran.code, 0, ran)
        self.assertGreater(ran.seconds, 1)
        self.assertNotIn(STARTUP["key"], self.api.taints("gpu-a"))

    def test_a_server_that_hangs_is_given_up(self):
        self.api.faults.append(lambda method, path: "hang")
        ran = self.admit("--api-timeout", "1", "--api-patience", "3", report=a_report())
        self.assertEqual(ran.code, 3, ran)
        self.assertLess(ran.seconds, 30)
        self.assertIn("gave up after 3 s", ran.err)

    def test_token_is_read_again_when_it_was_rotated(self):
        old = self.api.token
        self.secrets.add(old)

        def rotated_under_us(method, path):
            if method == "PATCH" and self.api.token == old:
                self.api.rotate("the-next-token-of-the-test")
                return (401, {})
        self.api.faults.append(rotated_under_us)
        self.assertEqual(self.admit(report=a_report()).code, 0)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])

    def test_a_token_that_is_wrong_is_no_endless_story(self):
        self.api.rotate("only-the-server-knows-this-one", file=False)
        ran = self.admit(report=a_report())
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("HTTP 401", ran.err)
        self.assertEqual(len(self.api.log), 2)

    def test_a_server_of_another_authority_hears_nothing(self):
        env = self.environment()
        self.api.kubeconfig(ca="other.crt")
        ran = self.admit(report=a_report(), env=env)
        self.assertEqual(ran.code, 3, ran)
        self.assertEqual(self.api.log, [])
        self.assertLess(ran.seconds, 10, "a certificate does not become right by asking again")

    def test_server_away_verdict_stays_and_the_next_run_brings_it(self):
        gone = ["--server", "https://127.0.0.1:1", "--ca", self.api.path("ca.crt"), "--token-file", self.api.path("token"), "--api-patience", "2"]
        for decision, code in (("pass", 3), ("fail", 3), ("inconclusive", 3)):
            with self.subTest(decision):
                ran = self.admit(*gone, report=a_report(decision=decision, run_id=f"away-{decision}"))
                self.assertEqual(ran.code, code, ran)
                self.assertIn("stays in", ran.err)
        self.assertIsNone(self.api.condition("gpu-a"))
        ran = self.admit()
        self.assertEqual(ran.code, 0, ran)
        self.assertIn("away-inconclusive", self.api.condition("gpu-a")["message"], "the last verdict counts")
        self.assertEqual(os.listdir(self.path("state")), [])

    def test_what_was_left_of_an_earlier_boot_is_dropped(self):
        os.mkdir(self.path("state"))
        self.write("state/unpublished-burnin.json", json.dumps(a_report(boot="boot-0")))
        self.write("state/unpublished-health.json", '{"schema": "mlc-ben')
        ran = self.admit()
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(ran.err.count("dropped"), 2)
        self.assertIsNone(self.api.condition("gpu-a"))

    def test_no_such_node_and_no_such_right(self):
        ran = self.admit(node="gpu-z", report=a_report(node="gpu-z"))
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("no node gpu-z", ran.err)
        self.api.faults.append(lambda method, path: (403, {}) if method == "PATCH" else None)
        ran = self.admit(report=a_report())
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("rbac.yaml", ran.err)

    def test_ways_in_that_would_not_be_safe_are_refused(self):
        with open(self.api.kubeconfig()) as f:
            config = json.load(f)
        config["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
        insecure = self.write("api/insecure", json.dumps(config))
        del config["clusters"][0]["cluster"]["insecure-skip-tls-verify"]
        config["users"][0]["user"] = {"exec": {"command": "/bin/touch", "args": [self.path("ran")]}}
        runs = self.write("api/exec", json.dumps(config))
        for words, said in ((["--kubeconfig", insecure], "insecure-skip-tls-verify"), (["--kubeconfig", runs], "running a program"),
                            (["--server", "http://10.0.0.1:80"], "https://"), (["--server", "ftp://x"], "https://"),
                            (["--kubeconfig", self.path("none")], "cannot be read")):
            ran = self.admit(*words, report=a_report())
            self.assertEqual(ran.code, 3, ran)
            self.assertIn(said, ran.err)
        self.assertFalse(os.path.exists(self.path("ran")))
        self.assertEqual(self.api.log, [])

    def test_what_listens_on_this_machine_is_asked_through_no_proxy(self):
        """`kubectl proxy`, where the site has a proxy for all that is elsewhere."""
        os.mkdir(self.path("plain"))
        with ApiServer(self.path("plain"), tls=False) as api:
            api.add_node("gpu-a", [FOREIGN])
            api.token = ""
            ran = self.admit("--server", api.url, "--api-patience", "2", report=a_report(), env={**self.environment(), "http_proxy": "http://127.0.0.1:9"})
            self.assertEqual(ran.code, 0, ran)
            self.assertEqual(api.condition("gpu-a")["status"], "True")

    def test_a_pod_uses_its_account(self):
        account = self.path("account")
        os.mkdir(account)
        env = self.environment(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT_HTTPS=str(self.api.port))
        del env["KUBECONFIG"]
        ran = self.admit(report=a_report(), env=env)
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", ran.err)


class Races(ClusterCase):
    def test_a_foreign_taint_that_comes_in_between_survives(self):
        pushed = []

        def push_in(api, method, path):
            if method == "PATCH" and not path.endswith("/status") and len(pushed) < 3:
                pushed.append(f"other/{len(api.log)}")
                api.nodes["gpu-a"]["spec"]["taints"].insert(0, {"key": pushed[-1], "effect": "NoSchedule"})
        self.api.interfere = push_in
        ran = self.admit(report=a_report())
        self.assertEqual(ran.code, 0, ran)
        taints = self.api.taints("gpu-a")
        self.assertNotIn(STARTUP["key"], taints)
        self.assertEqual(len(pushed), 3)
        self.assertEqual(sorted(taints), sorted([FOREIGN["key"], *pushed]))

    def test_a_taint_that_somebody_puts_back_is_seen(self):
        put_back = []

        def stale_writer(api, method, path):
            if method == "POST" and not put_back:
                put_back.append(1)
                api.nodes["gpu-a"]["spec"]["taints"] = [FOREIGN, STARTUP]
        self.api.interfere = stale_writer
        self.assertEqual(self.admit(report=a_report()).code, 0)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])

    def test_a_verdict_that_another_run_overrules_opens_nothing(self):
        def overrule(api, method, path):
            if method == "PATCH" and not path.endswith("/status"):
                api.condition("gpu-a")["status"] = "False"
        self.api.interfere = overrule
        ran = self.admit(report=a_report())
        self.assertIn("another run", ran.err)
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))
        self.assertNotEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"], "admitted", "a dispatcher reads labels")

    def test_a_failure_that_another_run_overrules_quarantines_nothing(self):
        def overrule(api, method, path):
            if method == "PATCH" and path == "/api/v1/nodes/gpu-a":
                api.condition("gpu-a").update(status="True", message="another run has passed")
        self.api.interfere = overrule
        ran = self.admit(report=a_report(decision="fail"))
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"], STARTUP["key"]], ran)
        self.assertIn("another run", ran.err)
        self.assertEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"], "pending", "its words are not written")

    def test_labels_are_of_the_run_whose_verdict_stands(self):
        """The other run comes after the taint is gone and before the labels are written."""
        seen = []

        def overrule(api, method, path):
            seen.append(path)
            if len(seen) == 3:
                api.condition("gpu-a").update(status="False", message="another run has failed")
                api.nodes["gpu-a"]["metadata"]["resourceVersion"] = api.next_version()
        self.api.interfere = overrule
        ran = self.admit(report=a_report())
        self.assertEqual(len(seen), 3, seen)
        self.assertIn("labels and annotations stay", ran.err)
        self.assertEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"], "pending")

    def test_a_node_made_anew_under_the_same_name_is_another(self):
        made = []

        def recreate(api, method, path):
            if method == "PATCH" and not path.endswith("/status") and not made:
                made.append(1)
                api.add_node("gpu-a", [FOREIGN, STARTUP], boot="boot-9")["metadata"]["uid"] = "another"
        self.api.interfere = recreate
        ran = self.admit(report=a_report())
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"), ran)
        self.assertIsNone(self.api.condition("gpu-a"))

    def test_conflicts_on_the_condition_are_retried(self):
        left = [5]

        def heartbeat(api, method, path):
            if path.endswith("/status") and left[0]:
                left[0] -= 1
                api.nodes["gpu-a"]["metadata"]["resourceVersion"] = api.next_version()
        self.api.interfere = heartbeat
        self.assertEqual(self.admit(report=a_report()).code, 0)
        self.assertEqual(self.api.condition("gpu-a")["status"], "True")

    def test_a_fault_of_the_whole_fabric_does_not_empty_the_cluster(self):
        names = [f"gpu-{i}" for i in range(20)]
        del self.api.nodes["gpu-a"]
        for name in names:
            self.api.add_node(name)
            self.api.add_node(f"control-{name}", labels={})
        reports = {name: self.write(f"{name}.json", json.dumps(a_report(node=name, decision="fail"))) for name in names}
        self.admit_expire()  # somebody who lists the fleet has counted it
        runs = [start("admit", *self.words(node=name), "--report", reports[name], env=self.environment(node=name)) for name in names]
        for one in runs:
            out, err = one.communicate(timeout=120)
            self.assertEqual(one.returncode, 1, err)
        quarantined = [n for n in names if "mlc-bench.io/quarantine" in self.api.taints(n)]
        self.assertEqual(len(quarantined), 2, "a tenth of twenty")
        self.assertEqual([self.api.condition(n)["status"] for n in names], ["False"] * 20)
        self.assertIn("look for what they share", err.decode() + "".join(self.admit(node=n, report=a_report(node=n, decision="fail")).err for n in names))
        self.assertEqual(len([n for n in names if "mlc-bench.io/quarantine" in self.api.taints(n)]), 2)
        self.assertNotIn("DELETE", {method for method, _, _ in self.api.log})
        # An hour later there is room again.
        ledger = self.api.configmaps[("mlc-bench", "mlc-bench-quarantine")]["data"]
        self.assertEqual(sorted(ledger), sorted(quarantined))
        for name in ledger:
            ledger[name] = utc(-3700)
        rest = next(n for n in names if n not in quarantined)
        self.admit(node=rest, report=a_report(node=rest, decision="fail"))
        self.assertIn("mlc-bench.io/quarantine", self.api.taints(rest))

    def test_nodes_that_are_shut_anyway_take_no_place_of_those_that_are_open(self):
        names = [f"new-{i}" for i in range(5)]
        for name in names:
            self.api.add_node(name, [STARTUP])
        self.api.add_node("open")
        for name in [*names, "open"]:
            self.assertEqual(self.admit(node=name, report=a_report(node=name, decision="fail")).code, 1)
            self.assertIn("mlc-bench.io/quarantine", self.api.taints(name))
            self.assertIn("mlc-bench.io/quarantined-at", self.api.nodes[name]["metadata"]["annotations"])
        self.assertEqual(list(self.api.configmaps[("mlc-bench", "mlc-bench-quarantine")]["data"]), ["open"])
        # One that was opened meanwhile has both taints off.
        self.admit(node="new-0", report=a_report(node="new-0", run_id="run-2"))
        self.assertEqual(self.api.taints("new-0"), [])

    def admit_expire(self):
        ran = run("admit", "--expire", "--policy", self.policy, "--publish", env=self.environment(account="operator"))
        self.assertEqual(ran.code, 0, ran)

    def test_without_the_ledger_nothing_is_quarantined(self):
        self.api.configmaps.clear()
        self.api.add_node("gpu-a")
        ran = self.admit(report=a_report(decision="fail"))
        self.assertEqual(ran.code, 1, ran)
        self.assertIn("not quarantined", ran.err)
        self.assertNotIn("mlc-bench.io/quarantine", self.api.taints("gpu-a"))

    def test_two_writers_lose_nothing_in_a_thousand_rounds(self):
        os.mkdir(self.path("plain"))
        with ApiServer(self.path("plain"), tls=False) as api:
            api.add_node("gpu-a", [FOREIGN])
            api.add_configmap("mlc-bench", "mlc-bench-quarantine")
            api.token, lost = "", []  # kubectl proxy asks for none

            def look(server, method, path):
                if FOREIGN["key"] not in server.taints("gpu-a"):
                    lost.append(path)
            api.interfere = look
            writers = [subprocess.Popen([os.path.join(os.environ["MLC_BUILD"], "tests", "k8s", "taint_writer"), api.url, name, "500"], stdout=subprocess.PIPE, text=True) for name in ("one", "two")]
            outputs = [w.communicate(timeout=240)[0] for w in writers]
            self.assertEqual([w.returncode for w in writers], [0, 0], outputs)
            self.assertEqual(lost, [])
            self.assertEqual(sorted(api.taints("gpu-a")), sorted([FOREIGN["key"], "writer/one", "writer/two"]))

    def test_killed_anywhere_and_started_again_it_ends_right(self):
        self.api.delay_s = 0.01
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        env = self.environment()
        for i in range(10):
            self.api.add_node(f"gpu-{i}")
        for round_ in range(12):
            decision = dice.choice(["pass", "fail"])
            self.api.add_node("gpu-a", [FOREIGN, STARTUP])
            self.api.configmaps[("mlc-bench", "mlc-bench-quarantine")].pop("data", None)
            path = self.write("r.json", json.dumps(a_report(decision=decision, run_id=f"round-{round_}")))
            killed = start("admit", *self.words(), "--report", path, env=env)
            time.sleep(dice.uniform(0, 0.25))
            killed.kill()
            killed.communicate()
            ran = run("admit", *self.words(), "--report", path, env=env)
            with self.subTest(seed=seed, round=round_, decision=decision):
                self.assertEqual(ran.code, 0 if decision == "pass" else 1, ran)
                self.assertEqual(self.api.condition("gpu-a")["status"], "True" if decision == "pass" else "False")
                expected = [FOREIGN["key"]] if decision == "pass" else [FOREIGN["key"], STARTUP["key"], "mlc-bench.io/quarantine"]
                self.assertEqual(self.api.taints("gpu-a"), expected)
                self.assertEqual(len([c for c in self.api.nodes["gpu-a"]["status"]["conditions"] if c["type"] == "MLClusterReady"]), 1)


class Hostile(ClusterCase):
    NASTY = '$(reboot); `id` "quoted" \'x\'\n\x1b[31mred\x07 \u202e </script> ' + "µ" * 2000

    def test_what_the_node_says_is_escaped(self):
        nasty = a_report(decision="fail", findings=[finding("rdma.port-state", "fail", observed=self.NASTY, remedy=self.NASTY)],
                         run_id="id\n\x1b[2J" + "x" * 400)
        for publish in (False, True):
            ran = self.admit(report=nasty, publish=publish)
            self.assertEqual(ran.code, 1, ran)
            self.assertNotIn("\x1b", ran.out + ran.err)
        condition = self.api.condition("gpu-a")
        self.assertLessEqual(len(condition["message"].encode()), 1400)
        self.assertIn("boot boot-1", condition["message"], "the tail is not cut by what the node says")
        for text in (condition["message"], *(e["note"] for e in self.api.events.values()), *self.api.nodes["gpu-a"]["metadata"]["annotations"].values()):
            self.assertNotRegex(text, r"[\x00-\x1f\x7f]")

    def test_names_that_would_leave_their_place_are_refused(self):
        for name in ("../../secrets", "gpu-a/status", "gpu-a?x=y", "GPU", "-a", "a..b", "a\nb", "", "x" * 254, "gpu a", "%2e%2e"):
            ran = run("admit", *self.words(node=name), "--report", self.write("r.json", json.dumps(a_report(node=name))), env=self.environment())
            self.assertEqual(ran.code, 64, ran)
        self.assertEqual(self.api.log, [])

    def test_answers_that_are_no_nodes_end_in_words(self):
        for answer in ("[]", "{}", '{"metadata": {"name": 7}}', "<html>", '{"metadata": null, "status": []}'):
            self.api.route = lambda *args, answer=answer: (200, json.loads(answer) if answer[0] != "<" else answer)
            ran = self.admit(report=a_report())
            self.assertEqual(ran.code, 3, ran)
            self.assertIn("error", ran.err)

    def test_a_token_with_a_line_break_is_no_second_header(self):
        with open(self.api.path("token"), "w") as f:
            f.write("abc\r\nX-Evil: 1")
        ran = self.admit(report=a_report())
        self.assertEqual(ran.code, 3, ran)
        self.assertEqual(self.api.log, [])
        self.assertNotIn("abc", ran.err)


if __name__ == "__main__":
    unittest.main()
