"""Slurm of two nodes in one machine: slurmctld and a slurmd a node, as Debian packages them, each node with a host name, a network,
a /dev/shm and a boot id of its own. All of it is one PID namespace and ends with it.
"""
import os
import subprocess
import time
import uuid

CONF = """ClusterName=lab
SlurmctldHost=n0(198.51.100.1)
SlurmctldPort=16817
SlurmUser=root
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=2
StateSaveLocation={dir}/ctl
SlurmctldPidFile={dir}/ctl/pid
SlurmctldLogFile={dir}/log/ctl
SlurmdPidFile={dir}/%n/pid
SlurmdSpoolDir={dir}/%n
SlurmdLogFile={dir}/log/%n
SlurmdParameters=config_overrides
TmpFS={dir}/%n/tmp
{more}
NodeName=n1 NodeAddr=198.51.100.11 Port=16831 CPUs={cpus} State=UNKNOWN
NodeName=n2 NodeAddr=198.51.100.12 Port=16832 CPUs={cpus} State=UNKNOWN
PartitionName=lab Nodes=n[1-2] Default=YES MaxTime=10:00 State=UP OverSubscribe=YES
"""

# What two nodes of one machine would share: the ranks' /dev/shm, and slurmd's folder for PMIx, which TmpFS sets apart.
INIT = """set -e
mount --bind {dir}/hosts /etc/hosts
mount --bind {dir}/etc /etc/slurm
hostname n0
ip link set lo up
ip link add br0 type bridge
ip addr add 198.51.100.1/24 dev br0
ip link set br0 up
slurmctld -D >{dir}/log/ctl.out 2>&1 &
for i in 1 2; do
  unshare --mount --uts --net sh -ec "
    hostname n$i
    mount -t tmpfs tmpfs /dev/shm
    mount --bind {dir}/n$i/boot_id /proc/sys/kernel/random/boot_id
    while ! ip link show eth0 >/dev/null 2>&1; do sleep .02; done
    ip link set lo up
    ip addr add 198.51.100.1$i/24 dev eth0
    ip link set eth0 up
    exec slurmd -D -N n$i" >{dir}/log/n$i.out 2>&1 &
  node=$!
  sleep .2
  ip link add v$i type veth peer name eth0 netns $node
  ip link set v$i master br0 up
done
wait
"""


class Cluster:
    def __init__(self, folder, cpus, more):
        self.dir = folder
        for name in ("ctl", "etc", "log", "n1/tmp", "n2/tmp"):
            os.makedirs(os.path.join(folder, name))
        self.write("hosts", "127.0.0.1 localhost\n198.51.100.1 n0\n198.51.100.11 n1\n198.51.100.12 n2\n")
        self.write("etc/slurm.conf", CONF.format(dir=folder, cpus=cpus, more=more))
        for node in ("n1", "n2"):
            self.write(f"{node}/boot_id", f"{uuid.uuid4()}\n")
        self.write("init", INIT.format(dir=folder))
        with open(f"{folder}/log/init", "w") as log:
            self.process = subprocess.Popen(["unshare", "-m", "-n", "-u", "-p", "-f", "--kill-child", "--mount-proc", "sh", f"{folder}/init"],
                                            stdout=log, stderr=log)
        until = time.monotonic() + 60
        while self.states() != {"n1": "idle", "n2": "idle"}:
            if time.monotonic() > until or self.process.poll() is not None:
                said = self.logs()
                self.stop()
                raise RuntimeError("Slurm did not come up:\n" + said)
            time.sleep(.2)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def logs(self):
        said = ""
        for name in sorted(os.listdir(f"{self.dir}/log")):
            with open(f"{self.dir}/log/{name}", errors="replace") as f:
                said += f"--- {name}\n{f.read()[-3000:]}"
        return said

    def init(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return f.read().split()[0]

    def inside(self, *command):
        """As typed on the node of slurmctld."""
        return ["nsenter", "-t", self.init(), "-m", "-n", "-u", "-p", *command]

    def states(self):
        try:
            said = subprocess.run(self.inside("sinfo", "-h", "-N", "-o", "%N %T"), capture_output=True, text=True, timeout=20).stdout
        except (IndexError, FileNotFoundError, subprocess.TimeoutExpired):
            return {}
        return dict(line.split() for line in said.splitlines())

    def wait_for(self, what, timeout=30):
        until = time.monotonic() + timeout
        while not what():
            if time.monotonic() > until:
                return False
            time.sleep(.2)
        return True

    def pids(self, node, *words):
        """Processes on that node whose command line has these words. Other tests' clusters have nodes of the same names."""
        found = []
        ours = os.readlink(f"/proc/{self.init()}/ns/pid")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") != ours:
                    continue
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    line = f.read().split(b"\0")
                with open(f"/proc/{pid}/environ", "rb") as f:
                    environment = f.read().split(b"\0")
            except OSError:
                continue
            if all(word.encode() in line for word in words) and f"SLURMD_NODENAME={node}".encode() in environment:
                found.append(int(pid))
        return found

    def stop(self):
        self.process.kill()
        self.process.wait()
