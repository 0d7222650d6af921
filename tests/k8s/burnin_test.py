"""burnin: stages as processes, the budget, going on after a kill; and the story from a tainted node to an open one."""
import json, os, random, re, shutil, signal, subprocess, time, unittest

import measured
from cluster import BENCH, FOREIGN, SOURCE, STARTUP, Case, ClusterCase, clean_environment, finding, report, run, start, wait_for

QUICK = "[allreduce, --backend, loopback, --sizes, 4K, -n, 5]"
WRONG = '[allreduce, --backend, loopback, --sizes, 4K, -n, 5, --inject, "flip:rank=1,index=7,bit=3"]'
LIMITS = "node: {host: {nofile: 1}}\n"  # a check that passes everywhere,
CHECKS = "stage: checks, command: [validate, host.limits]"  # and has to be run for a pass
SLOW = '[allreduce, --backend, loopback, --sizes, 4K, -n, "100000000"]'


def policy(*stages, budget="2 h", more=""):
    return f"policy: test\nunknown_blocks: false\n{LIMITS}burnin:\n  budget: {budget}\n  stages:\n" + "".join(f"    - {{{s}}}\n" for s in stages) + more


class BurninCase(Case):
    def burnin(self, text, *args, run_id="r", env=None):
        path = self.write("policy.yaml", text)
        return run("burnin", "--policy", path, "--state", self.path("state"), "--run-id", run_id, "--output", self.path("out.json"), *args, env=env)

    def result(self):
        return report(self.path("out.json"))

    def stages(self):
        return {f["check"][7:]: f for f in self.result()["findings"] if f["check"].startswith("burnin.")}


