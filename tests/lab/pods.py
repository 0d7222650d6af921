"""Pods of the lab: what kubelet, Multus, the SR-IOV device plugin and containerd make of the rendered manifests, for guest/pod.

Pure, but for `Sandbox`, which tells a node. Nothing that a manifest says is said here again: commands, users, capabilities,
limits, volumes and networks come from it."""
import copy, json, os, re, time

SECCOMP = "/usr/share/containers/seccomp.json"  # of Debian's golang-github-containers-common; containerd's RuntimeDefault is alike
FIRST_NAMESPACE = "/proc/1/ns/net"
# containerd's, for a container that asks for none (pkg/oci: defaultUnixCaps).
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
                "SYS_CHROOT", "KILL", "AUDIT_WRITE")
# LimitNOFILE and systemd's default LimitMEMLOCK of containerd's unit: what a container has without IPC_LOCK.
LIMITS = {"RLIMIT_NOFILE": 1048576, "RLIMIT_MEMLOCK": 8 << 20}
NODE_MTU = 1450  # of the overlay, over 1500 with 50 of VXLAN


def quantity(text):
    """Kubernetes' "16Gi" in bytes."""
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi|)", str(text)).groups()
    return int(number) << {"": 0, "Ki": 10, "Mi": 20, "Gi": 30}[unit]


def capabilities(security):
    asked = security.get("capabilities", {})
    kept = set() if "ALL" in asked.get("drop", []) else set(CAPABILITIES) - set(asked.get("drop", []))
    return sorted("CAP_" + name for name in kept | set(asked.get("add", [])))


def seccomp(profile, held):
    """The profile as OCI has it, for a container with these capabilities."""
    def applies(rule):
        includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
        return (all(cap in held for cap in includes.get("caps") or []) and "amd64" in (includes.get("arches") or ["amd64"])
                and not any(cap in held for cap in excludes.get("caps") or []) and "amd64" not in (excludes.get("arches") or []))
    rules = [{key: value for key, value in rule.items() if key in ("names", "action", "args", "errnoRet") and value is not None}
             for rule in profile["syscalls"] if applies(rule)]
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": rules}


def expanded(words, environment):
    """$(NAME) as kubelet replaces it."""
    return [re.sub(r"\$\((\w+)\)", lambda m: environment.get(m[1], m[0]), word) for word in words]


def wanted_networks(annotations):
    """The annotation of Multus: [(network, interface)]."""
    text = annotations.get("k8s.v1.cni.cncf.io/networks", "")
    return [tuple(one.strip().split("@")) for one in text.split(",") if one.strip()]


def variable_of(resource):
    return "PCIDEVICE_" + re.sub(r"[./]", "_", resource).upper()


def ordinary_network(number, mtu=NODE_MTU):
    return {"interface": "eth0", "network": "cbr0", "config": {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "isDefaultGateway": True, "mtu": mtu,
         "ipam": {"type": "host-local", "subnet": f"10.244.{number}.0/24", "dataDir": "/run/cni"}}]}}


def rail_attachment(network, interface, definition, pci_of, number, address=None):
    """One entry of the annotation: the definition's list, with host-device for SR-IOV CNI and static addresses for Whereabouts."""
    config = copy.deepcopy(json.loads(definition["spec"]["config"]))
    resource = definition["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"]
    sriov = config["plugins"][0]
    assert sriov["type"] == "sriov" and sriov["ipam"]["type"] == "whereabouts", sriov
    prefix = ".".join(sriov["ipam"]["range"].split(".")[:2])  # 10.10 of 10.10.0.0/16; each node of the lab has a /24 of it
    address = address or f"{prefix}.{number}.20"
    rail = int(re.search(r"\d+$", resource)[0])
    config["plugins"][0] = {"type": "host-device", "ipam": {
        "type": "static", "addresses": [{"address": address + "/24"}],
        "routes": [{"dst": f"{prefix}.0.0/16", "gw": address.rsplit(".", 1)[0] + ".1"}]}}
    return {"interface": interface, "network": f"mlc-bench/{network}", "config": config, "resource": resource, "pci": pci_of[resource],
            "rdma": f"roce{rail}", "vf": ["spoofchk", sriov["spoofchk"], "trust", sriov["trust"]]}


