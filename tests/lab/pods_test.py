"""What is made of manifests, without a node: the same input always gives the same container."""
import json, unittest

import image
import pods


class Manifests(unittest.TestCase):
    def test_capabilities(self):
        self.assertEqual(pods.capabilities({"capabilities": {"drop": ["ALL"], "add": ["IPC_LOCK"]}}), ["CAP_IPC_LOCK"])
        self.assertEqual(pods.capabilities({"capabilities": {"drop": ["ALL"]}}), [])
        self.assertIn("CAP_NET_RAW", pods.capabilities({}))
        self.assertNotIn("CAP_NET_RAW", pods.capabilities({"capabilities": {"drop": ["NET_RAW"]}}))

    def test_seccomp_rules_depend_on_capabilities(self):
        profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": []},
            {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["s390"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}}]}

        def names(held):
            return [rule["names"][0] for rule in pods.seccomp(profile, held)["syscalls"]]
        self.assertEqual(names(["CAP_IPC_LOCK"]), ["read", "clone"])
        self.assertEqual(names(["CAP_SYS_ADMIN"]), ["read", "mount"])

    def test_quantities(self):
        self.assertEqual([pods.quantity(text) for text in ("1Gi", "256Mi", "7")], [1 << 30, 256 << 20, 7])
        self.assertRaises(AttributeError, pods.quantity, "1.5G")  # rather than another size than the kubelet's

    def test_shared_memory_is_the_least_of_its_limits(self):
        spec = {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}}]}
        container = {"resources": {"limits": {"memory": "1Gi"}}, "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}]}
        mounts, _, _ = pods.mounts_of(spec, container, {"directory": "/x"})
        self.assertIn(f"size={1 << 30}", mounts[0]["options"])

    def test_a_volume_nobody_knows_is_no_empty_one(self):
        spec = {"volumes": [{"name": "v", "nfs": {"server": "x"}}]}
        with self.assertRaises(ValueError):
            pods.mounts_of(spec, {"resources": {}, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, {"directory": "/x"})

    def test_network_status_is_of_what_the_plugins_answered(self):
        ordinary, rail = {"network": "cbr0", "interface": "eth0"}, {"network": "mlc-bench/rail0", "interface": "net1", "pci": "0000:01:10.0", "rdma": "roce0"}
        answers = [{"interfaces": [{"name": "cni0", "mac": "a"}, {"name": "veth1", "mac": "b"}, {"name": "eth0", "mac": "c", "sandbox": "/n"}],
                    "ips": [{"interface": 2, "address": "10.244.0.2/24", "gateway": "10.244.0.1"}]},
                   {"interfaces": [{"name": "net1", "mac": "d"}], "ips": [{"interface": 0, "address": "10.10.0.20/24"}]}]
        told = json.loads(pods.network_status([ordinary, rail], answers))
        self.assertEqual(told[0], {"name": "cbr0", "interface": "eth0", "ips": ["10.244.0.2"], "mac": "c", "dns": {}, "default": True, "gateway": ["10.244.0.1"]})
        self.assertEqual(told[1]["ips"], ["10.10.0.20"])
        self.assertEqual(told[1]["device-info"]["pci"], {"pci-address": "0000:01:10.0", "rdma-device": "roce0"})
        self.assertNotIn("default", told[1])

    def test_words_and_variables(self):
        self.assertEqual(pods.expanded(["--run-id=$(RUN_ID)", "$(OTHER)"], {"RUN_ID": "r"}), ["--run-id=r", "$(OTHER)"])
        self.assertEqual(pods.variable_of("mlc.io/rail0"), "PCIDEVICE_MLC_IO_RAIL0")
        self.assertEqual(pods.wanted_networks({"k8s.v1.cni.cncf.io/networks": "rail0@net1, rail1@net2"}), [("rail0", "net1"), ("rail1", "net2")])
        self.assertEqual(pods.wanted_networks({}), [])


class Image(unittest.TestCase):
    INSTALLED = image.packages("\n\n".join([
        "Package: base\nStatus: install ok installed\nEssential: yes\nArchitecture: amd64",
        "Package: openmpi-bin\nStatus: install ok installed\nDepends: libmpi (>= 4), missing | mta-b, virtual\nArchitecture: amd64",
        "Package: libmpi\nStatus: install ok installed\nPre-Depends: base\nArchitecture: amd64",
        "Package: mta-b\nStatus: install ok installed\nArchitecture: amd64",
        "Package: real\nStatus: install ok installed\nProvides: virtual (= 1), other\nArchitecture: all",
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64",
        "Package: gcc\nStatus: install ok installed\nArchitecture: amd64"]))

    def test_what_depends_on_what(self):
        self.assertEqual(image.closure(self.INSTALLED, ["openmpi-bin"]), ["base", "libmpi", "mta-b", "openmpi-bin", "real"])

    def test_a_package_that_is_not_here_is_named(self):
        with self.assertRaisesRegex(image.LabError, "gone"):
            image.closure(self.INSTALLED, ["gone"])
