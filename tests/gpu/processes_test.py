"""Ranks of one node as plain processes, without MPI: measured, killed, stopped, stuck, interrupted, as under mpirun."""
from program import *


def rank_of(process, rank):
    """The process id of a rank, once it has been started."""
    found = []
    def there():
        found[:] = [pid for pid, environment in descendants(process.pid) if environment.get(b"MLC_LOCAL_RANK") == str(rank).encode()]
        return found
    wait_for(there)
    return found[0]


class Processes(RunningRanks):
    def test_every_collective_is_measured_and_right(self):
        for collective in ("allreduce", "allgather", "reducescatter", "alltoall", "alltoallv", "broadcast", "reduce", "gather", "scatter", "sendrecv"):
            with self.subTest(collective=collective):
                path = self.path(collective + ".json")
                done = run(collective, "--backend", "shm", "--ranks", "3", "--sizes", "64,4K,1M", "-n", "5", "--launches", "1", "--output", path)
                self.assertEqual(done.code, 0, done)
                loaded = report(path)
                self.assertEqual(loaded["run"]["backend"], "shm")
                self.assertEqual(loaded["run"]["ranks"], 3)
                for series in loaded["series"]:
                    self.assertEqual(series["wrong"], 0)

    def test_launcher_processes_chooses_the_backend(self):
        path = self.path("auto.json")
        done = run("allreduce", "--launcher", "processes", "--sizes", "4K", "-n", "5", "--launches", "1", "--output", path)
        self.assertEqual(done.code, 0, done)
        self.assertIn(report(path)["run"]["backend"], ("shm", "nccl"))

    def test_a_planted_flip_is_found(self):
        done = run("allreduce", "--backend", "shm", "--ranks", "2", "--sizes", "64K", "-n", "5", "--inject", "flip:rank=1,index=1000,bit=3")
        self.assertEqual(done.code, 1, done)
        self.assertIn("first on rank 1", done.out)

    def test_a_killed_rank_is_named_at_once(self):
        process, path = self.measuring("shm", "-T", "20")
        began = time.monotonic()
        os.kill(rank_of(process, 1), signal.SIGKILL)
        self.check(finish(process, began), path, 3, "rank 1 on", within=15)
        self.assertEqual(descendants(process.pid), [])

    def test_rank_0_killed_is_reported_by_the_launcher(self):
        process, path = self.measuring("shm", "-T", "20")
        began = time.monotonic()
        os.kill(rank_of(process, 0), signal.SIGKILL)
        self.check(finish(process, began), path, 3, "rank 0 on", within=15)

    def test_a_stopped_rank_is_named_by_its_silence(self):
        process, path = self.measuring("shm", "-T", "3")
        began = time.monotonic()
        os.kill(rank_of(process, 2), signal.SIGSTOP)
        done = finish(process, began)
        self.check(done, path, 3, "rank 2 on", within=25)
        self.assertIn("silent", done.err)

    def test_a_stuck_rank_is_named(self):
        done = run("allreduce", "--backend", "shm", "--ranks", "3", "--sizes", "4K", "-n", "100", "--inject", "hang:rank=1,after=30", "-T", "2")
        self.assertEqual(done.code, 3, done)
        self.assertIn("rank 1 on", done.err)

    def test_interrupted_keeps_what_was_measured(self):
        process, path = self.measuring("shm", "-T", "20")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        done = finish(process, began)
        self.assertEqual(done.code, 130, done)
        self.assertGreaterEqual(len(report(path)["series"]), 1)

    def test_no_shared_memory_is_left_behind(self):
        before = set(os.listdir("/dev/shm"))
        run("allreduce", "--backend", "shm", "--ranks", "2", "--sizes", "4K", "-n", "5")
        # Another suite may run beside this one: what a living process has mapped or open is its, and not left behind.
        until = time.monotonic() + 20
        while (left := set(os.listdir("/dev/shm")) - before - self.in_use()) and time.monotonic() < until:
            time.sleep(0.2)
        self.assertEqual(left, set())

    def in_use(self):
        names = set()
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                names |= {os.path.basename(os.readlink(f"/proc/{process}/fd/{fd}")) for fd in os.listdir(f"/proc/{process}/fd")}
                with open(f"/proc/{process}/maps") as maps:
                    names |= {line.split("/dev/shm/", 1)[1].split()[0] for line in maps if "/dev/shm/" in line}
            except OSError:
                pass  # over already, or another account's
        return names | {name for name in os.listdir("/dev/shm") if not self.mine(name)}

    def mine(self, name):
        try:
            return os.stat(os.path.join("/dev/shm", name)).st_uid == os.geteuid()
        except OSError:
            return False

    def test_what_does_not_go_together_is_usage(self):
        for arguments, words in ((["--launcher", "processes", "--backend", "mpi"] if HAS_MPI else ["--launcher", "processs"], "launcher"),
                                 (["--launcher", "mpirun", "--backend", "shm"], "plain processes"),
                                 (["--launcher", "processes", "--hosts", "a,b"] + (["--backend", "mpi"] if HAS_MPI else []), "node" if HAS_MPI else "other hosts"),
                                 (["--backend", "shm", "--hosts", "a,b"], "other hosts"),
                                 (["--launcher", "nothing"], "none of")):
            with self.subTest(arguments=arguments):
                done = run("allreduce", *arguments, "--sizes", "4K")
                self.assertEqual(done.code, 64, done)
                self.assertIn(words, done.err, done)

    def test_a_rank_without_its_segment_says_so(self):
        done = run("allreduce", "--backend", "shm", "--sizes", "4K", "-T", "5", env=clean_environment(MLC_LOCAL_RANK="0", MLC_RANKS="2"))
        self.assertEqual(done.code, 3, done)
        self.assertIn("without shared memory", done.err)
