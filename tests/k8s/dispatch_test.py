"""`dispatch` against an API server that is slow, away, forgetful, or asked by two at once; and killed between any two requests. It has
the account that ships, and that account's rights."""
import json, os, re, signal, unittest

import access
from cluster import ClusterCase, POLICY, SOURCE, run, start, utc
from api_server import Refused
from controllers import end

DISPATCHED = POLICY + """passive:
  stages:
    - {stage: checks, command: [validate, host.name]}
fabric:
  stages:
    - {stage: together, command: [allreduce, --sizes, 64K]}
dispatch:
  at_once: 4
  partners: 2
  fabric_nodes: 4
  gather: 60 s
"""


def template(kind):
    container = {"name": "mlc-bench", "image": "mlc-bench", "command": ["mlc-bench", "burnin"], "args": ["--run-id=$(RUN_ID)"]}
    return {"spec": {"suspend": True, "schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"backoffLimit": 2, "template": {
        "metadata": {"labels": {"app.kubernetes.io/name": "mlc-bench"}}, "spec": {"restartPolicy": "Never", "containers": [container]}}}}}}


class DispatchCase(ClusterCase):
    def setUp(self):
        super().setUp()
        self.api.nodes.clear()
        if not access.MISSING:
            self.api.enforce(access.rendered(self.OVERLAY), account="mlc-bench-dispatch")
        for kind in ("burnin", "health", "passive", "fabric"):
            self.api.add_cronjob({"metadata": {"name": f"mlc-{kind}", "labels": {"mlc-bench.io/template": kind}}, **template(kind)})
        self.policy = self.write("dispatch.yaml", DISPATCHED)

    def words(self, *more, publish=True):
        return ["dispatch", "--policy", self.policy, *(["--publish"] if publish else []), *more]

    def dispatch(self, *more, publish=True):
        ran = run(*self.words(*more, publish=publish), env=self.environment())
        self.no_secret(ran.out + ran.err)
        return ran

    def jobs(self):
        return sorted(self.api.jobs)

    def later(self, seconds):
        self.api.date_offset_s += seconds

    def label(self, node, **labels):
        self.api.nodes[node]["metadata"]["labels"].update({f"mlc-bench.io/{k}": v for k, v in labels.items()})

    def reason(self, node):
        line = [x for x in self.dispatch(publish=False).out.splitlines() if re.match(rf"{node}\s", x)]
        self.assertEqual(len(line), 1, node)
        return line[0]


