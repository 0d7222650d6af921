"""Bad input: a clear error, exit 64, a suggestion, nothing on stdout. And what the program says of itself."""
from program import *
import re

MISTAKES = [
    (["allreduec"], "did you mean 'allreduce'?"),
    (["allreduce", "--itres", "5"], "did you mean '--iters'?"),
    (["--verion"], "did you mean '--version'?"),
    (["policy", "shw"], "did you mean 'show'?"),
    (["manifest", "allredcue"], "did you mean 'allreduce'?"),
    (["manifest", "allreduce", "--imgae", "x"], "did you mean '--image'?"),
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
    (["allreduce", "--output", "/no/such/place.json"], "nothing has been done yet"),
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
    (["allreduce", "-G"], "-G is for the nccl backend, and this run takes loopback"),
    (["allreduce", "--register"], "--register is for the nccl backend"),
    (["allreduce", "--share-gpu"], "--share-gpu is for the nccl backend"),
    (["allreduce", "-T", "1e9s"], "write digits and a unit, up to 168h"),
    (["allreduce", "-T", "1000000000s"], "is longer than 168h"),
    (["allreduce", "--ranks", "0"], "--ranks"),
    (["list", "colectives"], "did you mean 'collectives'?"),
    (["explain", "allreduc"], "did you mean 'allreduce'?"),
    (["list"], "what is required"),
    (["allreduce", "--format", "csv", "--table", "serie"], "did you mean 'series'?"),
    (["allreduce", "--format", "json", "--table", "series"], "--table belongs to --format csv, not to json"),
    (["policy", "show", "h100"], "no built-in policy of that name"),
    (["policy", "keys", "node.rail"], "did you mean 'node.rails'?"),
    (["policy", "keys", "--format", "html"], "neither text nor markdown"),
    (["policy", "check", "/no/such.yaml"], "no such file"),
    (["policy"], "subcommand"),
    (["list", "tabels"], "did you mean 'tables'?"),
]

FLEET_MISTAKES = [
    ([], "which nodes?"),
    (["--nodes", "64"], "--nodes belongs to --simulate and --plan"),
    (["--hosts", "a,b", "--uplinks", "4"], "--uplinks belongs to --simulate and --plan"),
    (["--hosts", "a"], "2 to 65536 nodes"),
    (["--hosts", "a,a"], "a twice"),
    (["--hosts", "a,b", "--test-time", "0"], "--test-time"),
    (["--hosts", "a,b", "--deadline", "soon"], "--deadline"),
    (["--hosts", "a,b", "--engine", "nccl"], "--engine"),
    (["--hosts", "a,b", "--message-size", "1G"], "16 MiB"),
    (["--hosts", "a,b", "--depth", "0"], "--depth '0' must be a number from 1"),
    (["--hosts", "a,b", "--keep", "x", "--resume", "x"], "excludes"),
    (["--hosts", "a,b", "--devices", "mlx5_0", "--interfaces", "eth0"], "excludes"),
    (["--key", "x"], "belong to --leader"),
    (["--leader", "x"], "--members N"),
    (["--leader", "x", "--members", "2"], "--key FILE"),
    (["--leader", "x", "--members", "2", "--key", "/dev/null"], "no index below"),
    (["--leader", "x", "--members", "2", "--index", "1", "--key", "/nowhere"], "--key /nowhere"),
    (["--simulate", "--plan"], "two questions"),
    (["--simulate", "--nodes", "1"], "--nodes '1' must be a number from 2"),
    (["--simulate", "--nodes", "nan"], "--nodes 'nan' must be a number"),
    (["--simulate", "--faults", "2"], "is no share between 0 and 1"),
    (["--simulate", "--noise", "0%"], "above zero"),
    (["--simulate", "--rounds", "17"], "--rounds '17' must be a number from 2 to 16"),
    (["--simulate", "--confidence", "inf"], "--confidence 'inf'"),
    (["--simulate", "--baseline", "chss"], "did you mean 'chs'?"),
    (["--simulate", "--nodes", "1024", "--baseline", "all-pairs"], "at most 512 nodes"),
    (["--simulate", "--known", "leafs"], "did you mean 'leaves'?"),
    (["--simulate", "--guards", "maybe"], "none of on, off"),
    (["--simulate", "--inject", "node=7"], "one of slow, loss and dead"),
    (["--simulate", "--inject", "node=7,rail=9,slow=10%"], "rail must be a number from 0 to 3"),
    (["--simulate", "--inject", ""], "names no fault"),
    (["--simulat"], "did you mean '--simulate'?"),
    (["--simulate", "--format", "csv"], "none of text, json, markdown"),
    (["--plan", "--topology", "/dev/null"], "--topology needs --hosts"),
    (["--simulate", "--hosts", "a,b"], "--simulate"),
    (["--plan", "--trials", "5"], "--simulate"),
    (["--plan", "--inject", "node=1,slow=10%"], "--simulate"),
    (["--plan", "--hosts", "a,b", "--nodes", "10"], "--nodes"),
    (["--simulate", "--output", "x.csv"], "none of text, json, markdown"),
    (["--plan", "--hosts", "gpu-[1-"], "a bracket is left open"),
    (["--plan", "--hosts", "a,b,a"], "a twice"),
    (["--plan", "--hosts", "a,b", "--topology", "/no/such/file"], "/no/such/file"),
    (["--plan", "--hosts", "a,b", "--topology", "/dev/zero"], "/dev/zero"),
    (["--plan", "--format", "markdown"], "belongs to --simulate"),
]


