"""How a campaign is started over the nodes of a fabric: mpirun, with a stand-in for ssh that enters the namespace called like the host."""
import os
import subprocess

import fabric
from program import BENCH, clean_environment

MBIT = 4
RATE = "0.0037"  # Gbit/s of payload that a rail of 4 Mbit/s carries
RAILS = "rail0,rail1,rail2,rail3"


class Launch:
    def __init__(self, network, folder):
        self.folder = folder
        agent = self.write("agent", fabric.AGENT)
        os.chmod(agent, 0o755)
        self.topology = self.write("topology.csv", network.topology())
        self.hosts = f"n[0-{len(network.names) - 1}]"
        self.environment = clean_environment(
            OMPI_MCA_plm_rsh_agent=agent, OMPI_MCA_plm_rsh_no_tree_spawn="1", OMPI_MCA_btl="self,tcp", OMPI_MCA_btl_tcp_if_include=f"{fabric.ADMIN}.0/24",
            OMPI_MCA_oob_tcp_if_include=f"{fabric.ADMIN}.0/24")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def words(self, *more, output="fleet.json"):
        return [BENCH, "fleet", "--hosts", self.hosts, "--interfaces", RAILS, "--rail-rate", RATE, "--test-time", "3s",
                "--topology", self.topology, "--output", os.path.join(self.folder, output), *more]

    def start(self, *words):
        return subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words):
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=170)
        return done.returncode, done.stdout + done.stderr


def standings(report):
    return {node["name"]: node["standing"] for node in report["figures"]["fleet"]["nodes"]}


def located(report, status="fail"):
    return [f["subject"] for f in report["findings"] if f["check"] == "fleet.location" and f["status"] == status]
