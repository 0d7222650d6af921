"""Ranks that die, hang, stop or never come: named, within the deadline, with the results so far kept."""
import re
from pathlib import Path

from program import *


@needs_mpi
class Faults(RunningRanks):
    def test_a_killed_rank_is_named_at_once(self):
        process, path = self.measuring("mpi", "-T", "20")
        began = time.monotonic()
        os.kill(pid_of_rank(process, 1), signal.SIGKILL)
        self.check(finish(process, began), path, 3, "rank 1 on", within=10)

    def test_rank_0_killed_is_named_by_the_others_and_reported_by_the_launcher(self):
        process, path = self.measuring("mpi", "-T", "20")
        began = time.monotonic()
        os.kill(pid_of_rank(process, 0), signal.SIGKILL)
        self.check(finish(process, began), path, 3, "rank 0 on", within=10)

    def test_a_stopped_rank_is_named_by_its_silence(self):
        process, path = self.measuring("mpi", "-T", "3")
        began = time.monotonic()
        pid = pid_of_rank(process, 2)
        os.kill(pid, signal.SIGSTOP)
        try:
            done = finish(process, began)
        finally:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.check(done, path, 3, "rank 2 on", within=20)
        self.assertIn("silent", done.err)

    def test_the_watch_wakes_by_the_clock(self):
        """Every thread that does not measure, Open MPI's own too: under 20 wake-ups a second."""
        process, _ = self.measuring("mpi", "-T", "20", ranks="2")
        try:
            pid = pid_of_rank(process, 0)
            def wakes():
                tasks = [task for task in os.listdir(f"/proc/{pid}/task") if task != str(pid)]
                return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{pid}/task/{task}/status").read_text(), re.M)[1]) for task in tasks)
            before, began = wakes(), time.monotonic()
            time.sleep(2)
            self.assertLess((wakes() - before) / (time.monotonic() - began), 20)
        finally:
            process.send_signal(signal.SIGINT)
            finish(process, time.monotonic())

    def test_in_a_large_job_nodes_are_heard_through_one_rank_of_each(self):
        """66 ranks on six nodes by name: one that another speaks for is killed, one that speaks, and one is stopped."""
        for rank, how, says in ((13, signal.SIGKILL, "died"), (11, signal.SIGKILL, "died"), (24, signal.SIGSTOP, "silent")):
            with self.subTest(rank=rank, how=how):
                path = self.path(f"{rank}.json")
                script = ('export NODE_NAME=n$((OMPI_COMM_WORLD_RANK / 11)); exec "$0" allreduce --sizes SIZES --placement out '
                          f'--max-time 1s --precision 0.000001 -T 10s --launches 1 --output {path}')
                process = start("-n", "66", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1",
                                "sh", "-c", script.replace("SIZES", ",".join(str(4 * n) for n in range(1, 200))), BENCH, program=MPIRUN)
                wait_for(lambda: os.path.exists(path) and report(path)["series"], timeout=60)
                pid = pid_of_rank(process, rank)
                os.kill(pid, how)
                try:
                    done = finish(process, time.monotonic())
                finally:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except OSError:
                        pass
                self.assertIn(f"rank {rank} on n{rank // 11}", done.err)
                self.assertIn(says, done.err)
                self.assertEqual(report(path)["verdict"]["decision"], "inconclusive")

    def test_a_stuck_rank_is_named(self):
        for backend in ("mpi", "loopback"):
            with self.subTest(backend=backend):
                done = run("allreduce", "--backend", backend, "--ranks", "3", "--sizes", "4K", "-n", "100", "--inject", "hang:rank=1,after=30", "-T", "2")
                self.assertEqual(done.code, 3, done)
                self.assertIn("rank 1 on", done.err)
                self.assertIn("not reached the operation", done.err)
                self.assertIn("allreduce 4 KiB", done.err)

    def test_a_rank_that_never_comes_is_named(self):
        script = 'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then exec sleep 60; else exec "$0" allreduce --sizes 4K -T 3; fi'
        began = time.monotonic()
        done = run("-n", "3", "--oversubscribe", "sh", "-c", script, BENCH, program=MPIRUN)
        self.assertNotEqual(done.code, 0)
        self.assertIn("rank 1 on", done.err)
        self.assertIn("never arrived", done.err)
        self.assertLess(time.monotonic() - began, 25, done)

    def test_mpirun_that_starts_nothing_is_given_up(self):
        fake = self.write("mpirun", "#!/bin/sh\nexec sleep 60\n")
        os.chmod(fake, 0o755)
        done = run("allreduce", "--backend", "mpi", "--sizes", "4K", "-T", "1", env=clean_environment(MLC_MPIRUN=fake))
        self.assertEqual(done.code, 3, done)
        self.assertIn("mpirun started no rank within 1 s", done.err)
        self.assertLess(done.seconds, 10)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_without_mpirun_local_ranks_measure_and_the_report_says_so(self):
        """Where the package's Recommends were left out: nothing is to be run in its place."""
        launcher = os.path.realpath(MPIRUN[0])
        hidden = ["unshare", "-m", "sh", "-c", f'mount --bind /dev/null "{launcher}" && exec "$@"', "-", BENCH]
        path = self.path("report.json")
        done = run("allreduce", "--sizes", "4K", "-n", "5", "--ranks", "2", "--output", path, program=hidden)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(report(path)["run"]["backend"], "shm")
        for words in (["--hosts", "a,b"], ["--launcher", "mpirun"], ["--backend", "mpi"]):
            done = run("allreduce", "--sizes", "4K", *words, program=hidden)
            self.assertEqual(done.code, 3, done)
            self.assertIn("openmpi-bin", done.err)
            self.assertEqual("--backend shm" in done.err, words == ["--backend", "mpi"], done.err)

    def test_mpirun_that_is_not_there(self):
        done = run("allreduce", "--backend", "mpi", "--sizes", "4K", env=clean_environment(MLC_MPIRUN="/no/such/mpirun"))
        self.assertEqual(done.code, 3, done)
        self.assertIn("cannot start /no/such/mpirun", done.err)

    def test_two_ranks_as_two_one_rank_jobs_is_an_error(self):
        done = run("allreduce", "--backend", "mpi", "--sizes", "4K", "-T", "5", env=clean_environment(PMI_RANK="0", PMI_SIZE="2"))
        self.assertEqual(done.code, 3, done)
        self.assertIn("each rank would measure alone", done.err)

    def test_the_loopback_backend_under_mpirun_is_refused(self):
        done = run("-n", "2", "--oversubscribe", BENCH, "allreduce", "--backend", "loopback", "--sizes", "4K", program=MPIRUN)
        self.assertEqual(done.code, 64, done)
        self.assertEqual(done.err.count("error: the loopback backend"), 1, done)

    def test_a_slow_rank_is_named(self):
        path = self.path("r.json")
        done = run("allreduce", "--backend", "mpi", "--ranks", "3", "--sizes", "4K", "-n", "200", "--placement", "out", "--inject", "delay:rank=1,us=3000", "--launches", "1", "--output", path)
        self.assertEqual(done.code, 2, "a run with a planted fault passes nothing")
        self.assertEqual(report(path)["series"][0]["slowest"]["rank"], 1)

    def test_terminating_the_launcher_keeps_what_was_measured(self):
        for name in ("SIGINT", "SIGTERM"):
            with self.subTest(signal=name):
                process, path = self.measuring("mpi")
                began = time.monotonic()
                process.send_signal(getattr(signal, name))
                done = finish(process, began)
                self.assertEqual(done.code, 130, done)
                self.assertGreaterEqual(len(report(path)["series"]), 1)
                # mpirun by itself takes five seconds to tell the ranks, and three to end after them.
                self.assertLess(time.monotonic() - began, 7)

    def test_a_killed_launcher_leaves_an_honest_report_and_no_ranks(self):
        process, path = self.measuring("mpi")
        ranks = [pid_of_rank(process, r) for r in range(3)]
        process.kill()
        process.communicate()
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in ranks))
        loaded = report(path)
        self.assertEqual(loaded["verdict"]["decision"], "inconclusive")
        self.assertGreaterEqual(len(loaded["series"]), 1)

    def test_hosts_through_a_remote_shell(self):
        # A stand-in for ssh that starts everything here: what is tested is the launch over named hosts.
        agent = self.write("agent", "#!/bin/sh\nshift\nexec sh -c \"$*\"\n")
        os.chmod(agent, 0o755)
        done = run("allreduce", "--backend", "mpi", "--hosts", "node-a,node-b", "--ranks", "4", "--sizes", "4K", "-n", "5",
                   env=clean_environment(OMPI_MCA_plm_rsh_agent=agent, OMPI_MCA_btl="self,tcp", OMPI_MCA_btl_tcp_if_include="lo", OMPI_MCA_oob_tcp_if_include="lo"))
        self.assertEqual(done.code, 0, done)
        self.assertIn("4 ranks", done.out)

    def test_a_host_that_never_answers_ends_within_the_deadline(self):
        agent = self.write("agent", "#!/bin/sh\nexec sleep 60\n")
        os.chmod(agent, 0o755)
        done = run("allreduce", "--backend", "mpi", "--hosts", "node-a,node-b", "--sizes", "4K", "-T", "2", env=clean_environment(OMPI_MCA_plm_rsh_agent=agent))
        self.assertEqual(done.code, 3, done)
        self.assertIn("mpirun started no rank within 2 s", done.err)
        self.assertLess(done.seconds, 30)


if __name__ == "__main__":
    unittest.main()
