"""Ordinary runs: what is printed, what is left on disk, what the exit code says."""
import csv, io

from program import *

BACKENDS = ["loopback"] + (["mpi"] if HAS_MPI else [])
COLLECTIVES = "allreduce allgather reducescatter alltoall alltoallv broadcast reduce gather scatter sendrecv".split()


class Measure(Case):
    def test_every_collective_on_every_backend(self):
        for backend in BACKENDS:
            for collective in COLLECTIVES:
                with self.subTest(backend=backend, collective=collective):
                    path = self.path(f"{backend}-{collective}.json")
                    done = run(collective, "--backend", backend, "--ranks", "3", "--sizes", "1K,100003", "-n", "5", "-d", "float,bfloat16,int8", "--launches", "1", "--output", path)
                    self.assertEqual(done.code, 0, done)
                    self.assertIn("PASS", done.out)
                    loaded = report(path)
                    self.assertEqual({s["collective"] for s in loaded["series"]}, {collective})
                    self.assertTrue(all(s["wrong"] == 0 and s["samples"] == 5 and s["ranks"] == 3 for s in loaded["series"]))
                    self.assertEqual(loaded["run"]["backend"], backend)

    def test_the_faces_agree(self):
        common = ["allreduce", "--backend", "loopback", "--ranks", "2", "--sizes", "4K", "-n", "5"]
        loaded = json.loads(run(*common, "--format", "json").out)
        self.assertEqual(len(loaded["series"]), 2)
        rows = list(csv.DictReader(io.StringIO(run(*common, "--format", "csv").out)))
        self.assertEqual([r["placement"] for r in rows], ["out_of_place", "in_place"])
        self.assertEqual(rows[0]["bytes"], "4096")
        prometheus = run(*common, "--format", "prometheus").out
        self.assertIn('mlc_bench_verdict{decision="pass",policy="local",run="allreduce"} 1', prometheus)

    def test_timing_as_the_peers_have_it(self):
        path = self.path("osu.json")
        done = run("allreduce", "--backend", "loopback", "--ranks", "2", "--sizes", "4K", "-n", "50", "--timing", "osu", "--launches", "1", "--output", path)
        self.assertEqual(done.code, 0, done)
        self.assertIn("time mean", done.out)
        series = report(path)["series"][0]
        self.assertEqual(series["timing"], "osu")
        self.assertAlmostEqual(series["algbw_gb_s"], 4096 / series["time_us"]["mean"] / 1e3)
        self.assertIn("--timing 'slow' is none of slowest, osu, imb", run("allreduce", "--timing", "slow").err)
        policy = self.write("p.yaml", "policy: p\nthresholds:\n  - {collective: allreduce, busbw_at_least: 1 GB/s}\n")
        done = run("allreduce", "--backend", "loopback", "--timing", "imb", "--policy", policy)
        self.assertEqual(done.code, 64, done)
        self.assertIn("is for comparison", done.err)
        self.assertIn("osu", run("explain", "timing").out)
        for standing in ("FAULTY", "AMBIGUOUS", "MASKED", "PATH", "UNRESOLVED", "WATCH", "LOST", "CLEAN"):
            self.assertIn(standing, run("explain", "fleet").out)

    @needs_mpi
    def test_what_has_one_buffer_is_measured_in_it(self):
        path = self.path("broadcast.json")
        done = run("broadcast", "--backend", "mpi", "--ranks", "2", "--sizes", "4K", "-n", "5", "--launches", "1", "--output", path)
        self.assertEqual([s["placement"] for s in report(path)["series"]], ["in_place"])
        self.assertIn("mpi has one buffer for broadcast: measured in place", done.out + done.err)

    def test_prometheus_reads_what_we_write(self):
        from prometheus_client.parser import text_string_to_metric_families
        text = run("allreduce", "--backend", "loopback", "--sizes", "4K,64K", "-n", "5", "--format", "prometheus").out
        families = {f.name: f for f in text_string_to_metric_families(text)}
        self.assertEqual(len(families["mlc_bench_collective_time_seconds"].samples), 2 * 2 * 3)
        self.assertTrue(all(s.value > 0 for s in families["mlc_bench_collective_bus_bandwidth_bytes_per_second"].samples))
        self.assertTrue(all(f.documentation and f.type == "gauge" for f in families.values()))

    def test_a_file_and_the_table(self):
        path = self.path("r.json")
        done = run("allreduce", "--backend", "loopback", "--sizes", "4K", "-n", "5", "--launches", "1", "--output", path)
        self.assertIn("busbw", done.out)
        self.assertEqual(report(path)["verdict"]["decision"], "pass")
        quiet = run("allreduce", "--backend", "loopback", "--sizes", "4K", "-n", "5", "--launches", "1", "--output", path, "-q")
        self.assertEqual((quiet.out, quiet.err), ("", ""))

    def test_sizes_that_round_to_nothing_are_named(self):
        done = run("allgather", "--backend", "loopback", "--ranks", "4", "--sizes", "32,4K", "-n", "5")
        self.assertEqual(done.code, 0)
        self.assertIn("32 B over 4 ranks rounds to nothing", done.err)

    def test_the_planted_bit_is_found_exactly(self):
        for backend in BACKENDS:
            for placement in ("in", "out"):
                with self.subTest(backend=backend, placement=placement):
                    path = self.path("r.json")
                    done = run("allreduce", "--backend", backend, "--ranks", "3", "--sizes", "256K", "-n", "5", "--placement", placement, "--inject", "flip:rank=2,index=54321,bit=30", "--launches", "1", "--output", path)
                    self.assertEqual(done.code, 1, done)
                    series = report(path)["series"][0]
                    self.assertEqual(series["wrong"], 1)
                    self.assertEqual((series["mismatch"]["rank"], series["mismatch"]["index"], series["mismatch"]["kind"]), (2, 54321, "bit 30 flipped"))
                    self.assertIn("first on rank 2", done.out)

    def test_thresholds(self):
        policy = "policy: t\nconfidence: {batch: 100 us}\nthresholds:\n  - {collective: allreduce, sizes: [64K], busbw_at_least: %s}\n"
        met = run("allreduce", "--backend", "loopback", "--policy", self.write("met.yaml", policy % "1 MB/s"), "--sizes", "4K,64K")
        self.assertEqual(met.code, 0, met)
        self.assertIn("2 thresholds met", met.out)
        missed = run("allreduce", "--backend", "loopback", "--policy", self.write("missed.yaml", policy % "900 GB/s"), "--sizes", "4K,64K")
        self.assertEqual(missed.code, 1, missed)
        self.assertIn("allreduce 64 KiB: busbw", missed.out)
        self.assertNotIn("allreduce 4 KiB:", missed.out)
        unmeasured = run("allreduce", "--backend", "loopback", "--policy", self.path("met.yaml"), "--sizes", "4K", "-n", "5")
        self.assertEqual(unmeasured.code, 2, unmeasured)
        self.assertIn("not measured: allreduce 64 KiB", unmeasured.out)

    def test_admission_observes_for_as_long_as_the_policy_asks(self):
        policy = self.write("p.yaml", "policy: t\nconfidence: {batch: 100 us, observe: 400 ms, stall: 60 s}\nthresholds:\n  - {collective: allreduce, sizes: [64K], busbw_at_least: 0.01 MB/s}\n")
        path = self.path("out.json")
        common = ("allreduce", "--backend", "loopback", "--policy", policy, "--sizes", "64K", "--placement", "out", "--output", path)
        self.assertEqual(run(*common, "--admission").code, 0)
        series, = report(path)["series"]
        self.assertEqual((series["threshold"]["status"], series["threshold"]["observe_s"]), ("pass", 0.4))
        self.assertGreaterEqual(series["observation"]["wall_s"], 0.4)
        # Less than that concludes nothing, and says so.
        done = run(*common, "--admission", "-n", "5")
        self.assertEqual(done.code, 2, done)
        self.assertEqual(report(path)["series"][0]["threshold"]["doubt"], "too_short")
        self.assertIn("that admission asks for", done.out)
        quick = run(*common)
        self.assertEqual(quick.code, 0, quick)
        self.assertIn("--admission", quick.out)
        self.assertIn("admission", run("explain", "thresholds").out)

    def test_sizes_of_the_policy_are_measured_by_themselves(self):
        policy = self.write("p.yaml", "policy: t\nconfidence: {batch: 100 us}\nthresholds:\n  - {collective: sendrecv, sizes: [24K], busbw_at_least: 1 MB/s}\n")
        path = self.path("r.json")
        self.assertEqual(run("sendrecv", "--backend", "loopback", "--policy", policy, "--max-time", "200ms", "--launches", "1", "--output", path).code, 0)
        self.assertIn(24 << 10, [s["bytes"] for s in report(path)["series"]])

    def test_noise_around_the_bound_is_inconclusive(self):
        # The bound is where half of the times fall on either side: measured first, then asked for; again where the machine's load moved it.
        common = ["allreduce", "--backend", "loopback", "--ranks", "2", "--sizes", "4K", "--placement", "out"]
        rate = json.loads(run(*common, "-n", "3000", "--format", "json").out)["series"][0]["busbw_gb_s"]
        path = self.path("report.json")
        for attempt in range(12):
            policy = self.write("p.yaml", "policy: t\nconfidence: {max_batches: 5, batch: 1 us}\nthresholds:\n  - {collective: allreduce, busbw_at_least: %.6f GB/s}\n" % rate)
            done = run(*common, "--policy", policy, "--output", path)
            if done.code == 2:
                break
            rate = report(path)["series"][0]["busbw_gb_s"]
        self.assertEqual(done.code, 2, done)
        self.assertIn("INCONCLUSIVE", done.out)

    def test_output_that_fails_at_the_end_is_a_tool_failure(self):
        done = run("allreduce", "--backend", "loopback", "--sizes", "4K", "-n", "5", "--launches", "1", "--output", "/dev/full")
        self.assertEqual(done.code, 3, done)
        self.assertIn("cannot write /dev/full: No space left on device", done.err)

    def test_a_closed_pipe_is_no_crash(self):
        process = start("allreduce", "--backend", "loopback", "--sizes", "4K,8K,16K", "-n", "50")
        process.stdout.close()
        self.assertEqual(process.wait(60), 0)
        process.stderr.close()

    def test_colour_and_progress_only_where_they_belong(self):
        common = ["allreduce", "--backend", "loopback", "--sizes", "64K", "--max-time", "500ms", "--precision", "0.01"]
        self.assertNotIn("\x1b", run(*common).out + run(*common).err)
        code, shown = through_terminal(*common)
        self.assertEqual(code, 0)
        self.assertIn("\x1b[32mPASS", shown)
        self.assertIn("\r\x1b[K", shown)  # the live line
        _, shown = through_terminal(*common, "--progress", "never", env=clean_environment(NO_COLOR="1"))
        self.assertNotIn("\x1b", shown)
        _, shown = through_terminal(*common, env=clean_environment(TERM="dumb"))
        self.assertNotIn("\x1b", shown)
        self.assertIn("\x1b[32mPASS", run(*common, "--color", "always").out)

    @needs_mpi
    def test_under_mpirun_it_uses_the_ranks_it_was_given(self):
        done = run("-n", "3", "--oversubscribe", BENCH, "broadcast", "--sizes", "4K", "-n", "5", "-r", "2", program=MPIRUN)
        self.assertEqual(done.code, 0, done)
        self.assertIn("3 ranks", done.out)
        self.assertNotIn("\x1b", done.out)  # mpirun gives its ranks a terminal of its own making
        self.assertEqual(done.out.count("PASS"), 1)

    @needs_mpi
    def test_a_terminal_under_our_own_launcher(self):
        code, shown = through_terminal("allreduce", "--backend", "mpi", "--sizes", "64K", "--max-time", "3s", "--precision", "0.01")
        self.assertEqual(code, 0, shown)
        self.assertIn("\x1b[32mPASS", shown)
        self.assertIn("\r\x1b[K", shown)

    @needs_mpi
    def test_control_c_keeps_what_was_measured(self):
        path = self.path("r.json")
        code, shown = through_terminal("allreduce", "--backend", "mpi", "--ranks", "2", "-b", "4K", "-e", "64M", "-f", "2", "--max-time", "300ms", "--precision", "0.001", "--launches", "1", "--output", path,
                                       send=(b"16 KiB", b"\x03"))
        self.assertEqual(code, 130, shown)
        loaded = report(path)
        self.assertGreaterEqual(len(loaded["series"]), 2)
        self.assertEqual(loaded["verdict"]["decision"], "inconclusive")
        self.assertEqual(len(loaded["errors"]), 1)

    def test_control_c_without_mpi(self):
        code, shown = through_terminal("allreduce", "--backend", "loopback", "-b", "4K", "-e", "64M", "-f", "2", "--max-time", "300ms", "--precision", "0.001", send=(b"16 KiB", b"\x03"))
        self.assertEqual(code, 130, shown)
        self.assertIn("INCONCLUSIVE", shown)


if __name__ == "__main__":
    unittest.main()
