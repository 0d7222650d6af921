"""tests/gpu/run as it is called on a machine with a GPU, from an unpacked archive, with emulated GPUs in its place: every step to the
end, in a few calls of which all but the last run out of time."""
import tarfile

from program import *

BUILD = os.environ["MLC_BUILD"]
GPU_TESTS = os.path.join(SOURCE, "tests", "gpu")
# What a CUDA build has under these names.
BUILT = {"mlc-bench": "tests/gpu/emulation/mlc-bench-emulated", "tests/gpu/gpu_device_test": "tests/gpu/emulation/emulated_device_test",
         "tests/gpu/gpu_test": "tests/gpu/gpu_test"}
# Left out where there is neither a CUDA compiler nor what was built with one.
WITHOUT_CUDA = {"verify-rates", "nccl-tests", "sanitizer-memcheck", "sanitizer-racecheck", "sanitizer-initcheck", "sanitizer-synccheck"}


class Rehearsal(Case):
    def setUp(self):
        super().setUp()
        built, nccl = self.path("built"), self.path("nccl")
        for name, program in BUILT.items():
            os.makedirs(os.path.dirname(os.path.join(built, name)), exist_ok=True)
            os.symlink(os.path.join(BUILD, program), os.path.join(built, name))
        with open(os.path.join(built, "nvcc"), "w") as file:
            file.write("13.0\n")
        os.makedirs(nccl), os.mkdir(self.path("out"))
        os.symlink(os.path.join(GPU_TESTS, "emulation", "include"), os.path.join(nccl, "include"))
        os.symlink(os.path.join(BUILD, "tests/gpu/emulation/libraries"), os.path.join(nccl, "lib"))
        archive = self.path("archive.tar.gz")
        for words in ([os.path.join(GPU_TESTS, "pack"), archive, "--built", built], ["tar", "-xzf", archive, "-C", self.path("")]):
            done = subprocess.run(words, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.tree = self.path("mlc-bench")

    def go(self, *arguments):
        """(exit code, what was said, seconds)"""
        env = clean_environment(OUT=self.path("out"), NCCL_HOME=self.path("nccl"), MLC_EMULATED_GPUS="1", MLC_EMULATED_SMS="6", MLC_EMULATED_MEMORY="24",
                                MLC_GPU_RUN_SIZES="96", CUDACXX="", GCOV_ERROR_FILE="/dev/null")
        start = time.monotonic()
        done = subprocess.run(["bash", os.path.join(self.tree, "tests/gpu/run"), "--quick", *arguments], env=env, capture_output=True, text=True, timeout=600)
        return done.returncode, done.stderr, time.monotonic() - start

    def brought_home(self):
        """The record and the archive that lie in $OUT: both whole after every call."""
        with open(self.path("out/gpu-run.json")) as file:
            record = json.load(file)
        with tarfile.open(self.path("out/gpu-run.tar.gz")) as tar:
            self.assertIn("gpu-run.json", tar.getnames())
        self.assertLess(os.path.getsize(self.path("out/gpu-run.tar.gz")), 4_000_000)
        return record

    def cut_short(self, known, budget, *arguments):
        """How many steps are recorded after a call that ran out of time with more of them than `known`: on a busy machine the next call
        has twice the time."""
        while True:
            code, said, seconds = self.go("--budget", f"{budget}s", *arguments)
            self.assertEqual(code, 2, said)
            self.assertIn("--resume goes on", said)
            self.assertLess(seconds, budget + 10, said)
            record = self.brought_home()
            if len(record["steps"]) > max(known, 1):
                self.assertEqual(record["gpu"], "NVIDIA H100 (emulated)")
                return len(record["steps"])
            self.assertLess(budget, 100, said)
            budget, arguments = 2 * budget, ("--resume",)

    def test_every_step_runs_to_the_end_in_a_few_calls(self):
        wanted = subprocess.run([os.path.join(GPU_TESTS, "step"), "--list"], capture_output=True, text=True, check=True).stdout.split()[::2]
        known = self.cut_short(0, 8)
        self.cut_short(known, 10, "--resume")
        code, said, _ = self.go("--resume")
        self.assertEqual(code, 0, said)
        record = self.brought_home()
        self.assertEqual([step["step"] for step in record["steps"]], wanted)
        self.assertEqual({step["step"] for step in record["steps"] if step["status"] == "skip"}, WITHOUT_CUDA, said)
        self.assertEqual([step for step in record["steps"] if step["status"] == "fail"], [])
        table = subprocess.run([sys.executable, os.path.join(self.tree, "tests/gpu/table.py")], capture_output=True, text=True, check=True).stdout
        self.assertIn("| gpu hbm read |", table)
