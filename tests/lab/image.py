"""A root file system with the files that k8s/image installs, put together from the Debian packages of this machine.

The image itself takes minutes to build (tests/package does that); this takes seconds, and has the same packages with what they
depend on, the same accounts and the same ssh, and nothing else: a container in it does not find what only the machine has."""
import os, re, shutil, subprocess

from lab import SOURCE, LabError

STATUS = "/var/lib/dpkg/status"
LEFT_OUT = re.compile(r"/usr/share/(doc|doc-base|info|lintian|linda|locale|man)/")


def packages(status):
    """The installed packages of dpkg's status file: name -> fields."""
    found = {}
    for stanza in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][A-Za-z-]*): (.*)$", stanza, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields
    return found


def closure(installed, wanted):
    """The packages wanted, what is essential, and all that these depend on; the first installed of alternatives."""
    provides = {}
    for name, fields in installed.items():
        for virtual in fields.get("Provides", "").split(","):
            provides.setdefault(virtual.split("(")[0].strip(), name)
    names, left = set(), [*wanted, *(n for n, f in installed.items() if f.get("Essential") == "yes")]
    while left:
        name = left.pop()
        if name in names:
            continue
        if name not in installed:
            raise LabError(f"the image's package {name} is not installed here: run ./runtests, or apt-get install {name}")
        names.add(name)
        for clause in ",".join(installed[name].get(key, "") for key in ("Pre-Depends", "Depends")).split(","):
            choices = [re.split(r"[ (:]", choice.strip())[0] for choice in clause.split("|") if choice.strip()]
            met = next((provides.get(c, c) if c not in installed else c for c in choices if c in installed or c in provides), None)
            if met:
                left.append(met)
    return sorted(names)


def files_of(package, architecture):
    for name in (package, f"{package}:{architecture}"):
        try:
            with open(f"/var/lib/dpkg/info/{name}.list") as f:
                return f.read().splitlines()
        except OSError:
            continue
    raise LabError(f"dpkg does not know the files of {package}")


def owners_of_libraries(program):
    """The packages of the libraries that a program is linked with: what the Debian package of it would depend on."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    paths = {os.path.realpath(path) for path in re.findall(r"=> (/\S+)", said)}
    asked = subprocess.run(["dpkg-query", "-S", *paths], capture_output=True, text=True).stdout
    return {line.split(":")[0] for line in asked.splitlines()}


def copy_alternatives(root):
    """/usr/bin/mpirun and the like, which belong to no package."""
    shutil.copytree("/etc/alternatives", f"{root}/etc/alternatives", symlinks=True, dirs_exist_ok=True)
    for name in os.listdir("/var/lib/dpkg/alternatives"):
        with open(f"/var/lib/dpkg/alternatives/{name}", errors="replace") as f:
            link = f.read().split("\n")[1]
        at = os.path.join(root, os.path.realpath(os.path.dirname(link)).lstrip("/"), os.path.basename(link))
        if os.path.islink(link) and os.path.isdir(os.path.dirname(at)) and not os.path.lexists(at):
            os.symlink(os.readlink(link), at)


def make_image(root, program):
    """The root in a directory that is not there yet; `program` is the mlc-bench of it."""
    with open(STATUS) as f:
        installed = packages(f.read())
    with open(os.path.join(SOURCE, "k8s/image/packages")) as f:
        wanted = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    names = closure(installed, [*wanted, *owners_of_libraries(program)])
    paths = set()
    for name in names:
        for path in files_of(name, installed[name]["Architecture"]):
            if path != "/." and not LEFT_OUT.match(path):
                # As it lies here, where /lib may be a link into /usr.
                paths.add(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
    os.mkdir(root)
    there = "".join(path.lstrip("/") + "\n" for path in sorted(paths) if os.path.lexists(path) and os.access(path, os.R_OK, follow_symlinks=False))
    pack = subprocess.Popen(["tar", "-C", "/", "--no-recursion", "-T", "-", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    unpack = subprocess.Popen(["tar", "-C", root, "-x"], stdin=pack.stdout)
    pack.stdout.close()
    pack.stdin.write(there.encode())
    pack.stdin.close()
    if pack.wait() != 0 or unpack.wait() != 0:
        raise LabError(f"the files of the image could not be copied to {root}")
    for link in ("bin", "lib", "lib64", "sbin"):
        if os.path.islink(f"/{link}") and not os.path.lexists(f"{root}/{link}"):
            os.symlink(os.readlink(f"/{link}"), f"{root}/{link}")
    for account in ("passwd", "group"):
        shutil.copy(f"/usr/share/base-passwd/{account}.master", f"{root}/etc/{account}")
    with open(f"{root}/etc/passwd", "a") as f:
        f.write("sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n")  # as the package makes it
    shutil.copy(f"{root}/usr/share/libc-bin/nsswitch.conf", f"{root}/etc/nsswitch.conf")
    copy_alternatives(root)
    shutil.copy("/etc/ld.so.cache", f"{root}/etc/ld.so.cache")
    if os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        os.makedirs(f"{root}/etc/ssl/certs", exist_ok=True)
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", f"{root}/etc/ssl/certs/")
    for directory in ("proc", "sys", "dev", "run/sshd", "tmp", "var/lib/mlc-bench", "etc/mlc-bench", "etc/podinfo"):
        os.makedirs(f"{root}/{directory}", exist_ok=True)
    for file in ("etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        open(f"{root}/{file}", "w").close()
    subprocess.run(["strip", "-o", f"{root}/usr/bin/mlc-bench", program], check=True)
    subprocess.run([os.path.join(SOURCE, "k8s/image/configure"), root], check=True)
    return names
