"""tests/gpu/run from an unpacked archive, with stand-ins for the program and what else needs a GPU: its steps, its time, its record."""
import json, os, shutil, signal, subprocess, sys, tarfile, tempfile, time, unittest

SOURCE = os.environ["MLC_SOURCE"]
HERE = os.path.join(SOURCE, "tests", "gpu")

# Every answer as a sound GPU gives it, but for what BROKEN names. HANG names what never comes back, CALLS gets a line a call.
STUB = r"""#!/usr/bin/env bash
all="$*"
while [ $# -gt 0 ]; do
  case $1 in --output) output=$2 ;; --inject) inject=$2 ;; --ranks) ranks=$2 ;; --sizes) sizes=$2 ;; --format) format=$2 ;; -*) ;;
    *) command="${command:+$command }$1" ;; esac
  case $1 in --output | --inject | --ranks | --sizes | --format | --memory | --backend | --policy | --write-telemetry | -n | -w | -d | -o | -c | --launches | --placement) shift ;; esac
  shift
done
echo "$command${ranks:+ $ranks}${inject:+ planted}" >>"$CALLS"
[ "$command${ranks:+ $ranks}" != "$HANG" ] || { echo "hanging"; sleep 100; }
case $command in
  "list backends") echo "nccl            GPU memory"; echo "                ${NCCL_IS:-available: NCCL 2.28.9}"; exit 0 ;;
esac
case $inject in
  memory:*) [ "$BROKEN" = memory ] && exit 0; [ "$BROKEN" = name ] && { echo "FAIL"; exit 1; }; echo 'FAIL 1 wrong word (word 123456): bit 17'; exit 1 ;;
  sm:*) echo 'SM 5 (32 of 32 repeats)'; exit 1 ;;
  flip:*) echo 'wrong: 1 element, first on rank 1 (here) at index 1000'; exit 1 ;;
esac
case $command in
  gpu*) [ "$BROKEN" = gpu ] && { echo 'error: gpu: no GPU' >&2; exit 3; } ;;
  "$BROKEN") printf 'a "quoted" back\\slash\ttab\001\377\n'; exit 3 ;;
esac
if [ "$format" = csv ]; then
  echo 'collective,bytes,time_p50_us'
  for size in ${sizes//,/ }; do echo "allreduce,$size,11.0"; done
fi
[ -n "$output" ] && printf '%s\n' '{' '  "environment": {"nodes": [{"name": "node", "gpus": [{' '      "name": "NVIDIA H100 80GB HBM3"' '  }]}]},' \
  '  "figures": {"gpu_results": [{"gpu": 0, "test": "hbm", "metric": "read", "unit": "GB/s", "value": 3100.0, "share_of_limit": 0.925}]}' '}' >"$output"
case $command in gpu*) exit 2 ;; esac
exit 0
"""
PROGRAMS = {
    "mlc-bench": STUB,
    "tests/gpu/gpu_test": '#!/bin/sh\necho "a \\"quoted\\" line\\t"\nexit 0\n',
    "tests/gpu/gpu_device_test": '#!/bin/sh\n[ -z "$MLC_GPU_SMALL" ] || { echo "Device not supported"; exit 1; }\nexit 0\n',
    "tests/gpu/gpu_peer_rates": '#!/bin/sh\necho \'{"copy_gb_s": 3000.0, "triad_gb_s": 3000.0, "verify_gb_s": {"float": 2700.0}}\'\n',
    "nvcc": "13.0\n"}
PERF = '#!/bin/sh\necho "#       size         count"\necho "        $2             2     float     sum      -1    10.00    0.00    0.00    N/A     8.00    0.00    0.00    N/A"\n'
SANITIZER = '#!/bin/sh\nshift 4\nexec env MLC_GPU_SMALL=1 "$@"\n'


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)


