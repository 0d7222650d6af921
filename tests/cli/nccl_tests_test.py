"""nccl-tests' command line with the name replaced: each of its options works, or a sentence says why not and what to do instead."""
from program import *

HERE = os.path.dirname(os.path.abspath(__file__))
QUICK = ["--backend", "loopback", "--ranks", "2", "--sizes", "4K", "-n", "3", "-w", "1", "--launches", "1", "-q"]
NCCL_ONLY = "is for the nccl backend, and this run takes loopback"

# What each value gives over host memory: None where it is done, else what the sentence says. {} stands for the test's folder.
ANSWERS = {
    "-t": {"1": None, "2": None, "0": "not in range"},
    "-g": {"1": None, "2": None, "x": "not in range"},
    "-b": {"4K": None, "4096": None}, "-e": {"4M": None}, "-i": {"1M": None}, "-f": {"2": None},
    "-n": {"5": None}, "-m": {"1": None, "4": NCCL_ONLY}, "-w": {"2": None}, "-N": {"1": None, "2": None, "0": "has no result"},
    "-p": {"0": None, "1": None, "2": "is none of 0, 1"}, "-c": {"0": None, "1": None, "3": None},
    "-o": {"sum": None, "prod": None, "min": None, "max": None, "avg": None, "all": None, "mulsum": "is none of sum, prod"},
    "-d": {"float": None, "bfloat16": None, "f8e4m3": None, "all": None, "quad": "is none of"},
    "-r": {"0": None, "1": None, "all": "one root a run"},
    "-z": {"3": None, "0": "each operation begins at a barrier", "1": "-z 3", "2": "-z 3"},
    "-y": {"0": None, "1": "a stream of their own"}, "-T": {"30": None, "0": "is no time above zero"},
    "-G": {"0": None, "20": NCCL_ONLY, "many": "-G 'many' must be a number"}, "-C": {"0": None, "1": "is not measured"}, "-S": {"0": None, "1": "take --output"},
    "-J": {"{}/result.json": None}, "-a": {"3": None, "0": "hide a slow rank", "1": "hide a slow rank", "2": "hide a slow rank"},
    "-R": {"0": None, "1": NCCL_ONLY, "2": NCCL_ONLY, "3": "-R '3' must be a number from 0 to 2"}, "-x": {"0": None, "1": NCCL_ONLY, "2": NCCL_ONLY},
    "-D": {"0": None, "1": "kernels of one's own"}, "-V": {"0": None, "16": "no kernels of -D's"}, "-M": {"0": None, "1": "is not reported"},
    "-u": {"0": None, "3": None}, "-I": {"0": None, "1": None}, "-K": {"5": None},
}
# Those that QUICK gives too.
INSTEAD_OF = {"-t": "--ranks", "-g": "--ranks", "-b": "--sizes", "-e": "--sizes", "-i": "--sizes", "-f": "--sizes", "-n": "-n", "-w": "-w", "-N": "--launches"}
# Given alone, these would measure more than a test has time for.
BESIDE = {"-b": ["-e", "4K"], "-i": ["-b", "1M", "-e", "2M"], "-f": ["-b", "1M", "-e", "2M"], "-e": ["-b", "4M"], "-d": ["--sizes", "1K", "-n", "1"]}


def options():
    with open(os.path.join(HERE, "nccl_tests_usage.txt")) as file:
        for line in file:
            if not line.startswith("#"):
                names, _, _ = line.partition(" ")
                yield names.split(",")


def quick_without(option):
    words = list(QUICK)
    if option in INSTEAD_OF:
        at = words.index(INSTEAD_OF[option])
        del words[at:at + 2]
    return words


