"""The four-rail lab: virtual nodes with SR-IOV rails and soft RoCE, a router between them, nothing of it outside.

Every machine is a QEMU process that runs the host's own file system (read-only over 9p, a tmpfs above it). Rails and the
management network are pairs of unix datagram sockets between a node and the router; commands go over ssh on a virtio
port. No privileges are needed, and no address, bridge or namespace of the host is touched."""
import glob, json, lzma, os, re, shlex, shutil, signal, socket, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
RAILS = 4
ROUTER = "router"
QEMU = "qemu-system-x86_64"
os.environ["PATH"] += ":/usr/sbin:/sbin"  # ip, modprobe and sshd, which an ordinary account does not have in its path
BOOT_MODULES = ["virtio_pci", "9p", "9pnet_virtio", "overlay"]
MODULES = BOOT_MODULES + ["virtio_net", "virtio_console", "igb", "igbvf", "rdma_rxe", "ib_uverbs", "rdma_ucm", "nvme", "bridge",
                          "sch_netem", "sch_tbf", "sch_prio", "cls_u32"]


# The time-outs here end what hangs, and are reckoned for a machine that does nothing else; one with other work may take its time.
PATIENCE = 4


class LabError(Exception):
    """The lab itself does not work; nothing is said about what it tests."""


class Kernel:
    def __init__(self, root, release):
        self.root, self.release = root, release
        self.image = os.path.join(root, "boot", f"vmlinuz-{release}")
        self.modules = os.path.join(root, "lib/modules", release)

    def files_of(self, module):
        """The files to load for a module, in order; empty where it is built in."""
        done = subprocess.run(["modprobe", "-d", self.root, "-S", self.release, "--show-depends", module], capture_output=True, text=True)
        if done.returncode != 0:
            raise LabError(f"kernel {self.release} has no module {module}")
        return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("insmod")]


def find_kernel():
    """The newest kernel with all the modules: of the one that cmake/setup.sh unpacked, or of this machine."""
    why = "there is no kernel image that can be read in /boot"
    for root in (os.path.join(SOURCE, ".lab-kernel"), "/"):
        images = glob.glob(os.path.join(root, "boot/vmlinuz-*"))
        for image in sorted(images, key=lambda path: [int(n) for n in re.findall(r"\d+", path)], reverse=True):
            kernel = Kernel(root, os.path.basename(image)[len("vmlinuz-"):])
            if not os.access(image, os.R_OK):
                continue
            try:
                for module in MODULES:
                    kernel.files_of(module)
                return kernel
            except LabError as error:
                why = str(error)
    raise LabError(why + "; a Debian kernel package (linux-image-amd64) has all that is needed")


def why_not():
    """Why the lab cannot run on this machine, or None."""
    if os.uname().machine != "x86_64":
        return f"the lab's machines are x86-64, this one is {os.uname().machine}"
    for program, package in ((QEMU, "qemu-system-x86"), ("busybox", "busybox-static"), ("modprobe", "kmod"), ("sshd", "openssh-server"),
                             ("ssh", "openssh-client"), ("ssh-keygen", "openssh-client"), ("ip", "iproute2"), ("tc", "iproute2"),
                             ("rdma", "iproute2"), ("setpriv", "util-linux")):
        if not shutil.which(program):
            return f"there is no {program} (package {package})"
    # Not "-device igb,help", from which a QEMU that has none exits 0 too.
    if b'name "igb"' not in subprocess.run([QEMU, "-device", "help"], capture_output=True).stdout:
        version = subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
        return f"{version} has no SR-IOV NIC (igb); QEMU 8 or newer has"
    if subprocess.run(["ldd", shutil.which("busybox")], capture_output=True).returncode == 0:
        return "busybox is not static (package busybox-static)"
    try:
        find_kernel()
    except LabError as error:
        return str(error)
    return None


def built_program():
    """The newest build of this tree."""
    found = [os.path.join(SOURCE, d, "mlc-bench") for d in os.listdir(SOURCE) if d.startswith("build")]
    found = [path for path in found if os.access(path, os.X_OK)]
    if not found:
        raise LabError("mlc-bench is not built yet: run ./quickstart or ./runtests first")
    return max(found, key=os.path.getmtime)


