"""A fleet in one machine: each node, leaf and spine is a network namespace. Nodes have four rails; each rail has a leaf for each
group of nodes, and spines between them over which the leaves spread flows by the 5-tuple (ECMP). Rates are shaped where wires would
limit them: at a node's port for what it sends, at the leaf's port for what the node receives.

Run inside namespaces of its own (enter()), so that nothing is left over whatever ends it.
"""
import ctypes
import os
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
RAILS = 4
ADMIN = "10.200.0"


def enter():
    """This process and its children into a network of their own, with a /run/netns of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise PermissionError(f"no namespaces: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def inside(namespace):
    """`ip netns exec` would mount things, which not every place allows."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def batch(namespace, tool, lines):
    """Many commands of ip or tc at once, inside a namespace (None: where this process is)."""
    command = [tool] + (["-n", namespace] if namespace else []) + ["-batch", "-"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}\n" + "\n".join(lines))


def shaped(device, mbit, change=False):
    """Queue pairs share the rate evenly and take what others leave, as the arbiter of a NIC or a switch does."""
    verb = "change" if change else "add"
    lines = [] if change else [f"qdisc add dev {device} root handle 1: htb default 14 r2q 1"]
    # What is no data goes first, as if it had a lane of its own: acknowledgements are not what is measured here.
    lines += [f"class {verb} dev {device} parent 1: classid 1:1 htb rate {mbit}mbit ceil {mbit}mbit burst 3k cburst 3k",
              f"class {verb} dev {device} parent 1:1 classid 1:14 htb rate {mbit / 10}mbit ceil {mbit}mbit burst 3k cburst 3k prio 0"]
    for pair in range(4):
        lines.append(f"class {verb} dev {device} parent 1:1 classid 1:1{pair} htb rate {mbit * .9 / 4}mbit ceil {mbit}mbit burst 3k cburst 3k quantum 1514 prio 1")
        if not change:
            lines.append(f"qdisc add dev {device} parent 1:1{pair} handle 1{pair}: pfifo limit 20")
            # The queue pair is in the lowest bits of the source port.
            lines.append(f"filter add dev {device} parent 1: protocol ip prio 2 u32 match ip protocol 6 0xff match ip sport {pair} 0x0003 flowid 1:1{pair}")
    if not change:
        lines.append(f"filter add dev {device} parent 1: protocol ip prio 1 u32 match u16 0x0000 0xff80 at 2 flowid 1:14")
    return lines


