"""Several launches of one measurement: that each has ranks of its own, what is said of them, and what is left when one fails."""
import json, os, unittest
from program import BENCH, HAS_MPI, MPIRUN, Case, clean_environment, report, run

SMALL = ["allreduce", "--ranks", "2", "--sizes", "1K,4K", "-n", "8", "-w", "2", "--placement", "out"]
BACKENDS = ["loopback", "shm"] + (["mpi"] if HAS_MPI else [])


class Launches(Case):
    def test_a_report_that_is_saved_is_of_five(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                path = self.path(f"{backend}.json")
                done = run(*SMALL, "--backend", backend, "--output", path)
                self.assertEqual(done.code, 0, done)
                # A warning may end in "of 5 launches".
                self.assertEqual(sum(line.startswith("5 launches") for line in done.err.splitlines()), 1, done)
                self.assertIn("--launches 1 is quicker", done.err)
                self.assertIn("5 launches", done.out)
                self.assertEqual(done.out.count("1 KiB"), 1, done)
                for series in report(path)["series"]:
                    self.assertEqual([launch["samples"] for launch in series["launches"]], [8] * 5)
                    self.assertEqual(series["samples"], 40)
                    medians = sorted(launch["p50_us"] for launch in series["launches"])
                    self.assertEqual(series["time_us"]["p50"], medians[2])
                    self.assertLessEqual(series["ci_us"][0], medians[2])
                    self.assertGreaterEqual(series["ci_us"][1], medians[2])
                    self.assertEqual(series["wrong"], 0)
                    # Threads of one process stay in it.
                    self.assertEqual(series["renewed"], "communicators" if backend == "loopback" else "processes")

    def test_what_is_not_kept_as_json_is_of_one(self):
        for more in (["--launches", "1", "--output", self.path("one.json")], ["--output", self.path("table.csv")], ["--format", "json"]):
            done = run(*SMALL, "--backend", "loopback", *more)
            self.assertEqual(done.code, 0, done)
            self.assertNotIn("launches", done.err)
        self.assertNotIn("launches", report(self.path("one.json"))["series"][0])
        self.assertEqual(len(json.loads(done.out)["series"]), 2)

    def test_quiet_says_nothing_of_them(self):
        done = run(*SMALL, "--backend", "shm", "--output", self.path("q.json"), "-q")
        self.assertEqual((done.code, done.out, done.err), (0, "", ""), done)
        self.assertEqual(len(report(self.path("q.json"))["series"][0]["launches"]), 5)

    def test_ranks_of_each_launch_are_processes_of_their_own(self):
        if not HAS_MPI:
            self.skipTest("no MPI")
        log = self.path("starts")
        wrapper = self.write("mpirun", f'#!/bin/sh\necho "$MLC_LAUNCH" >>{log}\nexec {MPIRUN[0]} "$@"\n')
        os.chmod(wrapper, 0o755)
        done = run(*SMALL, "--backend", "mpi", "--launches", "3", env=clean_environment(MLC_MPIRUN=wrapper))
        self.assertEqual(done.code, 0, done)
        with open(log) as f:
            self.assertEqual(f.read().split(), ["1", "2", "3"])
        self.assertIn("3 launches, each with ranks of its own\n", done.err)

    def test_a_host_that_ssh_does_not_reach_is_no_signal(self):
        if not HAS_MPI:
            self.skipTest("no MPI")
        wrapper = self.write("mpirun", "#!/bin/sh\nexit 255\n")   # as mpirun does then
        os.chmod(wrapper, 0o755)
        done = run(*SMALL, "--backend", "mpi", "--launches", "1", env=clean_environment(MLC_MPIRUN=wrapper))
        self.assertEqual(done.code, 3, done)
        self.assertIn("mpirun ended with status 255", done.err)
        self.assertNotIn("signal", done.err)

    def test_ranks_that_were_given_make_their_communicators_anew(self):
        if not HAS_MPI:
            self.skipTest("no MPI")
        path = self.path("given.json")
        done = run("-n", "2", "--oversubscribe", BENCH, "allreduce", "--backend", "mpi", "--sizes", "1K", "-n", "5", "--placement", "out", "--output", path, program=MPIRUN)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.err.count("5 launches: these ranks stay"), 1, done)
        self.assertIn("is not seen", done.err)
        self.assertEqual(done.out.count("1 KiB"), 1, done)
        series = report(path)["series"][0]
        self.assertEqual((len(series["launches"]), series["renewed"]), (5, "communicators"))

    def test_csv_has_one_header_and_one_line_a_series(self):
        for backend in ("loopback", "shm"):
            done = run(*SMALL, "--backend", backend, "--launches", "2", "--format", "csv")
            self.assertEqual(done.code, 0, done)
            self.assertEqual([line.split(",")[0] for line in done.out.splitlines()], ["collective", "allreduce", "allreduce"])

    def test_wrong_data_in_any_launch_is_wrong(self):
        path = self.path("wrong.json")
        done = run(*SMALL, "--backend", "shm", "--launches", "2", "--inject", "flip:rank=1,index=7,bit=3", "--output", path)
        self.assertEqual(done.code, 1, done)
        self.assertEqual(report(path)["series"][0]["wrong"], 2)

    def test_a_launch_that_fails_is_the_last_and_leaves_what_there_is(self):
        for backend in BACKENDS[1:]:
            with self.subTest(backend=backend):
                path = self.path(f"dead-{backend}.json")
                done = run(*SMALL, "--backend", backend, "--inject", "die:rank=1,after=20", "--output", path, "-T", "20")
                self.assertEqual(done.code, 3, done)
                self.assertEqual(done.err.count("error:"), 1, done)
                left = report(path)
                self.assertEqual(left["verdict"]["decision"], "inconclusive")
                self.assertEqual(len(left["series"]), 1, done)
                self.assertEqual(done.out.count("1 KiB"), 1, done)

    def test_a_number_of_launches_that_is_none(self):
        for number in ("0", "-1", "many", "1001"):
            self.assertEqual(run(*SMALL, "--launches", number).code, 64)

    def test_two_runs_are_compared_by_their_launches(self):
        for name in ("a", "b"):
            self.assertEqual(run(*SMALL, "--backend", "loopback", "--output", self.path(f"{name}.json"), "-q").code, 0)
        compared = json.loads(run("compare", self.path("a.json"), self.path("b.json"), "--format", "json").out)
        self.assertEqual([(s["base_launches"], s["new_launches"]) for s in compared["series"]], [(5, 5)] * 2)
        self.assertTrue(all(s["slowdown_ci"] for s in compared["series"]))

    def test_one_launch_a_side_is_undecided_and_folders_of_runs_are_launches(self):
        for folder in ("old", "new"):
            os.mkdir(self.path(folder))
            for i in range(3):
                self.assertEqual(run(*SMALL, "--backend", "loopback", "--launches", "1", "--output", self.path(f"{folder}/{i}.json"), "-q").code, 0)
        done = run("compare", self.path("old/0.json"), self.path("new/0.json"))
        self.assertEqual(done.code, 2, done)
        self.assertIn("UNDECIDED", done.out)
        self.assertIn("one launch in the base report: what launches differ by is not known", done.out)
        self.assertIn("2 series have one launch on a side, which decides nothing: measure with --launches 5, or compare folders of several reports", done.out)
        compared = json.loads(run("compare", self.path("old"), self.path("new"), "--format", "json").out)
        self.assertEqual([(s["base_launches"], s["new_launches"]) for s in compared["series"]], [(3, 3)] * 2)
        os.mkdir(self.path("empty"))
        self.assertEqual(run("compare", self.path("old"), self.path("empty")).code, 64)


if __name__ == "__main__":
    unittest.main()
