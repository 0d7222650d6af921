"""The Debian package: what it is made of, and that a bare machine can install it, use it, and be rid of it."""
import gzip, os, re, shutil, stat, subprocess, unittest

from shipped import BENCH, BUILD, CUDA, INSIDE, NAME, SOURCE, Case, a_root, output, package

# What changes whenever apt is used, whatever is installed.
OF_APT = re.compile(r"^/(proc|sys|dev|run|var/(lib/apt|lib/dpkg/(status|available|lock|triggers|updates)|cache/(apt|debconf|ldconfig)|log|lib/systemd)|etc/ld\.so\.cache)")


def files_below(root):
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            shown = path[len(root):]
            if not OF_APT.match(shown):
                status = os.lstat(path)
                found[shown] = (stat.S_IFMT(status.st_mode), status.st_size if stat.S_ISREG(status.st_mode) else 0)
    return found


def field(name):
    return output("dpkg-deb", "-f", package(), name).strip()


@unittest.skipUnless(shutil.which("dpkg-deb"), "no Debian: there is no dpkg-deb")
class Package(Case):
    def contents(self):
        self.assertFalse(os.path.exists(self.path("deb")))
        output("dpkg-deb", "-x", package(), self.path("deb"))
        return files_below(self.path("deb"))

    def test_it_holds_what_is_installed_and_nothing_of_the_tests(self):
        inside = self.contents()
        output("cmake", "--install", BUILD, "--prefix", "/usr", env={**os.environ, "DESTDIR": self.path("installed")})
        self.assertEqual(sorted(inside), sorted(files_below(self.path("installed"))))
        for path in ("bin/mlc-bench", "share/man/man1/mlc-bench.1.gz", "share/man/man1/mlc-bench-allreduce.1.gz", "share/mlc-bench/policies/h100-4x200g.yaml",
                     "share/mlc-bench/manifests/base/kustomization.yaml", "share/bash-completion/completions/mlc-bench", "share/zsh/vendor-completions/_mlc-bench",
                     "share/fish/vendor_completions.d/mlc-bench.fish", f"share/doc/{NAME}/copyright", f"share/doc/{NAME}/changelog.gz", f"share/doc/{NAME}/LICENSE", f"share/doc/{NAME}/README.md",
                     *(f"share/doc/{NAME}/docs/{name}" for name in os.listdir(f"{SOURCE}/docs") if name.endswith(".md"))):
            self.assertIn("/usr/" + path, inside)
        self.assertEqual([p for p in inside if re.search(r"test|/lab\b.*\.py|fixture|\.cpp$|\.hpp$", p)], [])
        for folder in ("policies", "manifests", "monitoring"):
            shipped = {p[len(f"/usr/share/mlc-bench/{folder}/"):] for p in inside if p.startswith(f"/usr/share/mlc-bench/{folder}/") and re.search(r"\.(yaml|json)$", p)}
            there = os.path.join(SOURCE, {"policies": "validators/policies", "manifests": "k8s/manifests", "monitoring": "k8s/monitoring"}[folder])
            self.assertEqual(shipped, {p[1:] for p in files_below(there) if re.search(r"\.(yaml|json)$", p)})
        with open(f"{SOURCE}/CHANGELOG.md") as f:
            version, entry = re.search(r"^## (\S+).*\n- (.+)", f.read(), re.M).groups()
        with gzip.open(f"{self.path('deb')}/usr/share/doc/{NAME}/changelog.gz", "rt") as f:
            changes = f.read()
        self.assertTrue(changes.startswith(f"{NAME} ({version}) "), changes[:200])
        self.assertIn(entry, changes)
        doc = f"{self.path('deb')}/usr/share/doc/{NAME}"
        with open(f"{doc}/README.md") as f:
            links = re.findall(r"\]\(([^)#]+)\)", f.read())
        self.assertIn("docs/fabric.md", links)
        self.assertEqual([one for one in links if "://" not in one and not os.path.exists(os.path.join(doc, one))], [])

    def test_without_its_tools_no_package_is_made(self):
        """CPack by itself makes one that depends on nothing, and says so in a line among many."""
        os.mkdir(self.path("bin"))
        for name in os.listdir("/usr/bin"):
            if name != "dpkg-shlibdeps":
                os.symlink(f"/usr/bin/{name}", self.path(f"bin/{name}"))
        done = subprocess.run(["cpack", "--config", f"{BUILD}/CPackConfig.cmake", "-B", self.path("made")], capture_output=True, text=True,
                              env={"PATH": self.path("bin")})
        self.assertNotEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("apt install dpkg-dev file", " ".join((done.stdout + done.stderr).split()))
        self.assertFalse([f for f in files_below(self.path("made")) if f.endswith(".deb")])

    def test_the_program_is_stripped_and_its_debugging_information_kept(self):
        self.contents()
        output("dpkg-deb", "-x", package("ddeb"), self.path("debug"))
        program = self.path("deb/usr/bin/mlc-bench")
        build_id = re.search(r"Build ID: (\w+)", output("readelf", "-n", program)).group(1)
        debug = f"{self.path('debug')}/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
        self.assertNotIn(".debug_info", output("readelf", "-SW", program))
        self.assertIn(".debug_info", output("readelf", "-SW", debug))
        built = f"{BUILD}/mlc-bench"
        print(f"\n{os.path.getsize(built) / 1e6:.1f} MB built, {os.path.getsize(program) / 1e6:.1f} MB stripped, package {os.path.getsize(package()) / 1e6:.1f} MB, "
              f"-dbgsym {os.path.getsize(package('ddeb')) / 1e6:.1f} MB")
        self.assertLess(os.path.getsize(program), os.path.getsize(built) / 4)

    def test_it_depends_on_every_library_that_it_links(self):
        depends, recommends = field("Depends"), field("Recommends")
        for line in output("objdump", "-p", BENCH).splitlines():
            if "NEEDED" not in line:
                continue
            library = line.split()[1]
            path = next(l.split()[2] for l in output("ldd", BENCH).splitlines() if l.split()[0] == library) if not library.startswith("ld-linux") else None
            if path:
                owners = {l.split(":")[0] for p in (path, os.path.realpath(path), "/usr" + path) for l in
                          subprocess.run(["dpkg-query", "-S", p], capture_output=True, text=True).stdout.splitlines()}
                self.assertTrue(owners & set(re.findall(r"[a-z0-9.+-]+", depends)), f"{library} of {owners}: {depends}")
        if os.environ.get("MLC_HAS_MPI") == "1":
            self.assertIn("openmpi-bin", recommends)
        self.assertIn("libibverbs1", recommends)
        self.assertEqual(field("Package"), NAME)
        self.assertEqual(field("Version"), re.search(r"mlc-bench (\S+)", output(BENCH, "--version")).group(1))
        self.assertEqual(field("Conflicts"), "mlc-bench" if CUDA else "")

    @unittest.skipUnless(shutil.which("lintian"), "there is no lintian")
    def test_lintian_finds_no_error(self):
        done = subprocess.run(["lintian", "--fail-on", "error", "--no-tag-display-limit", "--allow-root", package()], capture_output=True, text=True)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_bare_machine_installs_uses_and_removes_it(self):
        root = a_root(self, os.path.join(SOURCE, "tests", "fresh", "bare_debian"))

        def inside(*words, codes=(0,), **more):
            done = subprocess.run([INSIDE, root, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
            self.assertIn(done.returncode, codes, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
            return done.stdout
        apt = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y")
        inside("apt-get", "update")
        # What it depends on stays when it goes; so that comes first.
        inside(*apt, "satisfy", "--no-install-recommends", ", ".join(f for f in (field("Depends"), field("Recommends")) if f))
        before = files_below(root)
        shutil.copy(package(), f"{root}/mlc-bench.deb")
        inside(*apt, "install", "--no-install-recommends", "/mlc-bench.deb")
        os.unlink(f"{root}/mlc-bench.deb")
        self.assertGreater(len(files_below(root)), len(before))

        self.assertIn(field("Version"), inside("mlc-bench", "--version"))
        self.assertIn("allreduce", inside("mlc-bench", "list", "collectives"))
        self.assertIn("available", inside("mlc-bench", "list", "backends"))
        self.assertIn("checks, policy h100-4x200g", inside("mlc-bench", "validate", "--policy", "h100-4x200g", codes=(1,)))
        self.assertIn("checks, policy", inside("mlc-bench", "validate", "--policy", "/usr/share/mlc-bench/policies/local.yaml", codes=(0, 2)))
        for ranks in ((), ("--launcher", "processes")):  # over mpirun, which is recommended, and without
            self.assertIn("PASS", inside("mlc-bench", "allreduce", "--ranks", "2", "--sizes", "4K", "-n", "5", *ranks))
        self.assertIn("3 agents of one machine", inside("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3", "mlc-bench", "fleet", "--test-time", "200ms", codes=(0, 1, 2)))
        self.assertIn("accused", inside("mlc-bench", "fleet", "--simulate", "--nodes", "16", "--trials", "2"))
        offered = inside("bash", "-c", "source /usr/share/bash-completion/completions/mlc-bench; COMP_WORDS=(mlc-bench allr) COMP_CWORD=1; _mlc_bench; "
                         "echo ${COMPREPLY[*]}")
        self.assertEqual(offered, "allreduce\n")
        with gzip.open(f"{root}/usr/share/man/man1/mlc-bench-allreduce.1.gz", "rt") as f:
            self.assertIn("\\-\\-minbytes", f.read())

        inside(*apt, "purge", NAME)
        changed = set(files_below(root).items()) ^ set(before.items())
        self.assertEqual(sorted(path for path, _ in changed), [])


if __name__ == "__main__":
    unittest.main()
