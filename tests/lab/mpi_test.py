"""mpirun over the management network, the ranks' traffic over the rails."""
import json

from cases import LabCase

RAILS = ",".join(f"10.1{rail}.0.0/16" for rail in range(4))
# As for a real cluster: the launcher speaks over the management network, the ranks over the rails' prefixes.
MPI = ("OMPI_MCA_oob_tcp_if_include=mgmt OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=" + RAILS +
       " OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_plm_rsh_no_tree_spawn=1 ")


class Allreduce(LabCase):
    def sent(self, node):
        """Bytes that each rail's VF and the management interface have sent and received."""
        interfaces = [f"rail{rail}" for rail in range(4)] + ["mgmt"]
        files = " ".join(f"/sys/class/net/{name}/statistics/{kind}_bytes" for name in interfaces for kind in ("tx", "rx"))
        figures = [int(word) for word in self.lab.run(node, f"cat {files}").out.split()]
        return {name: (figures[2 * i], figures[2 * i + 1]) for i, name in enumerate(interfaces)}

    def allreduce(self, ranks, sizes):
        """The report of a verified run, and what it moved: node -> interface -> bytes sent and received."""
        nodes = self.lab.nodes[:2]
        before = {node: self.sent(node) for node in nodes}
        done = self.lab.run("node0", MPI + f"mlc-bench allreduce --hosts {','.join(nodes)} --ranks {ranks} --sizes {sizes} -n 5 "
                            "--format json --launches 1 --output /run/allreduce.json --quiet && cat /run/allreduce.json", timeout=150, check=False)
        self.assertEqual(done.code, 0, done)
        report = json.loads(done.out)
        self.assertEqual(report["verdict"]["decision"], "pass")
        self.assertEqual(report["run"]["ranks"], ranks)
        self.assertEqual(sorted(node["name"] for node in report["environment"]["nodes"]), nodes)
        for series in report["series"]:
            self.assertEqual(series["wrong"], 0, series)
        after = {node: self.sent(node) for node in nodes}
        return report, {node: {name: tuple(after[node][name][i] - before[node][name][i] for i in (0, 1)) for name in after[node]} for node in nodes}

    def test_four_ranks_on_two_nodes_over_the_rails(self):
        report, moved = self.allreduce(4, "64K,1M")
        self.assertEqual({series["bytes"] for series in report["series"]}, {65536, 1048576})
        # At least ten operations of 1 MiB (out of place and in place) cross between the nodes; Open MPI stripes them.
        for node, by_interface in moved.items():
            for direction in (0, 1):
                rails = [by_interface[f"rail{rail}"][direction] for rail in range(4)]
                self.assertGreater(sum(rails), 10 << 20, moved)
                self.assertGreater(min(rails), 1 << 20, moved)
                self.assertLess(by_interface["mgmt"][direction], 2 << 20, moved)

    def test_without_its_route_a_rail_is_idle_and_the_management_network_is_not(self):
        """What the static routes are for, and why validate calls it a failure: nothing breaks, every byte is right."""
        self.lab.run("node0", "ip route del 10.12.0.0/16 dev rail2")
        try:
            _, moved = self.allreduce(2, "1M")
        finally:
            self.lab.mend_rails("node0", 2)
        self.assertLess(moved["node0"]["rail2"][0], 1 << 20, moved)
        self.assertGreater(moved["node0"]["mgmt"][0], 1 << 20, moved)
