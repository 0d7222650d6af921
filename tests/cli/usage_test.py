"""Bad input: a clear error, exit 64, a suggestion, nothing on stdout. And what the program says of itself."""
from program import *

MISTAKES = [
    (["allreduec"], "did you mean 'allreduce'?"),
    (["allreduce", "--itres", "5"], "did you mean '--iters'?"),
    (["allreduce", "stray"], "'stray' is not understood"),
    (["allreduce", "-b", "1Q"], "is no size"),
    (["allreduce", "-b", "1M", "-e", "1K"], "swap -b and -e"),
    (["allreduce", "-b", "0"], "nothing to measure"),
    (["allreduce", "-f", "1"], "must be a number from 1.0001"),
    (["allreduce", "-f", "nan"], "must be above 1"),
    (["allreduce", "-i", "1K", "-f", "2"], "give one of them"),
    (["allreduce", "--sizes", "4K", "-b", "1K"], "goes with none of"),
    (["allreduce", "--sizes", ","], "--sizes is empty"),
    (["allreduce", "-n", "0"], "-n '0'"),
    (["allreduce", "-n", "ten"], "-n 'ten'"),
    (["allreduce", "-w", "-1"], "-w"),
    (["allreduce", "-c", "-1"], "--check"),
    (["allreduce", "-d", "flot"], "did you mean 'float'?"),
    (["allreduce", "-o", "summ"], "did you mean 'sum'?"),
    (["allreduce", "--placement", "inside"], "none of in, out, both"),
    (["alltoall", "--placement", "in"], "no in-place form"),
    (["broadcast", "-r", "9", "--ranks", "2"], "not one of the 2 ranks"),
    (["allgather", "--sizes", "16", "--ranks", "4"], "no size is large enough"),
    (["allreduce", "--backend", "mpii"], "did you mean 'mpi'?"),
    (["allreduce", "--policy", "locale"], "did you mean 'local'?"),
    (["allreduce", "--policy", "/"], "not a regular file"),
    (["allreduce", "--output", "/no/such/place.json"], "nothing has been measured yet"),
    (["allreduce", "--output", "/"], "it is a directory"),
    (["allreduce", "--format", "jsno"], "did you mean 'json'?"),
    (["allreduce", "--color", "maybe"], "--color"),
    (["allreduce", "--timeout", "soon"], "is no time"),
    (["allreduce", "--hosts", "a", "--hostfile", "b"], "give one of them"),
    (["allreduce", "--hosts", "a,b", "--backend", "loopback"], "cannot use other hosts"),
    (["allreduce", "-b", "1T", "-e", "1T"], "can be used"),
    (["allreduce", "--inject", "flop:rank=1"], "is no fault"),
    (["allreduce", "--inject", "flip:rank=4294967297,index=7,bit=3"], "rank must be a number from 0 to 1048575"),
    (["allreduce", "--inject", "flip:rank=-1,index=7,bit=3"], "rank must be a number from 0 to"),
    (["allreduce", "--inject", "flip:rank=1,index=7,bit=99"], "bit must be a number from 0 to 63"),
    (["allreduce", "--inject", "flip:rank=1,index=7,bit=32"], "bit 32 is not below 32, the width of float"),
    (["allreduce", "--inject", "flip:rank=1,index=7,rank=0,bit=3"], "rank is given twice"),
    (["allreduce", "--inject", "flip:rank=1,index=7"], "bit is missing"),
    (["allreduce", "--inject", "hang:rank=1,bit=3"], "'bit' is none of rank, after"),
    (["allreduce", "--inject", "die:rank=2,after=0", "--ranks", "2"], "rank 2 is not below 2, the number of ranks"),
    (["allreduce", "--inject", "flip:rank=1,index=7,bit=3", "-c", "0"], "found by verification, which -c 0 switches off"),
    (["allreduce", "--inject", "flip:rank=1,index=1024,bit=3", "--sizes", "4K"], "index 1024 is not below 1024"),
    (["allreduce", "--inject", ""], "names no fault"),
    (["allreduce", "--inject", "delay:rank=1,us=0"], "us must be a number from 1"),
    (["allreduce", "-G"], "-G is of the nccl backend, and this run takes loopback"),
    (["allreduce", "--register"], "--register is of the nccl backend"),
    (["allreduce", "--share-gpu"], "--share-gpu is of the nccl backend"),
    (["allreduce", "-T", "1e9s"], "write digits and a unit, up to 168h"),
    (["allreduce", "-T", "1000000000s"], "is longer than 168h"),
    (["allreduce", "--ranks", "0"], "--ranks"),
    (["list", "colectives"], "did you mean 'collectives'?"),
    (["explain", "allreduc"], "did you mean 'allreduce'?"),
    (["list"], "what is required"),
]


