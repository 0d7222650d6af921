// Cases of the machine and its image.
#include <cerrno>
#include <filesystem>

#include "tests/validators/check_cases.hpp"
#include "tests/validators/odd_nodes.hpp"

namespace mlc::test {

void host_cases(Cases& add) {
  add("image.drift", "playbook took a new driver", Status::fail, "555.42.06", [](BuiltNode& node, Policy&) {
    node.file("/proc/driver/nvidia/version",
              "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.06  Release Build\n");
  });
  add("image.drift", "kubelet changed", Status::fail, "1.30.0", [](BuiltNode& node, Policy&) {
    node.file("/var/lib/dpkg/status",
              "Package: kubelet\nStatus: install ok installed\nVersion: 1.30.0\n\nPackage: "
              "containerd.io\nStatus: install ok installed\nVersion: 1.7.18-1\n");
  });
  add("image.drift", "CNI binary replaced", Status::fail, "1001",
      [](BuiltNode& node, Policy&) { node.file("/opt/cni/bin/sriov", std::string(1001, 'x')); });
  add("image.drift", "a NIC is gone", Status::unknown, "the device is not there any more",
      [](BuiltNode& node, Policy&) { drop_nic(node, 2); });
  add("image.drift", "no lock", Status::unknown, "No such file",
      [](BuiltNode& node, Policy&) { node.remove("/etc/mlc-bench/lock.yaml"); });
  add("image.drift", "lock is nonsense", Status::unknown, "lock.yaml",
      [](BuiltNode& node, Policy&) { node.file("/etc/mlc-bench/lock.yaml", "lock: other\n"); });
  add("image.drift", "lock without versions", Status::unknown, "empty", [](BuiltNode& node, Policy&) {
    node.file("/etc/mlc-bench/lock.yaml", "lock: mlc-bench/lock/v1\nversions: {}\n");
  });

  add("host.limits", "few files", Status::fail, "1024", [](BuiltNode& node, Policy&) {
    node.answer("limit", "nofile", {{"soft", 1024}, {"hard", 1024}});
  });
  add("host.limits", "memlock limited", Status::fail, "8388608", [](BuiltNode& node, Policy&) {
    node.answer("limit", "memlock", {{"soft", 8u << 20}, {"hard", 8u << 20}});
  });
  add("host.limits", "not answered", Status::unknown, "not permitted", [](BuiltNode& node, Policy&) {
    node.error("limit", "nofile", EPERM, "getrlimit: Operation not permitted");
  });
  add("host.shm", "a container's 64 MiB", Status::fail, "0.06 GiB", [](BuiltNode& node, Policy&) {
    node.answer("filesystem", "/dev/shm", {{"bytes", 64u << 20}, {"free", 0}, {"type", 0x01021994}});
  });
  add("host.shm", "not there", Status::unknown, "No such file", [](BuiltNode& node, Policy&) {
    node.error("filesystem", "/dev/shm", ENOENT, "/dev/shm: No such file or directory");
  });
  add("host.huge-pages", "too few", Status::fail, "0 pages",
      [](BuiltNode&, Policy& policy) { policy.node->huge_pages = 512; });
  add("host.huge-pages", "truncated meminfo", Status::unknown, "has no HugePages_Total",
      [](BuiltNode& node, Policy&) { node.file("/proc/meminfo", "MemTotal: 1 kB\n"); });
  add("host.clock", "free running", Status::fail, "not synchronised", [](BuiltNode& node, Policy&) {
    node.answer("clock", "", {{"synchronised", false}, {"offset_us", 0.0}, {"max_error_us", 16e6}});
  });
  add("host.clock", "far off", Status::fail, "offset", [](BuiltNode& node, Policy&) {
    node.answer("clock", "", {{"synchronised", true}, {"offset_us", -90000.0}, {"max_error_us", 1.0}});
  });
  add("host.clock", "not answered", Status::unknown, "adjtimex",
      [](BuiltNode& node, Policy&) { node.error("clock", "", EPERM, "adjtimex: Operation not permitted"); });
  add("host.disks", "one gone", Status::fail, "3 NVMe disks",
      [](BuiltNode& node, Policy&) { node.remove("/sys/class/nvme/nvme2"); });
  add("host.disks", "dead controller", Status::fail, "controller is dead",
      [](BuiltNode& node, Policy&) { node.file("/sys/class/nvme/nvme2/state", "dead\n"); });
  add("host.disks", "read-only", Status::fail, "read-only",
      [](BuiltNode& node, Policy&) { node.file("/sys/block/nvme2n1/ro", "1\n"); });
  add("host.disks", "too small", Status::fail, "3.84 TB",
      [](BuiltNode&, Policy& policy) { policy.node->disk_bytes = 7ull << 40; });
  add("host.disks", "state unreadable", Status::unknown, "empty",
      [](BuiltNode& node, Policy&) { node.file("/sys/class/nvme/nvme2/state", ""); });
  const auto mounts = [](const char* text) {
    return [text](BuiltNode& node, Policy& policy) {
      policy.node->mounts = {{"/data0", "xfs"}}, node.file("/proc/self/mounts", text);
    };
  };
  add("host.mounts", "not mounted", Status::fail, "not mounted", mounts("/dev/sda2 / ext4 rw 0 0\n"));
  add("host.mounts", "another type", Status::fail, "ext4", mounts("/dev/nvme0n1 /data0 ext4 rw 0 0\n"));
  add("host.mounts", "read-only", Status::fail, "read-only",
      mounts("/dev/nvme0n1 /data0 xfs ro,noatime 0 0\n"));
  add("host.mounts", "unreadable", Status::unknown, "empty", mounts(""));
  add("host.name", "loopback", Status::fail, "127.0.1.1",
      [](BuiltNode& node, Policy&) { node.answer("resolve", "gpu-a", {"127.0.1.1"}); });
  add("host.name", "does not resolve", Status::fail, "not known", [](BuiltNode& node, Policy&) {
    node.error("resolve", "gpu-a", ENOENT, "gpu-a: Name or service not known");
  });
  add("host.name", "resolver down", Status::unknown, "Temporary failure", [](BuiltNode& node, Policy&) {
    node.error("resolve", "gpu-a", EAGAIN, "gpu-a: Temporary failure in name resolution");
  });
}

}  // namespace mlc::test
