"""The image: built from its Containerfile by buildah, which takes neither a daemon nor a registry, on a base made by debootstrap;
then what the manifests run in it is run in it, over networks of its own: the two Pods of an Indexed Job, a burn-in."""
import contextlib, json, os, shutil, subprocess, sys, unittest

from shipped import BENCH, BUILD, CUDA, HERE, INSIDE, SOURCE, Case, a_root, output, package

sys.path.insert(0, os.path.join(SOURCE, "tests", "k8s"))
from manifests_test import KUBECTL, MISSING, containers, overlay  # noqa: E402, F401

USER = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "env", "HOME=/home/mpiuser")
ROOT = ("setpriv", "--no-new-privs", "--bounding-set=-all,+ipc_lock", "--inh-caps=-all")


class Image(Case):
    def buildah(self, *words):
        store = ("--root", self.path("store"), "--runroot", self.path("run"), "--storage-driver", "vfs")
        return output("buildah", *store, *words, env={**os.environ, "BUILDAH_ISOLATION": "chroot"}, cwd=SOURCE).strip()

    def build(self):
        base = a_root(self, os.path.join(HERE, "base_image"))
        container = self.buildah("from", "scratch")
        self.buildah("copy", "-q", container, base, "/")
        self.buildah("commit", "-q", "--rm", container, "localhost/debian:12-slim")
        # The package that the tests looked into goes into the image; without it the first stage builds one, as for a user.
        arguments = ["--build-arg", "BASE=localhost/debian:12-slim", "--build-arg", f"CUDA={'ON' if CUDA else 'OFF'}"]
        if not os.environ.get("MLC_IMAGE_FROM_SOURCE"):
            arguments += ["--build-arg", f"PACKAGE={os.path.relpath(package(), SOURCE)}"]
        self.buildah("build", "--layers=false", "-f", "k8s/Containerfile", "-t", "mlc-bench:test", *arguments, ".")
        sizes = {i["names"][0].rsplit("/", 1)[-1]: i["size"] for i in json.loads(self.buildah("images", "--json")) if i.get("names")}
        print(f"\nthe image: {sizes['mlc-bench:test']}, of which its base {sizes['debian:12-slim']} (uncompressed, {'with' if CUDA else 'without'} CUDA)")
        return float(sizes["mlc-bench:test"].split()[0]) if sizes["mlc-bench:test"].endswith(" MB") else float("inf")

    def a_container(self):
        return self.buildah("mount", self.buildah("from", "mlc-bench:test"))

    def networks(self, *names):
        """A network namespace each, on one bridge in the last of them; addresses 10.99.0.1, .2, ..."""
        prefix = f"mlc{os.getpid()}"
        for name in names:
            output("ip", "netns", "add", prefix + name)
            self.addCleanup(subprocess.run, ["ip", "netns", "del", prefix + name], capture_output=True)
        *workers, bridge = names
        ip = ("ip", "-n", prefix + bridge)
        output(*ip, "link", "set", "lo", "up")
        output(*ip, "link", "add", "eth0", "type", "bridge")
        output(*ip, "addr", "add", f"10.99.0.{len(names)}/24", "dev", "eth0")
        output(*ip, "link", "set", "eth0", "up")
        for i, worker in enumerate(workers):
            output(*ip, "link", "add", worker, "type", "veth", "peer", "name", "eth0", "netns", prefix + worker)
            output(*ip, "link", "set", worker, "master", "eth0", "up")
            output("ip", "-n", prefix + worker, "addr", "add", f"10.99.0.{i + 1}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                output("ip", "-n", prefix + worker, "link", "set", link, "up")
        return {name: ("ip", "netns", "exec", prefix + name) for name in names}

    @contextlib.contextmanager
    def running(self, words):
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()

    def as_secret(self, folder):
        """Of a Pod with fsGroup 1000, defaultMode 0440."""
        for name in ("", *os.listdir(self.path(folder))):
            path = os.path.join(self.path(folder), name)
            os.chown(path, 0, 1000)
            os.chmod(path, 0o440 if name else 0o750)

    def campaign(self):
        """The Pods of `mlc-bench manifest fleet`, each in a container and a network of its own."""
        made = output(BENCH, "manifest", "fleet", "--nodes", "2", "--rails", "0", "--test-time", "500ms", "--format", "json")
        import yaml  # there where the test is not skipped
        pod, = [containers(o)[0] for o in yaml.safe_load_all(made) if o["kind"] == "Job"]
        hosts = self.write("campaign-hosts", "127.0.0.1 localhost\n" + "".join(f"10.99.0.{i + 1} mlc-fleet-{i}.mlc-fleet\n" for i in range(2)))
        os.mkdir(self.path("campaign"))
        self.write("campaign/key", "k" * 44)
        self.as_secret("campaign")
        within = self.networks("c0", "c1", "between")
        def words(index):
            root, (mount,) = self.a_container(), pod["volumeMounts"]
            shutil.copy(hosts, f"{root}/etc/hosts")
            return [*within[f"c{index}"], INSIDE, "--bind", f"{self.path('campaign')}:{mount['mountPath']}", root, "sh", "-c", 'hostname "$0" && exec "$@"', f"c{index}",
                    *USER, f"JOB_COMPLETION_INDEX={index}", f"NODE_NAME=node-{index}", *pod["command"]]
        with self.running(words(1)) as second:
            said = subprocess.run(words(0), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
            # Of two nodes neither can be told from the other where one is slow (2); over a bridge of two processors a path may be (1).
            self.assertIn(said.returncode, (0, 1, 2), said.stdout + said.stderr)
            fleet = json.loads(said.stdout)["figures"]["fleet"]
            self.assertEqual([(n["name"], n["standing"] != "LOST") for n in fleet["nodes"]], [("node-0", True), ("node-1", True)])
            self.assertEqual(second.wait(timeout=60), 0, "index 0 alone has the answer")

    def ranks_over_ssh(self):
        """The Pods of `mlc-bench manifest`'s Indexed Job, each in a container and a network of its own."""
        made = output(BENCH, "manifest", "allreduce", "--kind", "indexed-job", "--nodes", "2", "--gpus", "0", "--rails", "0", "--sizes", "4K,1M", "-n", "5")
        import yaml  # there where the test is not skipped
        objects = [o for o in yaml.safe_load_all(made) if o]
        worker, = [containers(o)[0] for o in objects if o["kind"] == "Job"]
        self.assertEqual(worker["securityContext"]["runAsUser"], 1000)
        # What the Service's names would lead to.
        hosts = self.write("hosts", "127.0.0.1 localhost\n" + "".join(f"10.99.0.{i + 1} mlc-allreduce-{i}.mlc-allreduce w{i}\n" for i in range(2)) + "10.99.0.3 other\n")
        for keys in ("keys", "others"):
            os.mkdir(self.path(keys))
            output("ssh-keygen", "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-f", self.path(f"{keys}/id_rsa"))
            shutil.copy(self.path(f"{keys}/id_rsa.pub"), self.path(f"{keys}/authorized_keys"))
            self.as_secret(keys)
        home = next(m["mountPath"] for m in worker["volumeMounts"] if m["name"] == "ssh")
        within = self.networks("w0", "w1", "other")
        roots = {name: self.a_container() for name in within}
        for root in roots.values():
            shutil.copy(hosts, f"{root}/etc/hosts")

        def words(name, command, keys="keys"):
            named = ("sh", "-c", 'hostname "$0" && exec "$@"', name)
            return [*within[name], INSIDE, "--bind", f"{self.path(keys)}:{home}", roots[name], *named, *USER, *command]
        def pod(index):
            return words(f"w{index}", [f"JOB_COMPLETION_INDEX={index}", *worker["command"]])
        with self.running(pod(1)) as second:
            said = subprocess.run(pod(0), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
            self.assertIn("2 ranks · 1 node · mpi", said.stdout)  # two Pods of one machine are one node
            self.assertIn("PASS", said.stdout)
            denied = subprocess.run(words("other", ["ssh", "-o", "BatchMode=yes", "w1", "true"], "others"), capture_output=True, text=True, timeout=60)
            self.assertIn("Permission denied", denied.stderr)
            self.assertIsNone(second.poll(), "it ends by the Job's success policy")

    def burn_in(self):
        """The CronJob of the lab's overlay as it is rendered: `validate`, then ranks. Without a cluster nothing is published."""
        objects = overlay("lab")
        job, = [o for o in objects if o["kind"] == "CronJob" and o["metadata"]["name"] == "mlc-burnin"]
        container, = containers(job)
        self.assertEqual(container["securityContext"]["runAsUser"], 0)
        command = [w.replace("$(RUN_ID)", "image") for w in container["command"] + container["args"] if not w.startswith(("--admit=", "--publish"))]
        self.assertEqual(len(command), len(container["command"] + container["args"]) - 2)
        policy, = [o["data"]["policy.yaml"] for o in objects if o["kind"] == "ConfigMap" and "policy" in o["metadata"]["name"]]
        os.mkdir(self.path("policy"))
        self.write("policy/policy.yaml", policy)
        root = self.a_container()
        mounted = os.path.dirname(next(w.split("=")[1] for w in command if w.startswith("--policy=")))
        said = output(INSIDE, "--bind", f"{self.path('policy')}:{mounted}", root, *ROOT, *command)
        self.assertIn("PASS", said)
        with open(f"{root}/var/lib/mlc-bench/image/report.json") as f:
            report = json.load(f)
        self.assertIn("pass", {f["status"] for f in report["findings"]})
        self.assertTrue(report["series"])
        # And what a person types first.
        self.assertIn(" checks, policy h100-4x200g", subprocess.run(
            [INSIDE, root, *USER, "mlc-bench", "validate", "--policy", "h100-4x200g"], capture_output=True, text=True).stdout)

    @unittest.skipUnless(shutil.which("buildah"), "there is no buildah")
    @unittest.skipIf(MISSING or not KUBECTL, f"pip install -r tests/k8s/requirements.txt: {MISSING or 'no kubectl'}")
    def test_it_is_built_and_runs_what_the_manifests_run(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        megabytes = self.build()
        if not CUDA:
            self.assertLess(megabytes, 200)
        inspected = json.loads(self.buildah("inspect", "--type", "image", "mlc-bench:test"))["OCIv1"]["config"]
        self.assertEqual((inspected["User"], inspected["Cmd"]), ("1000", ["mlc-bench", "--help"]))
        root = self.a_container()
        # A key that every container has is none; and there is nothing of the build.
        self.assertEqual([f for f in os.listdir(f"{root}/etc/ssh") if f.startswith("ssh_host_")], [])
        for gone in ("out", "image", "src", "usr/bin/g++", "usr/include/c++"):
            self.assertFalse(os.path.lexists(f"{root}/{gone}"), gone)
        self.assertEqual(os.listdir(f"{root}/var/lib/apt/lists"), [])
        self.ranks_over_ssh()
        self.campaign()
        self.burn_in()


if __name__ == "__main__":
    unittest.main()
