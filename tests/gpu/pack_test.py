"""The archive for a bare CUDA machine has what tests/gpu/run needs, and the README's table is made from results alone."""
import json, os, re, shutil, subprocess, sys, tempfile, unittest

SOURCE = os.environ["MLC_SOURCE"]
HERE = os.path.join(SOURCE, "tests", "gpu")


# A small part of the build that needs every library the archive brings.
OBJECTS = ["validators/policy/CMakeFiles/mlc_policy.dir/yaml_reader.cpp.o", "reports/record/CMakeFiles/mlc_record.dir/figures_json.cpp.o",
           "bench/cli/CMakeFiles/mlc_cli.dir/report_command.cpp.o"]


def call(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=280, **more)


@unittest.skipUnless(shutil.which("dpkg"), "no Debian here")
class Pack(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="mlc-pack-")
        self.addCleanup(self.directory.cleanup)

    def path(self, *names):
        return os.path.join(self.directory.name, *names)

    def test_the_archive_builds_with_its_own_content(self):
        os.makedirs(self.path("peers", "nccl-tests"))
        with open(self.path("peers", "nccl-tests", "Makefile"), "w") as file:
            file.write("all:\n")
        archive = self.path("archive.tar.gz")
        done = call(os.path.join(HERE, "pack"), archive, "--peers", self.path("peers"))
        self.assertEqual(done.returncode, 0, done.stderr)
        os.makedirs(self.path("bare"))
        self.assertEqual(call("tar", "-xzf", archive, "-C", self.path("bare")).returncode, 0)
        root = self.path("bare", "mlc-bench")
        for needed in ("CMakeLists.txt", "kernels/hbm.cu", "tests/gpu/run", "deps/usr/include/CLI/CLI.hpp", "deps/usr/include/nlohmann/json.hpp",
                       "deps/usr/include/yaml-cpp/yaml.h", "peers/nccl-tests/Makefile"):
            self.assertTrue(os.path.exists(os.path.join(root, needed)), needed)
        self.assertFalse([name for name in os.listdir(root) if name.startswith("build") or name == ".git"])
        # No link leads out of the archive or nowhere: what it names would not be there.
        for folder, _, names in os.walk(os.path.join(root, "deps")):
            for name in names:
                link = os.path.join(folder, name)
                if os.path.islink(link) and os.path.isabs(os.readlink(link)):
                    self.assertNotIn("/bin/mpi", link, "an absolute link: " + os.readlink(link))
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLC_", "OMPI_", "OPAL_"))}
        environment.update(MLC_BUILD_TARGETS=" ".join(OBJECTS), MLC_CMAKE_OPTIONS="-DMLC_CUDA=OFF")
        if shutil.which("ccache"):
            environment["MLC_CMAKE_OPTIONS"] += " -DCMAKE_CXX_COMPILER_LAUNCHER=ccache"
        done = call(os.path.join(root, "tests", "gpu", "run"), "--build-only", env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(root, "build-gpu-run", "CMakeCache.txt")) as file:
            cache = file.read()
        for package in ("nlohmann_json_DIR", "CLI11_DIR", "yaml-cpp_DIR", "GTest_DIR"):
            place = re.search(rf"^{package}:[A-Z]+=(.*)$", cache, re.M).group(1)
            self.assertTrue(place.startswith(os.path.join(root, "deps")), f"{package} is {place}")
        for built in OBJECTS:
            self.assertTrue(os.path.exists(os.path.join(root, "build-gpu-run", built)), built)

    def test_git_is_not_needed(self):
        """What git would give is packed where git is missing, or refuses: a clone of another account's."""
        packed = {}
        for with_git in (True, False):
            os.makedirs(self.path(str(with_git)))
            with open(self.path(str(with_git), "git"), "w") as file:
                file.write('#!/bin/sh\n' + (f'exec {shutil.which("git")} "$@"\n' if with_git else 'echo "fatal: detected dubious ownership" >&2\nexit 128\n'))
            # The packages are another test's.
            with open(self.path(str(with_git), "dpkg-query"), "w") as file:
                file.write("#!/bin/sh\nexit 1\n")
            for name in ("git", "dpkg-query"):
                os.chmod(self.path(str(with_git), name), 0o755)
            # A tree of a few files with everything in it that a build leaves.
            tree = self.path(f"tree-{with_git}")
            for name in (".git/HEAD", "build-tests/a.o", "build.apt.log", ".venv/x", ".lab-kernel/boot/vmlinuz", ".monitoring/promtool", "report.json", "tests/__pycache__/x.pyc", "tests/gpu/results/r.json", "a b.txt"):
                if name == ".git/HEAD" and with_git:
                    continue
                os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
                open(os.path.join(tree, name), "w").close()
            for name in ("pack", "discover.sh"):
                shutil.copy(os.path.join(HERE, name), os.path.join(tree, "tests/gpu", name))
            shutil.copy(os.path.join(SOURCE, ".gitignore"), tree)
            if with_git:
                self.assertEqual(call("git", "init", "-q", tree).returncode, 0)
            done = call(os.path.join(tree, "tests/gpu/pack"), self.path("a.tar.gz"), env={**os.environ, "PATH": self.path(str(with_git)) + ":" + os.environ["PATH"]})
            self.assertEqual(done.returncode, 0, done.stderr)
            names = call("tar", "-tzf", self.path("a.tar.gz")).stdout.splitlines()
            packed[with_git] = sorted(name for name in names if not name.endswith("/") and not name.startswith("mlc-bench/deps/"))
        self.assertIn("mlc-bench/a b.txt", packed[False])
        self.assertEqual(packed[False], packed[True])

    def test_mistakes_are_said(self):
        for arguments, words in (((), "name the archive"), (("x.tar.gz", "--peers", "/no/such/folder"), "no folder"), (("--pears",), "not understood"),
                                 (("x.tar.gz", "--built", "/no/such/folder"), "no program")):
            done = call(os.path.join(HERE, "pack"), *arguments)
            self.assertEqual(done.returncode, 64, done)
            self.assertIn(words, done.stderr)


