"""The network of Pods: a namespace with a bridge (which is the nodes' side), and one namespace a Pod whose eth0 is on it. Nothing of
the machine's own network is touched. The API server listens on the bridge."""
import ctypes, os, subprocess, threading, time

POSSIBLE = os.geteuid() == 0 and subprocess.run(["unshare", "-nmu", "ip", "link", "add", "br0", "type", "bridge"], capture_output=True).returncode == 0
CLONE_NEWNET = 0x40000000
GATEWAY = "10.98.0.1"


def within(pid, make):
    """What `make` returns when it is called in that process' network: a socket stays where it was made. Only its thread goes there."""
    result = []

    def go():
        with open(f"/proc/{pid}/ns/net") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        result.append(make())
    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    return result[0]


def hold_to(holder, mbit):
    """What that Pod sends, to this rate."""
    subprocess.run(["nsenter", "-n", "-t", str(holder), "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", f"{mbit}mbit", "burst", "6k", "limit", "60k"],
                   check=True)


class PodNetwork:
    def __init__(self):
        self.holders, self.addresses = [], {}
        self.nodes = self.hold()
        self.ip(self.nodes, "link", "add", "br0", "type", "bridge")
        self.ip(self.nodes, "addr", "add", f"{GATEWAY}/16", "dev", "br0")
        for link in ("lo", "br0"):
            self.ip(self.nodes, "link", "set", link, "up")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for one in self.holders:
            one.kill()
        for one in self.holders:
            one.wait()

    def hold(self):
        """A network namespace with nothing in it, as the id of a process that keeps it."""
        holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        self.holders.append(holder)
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{holder.pid}/ns/net") == ours:
            time.sleep(0.005)
        return holder.pid

    @staticmethod
    def ip(pid, *words):
        subprocess.run(["nsenter", "-n", "-t", str(pid), "ip", *words], check=True, capture_output=True)

    def pod(self, name):
        """The network of a Pod of that name, which others then know by it."""
        number = len(self.holders)
        holder = self.hold()
        self.ip(self.nodes, "link", "add", f"veth{number}", "type", "veth", "peer", "name", "eth0", "netns", str(holder))
        self.ip(self.nodes, "link", "set", f"veth{number}", "master", "br0", "up")
        self.addresses[name] = f"10.98.{number // 200}.{number % 200 + 2}"
        self.ip(holder, "addr", "add", f"{self.addresses[name]}/16", "dev", "eth0")
        for link in ("lo", "eth0"):
            self.ip(holder, "link", "set", link, "up")
        return holder
