"""What the kubelet and the runtime make of a Pod, as far as a process on this machine can have it: the command as it is written, its
variables, its volumes at their places in a root that is read-only where the Pod says so, its user, its capabilities and no way to
more, and the token of its account. It is not a container: the network, the processes and the devices are this machine's, and
limits of memory and CPU are not set."""
import os, re, shlex, shutil, subprocess, tempfile

from cluster import BENCH, clean_environment, run

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
    etc|var|tmp|run|mnt) mkdir "$0/$name" ;;
    *) if [ -L "$entry" ]; then cp -a "$entry" "$0/$name"
       elif [ -d "$entry" ]; then mkdir "$0/$name"; mount --rbind "$entry" "$0/$name"
         case "$name" in proc|sys|dev) ;; *) mount -o remount,bind,ro "$0/$name" ;; esac
       fi ;;
  esac
done
mkdir "$0/.etc"; mount --bind /etc "$0/.etc"; mount -o remount,bind,ro "$0/.etc"
for entry in /etc/* ; do name=${entry#/etc/}; ln -s "/.etc/$name" "$0/etc/$name"; done
mkdir "$0/var/lib" "$0/image"
. "$1"
if [ "$2" = ro ]; then mount -o remount,ro "$0"; fi
shift 2
exec chroot "$0" "$@"
"""


class Pod:
    """A Pod of `template` (a PodTemplateSpec) on `node`. `objects` has what it mounts; `api` is the cluster."""

    def __init__(self, template, objects, api, node, directory, labels=None, token=None):
        self.spec, self.objects, self.api = template["spec"], objects, api
        self.node, self.directory = node, directory
        self.metadata = template.get("metadata", {})
        self.labels = {**self.metadata.get("labels", {}), **(labels or {})}
        self.token = token or api.path("token")
        self.host = os.path.join(directory, "host")  # hostPath volumes: the node's disk

    def field(self, path, given):
        """A fieldRef, as the downward API has it."""
        if path == "spec.nodeName":
            return self.node
        match = re.fullmatch(r"metadata\.(labels|annotations)\['(.*)'\]", path)
        if match:
            return (self.labels if match[1] == "labels" else given).get(match[2], "")
        known = {"metadata.name": "pod-" + self.node, "metadata.namespace": "mlc-bench", "metadata.uid": "uid-of-the-pod",
                 "status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1"}
        return known[path]

    def environment(self, container):
        env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": str(self.api.port), "HOME": "/root"}
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
        elif "emptyDir" in volume:
            os.chmod(place, 0o1777)
        else:
            raise AssertionError(f"volume {volume}: this kubelet does not know its kind")
        return place

    def mounts(self, container, root, annotations):
        volumes = {v["name"]: v for v in self.spec.get("volumes", [])}
        lines = []
        for mount in container.get("volumeMounts", []):
            source, target = self.source(volumes[mount["name"]], annotations), root + mount["mountPath"]
            lines += self.bind(source, target, mount.get("readOnly"), links=mount["mountPath"].startswith("/etc/"))
        account = os.path.join(self.directory, "account")
        os.makedirs(account, exist_ok=True)
        shutil.copy(self.token, os.path.join(account, "token"))
        shutil.copy(self.api.path("ca.crt"), account)
        with open(os.path.join(account, "namespace"), "w") as f:
            f.write("mlc-bench")
        lines += self.bind(account, root + ACCOUNT, True)
        lines += [f": > {shlex.quote(root)}/image/mlc-bench",
                  f"mount --bind {shlex.quote(BENCH)} {shlex.quote(root)}/image/mlc-bench"]
        return "\n".join(lines) + "\n"

    @staticmethod
    def bind(source, target, read_only=False, links=False):
        s, t = shlex.quote(source), shlex.quote(target)
        lines = [f"rm -f {t}"] if links else []
        lines += [f"mkdir -p {t}" if os.path.isdir(source) else f"mkdir -p $(dirname {t}); : > {t}", f"mount --bind {s} {t}"]
        return lines + ([f"mount -o remount,bind,ro {t}"] if read_only else [])

    def privileges(self, container):
        """setpriv's words for the securityContext: the bounding set is all that root of a container has."""
        context = {**self.spec.get("securityContext", {}), **container.get("securityContext", {})}
        given = context.get("capabilities", {})
        if given.get("drop") != ["ALL"]:
            raise AssertionError("a container that keeps the runtime's capabilities is not one of ours")
        more = "".join(f",+{c.lower()}" for c in given.get("add", []))
        user = context.get("runAsUser")
        if context.get("runAsNonRoot") and not user:
            raise AssertionError("runAsNonRoot, and root")
        words = ["setpriv", f"--bounding-set=-all{more}", "--inh-caps=-all", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        if context.get("allowPrivilegeEscalation") is False:
            words.append("--no-new-privs")
        return words, context.get("readOnlyRootFilesystem")

    def run(self, annotations=None, timeout=360, more=()):
        """Its one container, to the end."""
        container, = self.spec["containers"]
        with tempfile.TemporaryDirectory(prefix="mlc-root-") as root:
            script = os.path.join(self.directory, "mounts")
            os.makedirs(self.directory, exist_ok=True)
            with open(script, "w") as f:
                f.write(self.mounts(container, root, annotations or {}))
            privileges, read_only = self.privileges(container)
            env = clean_environment(**self.environment(container), PATH="/image:" + os.environ["PATH"])
            return run("-c", ENTER, root, script, "ro" if read_only else "rw", *privileges, *self.words(container), *more,
                       program=["unshare", "-m", "sh"], env=env, timeout=timeout)