def network_status(attachments, answers):
    """The annotation as Multus writes it, from what the plugins answered."""
    entries = []
    for attachment, answer in zip(attachments, answers):
        inside = [i for i, one in enumerate(answer["interfaces"]) if one.get("sandbox") or "pci" in attachment]
        entry = {"name": attachment["network"], "interface": attachment["interface"],
                 "ips": [ip["address"].split("/")[0] for ip in answer["ips"] if ip.get("interface", inside[0]) in inside],
                 "mac": answer["interfaces"][inside[-1]]["mac"], "dns": {}}
        if "pci" not in attachment:
            entry.update({"default": True, "gateway": [ip["gateway"] for ip in answer["ips"] if "gateway" in ip]})
        else:
            entry["device-info"] = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": attachment["pci"], "rdma-device": attachment["rdma"]}}
        entries.append(entry)
    return json.dumps(entries, indent=4)


def mounts_of(spec, container, given):
    """(mounts, files) of the container's volumes. `given`: the files of ConfigMaps and Secrets, and annotations by their path."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    at = given["directory"]
    mounts, files, directories = [], {}, []
    for mount in container.get("volumeMounts", []):
        volume = volumes[mount["name"]]
        options = ["rbind", "ro" if mount.get("readOnly") else "rw"]
        source = f"{at}/{mount['name']}"
        if "emptyDir" in volume and volume["emptyDir"] and volume["emptyDir"].get("medium") == "Memory":
            limits = [quantity(text) for text in (volume["emptyDir"].get("sizeLimit"), container["resources"].get("limits", {}).get("memory")) if text]
            size = [f"size={min(limits)}"] if limits else []
            mounts.append({"destination": mount["mountPath"], "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777", *size]})
            continue
        if "hostPath" in volume:
            source = volume["hostPath"]["path"]
            if volume["hostPath"]["type"] == "DirectoryOrCreate":
                directories.append(source)
        elif "emptyDir" in volume:
            directories.append(source)
        elif "configMap" in volume:
            files.update({f"{source}/{name}": (0o644, 0, text) for name, text in given["configmaps"][volume["configMap"]["name"]].items()})
        elif "secret" in volume:
            group = spec.get("securityContext", {}).get("fsGroup", 0)
            mode = volume["secret"].get("defaultMode", 0o644)
            files.update({f"{source}/{name}": (mode, group, text) for name, text in given["secrets"][volume["secret"]["secretName"]].items()})
        elif "downwardAPI" in volume:
            for item in volume["downwardAPI"]["items"]:
                key = re.fullmatch(r"metadata\.annotations\['(.*)'\]", item["fieldRef"]["fieldPath"])[1]
                files[f"{source}/{item['path']}"] = (0o644, 0, given["annotations"].get(key, ""))
        else:
            raise ValueError(f"a volume that the lab does not know: {volume}")
        mounts.append({"destination": mount["mountPath"], "type": "bind", "source": source, "options": options})
    return mounts, files, directories


def environment_of(container, fields):
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    for one in container.get("env", []):
        environment[one["name"]] = one["value"] if "value" in one else fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
    return environment


def oci_config(spec, container, environment, words, root, netns, verbs, mounts, hostname, profile):
    """The runtime's configuration of a container, as containerd writes it."""
    security = container["securityContext"]
    held = capabilities(security)
    user = security.get("runAsUser", spec.get("securityContext", {}).get("runAsUser", 1000))
    groups = [g for g in [spec.get("securityContext", {}).get("fsGroup")] if g is not None]
    own = {mount["destination"] for mount in mounts}
    base = [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]}]
    files = [{"destination": f"/etc/{name}", "type": "bind", "source": f"/run/pods/{hostname}.{name}", "options": ["rbind", "rw"]} for name in ("hosts", "hostname")]
    devices = [{"path": one["path"], "type": "c", "major": int(one["numbers"].split(":")[0]), "minor": int(one["numbers"].split(":")[1]), "fileMode": 0o666,
                "uid": 0, "gid": 0} for one in verbs]
    memory = container["resources"].get("limits", {}).get("memory")
    config = {
        "ociVersion": "1.0.2", "hostname": hostname,
        "root": {"path": root, "readonly": security.get("readOnlyRootFilesystem", False)},
        "process": {
            "terminal": False, "user": {"uid": user, "gid": user, "additionalGids": groups}, "args": words, "cwd": "/",
            "env": [f"{name}={value}" for name, value in environment.items()],
            "capabilities": {kind: held for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": name, "soft": value, "hard": value} for name, value in LIMITS.items()],
            "noNewPrivileges": security.get("allowPrivilegeEscalation") is False},
        "mounts": [mount for mount in base + files if mount["destination"] not in own] + mounts,
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")] + [{"type": "network", "path": netns}],
            "devices": devices,
            "resources": {"devices": [{"allow": False, "access": "rwm"}] + [
                {"allow": True, "type": "c", "major": one["major"], "minor": one["minor"], "access": "rwm"} for one in devices]},
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                            "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}
    if memory:
        config["linux"]["resources"]["memory"] = {"limit": quantity(memory)}
    kind = (security.get("seccompProfile") or spec.get("securityContext", {}).get("seccompProfile") or {}).get("type")
    if kind == "RuntimeDefault":
        config["linux"]["seccomp"] = seccomp(profile, held)
    return config


class Sandbox:
    """The networks of one Pod on one node, and the containers that are run in them: `Sandbox(...).up()`, `.run()`, `.down()`."""

    def __init__(self, lab, node, template, name, *, definitions=(), secrets=None, configmaps=None, hosts=None, overlay_mtu=NODE_MTU,
                 addresses=None, first=True):
        self.lab, self.node, self.name, self.number = lab, node, name, int(node.removeprefix("node"))
        self.template, self.spec = template, template["spec"]
        self.hosts, self.given = hosts or {}, {"configmaps": configmaps or {}, "secrets": secrets or {}, "directory": f"/run/pods/{name}.volumes"}
        self.fields = {"spec.nodeName": node, "metadata.labels['batch.kubernetes.io/job-name']": name,
                       "metadata.labels['batch.kubernetes.io/controller-uid']": f"uid-of-{name}"}
        self.netns = FIRST_NAMESPACE if first else f"/run/netns/{name}"
        self.pci_of = {f"mlc.io/rail{r}": pci for r, pci in enumerate(self.vfs())}
        self.annotations = dict(template["metadata"].get("annotations", {}))
        by_name = {one["metadata"]["name"]: one for one in definitions}
        self.attachments = [ordinary_network(self.number, overlay_mtu)]
        for network, interface in wanted_networks(self.annotations):
            self.attachments.append(rail_attachment(network, interface, by_name[network], self.pci_of, self.number, (addresses or {}).get(network)))
        self.service, self.account = ("10.96.0.1", 443), {}
        self.verbs, self.attached = {}, False

    def beside(self, template, name, secrets, hosts):
        """Another Pod's containers in this one's networks, which it asks for with the same words: attaching takes its time."""
        asked = template["metadata"].get("annotations", {})
        assert wanted_networks(asked) == wanted_networks(self.template["metadata"]["annotations"]), asked
        other = copy.copy(self)
        other.template, other.spec, other.name, other.hosts = template, template["spec"], name, hosts
        other.given = {**self.given, "secrets": secrets, "directory": f"/run/pods/{name}.volumes"}
        return other

    def vfs(self):
        if not hasattr(self.lab, "vfs_of"):
            self.lab.vfs_of = {}
        if self.node not in self.lab.vfs_of:
            said = self.lab.run(self.node, "for r in 0 1 2 3; do ip netns exec node readlink /sys/class/net/pf$r/device/virtfn0; done").out.split()
            self.lab.vfs_of[self.node] = [os.path.basename(path) for path in said]
        return self.lab.vfs_of[self.node]

    def tell(self, what, document, timeout=180, check=True):
        return self.lab.run(self.node, f"{self.lab.file('guest/pod')} {what} {self.written(document)}", timeout=timeout, check=check)

    def written(self, document):
        """A file here that the node reads, with a name that it has not seen: it keeps what it has read once."""
        path = self.lab.file(f"{self.name}-{self.node}-{time.monotonic_ns()}.json")
        with open(path, "w") as f:
            json.dump(document, f)
        return path

    def up(self):
        self.attached = True
        said = json.loads(self.tell("up", {"name": self.name, "netns": self.netns, "attachments": self.attachments}).out)
        self.verbs, answers = said["verbs"], said["answers"]
        self.annotations["k8s.v1.cni.cncf.io/network-status"] = network_status(self.attachments, answers)
        self.address = json.loads(self.annotations["k8s.v1.cni.cncf.io/network-status"])[0]["ips"][0]
        return self

    def down(self):
        self.attached = False
        self.lab.run(self.node, f"{self.lab.file('guest/pod')} down {self.name}", timeout=180)

    def granted(self, container):
        """What the device plugin gives for the limits: variables, and the verbs files of those VFs."""
        resources = [name for name in container["resources"].get("limits", {}) if name in self.pci_of]
        devices = [f"roce{list(self.pci_of).index(name)}" for name in resources]
        verbs = [self.verbs[name] for name in devices if name in self.verbs]
        return {variable_of(name): self.pci_of[name] for name in resources}, verbs + ([self.verbs["rdma_cm"]] if verbs else [])

    def document(self, container, words=None):
        """What guest/pod runs: the container of the manifest, or its container with another command."""
        variables, verbs = self.granted(container)
        environment = {"HOSTNAME": self.name, "KUBERNETES_SERVICE_HOST": self.service[0],
                       "KUBERNETES_SERVICE_PORT_HTTPS": str(self.service[1]),
                       **environment_of(container, self.fields), **variables}
        mounts, files, directories = mounts_of(self.spec, container, {**self.given, "annotations": self.annotations})
        if self.account:
            files.update({f"{self.given['directory']}/account/{name}": (0o644, 0, text) for name, text in self.account.items()})
            mounts.append({"destination": "/run/secrets/kubernetes.io/serviceaccount", "type": "bind",
                           "source": f"{self.given['directory']}/account", "options": ["rbind", "ro"]})
        names = {"127.0.0.1": "localhost", self.address: self.name, **self.hosts}
        files[f"/run/pods/{self.name}.hosts"] = (0o644, 0, "".join(f"{address} {name}\n" for address, name in names.items()))
        files[f"/run/pods/{self.name}.hostname"] = (0o644, 0, self.name + "\n")
        with open(SECCOMP) as f:
            profile = json.load(f)
        words = expanded(words or [*container["command"], *container.get("args", [])], environment)
        config = oci_config(self.spec, container, environment, words, self.lab.file("image"), self.netns, verbs, mounts, self.name, profile)
        return {"id": f"{self.name}-{time.monotonic_ns()}", "files": files, "directories": directories, "config": config}

    def start(self, container, words=None, timeout=180):
        document = self.document(container, words)
        self.last = document["id"]
        return self.lab.start(self.node, f"{self.lab.file('guest/pod')} run {self.written(document)}", timeout)

    def kill(self):
        """Ends the container that was started last."""
        self.lab.run(self.node, f"crun kill --all {self.last} KILL", check=False)

    def run(self, container, words=None, timeout=180):
        return self.lab.finish(self.node, str(words), self.start(container, words, timeout), timeout)
