"""mlc-bench rdma on a machine without RDMA: what is said, and how it ends. With devices it is tested in the lab."""
from program import *

MISTAKES = [
    (["wriet"], "did you mean 'write'?"),
    (["--latency", "--message-rate"], "give one of them"),
    (["--mode", "speed"], "none of bandwidth, latency, rate"),
    (["--bidirectional", "--one-way"], "exclude each other"),
    (["--bidirectional", "--latency"], "no meaning for latency"),
    (["--solo", "--together"], "exclude each other"),
    (["--listen", "--connect", "gpu-b"], "exclude each other"),
    (["--rails", "0", "--devices", "mlx5_0"], "exclude each other"),
    (["--connect", "gpu-b:"], "no port after the colon"),
    (["--connect", "gpu-b:70000"], "must be a number from 1 to 65535"),
    (["--connect", "[fd00::1"], "no closing bracket"),
    (["--listen=99999"], "--listen"),
    (["--sizes", "2G"], "cannot be measured"),
    (["--sizes", "0"], "cannot be measured"),
    (["--post-list", "64", "--depth", "8"], "larger than --depth"),
    (["--moderation", "200", "--depth", "100"], "larger than --depth"),
    (["read", "--inline", "64"], "no data that could be inline"),
    (["--memory", "disk"], "none of host, gpu"),
    (["--wait", "sleep"], "none of auto, spin, yield, event"),
    (["--mtu", "9000"], "--mtu"),
    (["--qps", "0"], "--qps"),
    (["--timeout", "1ms"], "at least 100ms"),
    (["--inject", "melt:rail=1"], "is no fault"),
    (["--inject", "flip:rail=4294967297,index=7,bit=3"], "rail must be a number from 0 to 1023"),
    (["--inject", "flip:rail=1,index=7,bit=8"], "bit must be a number from 0 to 7"),
    (["--inject", "flip:rank=1,index=7,bit=3"], "'rank' is none of rail, index, bit"),
    (["--inject", "flip:rail=1,index=65536,bit=3"], "index 65536 is not below 65536"),
    (["--inject", ""], "names no fault"),
    (["--policy", "locale"], "did you mean 'local'?"),
    (["--output", "/no/such/place.json"], "nothing has been done yet"),
]

HAS_RDMA = os.path.isdir("/sys/class/infiniband") and bool(os.listdir("/sys/class/infiniband"))


class Rdma(Case):
    def test_mistakes_are_named(self):
        for arguments, says in MISTAKES:
            with self.subTest(arguments=arguments):
                done = run("rdma", *arguments)
                self.assertEqual(done.code, 64, done)
                self.assertIn(says, done.err)
                self.assertEqual(done.out, "")

    @unittest.skipIf(HAS_RDMA, "this machine has RDMA devices")
    def test_no_device_is_one_clear_line_and_exit_3(self):
        for peer in ([], ["--loopback"], ["--listen", "-T", "1s"], ["--connect", "127.0.0.1", "-T", "1s"]):
            with self.subTest(peer=peer):
                done = run("rdma", *peer)
                self.assertEqual(done.code, 3, done)
                self.assertIn("no RDMA device", done.err)
                self.assertEqual(len(done.err.strip().splitlines()), 1, done)
                self.assertEqual(done.out, "")
                self.assertLess(done.seconds, 10)

    @needs_mpi
    @unittest.skipIf(HAS_RDMA, "this machine has RDMA devices")
    def test_no_device_under_mpirun_names_a_rank(self):
        done = run("-n", "2", "--oversubscribe", BENCH, "rdma", "-T", "10", program=MPIRUN)
        self.assertNotEqual(done.code, 0)
        self.assertIn("no RDMA device", done.err)
        self.assertLess(done.seconds, 60)

    @needs_mpi
    def test_one_rank_is_no_pair(self):
        done = run("-n", "1", BENCH, "rdma", program=MPIRUN)
        self.assertEqual(done.code, 64, done)
        self.assertIn("RDMA needs a peer", done.err)

    def test_the_program_needs_no_verbs_library_to_start(self):
        with open(BENCH, "rb") as f:
            self.assertNotIn(b"libibverbs.so.1\0libibverbs", f.read())
        needed = subprocess.run(["readelf", "-d", BENCH], capture_output=True, text=True).stdout
        self.assertNotIn("libibverbs", needed)

    def test_it_is_listed_and_explained(self):
        self.assertIn("rdma", run("list", "backends").out)
        told = run("explain", "rdma")
        self.assertEqual(told.code, 0, told)
        for word in ("ceiling", "siblings", "82 bytes", "--listen"):
            self.assertIn(word, told.out)

    def test_gpu_memory_says_why_it_is_not_there(self):
        done = run("rdma", "--memory", "gpu")
        if done.code == 64:
            self.assertIn("--memory gpu:", done.err)
