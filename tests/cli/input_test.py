"""What is named as a file and is none, or lies: an end, soon, in a line that says why. And a clock that does not move."""
import json

from program import *

FROZEN = os.path.join(os.environ["MLC_BUILD"], "tests/cli/libmlc_frozen_clock.so")


class Input(Case):
    def hostile(self):
        """name: path, of everything that is no policy, no node file, no report and no kubeconfig."""
        os.mkfifo(self.path("fifo"))
        os.mkdir(self.path("folder"))
        with open(self.path("sparse"), "w") as f:
            f.truncate(10 << 30)
        texts = {"deep.json": '{"schema": "mlc-bench/node/v1", "answers": ' + "[" * 10**6, "deep.yaml": "policy: " + "[" * 10**6,
                 "twice.yaml": "policy: a\n---\npolicy: b\n", "empty": ""}
        for name, text in texts.items():
            self.write(name, text)
        with open(self.path("bytes"), "wb") as f:
            f.write(bytes(range(256)) * 64)
        return {"/dev/zero": "/dev/zero", "/proc/kmsg": "/proc/kmsg"} | {
            name: self.path(name) for name in ["fifo", "folder", "sparse", "bytes", *texts]}

    def test_what_is_no_file_of_ours_ends_soon_and_is_named(self):
        report = self.path("report.json")
        self.assertEqual(run("allreduce", "--backend", "loopback", "--ranks", "2", "--sizes", "4K", "-n", "5", "--output", report).code, 0)
        commands = {"policy": lambda path: ["allreduce", "--backend", "loopback", "--policy", path],
                    "node file": lambda path: ["validate", "--node-file", path],
                    "report": lambda path: ["report", path],
                    "compared": lambda path: ["compare", report, path],
                    "history": lambda path: ["history", path],
                    "published": lambda path: ["admit", "--node", "n", "--report", path],
                    "kubeconfig": lambda path: ["admit", "--node", "n", "--report", report, "--kubeconfig", path],
                    "authority": lambda path: ["admit", "--node", "n", "--report", report, "--server", "https://127.0.0.1:1", "--ca", path,
                                               "--api-patience", "1"],
                    "token": lambda path: ["admit", "--node", "n", "--report", report, "--server", "https://127.0.0.1:1", "--token-file", path,
                                           "--api-patience", "1"],
                    "root": lambda path: ["validate", "--root", path]}
        for name, path in self.hostile().items():
            for what, command in commands.items():
                # Any folder may be a captured root, and a history of none is one; what is no certificate libcurl says.
                if name == "folder" and what in ("root", "history"):
                    continue
                with self.subTest(what=what, name=name):
                    done = run(*command(path), env=clean_environment(KUBECONFIG=""), timeout=60)
                    self.assertIn(done.code, (2, 3, 64), done)
                    said = done.err.strip() or done.out.strip()
                    self.assertNotEqual(said, "", done)
                    if what not in ("history",):
                        self.assertLessEqual(len(done.err.strip().splitlines()), 3, done)
                        self.assertLess(len(done.err), 1500, done)
                    self.assertLess(done.seconds, 20, done)

    def test_a_lock_that_is_empty_does_not_switch_drift_off(self):
        policy = self.write("p.yaml", 'policy: x\nnode:\n  lock: ""\n')
        done = run("validate", "--policy", policy)
        self.assertEqual(done.code, 64, done)
        self.assertIn("p.yaml:3: 'lock' is empty", done.err)

    def test_a_second_document_is_not_left_out(self):
        policy = self.write("p.yaml", "policy: x\n---\npolicy: strict\nnode: {gpus: {count: 8}}\n")
        done = run("validate", "--policy", policy)
        self.assertEqual(done.code, 64, done)
        self.assertIn("p.yaml:2: a second document", done.err)

    def test_keys_of_a_node_file_that_are_misnamed_are_no_pass(self):
        file = self.write("node.json", json.dumps({"schema": "mlc-bench/node/v1", "answers": [
            {"kind": "nvml", "key": "", "value": {"driver": "550", "gpus": [
                {"index": 0, "name": "H100", "remapped_correctable": 0, "remapped_uncorrected": 600, "remap_pending": 0, "remap_failed": 0}]}}]}))
        gpu = self.path("root/sys/bus/pci/devices/0000:1b:00.0")
        os.makedirs(gpu)
        for name, value in (("class", "0x030200"), ("vendor", "0x10de"), ("device", "0x2330")):
            with open(f"{gpu}/{name}", "w") as f:
                f.write(value + "\n")
        done = run("validate", "gpu.row-remap", "--root", self.path("root"), "--node-file", file)
        self.assertEqual(done.code, 2, done)
        self.assertIn("did you mean 'remapped_uncorrectable'?", done.out)


class Clock(Case):
    def frozen(self, *arguments, after_ms):
        env = clean_environment(LD_PRELOAD=FROZEN, FROZEN_CLOCK_AFTER_MS=str(after_ms))
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        done = run("allreduce", "--backend", "loopback", "--ranks", "2", "--sizes", "4K", "-T", "5", "--output", self.path("r.json"), *arguments,
                   env=env, timeout=90)
        self.assertEqual(done.code, 2, done)
        self.assertIn("its clock (CLOCK_MONOTONIC) stands still", done.err)
        verdict = report(self.path("r.json"))["verdict"]
        self.assertEqual(verdict["decision"], "inconclusive")
        self.assertIn("stands still", verdict["because"][0])

    def test_a_clock_that_never_moves_ends_the_run(self):
        self.frozen(after_ms=0)

    def test_a_clock_that_stops_in_the_middle_ends_the_run(self):
        self.frozen("--precision", "0.000001", "--max-time", "60s", after_ms=500)

    def test_a_rank_that_hangs_under_a_clock_that_stands_still_is_no_endless_run(self):
        self.frozen("--inject", "hang:rank=1,after=2", after_ms=0)


class Planted(Case):
    def test_a_fault_that_was_never_planted_is_no_pass(self):
        for backend in ("loopback", "shm"):
            with self.subTest(backend=backend):
                done = run("allreduce", "--backend", backend, "--ranks", "2", "--sizes", "4K", "-n", "5", "--inject", "hang:rank=1,after=100000", "-T", "30",
                           "--output", self.path("r.json"))
                self.assertEqual(done.code, 2, done)
                self.assertIn("was never planted: after=100000 lets more pass", done.err)
                self.assertTrue(any("never planted" in why for why in report(self.path("r.json"))["verdict"]["because"]))


if __name__ == "__main__":
    unittest.main()
