// The versions of this node, for its lock file.
#include <array>

#include "reports/record/text.hpp"
#include "validators/policy/lock_file.hpp"

namespace mlc {

namespace {

constexpr std::string_view firmware = "firmware ";

// Packages whose version a playbook may change: by prefix, since distributions put the branch into the name
// (nvidia-driver-550-server).
constexpr std::array<std::string_view, 16> packages{"containerd",
                                                    "cri-o",
                                                    "docker-ce",
                                                    "kubelet",
                                                    "kubernetes-cni",
                                                    "cri-tools",
                                                    "nvidia-container-toolkit",
                                                    "nvidia-driver-",
                                                    "nvidia-fabricmanager",
                                                    "nvidia-dkms-",
                                                    "libnccl2",
                                                    "mlnx-ofed-",
                                                    "mlnx-tools",
                                                    "doca-ofed",
                                                    "rdma-core",
                                                    "ofed-scripts"};

// Paragraphs of dpkg's status file: "Package: x", "Status: install ok installed", "Version: y".
void add_packages(const std::string& status, LockFile& lock) {
  std::string name, version;
  bool installed = false;
  const auto flush = [&] {
    bool wanted = false;
    for (const auto prefix : packages)
      wanted = wanted || name == prefix ||
               (name.starts_with(prefix) &&
                (prefix.ends_with('-') || name[prefix.size()] == '.' || name[prefix.size()] == '-'));
    if (wanted && installed && !version.empty()) lock.versions["package " + name] = version;
    name.clear(), version.clear(), installed = false;
  };
  for (std::size_t at = 0; at < status.size();) {
    const auto end = std::min(status.find('\n', at), status.size());
    const std::string_view line = std::string_view(status).substr(at, end - at);
    if (line.empty())
      flush();
    else if (line.starts_with("Package: "))
      name = line.substr(9);
    else if (line.starts_with("Version: "))
      version = line.substr(9);
    else if (line.starts_with("Status: "))
      installed = line.ends_with(" installed");
    at = end + 1;
  }
  flush();
}

// "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.90.07  Release Build ...": the first word
// that is a dotted number.
std::string driver_version(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find_first_of(" \n", at), text.size());
    const std::string_view word = std::string_view(text).substr(at, end - at);
    if (word.find('.') != word.npos && word.find_first_not_of("0123456789.") == word.npos)
      return std::string(word);
    at = end + 1;
  }
  return {};
}

}  // namespace

std::string firmware_of(const std::string& device) { return std::string(firmware) + device; }

bool is_firmware(const std::string& key) { return key.starts_with(firmware); }

LockFile collect_versions(const Host& host, std::map<std::string, std::string>& unread) {
  LockFile lock;
  const auto add = [&](const std::string& name, const Read<std::string>& read) {
    if (read)
      lock.versions[name] = printable(*read, 120);
    else if (!read.missing())
      unread[name] = read.why;
  };
  add("kernel", host.files().text("/proc/sys/kernel/osrelease"));
  if (const auto driver = host.files().text("/proc/driver/nvidia/version"); driver || !driver.missing()) {
    const std::string version = driver_version(*driver);
    if (version.empty())
      unread["nvidia driver"] = driver ? "no version in /proc/driver/nvidia/version" : driver.why;
    else
      lock.versions["nvidia driver"] = version;
  }
  add("mlx5_core", host.files().text("/sys/module/mlx5_core/version"));
  add("mlx5_ib", host.files().text("/sys/module/mlx5_ib/version"));
  if (const auto& devices = host.rdma_devices())
    for (const auto& device : *devices)
      if (!device.is_vf())
        add(firmware_of(device.pci.empty() ? device.name : device.pci),
            host.files().text("/sys/class/infiniband/" + device.name + "/fw_ver"));
  add("bios", host.files().text("/sys/class/dmi/id/bios_version"));
  // A Pod has its own /var/lib/dpkg: the image's, which says nothing of the node.
  if (host.in_pod()) {
    unread["packages"] = "a Pod does not see the node's packages";
  } else {
    const auto status = host.files().text("/var/lib/dpkg/status", 64u << 20);
    if (status)
      add_packages(*status, lock);
    else if (!status.missing())
      unread["packages"] = status.why;
    // Binaries put there by hand or by a DaemonSet carry no version that can be read without running them;
    // their size changes with nearly every release.
    for (const char* binary :
         {"/usr/bin/kubelet", "/usr/local/bin/kubelet", "/usr/bin/containerd", "/usr/local/bin/containerd",
          "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/bin/nvidia-container-runtime"})
      if (const auto size = host.files().size(binary))
        lock.versions["size of " + std::string(binary)] = std::to_string(*size);
    if (const auto plugins = host.files().list("/opt/cni/bin"))
      for (const auto& plugin : *plugins)
        if (const auto size = host.files().size("/opt/cni/bin/" + plugin))
          lock.versions["size of /opt/cni/bin/" + plugin] = std::to_string(*size);
  }
  return lock;
}

}  // namespace mlc