class Rounds(DispatchCase):
    def test_each_pending_node_has_its_job_once(self):
        for i in range(6):
            self.api.add_node(f"gpu-{i}")
        ran = self.dispatch()
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(len(self.jobs()), 4, "at_once")
        self.assertIn("6 nodes: 6 pending", ran.out)
        self.assertIn("places (dispatch.at_once) are taken", ran.out)
        before = self.api.snapshot()
        again = self.dispatch()
        self.assertEqual(self.api.snapshot(), before)
        self.assertIn("for its Pod to begin", again.out)
        self.assertIn("nothing to do", again.out)
        job = self.api.jobs[self.jobs()[0]]
        terms = job["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        self.assertEqual(terms[0]["matchFields"][0]["values"], [job["metadata"]["labels"]["mlc-bench.io/node"]])

    def test_a_dry_run_is_the_default_and_only_reads(self):
        self.api.add_node("gpu-0")
        for more in ([], ["--dry-run"]):
            ran = self.dispatch(*more, publish=False)
            self.assertEqual(ran.code, 0, ran)
            self.assertIn("create Job mlc-burnin-", ran.out)
            self.assertIn("dry run", ran.err)
        self.assertEqual(self.api.writes(), [])
        self.assertEqual(run(*self.words("--dry-run"), env=self.environment()).code, 64)

    def test_nodes_are_asked_for_as_metadata(self):
        self.api.add_node("gpu-0")
        self.dispatch()
        asked = [accept for (method, path, _), accept in zip(self.api.log, self.api.accepts) if (method, path) == ("GET", "/api/v1/nodes")]
        self.assertTrue(asked)
        for accept in asked:
            self.assertIn("as=PartialObjectMetadataList", accept)

    def test_from_pending_to_open_through_both_stages(self):
        for i in range(3):
            self.api.add_node(f"gpu-{i}")
        self.dispatch()
        for name in self.jobs():
            end(self.api, name)
        for i in range(3):
            self.label(f"gpu-{i}", admission="fabric")
        self.dispatch()
        fabric, = [j for j in self.jobs() if "fabric" in j]
        job = self.api.jobs[fabric]
        self.assertEqual((job["spec"]["completions"], job["spec"]["completionMode"]), (3, "Indexed"))
        self.assertEqual({m["name"] for m in json.loads(job["metadata"]["annotations"]["mlc-bench.io/members"])}, {"gpu-0", "gpu-1", "gpu-2"})
        end(self.api, fabric)
        for i in range(3):
            self.label(f"gpu-{i}", admission="admitted")
            self.api.nodes[f"gpu-{i}"]["metadata"]["annotations"].update({"mlc-bench.io/tested-at": self.api.now(), "mlc-bench.io/expires": self.api.now(604800)})
        self.assertIn("3 nodes: 3 admitted", self.dispatch().out)
        self.assertEqual(self.dispatch(publish=False).out.count("create Job"), 0)
        self.later(13 * 3600)
        self.dispatch()
        self.assertEqual(len([j for j in self.jobs() if "passive" in j]), 3)
        self.later(12 * 3600)
        self.dispatch()
        self.assertGreater(len([j for j in self.jobs() if "health" in j]), 0)
        self.later(7 * 86400)
        self.dispatch()
        self.assertEqual(self.api.nodes["gpu-0"]["metadata"]["labels"]["mlc-bench.io/due"], "true")
        self.assertEqual(self.api.nodes["gpu-0"]["metadata"]["labels"]["mlc-bench.io/admission"], "admitted", "stale is not bad")


    def test_a_node_that_was_booted_is_looked_at_at_once(self):
        for i in range(2):
            self.api.add_node(f"gpu-{i}", labels={"mlc-bench.io/admission": "admitted"})["metadata"]["annotations"].update(
                {"mlc-bench.io/tested-at": self.api.now(-60), "mlc-bench.io/expires": self.api.now(604800)})
        self.dispatch()
        self.assertEqual(self.jobs(), [])
        for node, when in (("gpu-0", self.api.now(-3600)), ("gpu-1", self.api.now()), ("gone", self.api.now())):
            self.api.add_reboot(node, when)
        self.dispatch()
        passive, = self.jobs()
        self.assertEqual(self.api.jobs[passive]["metadata"]["labels"]["mlc-bench.io/node"], "gpu-1")


class Faults(DispatchCase):
    def settled(self):
        """What is there when nothing more is to be done, at this time."""
        for _ in range(3):
            self.assertEqual(self.dispatch().code, 0)
        notes = {n: o["metadata"]["annotations"].get("mlc-bench.io/attempts") for n, o in self.api.nodes.items()}
        return self.jobs(), notes

    def a_campaign(self):
        """One of each: a node that waits, one whose Job found no place, one whose run gave nothing, three for the fabric."""
        for i in range(6):
            self.api.add_node(f"gpu-{i}")
        self.dispatch()
        first, second, *_ = self.jobs()
        end(self.api, first, failed=True)
        for i in range(3, 6):
            self.label(f"gpu-{i}", admission="fabric")
        self.later(1000)

    def test_killed_between_any_two_requests(self):
        self.a_campaign()
        start_of_it = self.api.snapshot()
        expected = self.settled()
        self.api.restore(start_of_it)
        self.api.log.clear()
        self.dispatch()
        writes = len(self.api.writes())
        self.assertGreater(writes, 5)
        for kill in range(writes):
            for done in (False, True):   # before the request is carried out, and after
                self.api.restore(start_of_it)
                left = [kill]

                def interfere(server, method, path):
                    left[0] -= 1
                    if left[0] == (-1 if not done else -2):
                        os.kill(process.pid, signal.SIGKILL)
                        process.wait()
                        raise Refused(503, "it came from a process that was killed before it sent this")
                self.api.interfere = interfere
                process = start(*self.words(), env=self.environment())
                process.communicate()
                self.api.interfere = None
                self.assertEqual(self.settled(), expected, (kill, done))

    def test_two_at_once(self):
        self.a_campaign()
        start_of_it = self.api.snapshot()
        expected = self.settled()
        for _ in range(3):
            self.api.restore(start_of_it)
            both = [start(*self.words(), env=self.environment()) for _ in range(2)]
            for one in both:
                out, err = one.communicate()
                self.assertEqual(one.returncode, 0, err)
            self.assertEqual(self.settled(), expected)

    def test_slow_answers_are_waited_for(self):
        """As long as each is below the time-out: the round takes long, and does all it would."""
        self.a_campaign()
        start_of_it = self.api.snapshot()
        expected = self.settled()
        self.api.restore(start_of_it)
        self.api.delay_s = 0.3
        ran = self.dispatch("--api-timeout", "8s", "--api-patience", "2s")
        self.assertEqual(ran.code, 0, ran)
        self.assertGreater(ran.seconds, 2, "longer than the patience, which is for a server that does not answer")
        self.api.delay_s = 0
        self.assertEqual(self.settled(), expected)
        self.api.delay_s = 1.5
        ran = self.dispatch("--api-timeout", "0.5s", "--api-patience", "1s")
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("gave up", ran.err)

    def test_a_policy_that_changes_in_mid_campaign_sends_nodes_back(self):
        """What they showed alone goes with no fabric stage any more: after three without an answer their local stages are run anew."""
        for i in range(3):
            self.api.add_node(f"gpu-{i}")
            self.label(f"gpu-{i}", admission="fabric")
        for _ in range(3):
            self.dispatch()
            fabric, = [n for n, j in self.api.jobs.items() if "fabric" in n and "conditions" not in j["status"]]
            end(self.api, fabric, failed=True, reason="FailedIndexes")
            self.assertRegex(self.dispatch().out, r"gpu-0 .*(without a verdict; again after|its local stages are run anew)")
            self.later(6 * 3600)
        self.assertEqual({n["metadata"]["labels"]["mlc-bench.io/admission"] for n in self.api.nodes.values()}, {"pending"})
        self.dispatch()
        self.assertEqual(len([n for n, j in self.api.jobs.items() if "burnin" in n]), 3)

    def test_each_node_that_waits_has_one_line_that_says_why(self):
        self.a_campaign()
        for i, state in enumerate(("refused", "maybe", "", "pending", "pending")):
            self.api.add_node(f"more-{i}", labels={"mlc-bench.io/admission": state})
        self.api.add_node("open", labels={"mlc-bench.io/admission": "admitted"})
        self.api.nodes["open"]["metadata"]["annotations"]["mlc-bench.io/expires"] = utc(7200)
        self.api.add_node("by-hand", labels={"mlc-bench.io/admission": "admitted"})
        for _ in range(3):
            out = self.dispatch().out
            table = re.split(r"why it waits\n", out)[1].split("\n  ")[0].splitlines()
            lines = {line.split()[0]: line for line in table if line.strip() and not line.startswith("nothing")}
            self.assertEqual(set(lines), {n for n in self.api.nodes if n != "open"}, out)
            for line in lines.values():
                self.assertRegex(line, r"  (its Job |it is its turn: |all \d|waits for|needs|\w+ Job|labelled admitted|refused; |the label |\d+ fabric Job|Job )")
            self.later(400)

    def test_away_for_an_hour(self):
        self.a_campaign()
        self.api.faults.append(lambda method, path: (503, {}))
        for _ in range(2):
            ran = self.dispatch("--api-patience", "1")
            self.assertEqual(ran.code, 3, ran)
            self.assertIn("503", ran.err)
            self.later(1800)
        self.api.faults.clear()
        self.assertEqual(self.dispatch().code, 0)
        self.assertTrue([j for j in self.jobs() if "fabric" in j])

    def test_breaks_off_in_the_middle(self):
        self.a_campaign()
        start_of_it = self.api.snapshot()
        expected = self.settled()
        for after in (1, 3, 4):
            self.api.restore(start_of_it)
            seen = [0]

            def fault(method, path):
                seen[0] += method != "GET"
                return "lost" if method != "GET" and seen[0] > after else None
            self.api.faults.append(fault)
            self.assertEqual(self.dispatch("--api-patience", "1").code, 3)
            self.api.faults.clear()
            self.assertEqual(self.settled(), expected)

    def test_the_servers_clock_counts(self):
        """Ours may be a day off, either way."""
        for offset in (-86400, 86400):
            self.api.date_offset_s = offset
            for job in self.jobs():
                self.api.remove("jobs", job)
            self.api.add_node("gpu-0")
            self.dispatch()
            end(self.api, self.jobs()[0], failed=True)
            self.dispatch()
            self.assertIn(f"again after {self.api.now(600)[:15]}", self.reason("gpu-0"))
            self.later(660)
            self.dispatch()
            self.assertEqual(len(self.jobs()), 2)

    def test_a_list_that_expires_is_begun_again(self):
        for i in range(5):
            self.api.add_node(f"gpu-{i}")
        gone = [1]

        def fault(method, path):
            if "continue=" in path and "/nodes" in path and gone[0]:
                gone[0] -= 1
                return (410, {})
            return None
        self.api.faults.append(fault)
        ran = self.dispatch()
        self.assertEqual(ran.code, 0, ran)
        self.assertIn("5 nodes: 5 pending", ran.out)

    def test_what_people_do_in_between(self):
        self.api.add_node("gpu-0")
        self.dispatch()
        name, = self.jobs()
        self.api.remove("jobs", name)
        self.dispatch()
        self.assertEqual(self.jobs(), [name], "deleted by hand: made again")
        self.label("gpu-0", admission="maybe")
        self.assertIn("'maybe', which is none of", self.reason("gpu-0"))
        self.label("gpu-0", admission="pending")
        del self.api.nodes["gpu-0"]
        self.dispatch()
        self.assertEqual(self.jobs(), [], "nobody waits for a node that is gone")
        self.api.add_node("gpu-0")["metadata"]["uid"] = "made-anew"
        self.dispatch()
        self.assertNotEqual(self.jobs(), [name])
        end(self.api, self.jobs()[0])
        self.label("gpu-0", admission="fabric")
        self.write("dispatch.yaml", re.sub(r"fabric:\n  stages:\n.*\n", "", DISPATCHED))
        self.dispatch()
        self.assertEqual(len(self.jobs()), 2, "a policy without a fabric stage: the local stages decide")

    def test_one_node_that_may_not_be_written_stops_nobody_else(self):
        for name in ("adm", "gpu-0", "gpu-1"):
            self.api.add_node(name)
        self.label("adm", admission="admitted")
        self.api.nodes["adm"]["metadata"]["annotations"].update({"mlc-bench.io/tested-at": self.api.now(-700000), "mlc-bench.io/expires": self.api.now(-60)})
        self.api.faults.append(lambda method, path: (403, {}) if (method, path) == ("PATCH", "/api/v1/nodes/adm") else None)
        ran = self.dispatch()
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("refused: note on node adm", ran.err)
        self.assertEqual(len([name for name in self.jobs() if name.startswith("mlc-burnin-")]), 2)

    def test_what_guards_one_kind_of_job_stops_no_other(self):
        for name in ("adm-1", "adm-2", "gpu-0", "gpu-1"):
            self.api.add_node(name)
        for name in ("adm-1", "adm-2"):   # two in a row that may not be written
            self.label(name, admission="admitted")
            self.api.nodes[name]["metadata"]["annotations"].update({"mlc-bench.io/tested-at": self.api.now(-700000), "mlc-bench.io/expires": self.api.now(-60)})

        def guarded(method, path):
            if method == "PATCH" and "/nodes/adm-" in path:
                return (403, {})
            return (self.status, {}) if method == "POST" and path.endswith("/jobs") and not self.let(path) else None
        for self.status in (403, 500):
            refused = []
            # The first two POSTs are of burn-ins, which the webhook guards.
            self.let = lambda path: len(refused) >= 2 or refused.append(path)
            self.api.faults[:] = [guarded]
            ran = self.dispatch("--api-patience", "0.1")
            self.assertEqual(ran.code, 3, ran)
            self.assertIn("refused: Job mlc-burnin-", ran.err)
            self.assertTrue([n for n in self.jobs() if n.startswith("mlc-passive-")], ran)
            for name in self.jobs():
                self.api.remove("jobs", name)

    def test_a_pod_without_a_place_is_told_in_the_schedulers_words(self):
        self.api.add_node("gpu-0")
        self.dispatch()
        name, = self.jobs()
        self.api.change("jobs", name, status={"startTime": self.api.now(-3600), "active": 1, "ready": 0})
        pod = {"metadata": {"name": f"{name}-x", "namespace": "mlc-bench", "uid": "p", "creationTimestamp": self.api.now(), "labels": {"batch.kubernetes.io/job-name": name}},
               "spec": {}, "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/8 nodes are available: 8 Insufficient nvidia.com/gpu."}]}}
        self.api.objects["pods", "mlc-bench", f"{name}-x"] = pod
        self.assertIn("for its Pod to begin: 0/8 nodes are available: 8 Insufficient nvidia.com/gpu.", self.reason("gpu-0"))
        pod["spec"]["nodeName"] = "gpu-0"
        pod["status"] = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]}
        self.assertIn("for its Pod to begin: ErrImagePull: not found", self.reason("gpu-0"))
        pod["status"] = {"phase": "Running", "containerStatuses": [{"ready": False, "state": {"running": {}}}]}   # its kubelet is slow to say more
        self.later(1800)
        self.dispatch()
        self.assertEqual(self.jobs(), [name])
        pod["status"]["phase"] = "Failed"   # ended: another is to come
        self.assertNotIn("Insufficient", self.reason("gpu-0"))

    def test_without_the_right_to_see_pods_it_goes_by_the_jobs(self):
        self.api.add_node("gpu-0")
        self.api.faults.append(lambda method, path: (403, {}) if "/pods?" in path else None)
        ran = self.dispatch()
        self.assertEqual((ran.code, len(self.jobs())), (0, 1), ran)
        self.assertIn("note: why Pods wait for a place is not known", ran.out)

    def test_what_is_refused_is_said(self):
        self.api.add_node("gpu-0")
        self.api.faults.append(lambda method, path: (422, {}) if method == "POST" else None)
        ran = self.dispatch()
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("refused: Job mlc-burnin-", ran.err)
        self.api.faults[:] = [lambda method, path: (403, {}) if method == "POST" else None]
        ran = self.dispatch()
        self.assertEqual(ran.code, 3, ran)
        self.assertIn("403", ran.err)
        self.api.faults.clear()
        for name in self.api.listed("cronjobs"):
            self.api.remove("cronjobs", name)
        self.assertIn("mlc-bench.io/template=burnin", self.reason("gpu-0"))

    def test_hostile_names_and_notes_stay_text(self):
        nasty = 'x\x1b[2J"}\n{'
        self.api.add_node("gpu-0", labels={"mlc-bench.io/admission": "pending", "kubernetes.io/hostname": nasty})
        self.api.nodes["gpu-0"]["metadata"]["annotations"]["mlc-bench.io/attempts"] = nasty
        self.api.add_node("gpu-1", labels={"mlc-bench.io/admission": nasty})
        ran = self.dispatch()
        self.assertEqual(ran.code, 0, ran)
        self.assertNotIn("\x1b", ran.out + ran.err)
        self.assertEqual(len(self.jobs()), 1)