class Usage(Case):
    def test_every_mistake_is_named(self):
        for arguments, says in MISTAKES:
            if arguments[0] not in ("list", "explain", "policy", "allreduec") and "--backend" not in arguments:
                arguments = arguments + ["--backend", "loopback"] if "--hosts" not in arguments and "--hostfile" not in arguments else arguments
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual(done.code, 64, done)
                self.assertIn(says, done.err, done)
                self.assertTrue(done.err.startswith("error: "), done)
                self.assertEqual(done.out, "", done)

    def test_every_mistake_of_fleet_is_named(self):
        for arguments, says in FLEET_MISTAKES:
            with self.subTest(arguments=arguments):
                done = run("fleet", *arguments)
                self.assertEqual(done.code, 64, done)
                self.assertIn(says, done.err, done)
                self.assertTrue(done.err.startswith("error: "), done)
                self.assertEqual(done.out, "", done)

    def test_fleet_simulates_the_same_with_any_number_of_threads(self):
        runs = [json.loads(run("fleet", "--simulate", "--nodes", "64", "--trials", "20", "--seed", "7", "--baseline", "chs", "--format", "json",
                               "--threads", threads).out) for threads in ("1", "3")]
        self.assertEqual(*runs)
        fleet, chs = runs[0]["methods"]
        self.assertEqual((fleet["method"], fleet["trials"], chs["method"]), ("fleet", 20, "chs"))
        self.assertEqual(fleet["accused"]["count"], 0)
        self.assertEqual(fleet["accused"]["of"], 64 * 20)
        self.assertGreater(fleet["accused"]["ci"][1], 0, "nothing seen is not nothing there")

    def test_fleet_names_what_is_injected(self):
        done = run("fleet", "--simulate", "--nodes", "64", "--trials", "5", "--inject", "node=7,rail=2,loss=10%,direction=tx")
        self.assertEqual(done.code, 0, done)
        self.assertIn("FAULTY     node 7, rail 2, sending: ", done.out)
        self.assertIn("swap the cable", done.out)

    def test_fleet_plans_by_a_topology_file(self):
        names = ["gpu-%d" % i for i in range(10)]
        for text in ("SwitchName=l1 Nodes=gpu-[0-4]\nSwitchName=l2 Nodes=gpu-[5-9]\nSwitchName=s Switches=l[1-2]\n",
                     "node,rail,leaf\n" + "".join(f"{name},,{'l1' if i < 5 else 'l2'}\n" for i, name in enumerate(names))):
            done = run("fleet", "--plan", "--hosts", "gpu-[0-9]", "--topology", self.write("topology", text), "--format", "json")
            self.assertEqual(done.code, 0, done)
            plan = json.loads(done.out)
            self.assertEqual(plan["topology"]["groups"], 2)
            for pair in plan["rounds"][1]:
                self.assertEqual(sorted(int(name[4:]) // 5 for name in pair["nodes"]), [0, 1], "between leaves")
        twice = self.write("twice", "SwitchName=l1 Nodes=gpu-[0-5]\nSwitchName=l2 Nodes=gpu-[5-9]\n")
        done = run("fleet", "--plan", "--hosts", "gpu-[0-9]", "--topology", twice)
        self.assertEqual(done.code, 64, done)
        self.assertIn("gpu-5 is there twice: in l1 and in l2", done.err)

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
        for arguments in (["--help"], ["allreduce", "--help"], ["fleet", "--help"], ["fleet", "--plan"], ["--version"], ["list", "collectives"], ["list", "backends"], ["list", "policies"], ["list", "dtypes"], ["explain", "alltoall"]):
            with self.subTest(arguments=arguments):
                done = run(*arguments)
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.err, "")
                self.assertNotEqual(done.out, "")
        self.assertEqual(run().code, 64)

    def test_help_of_every_command_is_one_screen_with_examples_first(self):
        commands = re.findall(r"^  ([a-z]+) ", run("--help-all").out, re.M)
        self.assertGreater(len(commands), 20)
        for command in [[], *([one] for one in commands), ["policy", "show"], ["history", "import"]]:
            with self.subTest(command=command):
                text = run(*command, "--help").out
                lines = text.splitlines()
                self.assertLessEqual(len(lines), 46, text)
                self.assertLessEqual(max(map(len, lines)), 80, text)
                if command and command[0] not in ("list", "capture") and len(command) == 1:
                    self.assertRegex("\n".join(lines[1:5]), r"(?m)^  (mlc-bench|mpirun) ", text)
                everything = run(*command, "--help-all").out
                for option in re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.M):
                    self.assertIn(option, everything)
                for example in re.findall(r"^  mlc-bench (.*?)(?:  #.*)?$", text, re.M):
                    for option in re.findall(r"(--[a-z-]+)", example):
                        self.assertIn(option, run(example.split()[0], "--help-all").out, example)

    def test_a_policy_is_refused_by_check_as_by_whoever_runs_it(self):
        stage = "burnin: {stages: [{stage: a, command: %s}]}"
        for text, says in (("node: {skip: [host.limit], host: {nofile: 9}}", "did you mean 'host.limits'?"),
                           ("node: {host: {nofile: 9}, deadlines: {host.limt: 5 s}}", "did you mean 'host.limits'?"),
                           (stage % "[validate, no.such]", "stage a: 'no.such' is no check and no room"),
                           (stage % "[allreduce, --backend, lopback]", "stage a: --backend 'lopback' is none of"),
                           (stage % "[gpu, hbn]", "stage a: there is no GPU test 'hbn'"),
                           (stage % "[rdma, wirte]", "stage a: 'wirte' is none of write"),
                           (stage % "[allreduce, --sizs, 4K]", "stage a: '--sizs' is not understood by allreduce"),
                           ("thresholds: [{collective: allreduce, backend: lopback, time_at_most: 1 s}]", "did you mean 'loopback'?"),
                           ("target: {rails: 4}", "p.yaml:2: 'rail_gbit_s' is missing")):
            with self.subTest(policy=text):
                done = run("policy", "check", self.write("p.yaml", f"policy: p\n{text}\n"))
                self.assertEqual((done.code, done.out), (64, ""), done)
                self.assertIn(says, done.err)

    def test_findings_of_gpu_tests_are_explained_by_the_names_they_have_on_the_screen(self):
        for name, says in (("burnin.memory", "memory: "), ("burnin.gemm-bf16-clock", "gemm: "), ("burnin.hbm-read", "hbm: "), ("burnin.device", "answers its driver"),
                           ("burnin.pcie-link", "generation and width"), ("burnin.pcie-data", "pcie: ")):
            done = run("explain", name)
            self.assertEqual(done.code, 0, done)
            self.assertIn(says, done.out)
        self.assertEqual(run("explain", "burnin.nosuch").code, 64)

    def test_help_of_another_collective_shows_that_one(self):
        self.assertIn("  mlc-bench alltoall --hosts gpu-a,gpu-b ", run("alltoall", "--help").out)
        self.assertNotIn("mlc-bench allreduce", run("alltoall", "--help").out)
        self.assertNotIn("  mlc-bench fleet --hosts", run("manifest", "fleet", "--help").out.split("Usage:")[0])

    def test_help_names_the_nccl_tests_flags(self):
        text = run("allreduce", "--help-all").out
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