class Done:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __str__(self):
        return f"exit {self.code} after {self.seconds:.1f} s\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def make_initrd(kernel, path):
    with tempfile.TemporaryDirectory(prefix="mlc-lab-initrd-") as tree:
        for directory in ("bin", "dev", "proc", "sys", "ro", "rw", "root", "modules"):
            os.mkdir(os.path.join(tree, directory))
        shutil.copy(shutil.which("busybox"), os.path.join(tree, "bin/busybox"))
        shutil.copy(os.path.join(HERE, "guest/init"), os.path.join(tree, "init"))
        order = []
        for module in BOOT_MODULES:
            for file in kernel.files_of(module):
                name = os.path.basename(file).split(".ko")[0] + ".ko"
                if name in order:
                    continue
                order.append(name)
                with open(os.path.join(tree, "modules", name), "wb") as out:
                    if file.endswith(".xz"):
                        out.write(lzma.open(file).read())
                    elif file.endswith(".zst"):
                        out.write(subprocess.run(["zstd", "-dcq", file], capture_output=True, check=True).stdout)
                    else:
                        with open(file, "rb") as plain:
                            out.write(plain.read())
        with open(os.path.join(tree, "modules/order"), "w") as out:
            out.write("".join(name + "\n" for name in order))
        with open(path, "wb") as out:
            subprocess.run("find . | busybox cpio -o -H newc 2>/dev/null | gzip -1", shell=True, check=True, cwd=tree, stdout=out)


class Machines:
    """Commands on the machines of a running lab, by its directory: the lab that this process started, or another's."""

    def __init__(self, directory):
        self.directory = directory
        with open(os.path.join(directory, "settings")) as f:
            settings = dict(line.split("=", 1) for line in f.read().splitlines())
        self.nodes = [f"node{i}" for i in range(int(settings["nodes"]))]
        self.bench = shlex.split(settings["bench"])[0]

    def ssh(self, machine, *more):
        return ["ssh", "-F", self.file("ssh_config"), *more, machine]

    def file(self, name):
        return os.path.join(self.directory, name)

    def start(self, machine, command, timeout=60):
        """A process here whose output and exit code are those of a shell command there, which ends within the timeout."""
        return subprocess.Popen(self.ssh(machine) + ["--", f"timeout -k 2 {timeout * PATIENCE} bash -c {shlex.quote(command)}"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, machine, command, process, timeout, began=None):
        began = began or time.monotonic()
        try:
            out, err = process.communicate(timeout=timeout * PATIENCE + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise LabError(f"{machine} does not answer: {command}") from None
        done = Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), time.monotonic() - began)
        if done.code == 255:
            raise LabError(f"no connection to {machine} for: {command}\n{done}")
        return done

    def run(self, machine, command, timeout=60, check=True):
        began = time.monotonic()
        done = self.finish(machine, command, self.start(machine, command, timeout), timeout, began)
        if check and done.code != 0:
            raise LabError(f"on {machine}: {command}\n{done}")
        return done

    def on_all(self, command, machines=None, timeout=60, check=True):
        """The same command at once on all nodes (or the machines named)."""
        began = time.monotonic()
        processes = [(m, self.start(m, command, timeout)) for m in machines or self.nodes]
        results = {m: self.finish(m, command, p, timeout, began) for m, p in processes}
        for machine, done in results.items():
            if check and done.code != 0:
                raise LabError(f"on {machine}: {command}\n{done}")
        return results

    def put(self, machine, path, text):
        subprocess.run(self.ssh(machine) + ["--", f"cat >{shlex.quote(path)}"], input=text.encode(), check=True, timeout=30)

    def monitor(self, machine, execute, **arguments):
        """One command to the machine's QEMU."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(self.file(f"{machine}.qmp"))
            stream = connection.makefile("rw")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = {}
                while "return" not in answer and "error" not in answer:
                    line = stream.readline()
                    if not line:
                        return {}
                    answer = json.loads(line)
            if "error" in answer:
                raise LabError(f"{execute} on {machine}: {answer['error']['desc']}")
            return answer["return"]

    def cable(self, node, rail, plugged):
        """The cable between a node's NIC and the switch: out at both ends."""
        self.monitor(node, "set_link", name=f"rail{rail}", up=plugged)
        self.monitor(ROUTER, "set_link", name=f"{node}-rail{rail}", up=plugged)

    def mend_rails(self, node, *rails):
        """Makes rails healthy again, whatever was done to them on the node itself."""
        self.run(node, f"{self.directory}/guest/rails {' '.join(map(str, rails or range(RAILS)))}")

    def power_off(self, node):
        """As by pulling the plug: nothing is said to anybody."""
        with open(self.file(f"{node}.pid")) as f:
            os.kill(int(f.read()), signal.SIGKILL)