class Usage(Case):
    def test_every_mistake_is_named(self):
        for arguments, says in MISTAKES:
            if arguments[0] not in ("list", "explain", "allreduec") and "--backend" not in arguments:
                arguments = arguments + ["--backend", "loopback"] if "--hosts" not in arguments and "--hostfile" not in arguments else arguments
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual(done.code, 64, done)
                self.assertIn(says, done.err, done)
                self.assertTrue(done.err.startswith("error: "), done)
                self.assertEqual(done.out, "", done)

    def test_a_malformed_policy_is_named_with_its_line(self):
        policy = self.write("p.yaml", "policy: x\nthreshold: []\n")
        done = run("allreduce", "--backend", "loopback", "--policy", policy)
        self.assertEqual(done.code, 64, done)
        self.assertIn("p.yaml:2: unknown key 'threshold'; did you mean 'thresholds'?", done.err)

    def test_a_policy_that_names_what_does_not_exist(self):
        policy = self.write("p.yaml", "policy: x\nthresholds: [{collective: allredcue, busbw_at_least: 1 GB/s}]\n")
        self.assertEqual(run("allreduce", "--backend", "loopback", "--policy", policy).code, 64)

    def test_no_command_takes_a_policy_that_names_what_does_not_exist(self):
        for text, says in (("thresholds: [{collective: allreduec, busbw_at_least: 1 GB/s}]", "did you mean 'allreduce'"),
                           ("thresholds: [{collective: allreduce, dtype: float33, busbw_at_least: 1 GB/s}]", "float33"),
                           ("admit: {tiers: [{tier: full, collective: alltoal, size: 1M, busbw_gb_s: 1}]}", "did you mean 'alltoall'")):
            policy = self.write("p.yaml", f"policy: p\n{text}\nburnin: {{stages: [{{stage: v, command: [validate]}}]}}\n")
            for command in (["validate"], ["burnin", "--state", self.path("state")], ["gpu"], ["rdma", "write", "--loopback"],
                            ["admit", "--node", "n", "--begin"], ["allreduce", "--backend", "loopback"]):
                done = run(*command, "--policy", policy)
                self.assertEqual(done.code, 64, (command, done))
                self.assertIn(says, done.err, command)

    def test_an_unreadable_policy(self):
        self.assertEqual(run("allreduce", "--backend", "loopback", "--policy", self.path("none.yaml")).code, 64)

    def test_hostile_arguments_do_not_reach_the_terminal(self):
        done = run("allreduce", "--policy", "\x1b[2Jevil\n", "--backend", "loopback")
        self.assertEqual(done.code, 64)
        self.assertNotIn("\x1b", done.err)

    def test_help_and_version(self):
        for arguments in (["--help"], ["allreduce", "--help"], ["--version"], ["list", "collectives"], ["list", "backends"], ["list", "policies"], ["list", "dtypes"], ["explain", "alltoall"]):
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.err, "")
                self.assertNotEqual(done.out, "")
        self.assertEqual(run().code, 64)

    def test_help_names_the_nccl_tests_flags(self):
        text = run("allreduce", "--help").out
        for flag in ("-b,", "-e,", "-i,", "-f,", "-n,", "-w,", "-d,", "-o,", "-c,", "-T,"):
            self.assertIn(flag, text)

    def test_a_backend_that_is_absent_says_why(self):
        done = run("allreduce", "--backend", "nccl")
        if done.code == 0:
            self.skipTest("NCCL works here")
        self.assertEqual(done.code, 3, "what the machine lacks is no wrong command line")
        self.assertIn("backend nccl is not here: ", done.err)


if __name__ == "__main__":
    unittest.main()
