"""What the kubelet and the runtime make of a Pod, as far as a process on this machine can have it: the command as it is written, its
variables, its volumes at their places in a root that is read-only where the Pod says so, its user, its capabilities and no way to
more, the token of its account, processes of its own that end with the first, and with a PodNetwork a network of its own. Accounts and
ssh are as the image has them. It is not a container: the devices are this machine's, and limits of memory and CPU are not set."""
import atexit, functools, os, re, shlex, shutil, subprocess, tempfile, time

from cluster import BENCH, SOURCE, clean_environment
from program import Result

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
POSSIBLE = os.geteuid() == 0 and shutil.which("setpriv") and \
    subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True).returncode == 0

# $0 is the new root, $1 a script of mounts. What is not mounted over is this machine's, seen through links and binds, so that
# nothing is made in it.
ENTER = r"""
set -e
mount -t tmpfs -o mode=755 none "$0"
for entry in /*; do
  name=${entry#/}
  case "$name" in
    etc|var|tmp|run|mnt|root|home) mkdir "$0/$name" ;;
    proc) mkdir "$0/proc"; mount -t proc proc "$0/proc" ;;
    *) if [ -L "$entry" ]; then cp -a "$entry" "$0/$name"
       elif [ -d "$entry" ]; then mkdir "$0/$name"; mount --rbind "$entry" "$0/$name"
         case "$name" in sys|dev) ;; *) mount -o remount,bind,ro "$0/$name" ;; esac
       fi ;;
  esac
done
mkdir "$0/.etc"; mount --bind /etc "$0/.etc"; mount -o remount,bind,ro "$0/.etc"
for entry in /etc/* ; do name=${entry#/etc/}; ln -s "/.etc/$name" "$0/etc/$name"; done
chmod 1777 "$0/tmp"
mkdir "$0/var/lib" "$0/image" "$0/run/sshd"
cp -a "$2/root/." "$0/root/"; cp -a "$2/home/." "$0/home/"
rm -f "$0/etc/ssh" "$0/etc/passwd" "$0/etc/group" "$0/etc/hosts"
mkdir "$0/etc/ssh"
for entry in /etc/ssh/*; do [ ! -e "$entry" ] || ln -s "/.etc/ssh/${entry##*/}" "$0/etc/ssh/${entry##*/}"; done
rm -f "$0/etc/ssh/ssh_config.d"
cp -a "$2/etc/." "$0/etc/"
. "$1"
if [ "$3" = ro ]; then mount -o remount,ro "$0"; fi
shift 3
exec chroot "$0" "$@"
"""


@functools.cache
def image():
    """What k8s/image/configure makes, beside this machine's accounts: homes, ssh."""
    root = tempfile.mkdtemp(prefix="mlc-image-")
    atexit.register(shutil.rmtree, root)
    os.mkdir(f"{root}/etc")
    for file in ("passwd", "group"):
        with open(f"/etc/{file}") as f, open(f"{root}/etc/{file}", "w") as copy:
            copy.writelines(line for line in f if line.split(":")[2] != "1000")  # which is mpiuser's there
    subprocess.run([f"{SOURCE}/k8s/image/configure", root], check=True)
    with open(f"{root}/etc/hosts", "w") as f:
        f.write("127.0.0.1 localhost\n")
    return root


class Container(subprocess.Popen):
    """Its first process is number 1 there, which a signal that it does not handle does not end; all others end with it."""

    def send_signal(self, number):
        if self.poll() is not None:
            return
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
                os.kill(int(f.read()), number)
        except (OSError, ValueError):  # not begun yet, or over
            super().send_signal(number)


