"""`mlc-bench gpu` where there is no GPU, and what it says to a mistake."""
from program import *


def has_gpu():
    return os.path.exists("/dev/nvidia0")


class Gpu(Case):
    @unittest.skipIf(has_gpu(), "there is a GPU here")
    def test_no_gpu_is_one_line_and_exit_3(self):
        for arguments in ([], ["hbm"], ["--full", "--policy", "h100-4x200g"], ["--gpus", "0"]):
            with self.subTest(arguments=arguments):
                done = run("gpu", *arguments)
                self.assertEqual(done.code, 3, done)
                self.assertEqual(done.out, "")
                self.assertEqual(len(done.err.splitlines()), 1, done)
                self.assertTrue(done.err.startswith("error: gpu: "), done)

    def test_mistakes_are_usage_before_any_gpu_is_looked_at(self):
        bad = self.path("bad.yaml")
        with open(bad, "w") as file:
            file.write("policy: bad\ngpu:\n  hbm: {copy_at_least: 190 %}\n")
        for arguments, words in ((["hbmm"], "did you mean 'hbm'?"), (["--quick", "--full"], "one run"), (["--memory", "4K"], "1 GiB"),
                                 (["--inject", "disk"], "memory:gpu=0"), (["--timeout", "0"], "--timeout"),
                                 (["--policy", "no-such"], "no such file"), (["--policy", bad], "bad.yaml:3"),
                                 (["--format", "yaml"], "--format"), (["--gpu", "0"], "gpus")):
            with self.subTest(arguments=arguments):
                done = run("gpu", *arguments)
                self.assertEqual(done.code, 64, done)
                self.assertIn(words, done.err, done)

    def test_help_names_every_test(self):
        text = run("gpu", "--help").out
        for name in ("hbm", "memory", "gemm", "sm", "pulse", "pcie", "nvlink", "launch", "atomics"):
            self.assertIn(name, text)
        self.assertIn(name, run("list", "gpu-tests").out)

    def test_each_test_is_explained(self):
        done = run("explain", "nvlink")
        self.assertEqual(done.code, 0, done)
        self.assertIn("450 GB/s", done.out)
