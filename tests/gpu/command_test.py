"""`mlc-bench gpu` where there is no GPU, and what it says to a mistake."""
from program import *


OLD_NCCL = os.path.join(os.environ["MLC_BUILD"], "tests/gpu/old_nccl")


def has_gpu():
    return os.path.exists("/dev/nvidia0")


class Gpu(Case):
    @unittest.skipIf(has_gpu(), "there is a GPU here")
    def test_no_gpu_is_one_line_and_exit_3(self):
        for arguments in ([], ["hbm"], ["--gpus", "0"]):
            with self.subTest(arguments=arguments):
                done = run("gpu", *arguments)
                self.assertEqual(done.code, 3, done)
                self.assertEqual(done.out, "")
                self.assertEqual(len(done.err.splitlines()), 1, done)
                self.assertTrue(done.err.startswith("error: a GPU is not here: "), done)

    @unittest.skipIf(has_gpu(), "there is a GPU here")
    def test_no_gpu_under_a_policy_that_requires_them_is_the_nodes_failure(self):
        done = run("gpu", "--full", "--policy", "h100-4x200g")
        if "built without it" in done.err:
            self.assertEqual(done.code, 3, "the program's lack, not the node's")
        else:
            self.assertEqual(done.code, 1, done)
            self.assertIn("machine.lack", done.out)

    def test_mistakes_are_usage_before_any_gpu_is_looked_at(self):
        bad = self.path("bad.yaml")
        with open(bad, "w") as file:
            file.write("policy: bad\ngpu:\n  hbm: {copy_at_least: 190 %}\n")
        for arguments, words in ((["hbmm"], "did you mean 'hbm'?"), (["--quick", "--full"], "one run"), (["--memory", "4K"], "1 GiB"),
                                 (["--inject", "disk"], "memory:gpu=0"), (["--inject", "memory:gpu=0,word=1,bit=64"], "bit must be a number from 0 to 63"),
                                 (["--inject", "sm:gpu=0"], "sm is missing"), (["hbm", "--inject", "sm:gpu=0,sm=5"], "the test 'sm', which would find it"), (["--timeout", "0"], "--timeout"),
                                 (["--policy", "no-such"], "no such file"), (["--policy", bad], "bad.yaml:3"),
                                 (["--format", "yaml"], "--format"), (["--gpu", "0"], "gpus")):
            with self.subTest(arguments=arguments):
                done = run("gpu", *arguments)
                self.assertEqual(done.code, 64, done)
                self.assertIn(words, done.err, done)

    def test_the_program_needs_no_nccl_to_start(self):
        needed = subprocess.run(["readelf", "-d", BENCH], capture_output=True, text=True).stdout
        self.assertIn("NEEDED", needed)
        self.assertNotIn("libnccl", needed)

    @unittest.skipUnless(os.path.isdir(OLD_NCCL), "NCCL is not built in")
    def test_an_nccl_that_lacks_a_function_is_named(self):
        env = clean_environment(LD_LIBRARY_PATH=OLD_NCCL)
        lacks = "libnccl.so.2 is too old: it lacks ncclGetErrorString"
        self.assertIn(lacks, run("list", "backends", env=env).out)
        done = run("allreduce", "--backend", "nccl", env=env)
        self.assertEqual(done.code, 3, done)
        self.assertIn("backend nccl is not here: " + lacks, done.err)
        required = run("allreduce", "--backend", "nccl", "--policy", "h100-4x200g", env=env)
        self.assertEqual(required.code, 1, required)
        self.assertIn("backend nccl", required.out)
        self.assertIn("allreduce over nccl", required.out)
        self.assertEqual(run("allreduce", "--backend", "loopback", "--sizes", "4K", "-n", "2", env=env).code, 0)

    def test_help_names_every_test(self):
        text = run("gpu", "--help").out
        for name in ("hbm", "memory", "gemm", "sm", "pulse", "pcie", "nvlink", "launch", "atomics"):
            self.assertIn(name, text)
        self.assertIn(name, run("list", "gpu-tests").out)

    def test_each_test_is_explained(self):
        done = run("explain", "nvlink")
        self.assertEqual(done.code, 0, done)
        self.assertIn("450 GB/s", done.out)

    def test_a_report_of_a_burn_in_is_read_back_and_shown(self):
        with open(os.path.join(SOURCE, "tests/golden/report.json")) as file:
            loaded = json.load(file)
        loaded.setdefault("figures", {})["gpu_results"] = [
            {"node": "gpu-a", "gpu": 3, "uuid": "GPU-3", "test": "hbm", "metric": "<b>copy</b>", "unit": "GB/s", "value": 2800.5, "min": 2790, "max": 2810,
             "samples": 80, "bound": 2916, "share_of_limit": 0.835, "status": "fail"}]
        loaded["series"][0]["tuning"] = {"algorithm": "Tree", "protocol": "LL128", "channels": 16, "wire_gb_s": 50.5}
        source = self.write("burnin.json", json.dumps(loaded))
        copy = self.path("copy.json")
        self.assertEqual(run("report", source, "--format", "json", "--output", copy, "-q").code, 0)
        again = report(copy)  # against the schema
        self.assertEqual(again["figures"]["gpu_results"], loaded["figures"]["gpu_results"])
        self.assertEqual(again["series"][0]["tuning"], loaded["series"][0]["tuning"])
        page = self.path("page.html")
        self.assertEqual(run("report", source, "--format", "html", "--output", page, "-q").code, 0)
        with open(page) as file:
            html = file.read()
        self.assertIn("Figures of the GPUs", html)
        self.assertIn("2800.50 GB/s", html)
        self.assertNotIn("<b>copy</b>", html)
        self.assertIn("Tree, LL128, 16 channels, 50.50 GB/s on the wire", run("report", source).out)
