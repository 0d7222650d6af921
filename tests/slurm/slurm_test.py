"""mlc-bench under Slurm as Debian packages it: two nodes, started by srun with PMIx and by mpirun in a batch script."""
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster import Cluster  # noqa: E402
from program import BENCH, HAS_MPI, SOURCE, Case, Result, clean_environment, report, run  # noqa: E402

COUNT_YIELDS = os.path.join(os.environ["MLC_BUILD"], "tests/slurm/libmlc_count_yields.so")
SRUN = ["srun", "--mpi=pmix", "-N2", "--kill-on-bad-exit=1"]


def why_not():
    if not HAS_MPI:
        return "MPI is not built in"
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("slurmctld") or not shutil.which("srun"):
        return "Slurm is not installed"
    if not os.path.ismount("/sys/fs/cgroup"):
        return "slurmd starts nowhere without cgroups"
    return None


def documented(name, policy):
    """The script of docs/slurm.md, for this policy; the program by its path, since it is installed nowhere here."""
    with open(os.path.join(SOURCE, "docs/slurm.md")) as f:
        after = f.read().split(f"`/etc/slurm/{name}`")[1]
    script = after.split("```sh\n")[1].split("```")[0]
    assert script.count("--policy h100-4x200g") == 1 and script.count("mlc-bench validate") == 1, script
    return script.replace("--policy h100-4x200g", f"--policy {policy}").replace("mlc-bench validate", f"{BENCH} validate")


def policy(name):
    with open(os.path.join(SOURCE, f"validators/policies/{name}.yaml")) as f:
        return f.read()


@unittest.skipIf(why_not(), why_not())
class SlurmCase(Case):
    def setUp(self):
        super().setUp()
        # One core a node: more ranks than that are more than it has.
        self.cluster = Cluster(self.path("slurm"), cpus=1, more=self.more_conf())
        self.addCleanup(self.cluster.stop)
        self.environment = clean_environment(OMPI_MCA_btl_tcp_if_include="eth0", OMPI_MCA_oob_tcp_if_include="eth0")

    def more_conf(self):
        return ""

    def script(self, name, text):
        path = self.write(name, text)
        os.chmod(path, 0o755)
        return path

    def typed(self, *command, timeout=100):
        began = time.monotonic()
        done = subprocess.run(self.cluster.inside(*command), env=self.environment, capture_output=True, text=True, timeout=timeout)
        return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