class NcclTests(Case):
    def answered(self, names, value, words):
        for name in names:
            quick = quick_without(names[0])
            if names[0] == "-d":
                quick = [word for word in quick if word not in ("--sizes", "4K", "-n", "3")]
            done = run("broadcast" if value == "1" and names[0] == "-r" else "allreduce", *quick, *BESIDE.get(names[0], []), name, value)
            if words is None:
                # Nothing verified is inconclusive.
                self.assertEqual(done.code, 2 if (names[0], value) == ("-c", "0") else 0, (name, value, done))
            else:
                self.assertEqual(done.code, 64, (name, value, done))
                self.assertIn(words, " ".join(done.err.split()), (name, value))
                self.assertEqual(done.out, "", (name, value))

    def test_every_option_works_or_says_why_not(self):
        known = list(options())
        self.assertGreaterEqual(len(known), 30)
        self.assertEqual({names[0] for names in known}, set(ANSWERS))
        for names in known:
            with self.subTest(option=names[0]):
                for number, (value, words) in enumerate(ANSWERS[names[0]].items()):
                    # The long name is the same option: once is enough.
                    self.answered(names if number == 0 else names[:1], value.format(self.path("")), words)

    def test_gpus_and_threads_of_a_process_are_ranks(self):
        for words, ranks in ((["-g", "3"], 3), (["-t", "2", "-g", "2"], 4), (["-t", "2"], 2)):
            path = self.path(f"{ranks}.json")
            done = run("allreduce", *quick_without("-g"), *words, "-J", path)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(report(path)["run"]["ranks"], ranks)
        done = run("allreduce", *QUICK, "-g", "3")
        self.assertEqual(done.code, 64)
        self.assertIn("--ranks 2, but -t times -g are 3", done.err)
        done = run("allreduce", *quick_without("-g"), "-g", "1000000", "-t", "1000000")
        self.assertEqual(done.code, 64)
        self.assertIn("more than", done.err)

    @unittest.skipUnless(HAS_MPI, "MPI is not built in")
    def test_several_gpus_of_a_process_that_a_launcher_started_are_refused(self):
        for words, code in ((["-g", "1"], 0), (["-g", "2"], 64)):
            done = run("allreduce", "--backend", "mpi", "--sizes", "4K", "-n", "3", "--launches", "1", *words, program=[*MPIRUN, "--oversubscribe", "-n", "2", BENCH])
            self.assertEqual(done.code, code, done)
        self.assertIn("start 2 times as many", " ".join(done.err.split()))

    def test_without_a_number_they_are_on(self):
        for words in (["-G"], ["--register"], ["-R", "-n", "3"]):
            done = run("allreduce", *quick_without("-n"), *words)
            self.assertEqual(done.code, 64, done)
            self.assertIn(NCCL_ONLY, done.err)

    def test_what_says_the_same_twice_is_refused(self):
        for words, said in ((["-J", self.path("a"), "--output", self.path("b")], "-J is --output"), (["-N", "2", "--launches", "3"], "two ways to say the same")):
            done = run("allreduce", *quick_without("-N"), *words)
            self.assertEqual(done.code, 64)
            self.assertIn(said, done.err)

    def test_groups_of_ranks_are_refused_and_the_same_ranks_are_not(self):
        for variable, value, code in (("NCCL_TESTS_SPLIT", "MOD 4", 64), ("NCCL_TESTS_SPLIT_MASK", "0x7", 64), ("NCCL_TESTS_SPLIT_MASK", "0x0", 0), ("NCCL_TESTS_SPLIT", "", 0)):
            done = run("allreduce", *QUICK, env=clean_environment(**{variable: value}))
            self.assertEqual(done.code, code, done)
            if code:
                self.assertIn("groups of ranks that run at once", " ".join(done.err.split()))

    def test_buffers_off_the_border_are_verified(self):
        for collective in ("allreduce", "reducescatter", "alltoallv"):
            path = self.path(collective + ".json")
            done = run(collective, *QUICK, "-u", "3", "-d", "bfloat16,int8,double", "--output", path)
            self.assertEqual(done.code, 0, done)
            self.assertTrue(all(series["wrong"] == 0 for series in report(path)["series"]))
        done = run("allreduce", *QUICK, "-u", "3", "--inject", "flip:rank=1,index=1000,bit=3")
        self.assertEqual(done.code, 1, done)
        self.assertIn("at index 1000", done.out)

    def test_explain_says_which_nccl_has_what(self):
        done = run("explain", "nccl")
        self.assertEqual(done.code, 0, done)
        for words in ("NCCL 2.28.0  ncclAlltoAll", "NCCL 2.27.3  buffers as symmetric windows (-R 2)", "Here"):
            self.assertIn(words, done.out)
