#!/usr/bin/env python3
"""The recipes of CONTRIBUTING.md are true: a copy of the tree with one more collective, check, face and GPU test, each one file and
one line, and one more stage, builds and has them. It is built with everything optional off, so that this cannot rot either."""
import os, shutil, subprocess, tempfile, unittest

SOURCE, BUILD = os.environ["MLC_SOURCE"], os.environ["MLC_BUILD"]
OFF = [f"-DMLC_{feature}=OFF" for feature in ("MPI", "CUDA", "NCCL", "VERBS", "CURL", "SQLITE", "CHARTS", "TESTS")]
#       file in one_more/, its folder,            the table,                      its first line
MORE = (("collective", "bench/collectives", "bench/collectives/all.cpp", "MLC_COLLECTIVES(_)", "one_more_collective"),
        ("check", "validators/checks", "validators/checks/all.cpp", "MLC_CHECKS(_)", "one_more_check"),
        ("face", "reports/faces", "reports/faces/all.cpp", "MLC_FACES(_)", "one_more_face"),
        ("gpu_test", "bench/gpu/stress", "bench/gpu/stress/all.cpp", "MLC_GPU_TESTS(_)", "one_more_test"))


def add_line(path, table, name):
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith(f"#define {table}"))
    lines.insert(at + 1, f"  _({name}) \\")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines))


class OneMore(unittest.TestCase):
    def test_one_file_and_one_line(self):
        with tempfile.TemporaryDirectory(prefix="mlc-house-") as root:
            tree = os.path.join(root, "tree")
            build = os.path.join(tree, "build-tests")
            shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns("build*", ".git", ".venv", ".lab-kernel", ".monitoring", "tests"))
            for kind, folder, table, first, name in MORE:
                shutil.copy(os.path.join(SOURCE, "tests/house/one_more", kind + ".cpp"), os.path.join(tree, folder, "one_more.cpp"))
                add_line(os.path.join(tree, table), first, name)
            environment = dict(os.environ, CCACHE_BASEDIR=tree)
            # What is asked is whether it builds and has them: neither optimised nor with debug information, but where a compiler cache
            # has most of it from the build that these tests are of.
            kind = "RelWithDebInfo" if "ccache" in environment.get("CMAKE_CXX_COMPILER_LAUNCHER", "") else "None"
            for command in (["cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DMLC_WERROR=ON", f"-DCMAKE_BUILD_TYPE={kind}", *OFF],
                            ["cmake", "--build", build]):
                done = subprocess.run(command, capture_output=True, text=True, env=environment)
                self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-4000:])

            def run(*arguments):
                done = subprocess.run([os.path.join(build, "mlc-bench"), *arguments], capture_output=True, text=True, cwd=root)
                self.assertEqual(done.returncode, 0, f"{arguments}\n{done.stdout}{done.stderr}")
                return done.stdout

            self.assertIn("ragged", run("list", "collectives"))
            for backend in ("loopback", "shm"):
                self.assertIn("PASS", run("ragged", "--backend", backend, "--ranks", "3", "--sizes", "1K,100K", "-n", "5"))
            policy = os.path.join(SOURCE, "tests/house/one_more/stage.yaml")
            self.assertIn("one more", run("validate", "house.one-more", "--policy", policy))
            self.assertEqual(run("allreduce", "--backend", "loopback", "--sizes", "4K", "-n", "5", "--format", "shout"), "2 SERIES!\n")
            self.assertIn("one-more", run("list", "gpu-tests"))
            self.assertIn("ragged", run("burnin", "--policy", policy, "--state", os.path.join(root, "state")))
            self.assertIn("mpi", run("list", "backends"))


if __name__ == "__main__":
    unittest.main()