class Pod:
    """A Pod of `template` (a PodTemplateSpec) on `node`. `objects` has what it mounts; `api` is the cluster.
    identity: {"boot": .., "machine": ..} of its node, where that is not this machine's. network: a PodNetwork. index: of an Indexed
    Job. secrets: {name: {file: text}}. played: a folder that it sees as /image/played. preload: more variables of its command."""

    def __init__(self, template, objects, api, node, directory, labels=None, token=None, name=None, identity=None, network=None, index=None,
                 secrets=None, played=None, preload=None):
        self.spec, self.objects, self.api = template["spec"], objects, api
        self.node, self.directory, self.name = node, directory, name or "pod-" + node
        self.metadata = template.get("metadata", {})
        # The Job's controller adds its own.
        self.labels = {**self.metadata.get("labels", {}), "batch.kubernetes.io/controller-uid": f"uid-of-the-job-of-{name}", **(labels or {})}
        self.annotations = dict(self.metadata.get("annotations", {}))
        self.token = token or api.path("token")
        self.host = os.path.join(directory, "host")  # hostPath volumes: the node's disk
        self.identity, self.network, self.index, self.secrets = identity, network, index, secrets or {}
        self.played, self.preload = played, preload
        if index is not None:
            self.annotations["batch.kubernetes.io/job-completion-index"] = str(index)
        own = network and not self.spec.get("hostNetwork")
        # Before any of a group begins, so that all know where the others are.
        self.holder = network.pod(self.name) if own else network.nodes if network else None

    def field(self, path, given):
        """A fieldRef, as the downward API has it."""
        if path == "spec.nodeName":
            return self.node
        match = re.fullmatch(r"metadata\.(labels|annotations)\['(.*)'\]", path)
        if match:
            return (self.labels if match[1] == "labels" else {**self.annotations, **given}).get(match[2], "")
        known = {"metadata.name": self.name, "metadata.namespace": "mlc-bench", "metadata.uid": "uid-of-the-pod",
                 "status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1"}
        return known[path]

    def environment(self, container):
        user = self.context(container).get("runAsUser")
        env = {"KUBERNETES_SERVICE_HOST": self.api.host, "KUBERNETES_SERVICE_PORT_HTTPS": str(self.api.port),
               "HOME": "/home/mpiuser" if user == 1000 else "/root"}
        if self.index is not None:
            env["JOB_COMPLETION_INDEX"] = str(self.index)
        for one in container.get("env", []):
            env[one["name"]] = one["value"] if "value" in one else self.field(one["valueFrom"]["fieldRef"]["fieldPath"], {})
        return env

    def words(self, container):
        env = self.environment(container)
        words = container["command"] + container.get("args", [])
        return [re.sub(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)", lambda m: env.get(m[1], m[0]), w) for w in words]

    def source(self, volume, annotations):
        """The folder or file that a volume is; made now where the kubelet would make it."""
        name = volume["name"]
        place = os.path.join(self.directory, "volumes", name)
        if "hostPath" in volume:
            path = volume["hostPath"]["path"]
            if volume["hostPath"].get("type") == "DirectoryOrCreate" or path.startswith("/var/lib/"):
                place = self.host + path
                os.makedirs(place, exist_ok=True)
                os.chmod(place, 0o755)
                return place
            if path == "/etc/machine-id" and self.identity:
                return self.text_file("machine-id", self.identity["machine"] + "\n")
            return path
        os.makedirs(place, exist_ok=True)
        if "configMap" in volume:
            one, = [o for o in self.objects if o["kind"] == "ConfigMap" and o["metadata"]["name"] == volume["configMap"]["name"]]
            for key, text in one.get("data", {}).items():
                with open(os.path.join(place, key), "w") as f:
                    f.write(text)
        elif "downwardAPI" in volume:
            for item in volume["downwardAPI"]["items"]:
                with open(os.path.join(place, item["path"]), "w") as f:
                    f.write(self.field(item["fieldRef"]["fieldPath"], annotations))
        elif "secret" in volume:
            self.secret(volume["secret"], place)
        elif "emptyDir" in volume:
            os.chmod(place, 0o1777)
        else:
            raise AssertionError(f"volume {volume}: this kubelet does not know its kind")
        return place

    def text_file(self, name, text):
        os.makedirs(self.directory, exist_ok=True)
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def secret(self, volume, place):
        files = self.secrets.get(volume["secretName"])
        if files is None and not volume.get("optional"):
            raise AssertionError(f"the Pod waits for ever: there is no Secret {volume['secretName']}")
        group = self.spec.get("securityContext", {}).get("fsGroup", 0)
        for name, text in (files or {}).items():
            path = os.path.join(place, name)
            with open(path, "w") as f:
                f.write(text)
            os.chown(path, 0, group)
            os.chmod(path, volume.get("defaultMode", 0o644))

    def mounts(self, container, root, annotations):
        volumes = {v["name"]: v for v in self.spec.get("volumes", [])}
        lines = []
        for mount in container.get("volumeMounts", []):
            source, target = self.source(volumes[mount["name"]], annotations), root + mount["mountPath"]
            lines += self.bind(source, target, mount.get("readOnly"), links=mount["mountPath"].startswith("/etc/"))
        lines += self.identity_mounts(root)
        if self.spec.get("automountServiceAccountToken") is False:
            return "\n".join(lines) + "\n"
        account = os.path.join(self.directory, "account")
        os.makedirs(account, exist_ok=True)
        shutil.copy(self.token, os.path.join(account, "token"))
        shutil.copy(self.api.path("ca.crt"), account)
        with open(os.path.join(account, "namespace"), "w") as f:
            f.write("mlc-bench")
        lines += self.bind(account, root + ACCOUNT, True)
        return "\n".join(lines) + "\n"

    def identity_mounts(self, root):
        """The program, which node it is on, and what it calls itself and the others."""
        # Where sessions of sshd look for it, as in the image.
        lines = [f"mount -t tmpfs -o mode=755 none {shlex.quote(root)}/usr/local/bin", *self.bind(BENCH, f"{root}/usr/local/bin/mlc-bench")]
        if self.played:
            lines += self.bind(self.played, f"{root}/image/played")
        if self.identity:
            boot = self.text_file("boot-id", self.identity["boot"] + "\n")
            lines.append(f"mount --bind {shlex.quote(boot)} {shlex.quote(root)}/proc/sys/kernel/random/boot_id")
        if self.network:
            domain = self.spec.get("subdomain")
            names = [f"{address} {name} {name}.{domain or 'pods'}" for name, address in self.network.addresses.items()]
            lines += self.bind(self.text_file("hosts", "127.0.0.1 localhost\n" + "\n".join(names) + "\n"), f"{root}/etc/hosts", links=True)
            lines.append("hostname " + shlex.quote(self.node if self.spec.get("hostNetwork") else self.name))
        return lines

    @staticmethod
    def bind(source, target, read_only=False, links=False):
        s, t = shlex.quote(source), shlex.quote(target)
        lines = [f"rm -f {t}"] if links else []
        lines += [f"mkdir -p {t}" if os.path.isdir(source) else f"mkdir -p $(dirname {t}); : > {t}", f"mount --bind {s} {t}"]
        return lines + ([f"mount -o remount,bind,ro {t}"] if read_only else [])

    def context(self, container):
        return {**self.spec.get("securityContext", {}), **container.get("securityContext", {})}

    def privileges(self, container):
        """setpriv's words for the securityContext: the bounding set is all that root of a container has."""
        context = self.context(container)
        given = context.get("capabilities", {})
        if given.get("drop") != ["ALL"]:
            raise AssertionError("a container that keeps the runtime's capabilities is not one of ours")
        more = "".join(f",+{c.lower()}" for c in given.get("add", []))
        user = context.get("runAsUser")
        if context.get("runAsNonRoot") and not user:
            raise AssertionError("runAsNonRoot, and root")
        groups = f"--groups={context['fsGroup']}" if "fsGroup" in context else "--clear-groups"
        words = ["setpriv", f"--bounding-set=-all{more}", "--inh-caps=-all", f"--reuid={user}", f"--regid={user}", groups]
        if context.get("allowPrivilegeEscalation") is False:
            words.append("--no-new-privs")
        return words, context.get("readOnlyRootFilesystem")

    def start(self, annotations=None, more=(), root=None, output=None):
        """Its one container, as a process. `output`: a file for all that it says; without one that is collected."""
        container, = self.spec["containers"]
        root = root or tempfile.mkdtemp(prefix="mlc-root-")
        script = self.text_file("mounts", self.mounts(container, root, annotations or {}))
        privileges, read_only = self.privileges(container)
        ours = {k: v for k, v in clean_environment().items() if not k.startswith(("OMPI_", "KUBERNETES_"))}
        env = {**ours, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **self.environment(container)}
        preload = ["env", *(f"{k}={v}" for k, v in self.preload.items())] if self.preload else []
        enter = ["nsenter", "-n", "-t", str(self.holder)] if self.holder else []
        return Container([*enter, "unshare", "-mu", "--pid", "--fork", "sh", "-c", ENTER, root, script, image(), "ro" if read_only else "rw", *privileges, *preload,
                                 *self.words(container), *more], env=env, stdin=subprocess.DEVNULL, stdout=output or subprocess.PIPE,
                                stderr=output or subprocess.PIPE)

    def run(self, annotations=None, timeout=360, more=()):
        """The same, to the end."""
        with tempfile.TemporaryDirectory(prefix="mlc-root-") as root:
            began = time.monotonic()
            process = self.start(annotations, more, root)
            try:
                out, err = process.communicate(timeout=timeout)
            finally:
                process.kill()
            return Result(process.returncode, out.decode(), err.decode(), time.monotonic() - began)
