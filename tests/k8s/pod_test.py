"""validate in a Pod: it asks the API server with the Pod's own account, and sends its token to nobody else."""
import json, os, shutil, subprocess, unittest

from cluster import BENCH, ApiServer, ClusterCase, clean_environment, run

MOUNTS = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


@unittest.skipIf(subprocess.run([*MOUNTS, "true"], capture_output=True).returncode != 0, "a mount namespace of its own is needed")
class PodReads(ClusterCase):
    def setUp(self):
        super().setUp()
        self.account, self.system = self.path("run/secrets/kubernetes.io/serviceaccount"), self.path("system")
        os.makedirs(self.account)
        os.mkdir(self.system)
        self.trust("ca.crt", "other.crt")
        self.policy = self.write("policy.yaml", "policy: test\nnode: {pod: {ipam: true}}\n")

    def trust(self, cluster, system):
        """Which authority signs for the cluster, and which one this machine trusts in general."""
        shutil.copy(self.api.path("token"), self.account)
        shutil.copy(self.api.path(cluster), f"{self.account}/ca.crt")
        name = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", self.api.path(system)], check=True, capture_output=True, text=True)
        shutil.copy(self.api.path(system), f"{self.system}/{name.stdout.strip()}.0")

    def validate(self):
        """The findings of the checks that ask, by check: in a mount namespace with this account and this system's authorities."""
        env = clean_environment(KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT_HTTPS=str(self.api.port))
        ran = run("-ec", 'mount --bind "$0" /run; mount --bind "$1" /etc/ssl/certs; shift; exec "$@"', self.path("run"), self.system,
                  BENCH, "validate", "ipam", "--policy", self.policy, "--format", "json", program=[*MOUNTS, "sh"], env=env)
        self.no_secret(ran.out + ran.err)
        self.assertEqual(ran.out[:1], "{", ran)
        return {f["check"]: f for f in json.loads(ran.out)["findings"]}

    def refused(self, said):
        found = self.validate()
        self.assertEqual([f["status"] for f in found.values()], ["unknown"] * 2, found)
        self.assertIn(said, str(found))

    def test_the_server_of_the_cluster_is_read(self):
        found = self.validate()
        self.assertEqual(found["ipam.leaks"]["status"], "pass", found)
        self.assertIn("nothing to judge", found["ipam.duplicates"]["observed"])  # no address is given out: that proves nothing
        self.assertEqual({path.rsplit("/", 1)[1] for _, path, _ in self.api.log}, {"ippools", "overlappingrangeipreservations", "pods"})

    def test_a_server_that_only_the_system_trusts_hears_nothing(self):
        self.trust(cluster="other.crt", system="ca.crt")
        self.refused("certificate")
        self.assertEqual(self.api.log, [])

    def test_an_empty_authority_is_not_that_of_the_system(self):
        self.trust(cluster="other.crt", system="ca.crt")
        open(f"{self.account}/ca.crt", "w").close()
        self.refused("ca.crt")
        self.assertEqual(self.api.log, [])

    def test_a_redirect_is_not_followed(self):
        os.mkdir(self.path("elsewhere"))
        with ApiServer(self.path("elsewhere"), tls=False) as elsewhere:
            self.api.faults.append(lambda method, path: (302, {"Location": elsewhere.url + path}))
            self.refused("HTTP 302")
            self.assertEqual(elsewhere.log, [])

    def test_a_server_that_hangs_is_given_up(self):
        self.api.faults.append(lambda method, path: "hang")
        self.refused("did not finish within 5.00 s")
