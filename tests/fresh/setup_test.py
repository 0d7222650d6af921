"""cmake/setup.sh with stand-ins for apt, dpkg, QEMU and sudo: what it installs where, and what it never does."""
import os, shutil, subprocess, tempfile, unittest

SOURCE = os.environ.get("MLC_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What is installed is in installed/, one file a package, its content the version; each apt-get leaves its arguments in called.
STUBS = {
    "dpkg-query": '''for package; do :; done
[ -e "$MACHINE/installed/$package" ] && printf installed''',
    "apt-get": '''printf '%s\\n' "$*" >>"$MACHINE/called"
release=
while [ $# -gt 0 ]; do
  case $1 in
    -t) release=$2; shift ;;
    -o) shift ;;
    install) install=yes ;;
    -*) ;;
    *) [ -z "${install:-}" ] || { echo "${release:-bookworm}" >"$MACHINE/installed/$1"; sleep "${SLOW:-0}"; } ;;
  esac
  shift
done''',
    "qemu-system-x86_64": '''[ -e "$MACHINE/installed/qemu-system-x86" ] || exit 127
new=; [ "$(cat "$MACHINE/installed/qemu-system-x86")" = bookworm-backports ] && new=yes
case "$*" in
  "-device help") echo 'name "e1000e", bus PCI'; [ -z "$new" ] || echo 'name "igb", bus PCI' ;;
  "-device igb,help") [ -n "$new" ] || echo "igb is not a valid device model name" >&2 ;;
  --version) echo "QEMU emulator version $([ -n "$new" ] && echo 10.0 || echo 7.2.0)" ;;
esac
exit 0''',
    "apt-cache": '''case $1 in policy) echo "release n=bookworm-backports" ;; esac''',
    "sudo": '''echo "$*" >>"$MACHINE/sudo"; exec "$@"''',
    "id": 'echo "${MACHINE_USER:-0}"',
    "uname": "echo x86_64",
    "sed": '''case "$*" in *VERSION_CODENAME*) echo bookworm ;; *) exec /bin/sed "$@" ;; esac''',
    "flock": 'shift; exec "$@"',
    "systemctl": 'exit 1',
}


class Setup(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="mlc setup ")  # a path with spaces, always
        self.addCleanup(self.directory.cleanup)
        self.machine = self.directory.name
        self.tree = os.path.join(self.machine, "a clone")
        for name in ("bin", "installed", "a clone/tests/lab"):
            os.makedirs(os.path.join(self.machine, name))
        for name, text in STUBS.items():
            self.program("bin", name, text)

    def program(self, folder, name, text):
        path = os.path.join(self.machine, folder, name)
        with open(path, "w") as f:
            f.write("#!/bin/bash\n" + text + "\n")
        os.chmod(path, 0o755)

    def has(self, package, release="bookworm"):
        with open(os.path.join(self.machine, "installed", package), "w") as f:
            f.write(release)

    def read(self, *name):
        try:
            with open(os.path.join(self.machine, *name)) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def start(self, script, **environment):
        words = ["bash", "-c", f'set -euo pipefail; source "{SOURCE}/cmake/setup.sh"; {script}']
        return subprocess.Popen(words, cwd=self.tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
                                env={**os.environ, "MACHINE": self.machine, "PATH": os.path.join(self.machine, "bin") + ":" + os.environ["PATH"], **environment})

    def go(self, script, **environment):
        process = self.start(script, **environment)
        out = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 0, out)
        return out

    def test_what_is_there_is_not_asked_for(self):
        self.has("one")
        self.go("need_packages one")
        self.assertEqual(self.read("called"), "")
        self.go("need_packages one two")
        self.assertRegex(self.read("called"), r"install .* two\n$")
        self.assertNotIn("one", self.read("called"))

    def test_a_package_of_another_release_is_asked_for_though_one_is_there(self):
        self.has("qemu-system-x86")
        self.go("need_packages -t bookworm-backports qemu-system-x86")
        self.assertIn("-t bookworm-backports qemu-system-x86", self.read("called"))

    def test_the_lab_gets_a_newer_qemu_where_an_old_one_is(self):
        """Debian's 7.2 exits 0 from -device igb,help: that it has no such device is only in its list."""
        shutil.copytree(os.path.join(SOURCE, "tests/lab"), os.path.join(self.tree, "tests/lab"), dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.has("qemu-system-x86")
        for name in ("busybox", "modprobe", "sshd", "ssh", "ssh-keygen", "ip", "tc", "rdma", "setpriv", "ib_write_bw", "depmod"):
            self.program("bin", name, "exit 0")
        self.assertIn("QEMU emulator version 7.2.0 has no SR-IOV NIC", self.go("tests/lab/up --why-not || true"))
        said = self.go("need_lab")
        self.assertEqual(self.read("installed", "qemu-system-x86").strip(), "bookworm-backports", said)
        self.assertNotIn("SR-IOV", self.go("tests/lab/up --why-not || true"))

    def test_an_account_without_root_asks_sudo_and_leaves_nothing_outside_its_tree(self):
        self.go("need_packages two", MACHINE_USER="1000")
        self.assertIn("apt-get", self.read("sudo"))
        self.assertEqual(sorted(os.listdir(self.tree)), ["build.apt.log", "tests"])

    def test_logs_are_in_the_tree(self):
        with open(os.path.join(SOURCE, "cmake/setup.sh")) as f:
            self.assertFalse("/tmp/" in f.read(), "two clones and two accounts have one /tmp")

    def test_one_apt_at_a_time(self):
        os.unlink(os.path.join(self.machine, "bin", "flock"))
        self.program("bin", "apt-get", 'mkdir "$MACHINE/busy" || exit 1; sleep 1; rmdir "$MACHINE/busy"')
        processes = [self.start(f"need_packages {name}") for name in ("one", "two", "three")]
        for process in processes:
            out = process.communicate(timeout=60)[0]
            self.assertEqual(process.returncode, 0, out)

    def test_backports_come_from_where_the_release_does(self):
        for name, text, expected in (
                ("a.list", "deb [signed-by=/k] http://m/debian bookworm main\n", "deb [signed-by=/k] http://m/debian bookworm-backports main"),
                ("b.sources", "Types: deb\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main\n",
                 "Types: deb\nURIs: http://m/debian\nSuites: bookworm-backports\nComponents: main")):
            with open(os.path.join(self.machine, name), "w") as f:
                f.write(text)
            self.assertEqual(self.go(f'backports_source bookworm "$MACHINE/{name}"').strip(), expected)


if __name__ == "__main__":
    unittest.main()
