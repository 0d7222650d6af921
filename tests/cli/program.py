"""Runs the built mlc-bench as a user would, and breaks it on purpose. MLC_BENCH names the binary, MLC_SOURCE the tree."""
import json, os, pty, select, signal, subprocess, sys, tempfile, time, unittest

BENCH = os.environ["MLC_BENCH"]
SOURCE = os.environ["MLC_SOURCE"]
HAS_MPI = os.environ.get("MLC_HAS_MPI") == "1"
MPIRUN = os.environ.get("MLC_MPIRUN_PATH", "mpirun").split()

with open(os.path.join(SOURCE, "reports/schema/report.v1.json")) as f:
    SCHEMA = json.load(f)


def clean_environment(**more):
    """As a user's shell: no launcher's variables, nothing of the test runner's terminal."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "SLURM_", "MLC_", "NCCL_"))}
    env.pop("NO_COLOR", None)
    env.update({"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "TERM": "xterm",
                # Once in some thousand starts Open MPI 4.1 writes its topology to an address where its stack is, and crashes.
                "OMPI_MCA_rtc_hwloc_vmhole": "none"})
    env.update(more)
    return env


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __str__(self):
        return f"exit {self.code} after {self.seconds:.1f} s\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def run(*args, env=None, timeout=100, program=None):
    start = time.monotonic()
    done = subprocess.run((program or [BENCH]) + list(args), capture_output=True, env=env or clean_environment(), timeout=timeout,
                          stdin=subprocess.DEVNULL)
    return Result(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"), time.monotonic() - start)


def start(*args, env=None, program=None):
    return subprocess.Popen((program or [BENCH]) + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env or clean_environment(),
                            stdin=subprocess.DEVNULL)


def finish(process, began, timeout=60):
    out, err = process.communicate(timeout=timeout)
    return Result(process.returncode, out.decode(), err.decode(), time.monotonic() - began)


def through_terminal(*args, send=None, env=None, program=None):
    """Runs on a pseudo-terminal, as typed; returns (exit code, everything shown). `send`: what is typed once something is shown."""
    pid, fd = pty.fork()
    if pid == 0:
        words = (program or [BENCH]) + list(args)
        os.execvpe(words[0], words, env or clean_environment())
    shown, sent = b"", False
    while True:
        ready, _, _ = select.select([fd], [], [], 60)
        try:
            chunk = os.read(fd, 65536) if ready else b""
        except OSError:
            chunk = b""
        if not chunk:
            break
        shown += chunk
        if send and not sent and send[0] in shown:
            os.write(fd, send[1])
            sent = True
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode("utf-8", "replace")


def descendants(pid):
    """(pid, environment) of every process below pid."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(entry))
        except (OSError, ValueError):
            pass
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            todo.append(child)
            try:
                with open(f"/proc/{child}/environ", "rb") as f:
                    found.append((child, dict(e.split(b"=", 1) for e in f.read().split(b"\0") if b"=" in e)))
            except OSError:
                pass
    return found


def pid_of_rank(launcher, rank, timeout=20):
    """Waits until that rank of a run runs mlc-bench, and returns its process id."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        for pid, environment in descendants(launcher.pid):
            try:
                is_bench = os.path.samefile(f"/proc/{pid}/exe", BENCH)
            except OSError:
                continue
            if is_bench and environment.get(b"OMPI_COMM_WORLD_RANK") == str(rank).encode():
                return pid
        time.sleep(0.02)
    raise AssertionError(f"rank {rank} never ran")


def wait_for(condition, timeout=30):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("never happened")


def report(path):
    import jsonschema
    with open(path) as f:
        loaded = json.load(f)
    jsonschema.Draft202012Validator(SCHEMA).validate(loaded)
    return loaded


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="mlc-cli-")
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)


class RunningRanks(Case):
    """A measurement long enough to be disturbed, and what must be left of it."""
    def measuring(self, backend, *more, ranks="3"):
        path = tempfile.mktemp(suffix=".json", dir=self.directory.name)
        process = start("allreduce", "--backend", backend, "--ranks", ranks, "-b", "4K", "-e", "64M", "-f", "2", "--max-time", "400ms",
                        "--precision", "0.001", "--launches", "1", "--output", path, *more)
        def measured():
            try:
                return len(report(path)["series"]) >= 1
            except (OSError, ValueError):
                return False
        wait_for(measured)
        return process, path

    def check(self, done, path, code, names, within):
        self.assertEqual(done.code, code, done)
        self.assertIn(names, done.err, done)
        self.assertLess(done.seconds, within, done)
        loaded = report(path)
        self.assertGreaterEqual(len(loaded["series"]), 1)
        self.assertEqual(loaded["verdict"]["decision"], "inconclusive")
        self.assertTrue(any(names in e["what"] for e in loaded["errors"]), loaded["errors"])


def needs_mpi(test):
    return unittest.skipUnless(HAS_MPI, "built without MPI")(test)