class Run(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="mlc-gpu-run-")
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.tree = os.path.join(self.root, "mlc-bench")
        self.out = os.path.join(self.root, "out")
        os.mkdir(self.out)
        write(os.path.join(self.root, "bin", "compute-sanitizer"), SANITIZER)
        self.calls = os.path.join(self.root, "calls")
        for name, text in PROGRAMS.items():
            write(os.path.join(self.root, "built", name), text)
        write(os.path.join(self.root, "peers", "nccl-tests", "build", "all_reduce_perf"), PERF)

    def a_tree(self):
        """What the archive holds, as far as the script asks for it."""
        os.makedirs(os.path.join(self.tree, "tests", "gpu")), os.makedirs(os.path.join(self.tree, "kernels"))
        for name in ("run", "step", "discover.sh", "configure.sh", "table.py"):
            shutil.copy(os.path.join(HERE, name), os.path.join(self.tree, "tests", "gpu"))
        for name in ("built", "peers"):
            os.rename(os.path.join(self.root, name), os.path.join(self.tree, name))

    def unpacked(self):
        archive = os.path.join(self.root, "archive.tar.gz")
        for words in ([os.path.join(HERE, "pack"), archive, "--built", os.path.join(self.root, "built"), "--peers", os.path.join(self.root, "peers")],
                      ["tar", "-xzf", archive, "-C", self.root]):
            done = subprocess.run(words, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)

    def called(self):
        if not os.path.exists(self.calls):
            return []
        with open(self.calls) as file:
            return file.read().splitlines()

    def wait_for_call(self, call):
        deadline = time.monotonic() + 60
        while call not in self.called():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def start(self, *arguments, **variables):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLC_")}
        environment.update({"PATH": os.path.join(self.root, "bin") + ":" + environment["PATH"], "OUT": self.out, "CALLS": self.calls,
                            "MLC_GPU_RUN_SIZES": "8,1024", "BROKEN": "", "HANG": "", **variables})
        return subprocess.Popen(["bash", os.path.join(self.tree, "tests", "gpu", "run"), *arguments], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def go(self, *arguments, **variables):
        process = self.start(*arguments, **variables)
        self.addCleanup(process.stdout.close), self.addCleanup(process.stderr.close)
        process.out, process.err = process.communicate(timeout=120)
        return process

    def records(self):
        folder = os.path.join(self.tree, "tests", "gpu", "results")
        return [] if not os.path.isdir(folder) else [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json")]

    def record(self):
        path = max(self.records(), key=os.path.getmtime)  # of the last run: those of earlier ones stay
        with open(path) as file:
            text = file.read()
        with open(os.path.join(self.out, "gpu-run.json")) as file:
            self.assertEqual(file.read(), text)
        return json.loads(text)

    def with_status(self, status):
        return [step["step"] for step in self.record()["steps"] if step["status"] == status]

    def steps_of(self, *arguments):
        return self.go("--list", *arguments).out.split()

    def test_a_sound_gpu_passes_and_its_record_makes_a_table(self):
        self.a_tree()
        done = self.go()
        self.assertEqual(done.returncode, 0, done.err)
        self.assertIn("nvidia-h100-80gb-hbm3-", self.records()[0])
        record = self.record()
        self.assertEqual((record["gpu"], record["nvcc"]), ("NVIDIA H100 80GB HBM3", "13.0"))
        self.assertEqual(self.with_status("fail"), [])
        # A sanitizer that does not work on this machine is left out, in so many words.
        self.assertEqual(self.with_status("skip"), ["sanitizer-" + tool for tool in ("memcheck", "racecheck", "initcheck", "synccheck")])
        self.assertIn("does not work on this machine: Device not supported", record["steps"][-1]["said"])
        self.assertEqual([step["step"] for step in record["steps"]], self.steps_of())
        # What is worth most comes first.
        order = [self.steps_of().index(name) for name in ("smoke", "kernels", "hbm", "gemm", "verify-rates", "nccl-1-allreduce", "nccl-2-allreduce", "nccl-tests",
                                                           "burn-in", "sanitizer-memcheck")]
        self.assertEqual(order, sorted(order))
        text = subprocess.run([sys.executable, os.path.join(self.tree, "tests/gpu/table.py")], capture_output=True, text=True).stdout
        for words in ("| gpu hbm read | 3100 GB/s | 92.5 % |", "0.87 of hbm read", "| allreduce 8 B, one rank | 1.100 of nccl-tests' time |", "| allreduce 1 KiB,"):
            self.assertIn(words, text)
        self.assertEqual(sorted(os.listdir(self.out)), ["gpu-run.json", "gpu-run.tar.gz"])
        self.assertLess(os.path.getsize(os.path.join(self.out, "gpu-run.tar.gz")), 4e6)

    def test_cut_off_twice_it_goes_on_to_the_end(self):
        self.unpacked()
        # Its own time ends in the middle of a step, which says nothing then and is named with all that was not reached.
        done = self.go("--budget", "12s", HANG="gpu gemm")
        self.assertEqual(done.returncode, 2, done.err)
        # A slow machine may not even get as far as the step that hangs.
        passed = self.with_status("pass")
        self.assertEqual(passed, ["smoke", "kernels", "hbm"][:len(passed)])
        self.assertRegex(done.err, "time is over before: (kernels )?(hbm )?gemm verify-rates")
        once = self.called().count("gpu hbm")
        # Somebody else's time ends, without a word to the script.
        process = self.start("--resume", HANG="alltoall 2")
        self.wait_for_call("alltoall 2")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        before = self.record()
        self.assertIn("nccl-2-reducescatter", [step["step"] for step in before["steps"]])
        self.assertNotIn("nccl-2-alltoall", [step["step"] for step in before["steps"]])
        with tarfile.open(os.path.join(self.out, "gpu-run.tar.gz")) as brought:
            self.assertIn("records/nccl-2-reducescatter.json", brought.getnames())
        done = self.go("--resume")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual([step["step"] for step in self.record()["steps"]], self.steps_of())
        calls = self.called()
        # What had its record was not run again, what was cut off was.
        self.assertEqual((calls.count("reducescatter 2"), calls.count("alltoall 2")), (1, 2))
        if "hbm" in passed:
            self.assertEqual((once, calls.count("gpu hbm"), calls.count("gpu gemm")), (1, 1, 2))

    def test_what_cannot_be_brought_home_is_worse_than_what_was_not_reached(self):
        self.unpacked()
        lost = self.go("--budget", "8s", HANG="gpu gemm", OUT="/proc")
        self.assertEqual(lost.returncode, 1, lost.err)
        self.assertIn("not all that was found is in /proc", lost.err)

    def test_records_of_other_sources_or_another_form_are_not_kept(self):
        self.a_tree()
        self.assertEqual(self.go("--steps", "hbm,kernels").returncode, 0)
        for change, arguments in ((lambda: None, ("--quick",)), (lambda: write(os.path.join(self.tree, "kernels", "hbm.cu"), "//"), ())):
            change()
            done = self.go("--steps", "hbm", "--resume", *arguments)
            self.assertEqual(done.returncode, 0, done.err)
            self.assertIn("of other sources", done.err)
            self.assertEqual([step["step"] for step in self.record()["steps"]], ["smoke", "hbm"])

    def test_what_fails_fails_the_run_and_the_rest_is_still_done(self):
        self.a_tree()
        for broken, steps in (("memory", ["memory-fault"]), ("name", ["memory-fault"]), ("alltoall", ["nccl-1-alltoall", "nccl-2-alltoall", "nccl-4-alltoall"])):
            with self.subTest(broken=broken):
                done = self.go("--steps", "memory-fault,nccl-*-alltoall,unit-tests", BROKEN=broken)
                self.assertEqual(done.returncode, 1, done.err)
                self.assertEqual(self.with_status("fail"), steps)
                self.assertIn("unit-tests", self.with_status("pass"))
        self.assertEqual(len(self.records()), 3, "one of each run")
        self.assertEqual(self.record()["steps"][-2]["said"].split("\\")[0], 'a "quoted" back')
        # A failure that was recorded by an earlier call is one still.
        self.assertEqual(self.go("--steps", "memory-fault,nccl-*-alltoall,unit-tests", "--resume").returncode, 1)

    def test_a_run_that_is_gone_on_with_leaves_the_record_of_an_earlier_one(self):
        self.a_tree()
        self.assertEqual(self.go("--steps", "hbm,gemm").returncode, 0)
        (first,) = self.records()
        with open(first) as file:
            was = file.read()
        self.assertEqual(self.go("--steps", "hbm").returncode, 0)
        self.assertEqual(self.go("--steps", "hbm,gemm", "--resume").returncode, 0)
        self.assertEqual(len(self.records()), 2)
        with open(first) as file:
            self.assertEqual(file.read(), was)
        self.assertEqual(self.go("--steps", ",").returncode, 64)

    def test_without_nccl_its_steps_are_left_out_and_say_why(self):
        self.a_tree()
        done = self.go("--steps", "kernels,nccl-2-allreduce,nccl-graph,nccl-tests", NCCL_IS="not here: libnccl.so.2 not found")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual(self.with_status("skip"), ["nccl-2-allreduce", "nccl-graph", "nccl-tests"])
        self.assertIn("libnccl.so.2 not found", self.record()["steps"][2]["said"])

    def test_without_a_gpu_it_stops_with_3_and_no_record(self):
        self.a_tree()
        done = self.go(BROKEN="gpu")
        self.assertEqual(done.returncode, 3, done.err)
        self.assertIn("no GPU", done.err)
        self.assertEqual(self.records(), [])
        self.assertEqual(self.called(), ["gpu launch"])

    def test_an_interrupted_run_leaves_no_step_behind(self):
        self.a_tree()
        process = self.start("--steps", "hbm,gemm", HANG="gpu gemm")
        self.wait_for_call("gpu gemm")
        process.terminate()
        _, said = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, said)
        self.assertEqual(self.with_status("pass"), ["smoke", "hbm"])

    def test_mistakes_are_said(self):
        self.a_tree()
        for arguments, words in ((("--nothing",), "not understood"), (("--steps", "hbm,hmb"), "no step is called 'hmb'"), (("--steps",), "needs a value"),
                                 (("--budget", "soon"), "is no time"), (("--budget", "0m"), "is no time")):
            done = self.go(*arguments)
            self.assertEqual(done.returncode, 64, done.err)
            self.assertIn(words, done.err)
        self.assertEqual(self.steps_of("--steps", "nccl-4-all*"), ["smoke", "nccl-4-allreduce", "nccl-4-allgather", "nccl-4-alltoall", "nccl-4-alltoallv"])


class Discovery(unittest.TestCase):
    """Where NCCL and a CUDA compiler are found."""
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="mlc-gpu-places-")
        self.addCleanup(directory.cleanup)
        self.root = directory.name

    def made(self, header, library):
        for path in (header, library):
            if path:
                write(os.path.join(self.root, path), "")
        return f"{os.path.join(self.root, os.path.dirname(header or ''))}:{os.path.join(self.root, library or '')}"

    def found(self, words, **variables):
        script = f"cd '{self.root}' && source '{HERE}/discover.sh' && {words}"
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60,
                              env={"PATH": "/usr/bin:/bin", "MLC_PYTHONS": "", "MLC_SYSTEM_ROOTS": "", **variables}).stdout.strip()

    def test_nccl_in_each_of_its_places(self):
        find = f"find_nccl '{self.root}/deps' '{self.root}/toolkit/bin/nvcc'"
        self.assertEqual(self.found(find), "")
        # From the last place to the first: each found before those after it.
        wheel = self.made("env/lib/python3.12/site-packages/nvidia/nccl/include/nccl.h", "env/lib/python3.12/site-packages/nvidia/nccl/lib/libnccl.so.2")
        environment = {"VIRTUAL_ENV": os.path.join(self.root, "env")}
        self.assertEqual(self.found(find, **environment), wheel)
        self.assertEqual(self.found(find), "")
        toolkit = self.made("toolkit/targets/x86_64-linux/include/nccl.h", "toolkit/targets/x86_64-linux/lib/libnccl.so.2")
        self.assertEqual(self.found(find, **environment), toolkit)
        archive = self.made("deps/nccl/include/nccl.h", "deps/nccl/lib/libnccl.so.2")
        self.assertEqual(self.found(find, **environment), archive)
        named = self.made("a home/include/nccl.h", "a home/lib/x86_64-linux-gnu/libnccl.so.2")
        self.assertEqual(self.found(find, NCCL_HOME=os.path.join(self.root, "a home"), **environment), named)

    def test_half_an_nccl_is_none(self):
        self.made("deps/nccl/include/nccl.h", None)
        self.made(None, "other/lib/libnccl.so.2")
        self.assertEqual(self.found(f"find_nccl '{self.root}/deps'", NCCL_HOME=os.path.join(self.root, "other")), "")

    def test_a_compiler_where_it_is_said_to_be_or_in_a_wheel(self):
        if os.path.exists("/usr/local/cuda/bin/nvcc") or shutil.which("nvcc", path="/usr/bin:/bin"):
            said = os.path.join(self.root, "nvcc")
            write(said, "#!/bin/sh\n")
            self.assertEqual(self.found("find_nvcc", CUDACXX=said), said)
            return
        wheel = os.path.join(self.root, "env/lib/python3.12/site-packages/nvidia/cu13/bin/nvcc")
        write(wheel, "#!/bin/sh\n")
        self.assertEqual(self.found("find_nvcc", VIRTUAL_ENV=os.path.join(self.root, "env")), wheel)
