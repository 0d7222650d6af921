"""The image's steps, as far as a machine without a registry allows: what is built lies where it should, every library it needs is
of a package in the image, and the ssh that an MPIJob starts lets ranks in and nobody else."""
import getpass, os, shutil, socket, subprocess, tempfile, time, unittest

from cluster import BENCH, SOURCE, Case, wait_for

IMAGE = os.path.join(SOURCE, "k8s", "image")


def packages():
    with open(f"{IMAGE}/packages") as f:
        return {line.strip() for line in f if line.strip() and not line.startswith("#")}


def output(*words, **kwargs):
    return subprocess.run(words, capture_output=True, text=True, check=True, **kwargs).stdout


class Image(Case):
    def test_the_program_is_laid_out_and_runs_from_there(self):
        output("cmake", "--install", os.environ["MLC_BUILD"], "--prefix", "/usr", env={**os.environ, "DESTDIR": self.path("out")})
        laid = []
        for folder, _, files in os.walk(self.path("out")):
            laid += [os.path.join(folder, f)[len(self.path("out")):] for f in files]
        self.assertEqual(laid, ["/usr/bin/mlc-bench"])
        self.assertIn("mlc-bench 0.", output(self.path("out/usr/bin/mlc-bench"), "--version"))

    @unittest.skipUnless(shutil.which("dpkg-query"), "no Debian")
    def test_every_library_comes_with_a_package_of_the_image(self):
        libraries = [line.split()[2] for line in output("ldd", BENCH).splitlines() if "=> /" in line]
        self.assertGreater(len(libraries), 5)
        closure, todo = set(), list(packages())
        while todo:
            package = todo.pop()
            if package in closure:
                continue
            closure.add(package)
            done = subprocess.run(["dpkg-query", "-W", "-f", "${Depends}, ${Pre-Depends}", package], capture_output=True, text=True)
            for alternatives in done.stdout.split(",") if done.returncode == 0 else []:
                todo += [a.split("(")[0].split(":")[0].strip() for a in alternatives.split("|") if a.strip()]
        missing = {}
        for library in libraries:
            real = os.path.realpath(library)
            owners = set()
            for path in {library, real, real.removeprefix("/usr"), library.removeprefix("/usr")}:
                done = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True)
                owners |= {line.split(":")[0] for line in done.stdout.splitlines()}
            if owners and not owners & closure:
                missing[library] = owners
        self.assertEqual(missing, {})

    def test_scripts_name_what_there_is(self):
        for name in ("build", "configure"):
            output("bash", "-n", f"{IMAGE}/{name}")
        with open(f"{SOURCE}/k8s/Containerfile") as f:
            text = f.read()
        for line in text.splitlines():
            if line.startswith("COPY k8s/"):
                for path in line.split()[1:-1]:
                    self.assertTrue(os.path.exists(os.path.join(SOURCE, path)), path)
        self.assertIn("\nUSER 1000\n", text)
        for secret in ("PASSWORD", "TOKEN", "id_rsa"):
            self.assertNotIn(secret, text)

    def test_sshd_of_the_image_lets_the_key_in_and_nothing_else(self):
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        if not os.path.exists(sshd) or not shutil.which("ssh"):
            self.skipTest("no sshd here (openssh-server)")
        root = self.path("root")
        os.makedirs(f"{root}/etc/ssh")
        open(f"{root}/etc/ssh/ssh_host_rsa_key", "w").close()
        output(f"{IMAGE}/configure", root)
        output(f"{IMAGE}/configure", root)  # a second time changes nothing
        with open(f"{root}/etc/passwd") as f:
            self.assertEqual(f.read().count("mpiuser"), 3)
        self.assertFalse(os.path.exists(f"{root}/etc/ssh/ssh_host_rsa_key"), "a key that every container has is none")
        keys = self.path("keys")
        os.mkdir(keys)
        for name in ("id_rsa", "other"):
            output("ssh-keygen", "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-f", f"{keys}/{name}")
        shutil.copy(f"{keys}/id_rsa.pub", f"{keys}/authorized_keys")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with open(f"{root}/root/.sshd_config") as f:
            config = f.read().replace("/root/.ssh", keys).replace("Port 2222", f"Port {port}\nListenAddress 127.0.0.1")
        if os.geteuid() == 0:  # an sshd of root does not start without it
            os.makedirs("/run/sshd", exist_ok=True)
        server = subprocess.Popen([sshd, "-De", "-f", self.write("sshd_config", config)], stderr=subprocess.PIPE)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(answers)
        words = ["ssh", "-F", f"{root}/etc/ssh/ssh_config.d/mlc-bench.conf", "-p", str(port), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
        there = [f"{getpass.getuser()}@127.0.0.1", BENCH, "--version"]
        self.assertIn("mlc-bench 0.", output(*words, "-i", f"{keys}/id_rsa", *there))
        self.assertNotEqual(subprocess.run([*words, "-i", f"{keys}/other", *there], capture_output=True).returncode, 0)


if __name__ == "__main__":
    unittest.main()
