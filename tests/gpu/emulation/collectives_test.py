"""Collectives over an emulated NCCL: every one, every type and operator, ranks that die or hang, memory that is missing."""
import json
import re

from program import *

PROGRAM = [os.environ.get("MLC_EMULATED_PROGRAM") or os.path.join(os.environ["MLC_BUILD"], "tests/gpu/emulation/mlc-bench-emulated")]
COLLECTIVES = ("allreduce", "allgather", "reducescatter", "alltoall", "alltoallv", "hypercube", "broadcast", "reduce", "gather", "scatter", "sendrecv")
TYPES = "int8,uint8,int32,uint32,int64,uint64,half,bfloat16,float,double,f8e4m3,f8e5m2"


def environment(**emulated):
    return clean_environment(**{"MLC_EMULATED_" + key.upper(): str(value) for key, value in emulated.items()})


def nccl(collective, *arguments, ranks=2, timeout=100, **emulated):
    emulated = {"gpus": ranks} | emulated
    return run(collective, "--backend", "nccl", "--launcher", "processes", "--ranks", str(ranks), "--launches", "1", *arguments,
               env=environment(**emulated), program=PROGRAM, timeout=timeout)


class Collectives(Case):
    def series(self, *arguments, code=0, **emulated):
        path = self.path("report.json")
        done = nccl(*arguments, "--output", path, **emulated)
        self.assertEqual(done.code, code, done)
        self.assertNotIn("emulation:", done.err, done)
        return report(path)["series"]

    def check(self, series, least):
        self.assertGreaterEqual(len(series), least)
        for one in series:
            self.assertEqual(one["wrong"], 0, one)

    def test_every_collective_of_every_type_in_and_out_of_place(self):
        for collective in COLLECTIVES:
            with self.subTest(collective=collective):
                series = self.series(collective, "--sizes", "96,4112", "-d", TYPES, "-n", "2", ranks=2)
                self.check(series, 24)

    def test_every_operator_of_three_ranks(self):
        for collective in ("allreduce", "reducescatter", "reduce"):
            with self.subTest(collective=collective):
                self.check(self.series(collective, "--sizes", "4104", "-d", "float,bfloat16,int32,uint64,f8e4m3", "-o", "all", "-n", "2",
                                       ranks=3, seed=3), 24)

    def test_another_root(self):
        for collective in ("broadcast", "reduce", "gather", "scatter"):
            with self.subTest(collective=collective):
                self.check(self.series(collective, "--sizes", "4104", "-r", "1", "-n", "2", ranks=3), 1)

    def test_registered_buffers_and_graphs(self):
        for arguments in (["--register"], ["--graph"], ["--register", "--graph"]):
            for collective in ("allreduce", "alltoall"):
                with self.subTest(arguments=arguments, collective=collective):
                    self.check(self.series(collective, "--sizes", "96,64K", "-n", "3", *arguments, ranks=2), 2)

    def test_flags_of_nccl_tests(self):
        for arguments in (["-R", "2"], ["-R", "1", "-G", "7"], ["-m", "4"], ["-m", "3", "-G", "1"], ["-x", "2", "-R", "2"], ["-u", "3"], ["-K", "5", "-z", "0"]):
            for collective in ("allreduce", "hypercube"):
                with self.subTest(arguments=arguments, collective=collective):
                    self.check(self.series(collective, "--sizes", "96,4K", "-n", "2", *arguments, ranks=2), 4)

    def test_windows_are_as_large_on_every_rank_also_where_one_receives_all(self):
        for collective in ("gather", "scatter", "alltoallv"):
            with self.subTest(collective=collective):
                self.check(self.series(collective, "--sizes", "64K", "-n", "2", "-R", "2", ranks=3), 1)

    def test_a_time_is_that_of_one_operation_of_a_call(self):
        """The emulated library takes 10 us for each, and the bytes."""
        times = {calls: [one["time_us"]["p50"] for one in self.series("allreduce", "--sizes", "4K", "-n", "25", *calls.split())] for calls in ("", "-m 4")}
        for one, of_four in zip(times[""], times["-m 4"]):
            self.assertAlmostEqual(of_four / one, 1, delta=0.05, msg=times)

    def test_the_policy_of_ctas_is_told_to_the_library(self):
        for policy in ("1", "2"):
            path = self.path("report.json")
            done = nccl("allreduce", "--sizes", "4K", "-n", "2", "-x", policy, *(["-R", "2"] if policy == "2" else []), "--output", path)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(report(path)["environment"]["variables"].get("NCCL_CTA_POLICY"), policy, report(path)["environment"])

    def test_a_library_that_is_wrong_is_found_in_every_collective(self):
        for collective in COLLECTIVES:
            with self.subTest(collective=collective):
                done = nccl(collective, "--sizes", "64K", "-n", "2", fault="wrong:rank=0")
                self.assertEqual(done.code, 1, done)
                self.assertIn("wrong", done.out)
                self.assertNotIn("emulation:", done.err, done)

    def test_one_to_eight_ranks(self):
        for ranks in (1, 2, 5, 8):
            with self.subTest(ranks=ranks):
                self.check(self.series("allreduce", "--sizes", "8200", "-n", "2", ranks=ranks), 1)

    def test_one_gpu_shared_by_two_ranks(self):
        self.check(self.series("allreduce", "--sizes", "4K", "-n", "2", "--share-gpu", ranks=2, gpus=1), 1)

    def test_the_report_says_how_nccl_carried_it(self):
        series = self.series("allreduce", "--sizes", "64K", "-n", "3")
        self.assertEqual(series[0]["tuning"]["algorithm"], "Ring", series[0])

    def test_warnings_of_nccl_are_in_the_report_once(self):
        series = self.series("allreduce", "--sizes", "4K,64K", "-n", "3", fault="warns:rank=0")
        self.assertEqual([one.get("warnings", []) for one in series], [["NCCL: a warning of rank 0"], [], [], []])

    def test_a_planted_flip_and_a_library_that_is_wrong_are_found(self):
        done = nccl("allreduce", "--sizes", "64K", "-n", "3", "--inject", "flip:rank=1,index=1000,bit=3")
        self.assertEqual(done.code, 1, done)
        done = nccl("allgather", "--sizes", "64K", "-n", "3", fault="wrong:rank=1")
        self.assertEqual(done.code, 1, done)
        self.assertIn("wrong", done.out)