class Table(unittest.TestCase):
    def table(self, *arguments):
        return call(sys.executable, os.path.join(HERE, "table.py"), *arguments)

    def test_without_results_it_says_so_and_with_them_it_shows_them_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            readme = os.path.join(folder, "README.md")
            with open(readme, "w") as file:
                file.write("before\n<!-- tests/gpu/table.py -->\nold 99 GB/s\n<!-- end of tests/gpu/table.py -->\nafter\n")
            results = os.path.join(folder, "results")
            os.makedirs(results)
            self.assertEqual(self.table("--check", results, readme).returncode, 1)
            self.assertEqual(self.table("--write", results, readme).returncode, 0)
            with open(readme) as file:
                self.assertEqual(file.read().splitlines(), ["before", "<!-- tests/gpu/table.py -->", "No results yet: `tests/gpu/run` has not been run on a GPU.",
                                                             "<!-- end of tests/gpu/table.py -->", "after"])
            steps = [{"step": "smoke", "status": "pass", "data": {"figures": {}}}, {"step": "x", "status": "fail", "data": None},
                     {"step": "hbm", "status": "pass", "data": {"figures": {"gpu_results": [
                         {"gpu": 0, "test": "hbm", "metric": "copy", "unit": "GB/s", "value": 3030.0, "share_of_limit": 0.904},
                         {"gpu": 0, "test": "hbm", "metric": "read", "unit": "GB/s", "value": 3000.0},
                         {"gpu": 0, "test": "gemm", "metric": "bf16", "unit": "TFLOP/s", "value": None}]}}},
                     {"step": "verify-rates", "status": "pass", "data": {"copy_gb_s": 3000.0, "triad_gb_s": 3000.0, "verify_gb_s": {"float": 2700.0}}},
                     {"step": "nccl-tests", "status": "pass", "data": {"allreduce_over_nccl_tests": {"8": 1.1, "67108864": 1.004}}}]
            run = {"gpu": "Test GPU", "date": "2026-01-01", "commit": "abc", "nvcc": "13.0", "steps": steps}
            with open(os.path.join(results, "test.json"), "w") as file:
                json.dump(run, file)
            self.assertEqual(self.table("--check", results, readme).returncode, 1)
            text = self.table(results).stdout
            for words in ("Test GPU, 2026-01-01", "failed: x", "| gpu hbm copy | 3030 GB/s | 90.4 % | 1.01 of device-to-device copy |",
                          "| verification of float sums | 2700 GB/s |  | 0.90 of hbm read |", "| allreduce 64 MiB, one rank | 1.004 of nccl-tests' time |",
                          "| allreduce 8 B, one rank | 1.100 of nccl-tests' time |"):
                self.assertIn(words, text)
            self.assertNotIn("bf16", text)
            # Any subset of the steps is a table, or says that nothing was measured.
            for kept in (0, 1, 3, 4, 8, 12, 31):
                subset = [step for index, step in enumerate(steps) if kept >> index & 1]
                with open(os.path.join(results, "test.json"), "w") as file:
                    json.dump({**run, "steps": subset}, file)
                done = self.table(results)
                self.assertEqual(done.returncode, 0, (subset, done.stderr))
                self.assertEqual("| what |" in done.stdout, any(step["step"] in ("hbm", "verify-rates", "nccl-tests") for step in subset))