class Stages(BurninCase):
    def test_all_pass_is_one_report_and_one_verdict(self):
        ran = self.burnin(policy(f"stage: one, command: {QUICK}", f"stage: two, command: {QUICK}, launches: 2", "stage: checks, command: [validate, host]"))
        self.assertEqual(ran.code, 0, ran)
        result = self.result()
        self.assertEqual(len(result["series"]), 6)
        self.assertEqual([(s["launch"], s["of_launches"]) for s in result["series"][2:]], [(1, 2)] * 2 + [(2, 2)] * 2)
        self.assertEqual({n: f["status"] for n, f in self.stages().items()}, {"one": "pass", "two": "pass", "checks": "pass"})
        self.assertEqual((result["verdict"]["decision"], result["run"]["id"], result["run"]["policy"]), ("pass", "r", "test"))
        self.assertTrue(any(f["check"].startswith("host.") for f in result["findings"]))
        with open("/proc/sys/kernel/random/boot_id") as f:
            self.assertEqual(result["environment"]["nodes"][0]["boot_id"], f.read().strip())

    def test_a_hard_failure_stops_and_a_soft_one_goes_on(self):
        ran = self.burnin(policy(f"stage: bad, command: {WRONG}", f"stage: worse, command: {WRONG}, stop_on_fail: true", f"stage: late, command: {QUICK}"))
        self.assertEqual(ran.code, 1, ran)
        stages = self.stages()
        self.assertEqual([stages[n]["status"] for n in ("bad", "worse", "late")], ["fail", "fail", "skip"])
        self.assertIn("after worse failed", stages["late"]["observed"])
        self.assertFalse([n for n in os.listdir(self.path("state/r")) if n.startswith("late")])
        self.assertIn("wrong elements", self.result()["verdict"]["because"][0])

    def test_what_this_machine_has_not_is_unknown_with_its_reason(self):
        for stage, said in (("command: [rdma]", "no RDMA device"), ("command: [gpu]", "GPU")):
            ran = self.burnin(policy(f"stage: odd, {stage}", f"stage: good, command: {QUICK}"), run_id=str(abs(hash(stage))))
            self.assertEqual(ran.code, 2, ran)
            self.assertEqual(self.stages()["odd"]["status"], "unknown")
            self.assertIn(said, self.stages()["odd"]["observed"])
            self.assertEqual(self.stages()["good"]["status"], "pass")

    def test_what_is_not_required_does_not_keep_a_node_out(self):
        ran = self.burnin(policy("stage: odd, command: [rdma], required: false", CHECKS, f"stage: good, command: {QUICK}"))
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.stages()["odd"]["status"], "unknown")

    def test_an_optional_stage_that_is_cut_off_keeps_nobody_out(self):
        text = policy(CHECKS, f"stage: slow, command: {SLOW}, required: false, limit: 2 s")
        for blocks in (text, text.replace("unknown_blocks: false", "unknown_blocks: true")):
            ran = self.burnin(blocks)
            self.assertEqual(ran.code, 0, ran)
            self.assertEqual(self.stages()["slow"]["status"], "unknown")
            shutil.rmtree(self.path("state"))

    def test_no_stage_has_to_measure_what_another_does(self):
        """One stage a size of one threshold; a look at one of them."""
        text = policy(*(f"stage: s{size.lower()}, command: [allreduce, --backend, loopback, --sizes, {size}]" for size in ("4K", "64K")))
        text = text.replace(LIMITS, "confidence: {observe: 200 ms}\nthresholds:\n  - {collective: allreduce, sizes: [4K, 64K], busbw_at_least: 0.00001 GB/s}\n")
        ran = self.burnin(text)
        self.assertEqual(ran.code, 0, ran)
        ran = self.burnin(text[:text.rindex("    - {")])
        self.assertEqual(ran.code, 2, "nobody has measured 64K")
        self.assertIn("not measured: allreduce 64 KiB", ran.out)

    def test_nothing_but_the_unknown_is_no_pass(self):
        ran = self.burnin(policy("stage: odd, command: [rdma], required: false"))
        self.assertEqual(ran.code, 2, ran)

    def test_peers(self):
        text = policy(f"stage: good, command: {QUICK}", 'stage: far, command: [validate, host, --peer, "{peer}"], required: false',
                      'stage: all, command: [rdma, --connect, "{nodes}"], required: false', CHECKS)
        ran = self.burnin(text)
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.stages()["far"]["status"], "skip")
        ran = self.burnin(text, "--with-peers", "10.0.0.1,10.0.0.2", run_id="p", env=clean_environment(NODE_NAME="gpu-a"))
        self.assertEqual(self.stages()["far"]["status"], "pass", ran)
        self.assertIn("gpu-a,10.0.0.1,10.0.0.2", self.stages()["all"]["source"])

    def test_what_was_decided_with_one_peer_is_not_of_another(self):
        text = policy(f"stage: good, command: {QUICK}", 'stage: far, command: [validate, host, --peer, "{peer}"]')
        stage_reports = lambda: sorted(name for name in os.listdir(self.path("state/p")) if name.startswith("far-") and name.endswith(".json"))
        self.burnin(text, "--with-peers", "10.0.0.1", run_id="p")
        first = stage_reports()
        self.burnin(text, "--with-peers", "10.0.0.1", run_id="p")
        self.assertEqual(stage_reports(), first, "the same question is not asked again")
        self.burnin(text, "--with-peers", "10.0.0.9", run_id="p")
        self.assertNotEqual(stage_reports(), first)

    def test_a_file_that_cannot_be_written_decides_nothing_about_a_node(self):
        path = self.write("p.yaml", policy(f"stage: good, command: {QUICK}"))
        words = ["burnin", "--policy", path, "--state", self.path("state"), "--run-id", "w", "--output", self.path("nosuch/x.prom")]
        self.assertEqual(run(*words).code, 64, "typed by hand it is told before anything is measured")
        ran = run(*words, "--admit", "gpu-a", env=clean_environment(NODE_NAME="gpu-a"))
        self.assertIn("good: pass", ran.err)
        self.assertIn("no report is left in", ran.err)

    def test_a_stage_that_takes_too_long_is_ended_with_all_its_ranks(self):
        ran = self.burnin(policy(f"stage: slow, command: {SLOW}, limit: 1 s", f"stage: good, command: {QUICK}"))
        self.assertEqual(ran.code, 2, ran)
        self.assertIn("longer than its limit", self.stages()["slow"]["observed"])
        self.assertEqual(self.stages()["good"]["status"], "pass")
        self.assertEqual(self.running(), [])

    def test_what_does_not_fit_the_budget_is_unknown(self):
        text = policy(f"{CHECKS}, limit: 30 s", f"stage: good, command: {QUICK}, limit: 30 s", f"stage: long, command: {QUICK}, limit: 40 s", budget="40 s")
        ran = self.burnin(text)
        self.assertEqual(ran.code, 2, ran)
        self.assertEqual(self.stages()["good"]["status"], "pass")
        self.assertEqual(self.stages()["long"]["status"], "unknown")
        self.assertIn("did not fit", self.stages()["long"]["observed"])
        self.assertTrue(any("did not fit" in b for b in self.result()["verdict"]["because"]))
        self.assertEqual(self.burnin(text, "--budget", "2m").code, 0)

    def running(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if self.path("state").encode() in f.read() and int(pid) != os.getpid():
                        found.append(pid)
            except OSError:
                pass
        return found

    def test_interrupted_it_says_so_and_leaves_nothing_running(self):
        path = self.write("policy.yaml", policy(f"stage: good, command: {QUICK}", f"stage: slow, command: {SLOW}"))
        for number in (signal.SIGTERM, signal.SIGINT):
            one = start("burnin", "--policy", path, "--state", self.path("state"), "--run-id", "r", "--output", self.path("out.json"))
            wait_for(lambda: len(self.running()) >= 2)
            time.sleep(0.2)
            one.send_signal(number)
            said = one.communicate(timeout=30)[1].decode()
            self.assertEqual(one.returncode, 130)
            self.assertIn("interrupted: ending stage slow; --run-id r goes on with it", said)
            self.assertNotIn("ended by signal 2", said)
            self.assertEqual(self.running(), [])
            self.assertEqual(self.result()["verdict"]["decision"], "inconclusive")

    def test_what_is_wrong_with_the_node_is_told_before_what_is_slow(self):
        text = policy(f"stage: slow, command: {QUICK}", "stage: checks, command: [validate, host.limits]").replace("nofile: 1}", "nofile: 100000000}")
        ran = self.burnin(text + "thresholds:\n  - {collective: allreduce, sizes: [4K], busbw_at_least: 100000 GB/s}\n")
        self.assertEqual(ran.code, 1, ran)
        because = self.result()["verdict"]["because"]
        self.assertTrue(because[0].startswith("host.limits: nofile"), because)
        self.assertTrue(because[1].startswith("allreduce 4 KiB"), because)
        self.assertFalse([one for one in because if "burnin." in one], "that a stage failed adds nothing")
        self.assertIn(": host.limits nofile", run("report", self.path("out.json"), "--format", "line").out)

    def test_killed_it_takes_its_stages_along(self):
        path = self.write("policy.yaml", policy(f"stage: slow, command: {SLOW}"))
        one = start("burnin", "--policy", path, "--state", self.path("state"), "--run-id", "r")
        wait_for(lambda: len(self.running()) >= 2)
        one.kill()
        one.communicate()
        wait_for(lambda: not self.running())

    def test_no_shell_sees_a_word(self):
        touched = self.path("touched")
        ran = self.burnin(policy(f'stage: evil, command: [rdma, --connect, "host; touch {touched}"]', f'stage: more, command: [rdma, --connect, "$(touch {touched})"]'))
        self.assertEqual(ran.code, 2, ran)
        self.assertIn(f"rdma --connect $(touch {touched})", self.stages()["more"]["source"])
        self.assertFalse(os.path.exists(touched))

    def test_wrong_words_are_usage(self):
        good = policy(f"stage: good, command: {QUICK}")
        for words in (["--run-id", "../up"], ["--run-id", "a/b"], ["--budget", "soon"], ["--publish"], ["--health"]):
            ran = run("burnin", "--policy", self.write("p.yaml", good), "--state", self.path("state"), *words)
            self.assertEqual(ran.code, 64, ran)
        for text in ("policy: x\n", policy("stage: A, command: [validate]"), policy("stage: a, command: [burnin]"), policy("stage: a, command: []"),
                     policy("stage: a, command: [validate], limits: 3"), policy(f"stage: a, command: {QUICK}", f"stage: a, command: {QUICK}"),
                     policy("stage: a, command: [validate], limit: 0 s"),
                     policy("stage: a, command: [validate, nosuch]"), policy("stage: a, command: [allreduce, --backend, nosuch]"),
                     policy("stage: a, command: [gpu, nosuch]"), policy("stage: a, command: [rdma, nosuch]"), policy("stage: a, command: [validate], limit: 3 min", budget="2 min"), policy("stage: a, command: [--version]"),
                     good + 'admit: {startup_taint: "a b:NoSchedule"}\n', good + "admit: {quarantine: {share_per_hour: 2}}\n", good + "admit: {valid_for: 1 s}\n",
                     good + 'admit: {fleet: "a=b&limit=1"}\n', good + 'admit: {condition: "a b"}\n'):
            ran = self.burnin(text)
            self.assertEqual(ran.code, 64, (text, str(ran)))

    def test_default_policies_have_something_to_run(self):
        ran = run("burnin", "--policy", "local", "--state", self.path("state"), "--run-id", "l", "--output", self.path("out.json"))
        self.assertEqual(ran.code, 2, ran)
        self.assertIn("nothing was asked: policy local", " ".join(self.result()["verdict"]["because"]))
        self.assertEqual({n: f["status"] for n, f in self.stages().items()}, {"validate": "unknown", "threads": "pass", "allreduce": "pass"})
        ran = run("burnin", "--policy", "h100-4x200g", "--state", self.path("state"), "--run-id", "h", "--output", self.path("out.json"))
        self.assertEqual(ran.code, 1, ran)
        self.assertEqual(self.stages()["validate"]["status"], "fail", "this machine is no 8 x H100")
        self.assertEqual(self.stages()["gpu"]["status"], "skip")


class Resuming(BurninCase):
    TEXT = policy(f"stage: one, command: {QUICK}", f"stage: two, command: {WRONG}", f"stage: three, command: {QUICK}")

    def measured(self, run_id="r"):
        """The report that counts of each launch, by name."""
        found = {}
        for name in os.listdir(self.path(f"state/{run_id}")):
            if name.endswith(".done"):
                with open(self.path(f"state/{run_id}/{name}")) as f:
                    found[name[:-5]] = json.load(f)["report"]
        return found

    def test_what_is_decided_is_not_run_again(self):
        self.assertEqual(self.burnin(self.TEXT).code, 1)
        before = self.measured()
        started = self.result()["run"]["started"]
        os.remove(self.path("state/r/three-1.done"))
        self.assertEqual(self.burnin(self.TEXT).code, 1)
        after = self.measured()
        self.assertEqual((after["one-1"], after["two-1"]), (before["one-1"], before["two-1"]))
        self.assertNotEqual(after["three-1"], before["three-1"])
        self.assertEqual(self.result()["run"]["started"], started)

    def test_what_is_damaged_or_undecided_is_done_again(self):
        self.assertEqual(self.burnin(self.TEXT).code, 1)
        whole = self.result()
        for name, content in ((self.measured()["one-1"], '{"schema": "mlc-bench/rep'), ("one-1.done", ""), ("one-1.done", '{"code": "0"}'), ("one-1.done", '{"code": 2}'),
                              ("run.json", "{"), ("report.json", "")):
            self.write(f"state/r/{name}", content)
            ran = self.burnin(self.TEXT)
            self.assertEqual(ran.code, 1, ran)
            self.assertEqual([f["status"] for f in self.result()["findings"]], [f["status"] for f in whole["findings"]])
            self.assertEqual(len(self.result()["series"]), len(whole["series"]))

    def rewritten(self, **values):
        with open(self.path("state/r/run.json")) as f:
            known = json.load(f)
        self.write("state/r/run.json", json.dumps({**known, **values}))

    def test_a_record_that_others_may_write_is_measured_anew(self):
        self.assertEqual(self.burnin(self.TEXT).code, 1)
        before = self.measured()
        self.assertEqual(self.burnin(self.TEXT).code, 1)
        self.assertEqual(self.measured(), before)
        for name in os.listdir(self.path("state/r")):
            if name.endswith(".done"):
                os.chmod(self.path(f"state/r/{name}"), 0o666)
        self.assertEqual(self.burnin(self.TEXT).code, 1)
        self.assertFalse(set(before.values()) & set(self.measured().values()), "nothing is taken over")

    def test_another_policy_boot_or_program_begins_anew(self):
        self.assertEqual(self.burnin(self.TEXT).code, 1)
        for change, said in ((lambda: None, "with another policy"), (lambda: self.rewritten(boot_id="an-earlier-one"), "in another boot"),
                             (lambda: self.rewritten(program="sha256:0"), "by another mlc-bench")):
            before = self.measured()
            change()
            text = self.TEXT + "# changed\n"
            ran = self.burnin(text)
            self.assertEqual(ran.code, 1, ran)
            self.assertIn("it starts anew", ran.err)
            self.assertIn(said, ran.err)
            self.assertFalse(set(before.values()) & set(self.measured().values()), "nothing is taken over")
            before = self.measured()
            self.assertEqual(self.burnin(text).code, 1)
            self.assertEqual(before, self.measured(), "and this one goes on")

    def test_a_mark_is_no_way_out_of_the_folder(self):
        self.assertEqual(self.burnin(policy(f"stage: one, command: {WRONG}")).code, 1)
        self.assertEqual(self.burnin(policy(f"stage: one, command: {QUICK}", CHECKS), run_id="good").code, 0)
        passed = [n for n in os.listdir(self.path("state/good")) if n.startswith("one-1.") and n.endswith(".json")][0]
        for name in (f"../good/{passed}", os.path.join(self.path("state/good"), passed), "report.json"):
            self.write("state/r/one-1.done", json.dumps({"code": 0, "seconds": 0.1, "report": name}))
            self.assertEqual(self.burnin(policy(f"stage: one, command: {WRONG}")).code, 1, name)

    def test_a_state_folder_that_others_can_write_is_refused(self):
        text = policy(f"stage: one, command: {QUICK}", CHECKS)
        self.assertEqual(self.burnin(text).code, 0)
        for folder, mode in (("state/r", 0o777), ("state", 0o775)):
            os.chmod(self.path(folder), mode)
            ran = self.burnin(text)
            self.assertEqual(ran.code, 3, ran)
            self.assertIn("can be written by others", ran.err)
            os.chmod(self.path(folder), 0o700)
        os.rename(self.path("state/r"), self.path("elsewhere"))
        os.symlink(self.path("elsewhere"), self.path("state/r"))
        self.assertEqual(self.burnin(text).code, 3, "a link is somebody's way to another folder")
        if os.geteuid() == 0:
            os.remove(self.path("state/r"))
            os.rename(self.path("elsewhere"), self.path("state/r"))
            os.chown(self.path("state/r"), 1234, 1234)
            ran = self.burnin(text)
            self.assertEqual(ran.code, 3, ran)
            self.assertIn("belongs to user 1234", ran.err)

    def test_two_at_once_under_one_name_are_one(self):
        path = self.write("policy.yaml", policy(f"stage: slow, command: {SLOW}"))
        words = ["burnin", "--policy", path, "--state", self.path("state"), "--run-id", "r"]
        first = start(*words)
        wait_for(lambda: any(n.endswith(".log") for n in (os.listdir(self.path("state/r")) if os.path.isdir(self.path("state/r")) else [])))
        second = run(*words)
        first.terminate()
        first.communicate(timeout=30)
        self.assertEqual(second.code, 3, second)
        self.assertIn("going on in another process", second.err)

    def test_killed_anywhere_and_started_again_it_ends_right(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        path = self.write("policy.yaml", self.TEXT)
        for round_ in range(8):
            words = ["burnin", "--policy", path, "--state", self.path("state"), "--run-id", f"k{round_}", "--output", self.path("out.json")]
            for _ in range(3):
                one = start(*words)
                time.sleep(dice.uniform(0, 0.15))
                one.kill()
                one.communicate()
            ran = run(*words)
            with self.subTest(seed=seed, round=round_):
                self.assertEqual(ran.code, 1, ran)
                self.assertEqual({n: f["status"] for n, f in self.stages().items()}, {"one": "pass", "two": "fail", "three": "pass"})
                self.assertEqual(len(self.result()["series"]), 6)
                self.assertEqual(self.result()["errors"], [])

    def test_a_full_disk_is_said(self):
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
            self.skipTest("mounting a small disk needs root")
        path = self.write("policy.yaml", self.TEXT)
        small = self.path("small")
        os.mkdir(small)
        ran = run("-c", f"mount -t tmpfs -o size=16k,mode=700 none {small} && exec {BENCH} burnin --policy {path} --state {small} --run-id r",
                  program=["unshare", "-m", "sh"])
        self.assertIn(ran.code, (2, 3), ran)
        self.assertRegex(ran.err, "No space left|could not run|without a report")


class PlansThatAreNone(BurninCase):
    def test_a_stage_that_no_verdict_can_rest_on_is_refused_before_anything_runs(self):
        for command, why in (("[allreduce, --sizez, 4K]", "--sizez"), ("[allreduc]", "not 'allreduc'"), ("[list, checks]", "not 'list'"),
                             ("[validate, --root, /elsewhere]", "a node that was captured"), ("[validate, --node-file=/elsewhere]", "a node that was captured"),
                             ("[validate, --write-lock, /tmp/lock]", "checks nothing"), ("[allreduce, -c, 0]", "verifies nothing"),
                             ("[allreduce, --launches, 3]", "'launches'"), ("[allreduce, -N3]", "'launches'"),
                             ("[allreduce, --policy=local]", "gives each stage itself"), ("[gpu, --output, x.json]", "gives each stage itself"),
                             ("[rdma, --help]", "measures nothing"), ('[allreduce, --precision, "0"]', "--precision")):
            for words in (["burnin", "--state", self.path("state")], ["admit", "--node", "gpu-a", "--report", "r.json"], ["dispatch"]):
                with self.subTest(command=command, words=words[0]):
                    path = self.write("policy.yaml", policy(f"stage: checks, command: {command}"))
                    ran = run(*words, "--policy", path)
                    self.assertEqual(ran.code, 64, ran)
                    self.assertIn("stage checks: ", ran.err)
                    self.assertIn(why, ran.err)
                    self.assertFalse(os.path.exists(self.path("state")))

    def test_a_fabric_stage_measures_both_ways(self):
        """One way, none of its nodes would have met another."""
        fabric = 'fabric:\n  stages:\n    - {stage: rails, command: [rdma, write, --connect, "{peer}", --one-way]}\n'
        ran = self.burnin(policy(CHECKS, more=fabric))
        self.assertEqual(ran.code, 64, ran)
        self.assertIn("stage rails: --one-way measures one way", ran.err)

    def test_a_campaign_is_a_fabric_stage_alone_and_gets_its_group_from_it(self):
        ran = self.burnin(policy("stage: all, command: [fleet]"))
        self.assertEqual(ran.code, 64, ran)
        self.assertIn("it is for the 'fabric' section", ran.err)
        for words, more, why in (("fleet, --simulate", "", "measures nothing"), ("fleet, --plan", "", "measures nothing"), ('fleet, --hosts, "a,b"', "", "gives its members itself"),
                                 ("fleet, --leader, a", "", "gives its members itself"), ('fleet, --members, "3"', "", "gives its members itself"),
                                 ("fleet, --keep, x", "", "gives its members itself"), ("fleet, --output, x", "", "gives each stage itself"),
                                 ("fleet, --enjine, tcp", "", "--enjine"), ("fleet", ", launches: 3", "held once")):
            with self.subTest(words):
                ran = self.burnin(policy(CHECKS, more=f"fabric:\n  stages:\n    - {{stage: all, command: [{words}]{more}}}\n"))
                self.assertEqual(ran.code, 64, ran)
                self.assertIn("stage all: ", ran.err)
                self.assertIn(why, ran.err)

    def test_one_campaign_says_all(self):
        ran = self.burnin(policy(CHECKS, more="fabric:\n  stages:\n    - {stage: a, command: [fleet]}\n    - {stage: b, command: [fleet]}\n"))
        self.assertEqual(ran.code, 64, ran)
        self.assertIn("two stages of 'fabric' are campaigns", ran.err)

    def test_root_of_a_rooted_collective_is_a_rank(self):
        ran = self.burnin(policy("stage: one, command: [broadcast, --backend, loopback, --ranks, 3, --root, 1, --sizes, 4K, -n, 5]", CHECKS))
        self.assertEqual(ran.code, 0, ran)


class Story(ClusterCase):
    """A node of Cluster API: tainted, burnt in, and open or shut."""

    @classmethod
    def setUpClass(cls):
        cls.faults = measured.trees()[1]["node"]
        with open(os.path.join(SOURCE, "validators/policies/h100-4x200g.yaml")) as f:
            text = f.read()
        sites = "".join(f"      - {{prefix: 10.{10 + r}.0.0/16, gateway: 10.{10 + r}.0.1, destinations: [10.{20 + r}.0.0/16]}}\n" for r in range(4))
        text = text.replace("    cross_rail: false", f"    addresses:\n{sites}    cross_rail: false")
        # What nothing here can measure would be missed.
        text = re.sub(r"(?m)^(gpu|rdma):\n(?:[ #].*\n)*", "", text)
        # Its thresholds are for NCCL on eight GPUs; a run of another shape would rightly be inconclusive.
        text = text[:text.index("thresholds:\n")] + text[text.index("# The node itself"):]
        cls.text = text[:text.index("burnin:\n")] + f"""burnin:
  stages:
    - {{stage: validate, command: [validate], stop_on_fail: true}}
    - {{stage: allreduce, command: {QUICK}}}
health:
  stages:
    - {{stage: validate, command: [validate]}}
"""

    def burn_in(self, tree, run_id=None, *more, **kwargs):
        """The checks of that captured tree are recorded, as if an attempt before had been killed after them; the rest is run here."""
        path = self.write("policy.yaml", self.text + POLICY_TAIL)
        if not os.path.exists(self.path(f"state/{run_id or tree}")) or os.path.exists(self.path(f"state/{run_id or tree}/known")):
            measured.record_checks(self.path("state"), run_id or tree, path, "health" if "--health" in more else "burnin", "gpu-a", f"node/{tree}", "validate")
        words = ["burnin", "--policy", path, "--state", self.path("state"), "--run-id", run_id or tree, "--admit", "gpu-a", "--settle", "0", "--publish",
                 "--output", self.path("out.json"), *more]
        env = self.environment(NODE_NAME="gpu-a")
        if kwargs.get("start"):
            return start(*words, env=env)
        ran = run(*words, env=env)
        self.no_secret(ran.out + ran.err)
        with open(self.path("out.json")) as f:
            self.no_secret(f.read())
        return ran

    def join(self):
        with open("/proc/sys/kernel/random/boot_id") as f:
            self.api.add_node("gpu-a", [FOREIGN, STARTUP], boot=f.read().strip())

    def test_a_healthy_node_is_burnt_in_and_opened(self):
        self.join()
        statuses = []

        def watch(api, method, path):
            statuses.append(((api.condition("gpu-a") or {}).get("status"), STARTUP["key"] in api.taints("gpu-a")))
        self.api.interfere = watch
        ran = self.burn_in("healthy")
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])
        self.assertEqual(self.api.condition("gpu-a")["status"], "True")
        self.assertEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"], "admitted")
        self.assertEqual(statuses[0], (None, True))
        self.assertIn(("Unknown", True), statuses, "a run that has begun is Unknown")
        self.assertNotIn(("Unknown", False), statuses)
        self.assertEqual(os.listdir(self.path("state")), ["healthy"])

    def test_each_faulty_node_stays_shut_and_says_why(self):
        self.assertGreaterEqual(len(self.faults), 8)
        for tree, check in self.faults.items():
            if tree == "healthy":
                continue
            with self.subTest(tree):
                self.join()
                ran = self.burn_in(tree)
                self.assertEqual(ran.code, 1, ran)
                condition = self.api.condition("gpu-a")
                self.assertEqual(condition["status"], "False")
                failed = [f["check"] for f in report(self.path("out.json"))["findings"] if f["status"] == "fail"]
                self.assertIn(check, failed)
                self.assertEqual(condition["reason"].lower(), failed[0].replace(".", "").replace("-", ""), "the reason is the first of what failed")
                self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))
                self.assertEqual(self.api.nodes["gpu-a"]["metadata"]["labels"]["mlc-bench.io/admission"], "refused")

    def test_repaired_it_comes_back(self):
        self.join()
        self.assertEqual(self.burn_in("port-down").code, 1)
        self.assertEqual(self.burn_in("healthy").code, 0)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])
        self.assertEqual(self.api.condition("gpu-a")["status"], "True")

    def test_the_api_server_is_away_and_comes_back(self):
        self.join()
        self.api.faults.append(lambda method, path: (503, {}))
        self.assertEqual(self.burn_in("healthy", None, "--api-patience", "1").code, 3, "a pass that the cluster does not know of")
        self.api.faults.clear()
        # The Job tries again under the same run id: nothing is measured anew, the pass is published.
        before = sorted(os.listdir(self.path("state/healthy")))
        self.assertEqual(self.burn_in("healthy").code, 0)
        self.assertEqual(sorted(os.listdir(self.path("state/healthy"))), sorted([*before, "known"]), "and that it is known")
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])

    def test_a_verdict_that_the_cluster_has_is_not_told_again(self):
        # Repaired, or a look of the next day under the same name: what was found then is not how the node is now.
        self.join()
        path = self.write("policy.yaml", "policy: p\nnode: {host: {nofile: 2048}}\nburnin:\n  stages: [{stage: checks, command: [validate, host.limits]}]\n" + POLICY_TAIL)
        words = f"{BENCH} burnin --policy {path} --state {self.path('state')} --run-id r --output {self.path('out.json')} --admit gpu-a --settle 0 --publish"
        ids = set()
        for limit, code, status in ((1024, 1, "False"), (4096, 0, "True"), (1024, 1, "False")):
            ran = run("-c", f"ulimit -n {limit}; exec {words}", program=["/bin/sh"], env=self.environment(NODE_NAME="gpu-a"))
            self.assertEqual(ran.code, code, ran)
            self.assertIn(str(limit), json.dumps(report(self.path("out.json"))["findings"]))
            self.assertEqual(self.api.condition("gpu-a")["status"], status)
            ids.add(report(self.path("out.json"))["run"]["id"])
            time.sleep(1.1)   # times are of whole seconds
        self.assertIn("run r was begun before, and came to a verdict: it starts anew", ran.err)
        self.assertEqual(ids, {"r", "r:2", "r:3"}, "each is a run of its own: two that fail confirm each other")

    def test_one_that_is_begun_anew_and_killed_does_not_confirm_itself(self):
        self.join()
        path = self.write("policy.yaml", "policy: p\nnode: {host: {nofile: 2048}}\nburnin:\n  stages: [{stage: checks, command: [validate, host.limits]}]\n" + POLICY_TAIL)
        words = (f"ulimit -n 1024; exec {BENCH} burnin --policy {path} --state {self.path('state')} --run-id r --output {self.path('out.json')} --admit gpu-a"
                 " --settle 0 --publish")
        for turn in range(2):
            ran = run("-c", words, program=["/bin/sh"], env=self.environment(NODE_NAME="gpu-a"))
            self.assertEqual(ran.code, 1, ran)
            if turn == 0:   # in another boot; then as if it had been killed before it knew that it was published
                with open(self.path("state/r/run.json")) as f:
                    known = json.load(f)
                self.write("state/r/run.json", json.dumps({**known, "boot_id": "an-earlier-one"}))
        os.remove(self.path("state/r/known"))
        refused = self.api.condition("gpu-a", "MLClusterRefused")["status"]
        self.assertEqual((report(self.path("out.json"))["run"]["id"], refused), ("r:2", "True"), "two runs, in two boots")
        ran = run("-c", words, program=["/bin/sh"], env=self.environment(NODE_NAME="gpu-a"))
        self.assertEqual((ran.code, report(self.path("out.json"))["run"]["id"]), (1, "r:2"), "it goes on under the name that it had")

    def test_an_older_pass_is_no_answer_to_a_newer_failure(self):
        self.join()
        self.api.faults.append(lambda method, path: (503, {}))
        self.assertEqual(self.burn_in("healthy", None, "--api-patience", "1").code, 3)
        time.sleep(1.1)   # times are of whole seconds
        self.assertEqual(self.burn_in("port-down", None, "--api-patience", "1").code, 3, "a failure that the cluster does not know of is told by the next try")
        self.api.faults.clear()
        # As the first one's message advises: the newest verdict counts.
        ran = run("admit", "--node", "gpu-a", "--state", self.path("state"), "--policy", self.path("policy.yaml"), "--settle", "0", "--publish", env=self.environment())
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.api.condition("gpu-a")["status"], "False")
        ran = self.burn_in("healthy")
        self.assertIn("found a failure after this run had ended", ran.err)
        self.assertIn(STARTUP["key"], self.api.taints("gpu-a"))
        self.assertEqual(self.burn_in("healthy", "anew").code, 0)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])

    def test_a_health_run_takes_the_condition_away(self):
        self.join()
        self.assertEqual(self.burn_in("healthy").code, 0)
        self.assertEqual(self.burn_in("healthy", "h1", "--health").code, 0)
        self.assertEqual(self.api.condition("gpu-a")["status"], "True")
        self.assertEqual(self.burn_in("nvlink-down", "h2", "--health").code, 1)
        self.assertEqual(self.api.condition("gpu-a")["status"], "False")

    def test_killed_at_random_points_the_story_ends_the_same(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        self.api.delay_s = 0.005
        for round_, tree in enumerate(["healthy", "port-down"] * 3):
            self.join()
            for _ in range(2):
                one = self.burn_in(tree, f"k{round_}", start=True)
                time.sleep(dice.uniform(0, 1.2))
                one.kill()
                one.communicate()
            ran = self.burn_in(tree, f"k{round_}")
            with self.subTest(seed=seed, round=round_, tree=tree):
                self.assertEqual(ran.code, 0 if tree == "healthy" else 1, ran)
                self.assertEqual(self.api.condition("gpu-a")["status"], "True" if tree == "healthy" else "False")
                self.assertEqual(STARTUP["key"] in self.api.taints("gpu-a"), tree != "healthy")


POLICY_TAIL = "admit: {valid_for: 168 h}\n"

if __name__ == "__main__":
    unittest.main()