class Rights(DispatchCase):
    def test_it_asks_what_its_account_may_and_no_more(self):
        """Against the text of the manifest: YAML is read where there is a reader, in manifests_test."""
        with open(os.path.join(SOURCE, "k8s/manifests/base/dispatch.yaml")) as f, open(os.path.join(SOURCE, "k8s/manifests/events/events.yaml")) as g:
            text = f.read() + "---" + g.read().split("# The kubelet says")[1]
        granted = set()
        for groups, resources, names, verbs in re.findall(r"- apiGroups: \[(.*?)\]\n\s+resources: \[(.*?)\]\n(?:\s+resourceNames: \[(.*?)\].*\n)?\s+verbs: \[(.*?)\]", text):
            granted |= {(groups.strip('"'), resources, names, verb) for verb in verbs.split(", ")}
        self.api.add_configmap("mlc-bench", "mlc-bench-quarantine")
        for i in range(2):
            self.api.add_node(f"gpu-{i}")
        self.api.add_node("old", labels={"mlc-bench.io/admission": "admitted"})["metadata"]["annotations"]["mlc-bench.io/tested-at"] = self.api.now(-90000)
        for _ in range(3):   # Jobs of all kinds are made, and none finds a place
            self.dispatch()
            self.later(1000)
        used = set()
        for method, path, _ in self.api.log:
            words = path.strip("/").split("/")
            group, words = ("", words[2:]) if words[0] == "api" else (words[1], words[3:])
            words = words[2:] if words[0] == "namespaces" else words
            named = words[0] == "configmaps" or (words[0] == "cronjobs" and method == "PATCH")
            verb = {"GET": "get" if words[0] == "configmaps" else "list", "PATCH": "patch", "POST": "create", "DELETE": "delete"}[method]
            used.add((group, words[0], words[1] if named else "", verb))
        self.assertEqual(used, granted)
        self.assertEqual(self.api.configmaps[("mlc-bench", "mlc-bench-quarantine")]["metadata"]["annotations"]["mlc-bench.io/fleet"], "3")


if __name__ == "__main__":
    unittest.main()