class Slurm(SlurmCase):
    def test_ranks_of_two_nodes_are_measured(self):
        ran = self.typed(*SRUN, "--ntasks-per-node=1", BENCH, "allreduce", "--sizes", "1K,32K", "--output", self.path("r.json"))
        self.assertEqual(ran.code, 0, ran)
        self.assertIn("2 ranks · 2 nodes · mpi", ran.out)
        self.assertNotIn("slowest", ran.out)  # of two ranks neither is
        nodes = report(self.path("r.json"))["environment"]["nodes"]
        self.assertEqual([node["name"] for node in nodes], ["n1", "n2"])
        self.assertNotEqual(*[node["boot_id"] for node in nodes])

    def test_more_ranks_than_cores_yield(self):
        """srun does not say so to Open MPI, and a rank that spins keeps the core from the one that it waits for."""
        command = [*SRUN, "--overcommit", "-n4", "env", f"LD_PRELOAD={COUNT_YIELDS}", f"MLC_YIELDS={self.path('yields')}",
                   BENCH, "allreduce", "--sizes", "1K", "--launches", "1"]
        yields = {}
        for spins in (False, True):
            self.environment["OMPI_MCA_mpi_yield_when_idle"] = "0"  # which is the user's word, and holds
            if not spins:
                del self.environment["OMPI_MCA_mpi_yield_when_idle"]
            ran = self.typed(*command)
            self.assertEqual(ran.code, 0, ran)
            self.assertIn("4 ranks · 2 nodes", ran.out)
            counts = [name for name in os.listdir(self.path("")) if name.startswith("yields.")]
            self.assertEqual(len(counts), 4, ran)
            for name in counts:
                with open(self.path(name)) as f:
                    yields.setdefault(spins, []).append(int(f.read()))
                os.remove(self.path(name))
        self.assertGreater(min(yields[False]), 1000)
        self.assertLess(max(yields[True]), 100, yields)

    def test_a_step_that_mpi_cannot_start_in_says_what_to_type(self):
        for words in (["--mpi=none"], []):  # as MpiDefault in this slurm.conf
            for command in ("allreduce", "fleet"):
                ran = self.typed("srun", *words, "-N2", "--ntasks-per-node=1", BENCH, command)
                self.assertEqual(ran.code, 64, ran)
                self.assertIn("srun --mpi=pmix", ran.err)
                self.assertEqual(ran.err.count("started as one of 2 ranks by Slurm"), 1, ran)
                self.assertNotIn("MPI_Init", ran.err)

    def test_rails_are_asked_for_on_each_node(self):
        ran = self.typed(*SRUN, "--ntasks-per-node=1", BENCH, "rdma")
        self.assertEqual(ran.code, 3, ran)  # through the launch; this machine has no RDMA device, and that is said
        self.assertIn("no RDMA device", ran.err)

    def test_a_fleet_measures_and_clears_both(self):
        ran = self.typed(*SRUN, "--ntasks-per-node=1", BENCH, "fleet", "--interfaces", "eth0", "--test-time", "1s", "--output", self.path("f.json"))
        # Two cores carry both nodes and other tests: a path may be slow (1) or a node left open (2), and no node is accused.
        self.assertIn(ran.code, (0, 1, 2), ran)
        fleet = report(self.path("f.json"))["figures"]["fleet"]
        self.assertEqual([node["name"] for node in fleet["nodes"]], ["n1", "n2"])
        self.assertNotIn("FAULTY", ran.out)

    def test_a_killed_rank_ends_the_step_and_is_named(self):
        process = subprocess.Popen(self.cluster.inside(*SRUN, "--ntasks-per-node=1", BENCH, "allreduce", "--sizes", "1K", "--iters", "3000000"),
                                   env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertTrue(self.cluster.wait_for(lambda: self.cluster.pids("n2", BENCH, "allreduce")))
        time.sleep(3)
        began = time.monotonic()
        for pid in self.cluster.pids("n2", BENCH, "allreduce"):
            os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        self.assertLess(time.monotonic() - began, 30)
        self.assertIn("n2", out + err)
        self.assertTrue(self.cluster.wait_for(lambda: not self.cluster.pids("n1", BENCH)), "a rank was left over")

    def fleet(self, *more):
        return subprocess.Popen(self.cluster.inside("srun", "--mpi=pmix", "-N2", "--no-kill", "--ntasks-per-node=1", BENCH, "fleet", "--interfaces", "eth0", "--output", self.path("f.json"), *more),
                                env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_an_agent_that_is_killed_is_lost_and_the_campaign_ends_in_order(self):
        process = self.fleet("--test-time", "8s", "--keep", self.path("kept"))
        self.assertTrue(self.cluster.wait_for(lambda: os.path.isdir(self.path("kept")) and os.listdir(self.path("kept"))))
        time.sleep(2)
        for pid in self.cluster.pids("n2", BENCH):
            os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        # srun may end the step before it has passed on what was printed: the answer is in the report.
        self.assertNotEqual(process.returncode, 0, out + err)
        nodes = {node["name"]: node for node in report(self.path("f.json"))["figures"]["fleet"]["nodes"]}
        self.assertEqual(nodes["n2"]["standing"], "LOST")
        self.assertNotEqual(nodes["n1"]["standing"], "FAULTY")

    def test_a_node_that_is_drained_goes_on_and_a_cancelled_job_leaves_nothing(self):
        process = self.fleet("--test-time", "20s")
        self.assertTrue(self.cluster.wait_for(lambda: self.cluster.pids("n2", BENCH)))
        time.sleep(3)
        drained = self.typed("scontrol", "update", "NodeName=n2", "State=DRAIN", "Reason=test")
        self.assertEqual(drained.code, 0, drained)
        time.sleep(1)
        self.assertIsNone(process.poll(), "draining lets what runs go on")
        self.typed("scancel", "--name", os.path.basename(BENCH))
        out, err = process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0, out + err)
        self.assertTrue(self.cluster.wait_for(lambda: not self.cluster.pids("n1", BENCH) and not self.cluster.pids("n2", BENCH)), "something was left over")

    def test_a_batch_script_is_printed_and_runs(self):
        for kind, words in (("srun", []), ("mpirun", ["--launcher", "mpirun"])):
            with self.subTest(kind):
                printed = run("manifest", "allreduce", "--kind", "sbatch", "--nodes", "2", "--gpus", "0", "--interface", "eth0", "--deadline", "5m", *words, "--sizes", "1K")
                self.assertEqual(printed.code, 0, printed)
                script = self.write("batch.sh", printed.out)
                # By its path, since it is installed nowhere here.
                self.environment["PATH"] = os.path.dirname(BENCH) + ":" + self.environment["PATH"]
                ran = self.typed("sbatch", "--wait", "--output", self.path("batch.out"), script)
                with open(self.path("batch.out")) as f:
                    said = f.read()
                self.assertEqual(ran.code, 0, f"{ran}\n{said}")
                self.assertIn("2 ranks · 2 nodes · mpi", said)

    def test_a_campaign_as_a_batch_script(self):
        printed = run("manifest", "--deadline", "5m", "fleet", "--kind", "sbatch", "--nodes", "2", "--interface", "eth0", "--interfaces", "eth0", "--test-time", "8s", "--keep", self.path("kept"),
                      "--output", self.path("f.json"))
        self.assertEqual(printed.code, 0, printed)
        script = self.write("batch.sh", printed.out)
        self.environment["PATH"] = os.path.dirname(BENCH) + ":" + self.environment["PATH"]
        process = subprocess.Popen(self.cluster.inside("sbatch", "--wait", "--output", self.path("batch.out"), script), env=self.environment)
        begun = self.cluster.wait_for(lambda: os.path.isdir(self.path("kept")) and os.listdir(self.path("kept")))
        self.assertTrue(begun, open(self.path("batch.out")).read() + self.cluster.logs())
        time.sleep(2)
        for pid in self.cluster.pids("n2", BENCH, "fleet"):
            os.kill(pid, signal.SIGKILL)
        process.wait(timeout=90)
        nodes = {node["name"]: node for node in report(self.path("f.json"))["figures"]["fleet"]["nodes"]}
        self.assertEqual(nodes["n2"]["standing"], "LOST")


class Health(SlurmCase):
    """This machine has no rails: under the policy of a GPU node it is ill, under `local` nothing is asked of it."""

    def more_conf(self):
        health = self.script("health", documented("mlc-bench-health", self.path("policy.yaml")))
        self.judged_by("local")
        return f"HealthCheckProgram={health}\nHealthCheckInterval=2\n"

    def judged_by(self, name):
        self.write("policy.yaml", policy(name))

    def test_an_ill_node_is_drained_with_the_reason_and_a_well_one_is_not(self):
        time.sleep(5)
        self.assertEqual(self.cluster.states(), {"n1": "idle", "n2": "idle"}, self.cluster.logs())
        self.judged_by("h100-4x200g")
        self.assertTrue(self.cluster.wait_for(lambda: self.cluster.states() == {"n1": "drained", "n2": "drained"}), self.cluster.logs())
        said = self.typed("sinfo", "-R", "-h", "-o", "%E").out
        self.assertIn("mlc-bench: FAIL", said)
        self.assertIn("pci.inventory", said)
        self.typed("scontrol", "update", "NodeName=n1", "State=DRAIN", "Reason=mine")
        time.sleep(5)
        self.assertIn("mine", self.typed("sinfo", "-R", "-h", "-n", "n1", "-o", "%E").out)


class Prolog(SlurmCase):
    def more_conf(self):
        self.write("policy.yaml", policy("local"))
        prolog = self.script("prolog", documented("mlc-bench-prolog", self.path("policy.yaml")))
        return f"Prolog={prolog}\n"

    def test_a_job_does_not_start_on_a_node_that_is_ill(self):
        self.assertEqual(self.typed("srun", "-N1", "-w", "n2", "--mpi=none", "true").code, 0)
        self.write("policy.yaml", policy("h100-4x200g"))
        job = self.typed("sbatch", "-N1", "-w", "n2", "--wrap", f"touch {self.path('ran')}")
        self.assertEqual(job.code, 0, job)
        self.assertTrue(self.cluster.wait_for(lambda: self.cluster.states()["n2"].startswith("drain")), self.cluster.logs())
        self.assertFalse(os.path.exists(self.path("ran")))
        self.assertEqual(self.cluster.states()["n1"], "idle")


if __name__ == "__main__":
    unittest.main()
