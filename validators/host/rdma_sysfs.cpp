#include "validators/host/rdma_sysfs.hpp"

#include <algorithm>
#include <charconv>

#include "validators/host/pci.hpp"

namespace mlc {

namespace {

const std::string devices = "/sys/class/infiniband/";

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string port_path(const std::string& device) { return devices + device + "/ports/1/"; }

std::optional<double> leading_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  return number;
}

Read<std::vector<RdmaDevice>> read_rdma_devices(const FileTree& files) {
  using Devices = std::vector<RdmaDevice>;
  const auto names = files.list("/sys/class/infiniband");
  if (!names) {
    // The class appears with the ib_core module; /sys/class itself is always there on a machine.
    if (names.missing() && files.exists("/sys/class")) return Read<Devices>::of({});
    return Read<Devices>::unreadable("/sys/class/infiniband: " + names.why);
  }
  Devices found;
  for (const auto& name : *names) {
    RdmaDevice device;
    device.name = name;
    auto target = files.resolve(devices + name + "/device");
    if (target) {
      if (const auto netdevs = files.list(*target + "/net")) device.netdevs = *netdevs;
    } else if (const auto beneath = files.text(devices + name + "/parent");
               beneath && files.exists("/sys/class/net/" + *beneath)) {
      // Soft RoCE is on no bus itself: it names the interface that it sits on.
      device.soft = true;
      device.netdevs.push_back(*beneath);
      target = files.resolve("/sys/class/net/" + *beneath + "/device");
    }
    if (target) {
      if (is_pci_address(last_part(*target))) device.pci = last_part(*target);
      const auto parent = files.resolve(*target + "/physfn");
      if (parent && is_pci_address(last_part(*parent))) device.parent = last_part(*parent);
    }
    if (const auto guid = files.text(devices + name + "/node_guid")) device.node_guid = *guid;
    found.push_back(std::move(device));
  }
  // "mlx5_10" after "mlx5_9": by PCI address, the order of the slots and of the rails.
  std::ranges::sort(found, [](const RdmaDevice& a, const RdmaDevice& b) {
    return std::tie(a.pci, a.name) < std::tie(b.pci, b.name);
  });
  return Read<Devices>::of(std::move(found));
}

Read<std::vector<Gid>> read_gids(const FileTree& files, const std::string& device) {
  using Gids = std::vector<Gid>;
  const auto rows = files.list(port_path(device) + "gids");
  if (!rows) return Read<Gids>::no(rows);
  Gids gids;
  for (const auto& row : *rows) {
    const auto index = whole_number(row);
    const auto gid = files.text(port_path(device) + "gids/" + row);
    if (!index || *index > 4096 || !gid || gid->find_first_not_of("0:") == std::string::npos) continue;
    const auto type = files.text(port_path(device) + "gid_attrs/types/" + row);
    const auto netdev = files.text(port_path(device) + "gid_attrs/ndevs/" + row);
    if (!type || !netdev) continue;
    gids.push_back({static_cast<int>(*index), *gid, *type, *netdev});
  }
  std::ranges::sort(gids, {}, &Gid::index);
  return Read<Gids>::of(std::move(gids));
}

}  // namespace mlc