class Lab(Machines):
    """A lab of this process's own: with Lab(nodes=2) as lab. It ends with the process, however that ends."""

    def __init__(self, bench, nodes=2, kvm=False, log=lambda line: None):
        if not 2 <= nodes <= 4:
            raise LabError("a lab has 2 to 4 nodes")
        reason = why_not()
        if reason:
            raise LabError(reason)
        self.log, self.kvm, self.machines = log, kvm, {}
        self.kernel = find_kernel()
        # In /tmp whatever TMPDIR says: the path of a unix socket has 107 characters.
        self.directory = tempfile.mkdtemp(prefix="mlc-lab-", dir="/tmp")
        self.reaper = self.start_reaper()
        try:
            with open(self.file("settings"), "w") as f:
                f.write(f"release={self.kernel.release}\nmodules={shlex.quote(self.kernel.modules)}\n"
                        f"bench={shlex.quote(os.path.abspath(bench))}\nnodes={nodes}\n")
            super().__init__(self.directory)
            self.prepare()
        except BaseException:
            self.close()
            raise

    def start_reaper(self):
        """Outlives this process by a moment, ends the machines and removes the directory, also after kill -9."""
        script = 'read -r _; for f in "$1"/*.pid; do [ -e "$f" ] && kill -9 "$(cat "$f")"; done 2>/dev/null; rm -rf "$1"'
        return subprocess.Popen(["sh", "-c", script, "reaper", self.directory], stdin=subprocess.PIPE, start_new_session=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def prepare(self):
        # The sshds say something every second: now and then the virtio port forgets to tell that there is something to
        # read, until more comes.
        shutil.copytree(os.path.join(HERE, "guest"), self.file("guest"))
        make_initrd(self.kernel, self.file("initrd"))
        for key in ("key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", self.file(key)], check=True)
        with open(self.file("sshd_config"), "w") as f:
            f.write(f"""HostKey {self.file("host_key")}
AuthorizedKeysFile {self.file("key.pub")}
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
UsePAM no
UseDNS no
PidFile none
MaxSessions 100
LoginGraceTime 0
ClientAliveInterval 1
ClientAliveCountMax 120
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
""")
        with open(self.file("ssh_config"), "w") as f:
            f.write(f"""Host *
  ProxyCommand {shlex.quote(sys.executable)} {shlex.quote(os.path.join(HERE, "virtio_port.py"))} {self.directory}/%n.ssh
  ProxyUseFdpass yes
  ControlMaster auto
  ControlPersist yes
  ControlPath {self.directory}/%n.mux
  IdentityFile {self.file("key")}
  IdentitiesOnly yes
  ServerAliveInterval 1
  ServerAliveCountMax 120
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  User root
  LogLevel ERROR
""")

    def link(self, near, far, name):
        """-netdev of one end of a cable; the ends are named after the machines."""
        return ["-netdev", f"dgram,id={name},local.type=unix,local.path={self.file(near)},remote.type=unix,remote.path={self.file(far)}"]

    def command(self, machine):
        common = [
            QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-M", "q35",
            "-accel", "kvm" if self.kvm else "tcg", "-cpu", "max", "-smp", "1", "-name", f"lab-{machine}",
            "-pidfile", self.file(f"{machine}.pid"), "-serial", f"file:{self.file(machine + '.console')}",
            "-qmp", f"unix:{self.file(machine + '.qmp')},server=on,wait=off",
            "-kernel", self.kernel.image, "-initrd", self.file("initrd"),
            "-append", f"console=ttyS0 quiet panic=-1 lab={self.directory} name={machine}",
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=hostroot",
            "-object", "rng-random,filename=/dev/urandom,id=random", "-device", "virtio-rng-pci,rng=random",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=ssh,path={self.file(machine + '.ssh')},server=on,wait=off",
            "-device", "virtserialport,chardev=ssh,name=lab",
        ]
        more = []
        if machine == ROUTER:
            more += ["-m", "512"]
            for n, node in enumerate(self.nodes):
                for rail in [*range(RAILS), 9]:
                    name = f"{node}-mgmt" if rail == 9 else f"{node}-rail{rail}"
                    more += self.link(name + ".switch", name + ".nic", name)
                    more += ["-device", f"virtio-net-pci,netdev={name},mac=52:54:00:02:{n:02}:{rail:02},host_mtu=9000,romfile="]
        else:
            n = self.nodes.index(machine)
            more += ["-m", "1024"]
            more += self.link(f"{machine}-mgmt.nic", f"{machine}-mgmt.switch", "mgmt")
            more += ["-device", f"virtio-net-pci,netdev=mgmt,mac=52:54:00:01:{n:02}:09,romfile="]
            for rail in range(RAILS):
                more += self.link(f"{machine}-rail{rail}.nic", f"{machine}-rail{rail}.switch", f"rail{rail}")
                more += ["-device", f"pcie-root-port,id=port{rail},slot={rail + 1},chassis={rail + 1}",
                         "-device", f"igb,bus=port{rail},netdev=rail{rail},mac=52:54:00:01:{n:02}:{rail:02}"]
                disk = self.file(f"{machine}-disk{rail}")
                with open(disk, "wb") as f:
                    f.truncate(1 << 30)
                more += ["-drive", f"file={disk},format=raw,if=none,id=disk{rail}",
                         "-device", f"nvme,drive=disk{rail},serial={machine}-disk{rail}"]
        return common + more

    def power_on(self, machine):
        for old in glob.glob(self.file(f"{machine}.*")):
            if old.endswith((".mux", ".qmp", ".ssh", ".pid")):
                os.unlink(old)
        with open(self.file(f"{machine}.log"), "wb") as log:
            # The signal is for the moment before QEMU has written its pid file for the reaper.
            self.machines[machine] = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.command(machine)], stdin=subprocess.DEVNULL,
                                                      stdout=log, stderr=log, start_new_session=True)

    def last_words(self, machine):
        words = ""
        for kind in ("log", "console"):
            try:
                with open(self.file(f"{machine}.{kind}"), errors="replace") as f:
                    words += "".join(f.readlines()[-15:])
            except OSError:
                pass
        return words.strip()

    def spent(self, machine):
        """Seconds of processor time that the machine has had."""
        try:
            with open(f"/proc/{self.machines[machine].pid}/stat") as f:
                user, system = f.read().rsplit(")", 1)[1].split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        except OSError:
            return 0

    def wait(self, machine, seconds):
        """Until the machine answers on its virtio port: for so many seconds of its processor, since a busy host gives few of them."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            if self.machines[machine].poll() is not None:
                raise LabError(f"{machine} stopped while it booted:\n{self.last_words(machine)}")
            if self.spent(machine) > seconds or time.monotonic() > deadline:
                raise LabError(f"{machine} does not come up:\n{self.last_words(machine)}")
            if os.path.exists(self.file(f"{machine}.ssh")):
                try:
                    done = subprocess.run(self.ssh(machine) + ["--", "cat", "/run/rails.log"] if machine != ROUTER else self.ssh(machine) + ["true"],
                                          capture_output=True, text=True, timeout=max(1, deadline - time.monotonic()), stdin=subprocess.DEVNULL)
                except subprocess.TimeoutExpired:
                    continue
                if done.returncode == 0:
                    if done.stdout.strip():
                        raise LabError(f"{machine}'s rails did not come up: {done.stdout}")
                    return
            time.sleep(0.2)

    def boot(self, timeout=180):
        began = time.monotonic()
        self.log(f"booting {len(self.nodes)} nodes and a router in {self.directory}")
        for machine in [ROUTER, *self.nodes]:
            self.power_on(machine)
        for machine in [ROUTER, *self.nodes]:
            self.wait(machine, timeout)
        self.log(f"{len(self.nodes)} nodes and the router are up after {time.monotonic() - began:.0f} s")

    def close(self):
        for process in self.machines.values():
            process.kill()
        for process in self.machines.values():
            process.wait()
        self.reaper.stdin.close()
        self.reaper.wait()

    def __enter__(self):
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()