class Trouble(Case):
    def test_a_rank_that_dies_is_named(self):
        for fault in ("init-dies:rank=1", "dies:rank=1,after=5"):
            with self.subTest(fault=fault):
                done = nccl("allreduce", "--sizes", "4K,64K", "-n", "5", "-T", "20s", ranks=3, fault=fault)
                self.assertEqual(done.code, 3, done)
                self.assertIn("rank 1", done.err)
                self.assertNotIn("emulation:", done.err)
                self.assertLess(done.seconds, 40, done)

    def test_a_rank_that_hangs_is_an_error_after_the_deadline(self):
        for fault, words in (("init-hangs:rank=1", "ncclCommInitRankConfig: no answer within the deadline"),
                             ("hangs:rank=1,after=5", "none has finished it for 2.0 s")):
            with self.subTest(fault=fault):
                done = nccl("allreduce", "--sizes", "4K,64K", "-n", "5", "-T", "2s", ranks=3, fault=fault)
                self.assertEqual(done.code, 3, done)
                self.assertIn(words, done.err)
                self.assertNotIn("emulation:", done.err)
                self.assertLess(done.seconds, 40, done)

    def test_wrong_data_that_was_seen_is_a_failure_whatever_hangs_after_it(self):
        path = self.path("report.json")
        done = nccl("allreduce", "--sizes", "4K,64K", "-n", "5", "-T", "3s", "--launches", "1", "--output", path, ranks=3, fault="wrong:rank=0;hangs:rank=1,after=300")
        self.assertEqual((done.code, report(path)["verdict"]["decision"]), (1, "fail"), done)
        self.assertIn("wrong elements", done.out)
        self.assertTrue(report(path)["errors"])

    def test_an_abort_that_hangs_does_not_keep_the_run(self):
        done = nccl("allreduce", "--sizes", "4K", "-n", "5", "-T", "2s", ranks=2, fault="abort-hangs:rank=0;dies:rank=1,after=3")
        self.assertEqual(done.code, 3, done)
        self.assertLess(done.seconds, 40, done)
        # What NCCL itself said before is what the run ends with, and not that nobody goes on.
        for fault, words in (("breaks:rank=0,after=3;abort-hangs:rank=0;abort-hangs:rank=1;abort-hangs:rank=2", "remote process exited or there was a network error"),
                             ("fails:rank=1,after=3;abort-hangs:rank=1", "unhandled system error")):
            with self.subTest(fault=fault):
                path = self.path("report.json")
                done = nccl("allreduce", "--sizes", "4K,64K", "-n", "20", "-T", "3s", "--launches", "1", "--output", path, ranks=3, fault=fault)
                self.assertEqual(done.code, 3, done)
                self.assertIn(words, done.err)
                self.assertIn(words, json.dumps(report(path)["errors"]))
                self.assertIn("ncclCommAbort does not come back", done.err)
                self.assertLess(done.seconds, 40, done)

    def test_memory_that_is_missing_is_said(self):
        done = nccl("allreduce", "--sizes", "6M", "-n", "2")
        self.assertEqual(done.code, 3, done)
        self.assertRegex(done.err, re.compile("memory", re.I))

    def test_a_gpu_that_fails_is_named_with_what_it_was_at_and_who_judges_it(self):
        for fault, words in (("lost", "fell off the bus or stopped answering: cuda: unknown error (cudaErrorUnknown"), ("ecc", "uncorrectable ECC error: cuda: ")):
            for rank in (0, 2):
                with self.subTest(fault=fault, rank=rank):
                    path = self.path("report.json")
                    done = nccl("allreduce", "--sizes", "4K", "-n", "5", "-T", "20s", "--launches", "1", "--output", path, ranks=3, fault=f"{fault}:gpu={rank},after=20")
                    self.assertEqual(done.code, 3, done)
                    error = report(path)["errors"][0]
                    self.assertRegex(error["what"], rf"^GPU {rank} \(0000:[0-9a-f]+:00.0\): {re.escape(words)}")
                    self.assertNotIn("/", error["what"].replace("GPU", ""))
                    self.assertRegex(error["where"], rf"^rank {rank} on ")
                    self.assertRegex(error["phase"], "^4 KiB|^allreduce|warm-up|timed|allocating")
                    pci = re.search(r"\((.*?)\)", error["what"])[1]
                    self.assertIn(f"mlc-bench gpu --gpus {pci}; dmesg", error["hint"])

    def test_more_ranks_than_gpus_are_refused(self):
        done = nccl("allreduce", "--sizes", "4K", ranks=3, gpus=2)
        self.assertNotEqual(done.code, 0, done)

    @unittest.skipUnless(HAS_MPI, "MPI is not built in")
    def test_ranks_of_a_launcher_that_would_share_a_gpu_are_named(self):
        done = run("allreduce", "--backend", "nccl", "--sizes", "4K", "-n", "2", "--launches", "1", env=environment(gpus=1),
                   program=[*MPIRUN, "--oversubscribe", "-n", "2", *PROGRAM])
        self.assertEqual(done.code, 3, done)
        self.assertIn("ranks 0 and 1 would share one GPU", done.err)

    def test_a_first_gpu_that_is_not_there_is_refused(self):
        done = run("allreduce", "--backend", "nccl", "--launcher", "processes", "--ranks", "1", "--sizes", "4K", "-n", "2", "--launches", "1",
                   env=environment(gpus=2) | {"NCCL_TESTS_DEVICE": "2"}, program=PROGRAM)
        self.assertEqual(done.code, 3, done)
        self.assertIn("NCCL_TESTS_DEVICE=2, but GPUs 0 to 1 are visible here", done.err)

    def test_what_nccl_itself_says_is_an_error_by_its_words(self):
        for fault, words in (("breaks:rank=1,after=5", "remote process exited or there was a network error; socketProgress: Connection closed by remote peer"),
                             ("fails:rank=1,after=5", "nccl: ncclAllReduce: unhandled system error")):
            for more in ([], ["--register"]):
                with self.subTest(fault=fault, more=more):
                    done = nccl("allreduce", "--sizes", "4K,64K", "-n", "5", "-T", "20s", *more, ranks=2, fault=fault)
                    self.assertEqual(done.code, 3, done)
                    self.assertIn(words, done.err)
                    self.assertNotIn("emulation:", done.err, done)
                    self.assertLess(done.seconds, 40, done)

    def test_older_gpus_and_an_older_nccl_refuse_what_they_lack(self):
        for arguments, fault, code, words in ((["-d", "f8e4m3"], "old:gpu=0", 64, "compute capability 9.0 or newer; the oldest here is 8.x"),
                                              (["-d", "f8e5m2"], "old-nccl:version=22304", 64, "NCCL 2.24.0 or newer; the oldest here is NCCL 2.23.4"),
                                              (["-x", "1"], "old-nccl:version=22304", 3, "-x 1 needs NCCL 2.27.0"),
                                              (["-x", "2"], "old-nccl:version=22705", 3, "-x 2 needs NCCL 2.28.0")):
            with self.subTest(arguments=arguments):
                done = nccl("allreduce", "--sizes", "4K", "-n", "2", *arguments, fault=fault)
                self.assertEqual(done.code, code, done)
                self.assertIn(words, " ".join(done.err.split()))