class Fabric:
    def __init__(self, groups=2, size=8, spines=2, mbit=16):
        self.groups, self.size, self.spines, self.mbit = groups, size, spines, mbit
        self.names = [f"n{i}" for i in range(groups * size)]
        self.build()

    def leaf(self, group, rail):
        return f"leaf{group}r{rail}"

    def group_of(self, node):
        return node // self.size

    def address(self, node, rail):
        return f"10.{rail + 1}.{self.group_of(node)}.{10 + node % self.size}"

    def build(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        routers = [self.leaf(g, r) for g in range(self.groups) for r in range(RAILS)] + [f"spine{s}r{r}" for s in range(self.spines) for r in range(RAILS)]
        for name in routers:
            subprocess.run(["ip", "netns", "add", name], check=True)
            subprocess.run([*inside(name), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy"], check=True)
        batch(None, "ip", ["link add name admin type bridge", f"addr add {ADMIN}.254/24 dev admin", "link set dev admin up"])
        for i, name in enumerate(self.names):
            batch(None, "ip", [f"link add name a{i} type veth peer name eth0 netns {name}", f"link set dev a{i} master admin up"])
            batch(name, "ip", ["link set dev lo up", f"addr add {ADMIN}.{i + 1}/24 dev eth0", "link set dev eth0 up"])
        for r in range(RAILS):
            for g in range(self.groups):
                self.build_leaf(g, r)
            for s in range(self.spines):
                spine = f"spine{s}r{r}"
                batch(spine, "ip", [f"route add 10.{r + 1}.{g}.0/24 via 172.16.{s * 16 + g}.1" for g in range(self.groups)])

    def build_leaf(self, group, rail):
        leaf = self.leaf(group, rail)
        batch(leaf, "ip", ["link add name br type bridge", f"addr add 10.{rail + 1}.{group}.1/24 dev br", "link set dev br up", "link set dev lo up"])
        for i in range(self.size):
            node = group * self.size + i
            name = self.names[node]
            batch(leaf, "ip", [f"link add name p{node} gso_max_segs 1 type veth peer name rail{rail} netns {name}", f"link set dev p{node} master br up"])
            batch(name, "ip", [f"addr add {self.address(node, rail)}/24 dev rail{rail}", f"link set dev rail{rail} gso_max_segs 1 txqueuelen 1000 up",
                               f"route add 10.{rail + 1}.0.0/16 via 10.{rail + 1}.{group}.1"])
            batch(leaf, "tc", shaped(f"p{node}", self.mbit))
            batch(name, "tc", shaped(f"rail{rail}", self.mbit))
        hops = []
        for s in range(self.spines):
            spine = f"spine{s}r{rail}"
            link = f"172.16.{s * 16 + group}"
            batch(leaf, "ip", [f"link add name up{s} type veth peer name down{group} netns {spine}", f"addr add {link}.1/30 dev up{s}", f"link set dev up{s} up"])
            batch(spine, "ip", [f"addr add {link}.2/30 dev down{group}", f"link set dev down{group} up"])
            hops.append(f"nexthop via {link}.2")
        others = [g for g in range(self.groups) if g != group]
        batch(leaf, "ip", [f"route add 10.{rail + 1}.{g}.0/24 {' '.join(hops)}" for g in others])

    # ---- faults

    def slow_sending(self, node, rail, share):
        batch(self.names[node], "tc", shaped(f"rail{rail}", self.mbit * share, change=True))

    def slow_receiving(self, node, rail, share):
        batch(self.leaf(self.group_of(node), rail), "tc", shaped(f"p{node}", self.mbit * share, change=True))

    def slow_end(self, node, rail, share):
        self.slow_sending(node, rail, share)
        self.slow_receiving(node, rail, share)

    def slow_node(self, node, share):
        for rail in range(RAILS):
            self.slow_end(node, rail, share)

    def slow_leaf(self, group, rail, share):
        for node in range(group * self.size, (group + 1) * self.size):
            self.slow_end(node, rail, share)

    def slow_uplink(self, group, rail, spine, mbit):
        """One of a leaf's ways to the spines, upwards; full_uplink heals it."""
        batch(self.leaf(group, rail), "tc", [f"qdisc add dev up{spine} root tbf rate {mbit}mbit burst 6k limit 60k"])

    def full_uplink(self, group, rail, spine):
        batch(self.leaf(group, rail), "tc", [f"qdisc del dev up{spine} root"])

    def lossy(self, node, rail, share, receiving=False):
        chain, way = ("INPUT", "-i") if receiving else ("OUTPUT", "-o")
        # Segments with data, not what acknowledges the other way's.
        subprocess.run([*inside(self.names[node]), "iptables", "-A", chain, way, f"rail{rail}", "-p", "tcp", "-m", "length", "--length", "500:",
                        "-m", "statistic", "--mode", "random", "--probability", str(share), "-j", "DROP"], check=True)

    def dead(self, node, rail):
        subprocess.run([*inside(self.names[node]), "iptables", "-A", "OUTPUT", "-o", f"rail{rail}", "-j", "DROP"], check=True)

    def heal(self, node):
        subprocess.run([*inside(self.names[node]), "iptables", "-F"], check=True)

    def plug_spine(self, spine, rail):
        name = f"spine{spine}r{rail}"
        batch(name, "ip", [f"link set dev down{g} up" for g in range(self.groups)] +
              [f"route replace 10.{rail + 1}.{g}.0/24 via 172.16.{spine * 16 + g}.1" for g in range(self.groups)])

    def unplug_spine(self, spine, rail):
        batch(f"spine{spine}r{rail}", "ip", [f"link set dev down{g} down" for g in range(self.groups)])

    def topology(self):
        return "".join(f"{name},{rail},{self.leaf(self.group_of(i), rail)}\n" for i, name in enumerate(self.names) for rail in range(RAILS))


# What mpirun takes for ssh: enters the namespace that is called like the host.
AGENT = """#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -*) shift ;; *) break ;; esac; done
host=$1; shift
exec nsenter --net=/run/netns/"$host" unshare --uts sh -c 'hostname "$0"; exec sh -c "$*"' "$host" "$@"
"""

if __name__ == "__main__":  # a shell in it, to look around
    enter()
    fabric = Fabric()
    print("nodes:", " ".join(fabric.names), file=sys.stderr)
    os.execvp("bash", ["bash"])
