// Local NVMe disks: there, healthy, and mounted as the policy says.
#include <algorithm>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Disk {
  std::string name, model;
  Read<std::string> state;      // "live"
  Read<std::uint64_t> sectors;  // of 512 bytes, whatever the disk's own are
  Read<std::string> read_only;  // "0"
};

std::vector<Finding> judge(const std::vector<Disk>& disks, const NodeExpectation* node) {
  CheckFindings findings("host.disks");
  const std::string source = "/sys/class/nvme, /sys/block";
  const auto wanted = node ? node->disks : std::nullopt;
  const auto least = node ? node->disk_bytes : std::nullopt;
  const std::string expected =
      wanted ? std::to_string(*wanted) + " disks" + (least ? " of " + bytes_text(*least) + " or more" : "")
             : "";
  if (wanted && static_cast<int>(disks.size()) < *wanted) {
    std::string present;
    for (const auto& disk : disks)
      present += (present.empty() ? "" : ", ") + disk.name;
    findings.fail(
        "node", std::to_string(disks.size()) + " NVMe disks" + (present.empty() ? "" : " (" + present + ")"),
        expected, source,
        "find the one that is absent: nvme list, lspci | grep -i nvme, dmesg | grep nvme; reseat it, then "
        "replace it");
  }
  for (const auto& disk : disks) {
    const std::string base = "/sys/class/nvme/" + disk.name;
    if (!disk.state)
      findings.unknown(disk.name, disk.state.why, "live", base + "/state",
                       "nvme list; dmesg | grep " + disk.name);
    else if (*disk.state != "live")
      findings.fail(disk.name, "controller is " + *disk.state, "live", base + "/state",
                    "dmesg | grep " + disk.name + "; nvme reset /dev/" + disk.name + ", then replace it");
    else if (!disk.sectors)
      findings.unknown(disk.name, "no namespace: " + disk.sectors.why, "a namespace",
                       "/sys/block/" + disk.name + "n1/size", "nvme list-ns /dev/" + disk.name);
    else if (*disk.sectors == 0)
      findings.fail(disk.name, "its namespace has no size", "a usable namespace",
                    "/sys/block/" + disk.name + "n1/size",
                    "nvme id-ctrl /dev/" + disk.name + " | grep unvmcap; then replace it");
    else if (least && *disk.sectors < *least / 512)
      findings.fail(disk.name, fixed(static_cast<double>(*disk.sectors) * 512 / 1e12, 2) + " TB",
                    bytes_text(*least) + " or more", "/sys/block/" + disk.name + "n1/size",
                    "another disk model sits here: check the build sheet");
    else if (disk.read_only && *disk.read_only != "0")
      findings.fail(disk.name, "read-only: its spare is used up or it failed", "writable",
                    "/sys/block/" + disk.name + "n1/ro",
                    "nvme smart-log /dev/" + disk.name + " (critical_warning), then replace it");
    else
      findings.pass(disk.name,
                    "live, " + fixed(static_cast<double>(*disk.sectors) * 512 / 1e12, 2) + " TB" +
                        (disk.model.empty() ? "" : ", " + disk.model),
                    "live and writable", source);
  }
  return findings.done();
}

struct Mount {
  std::string point, type, device, options;
};

// /proc/self/mounts: "/dev/nvme0n1 /data0 xfs rw,noatime 0 0", with \040 for a space in a path.
std::vector<Mount> parse_mounts(std::string_view text) {
  std::vector<Mount> mounts;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::vector<std::string> words;
    while (!line.empty() && words.size() < 4) {
      words.emplace_back(line.substr(0, line.find(' ')));
      line.remove_prefix(std::min(words.back().size() + 1, line.size()));
    }
    if (words.size() == 4) mounts.push_back({words[1], words[2], words[0], words[3]});
  }
  return mounts;
}

}  // namespace

extern const Check host_disks{
    .name = "host.disks",
    .summary = "all local NVMe disks are there, live, of full size and writable",
    .why =
        "The storage layer above counts on every disk: one missing shifts its load to the others, and "
        "checkpoints slow down on this node alone.",
    .reads = "/sys/class/nvme/*/{state,model}, /sys/block/*/{size,ro}",
    .fix = "nvme list, nvme smart-log; reseat, then replace.",
    .keys = "host.disks host.disk_size",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("host.disks");
          const auto* node = expectation(policy);
          const auto names = host.files().list("/sys/class/nvme");
          const bool asked = node && node->disks;
          if (!names && !(names.missing() && host.files().exists("/sys/class"))) {
            findings.unknown("node", "/sys/class/nvme: " + names.why, "", "/sys/class/nvme",
                             "run on the node itself");
            return findings.done();
          }
          if (names->empty() && (!asked || *node->disks == 0)) {
            asked ? findings.pass("node", "no NVMe disk", "0 disks", "/sys/class/nvme")
                  : findings.skip("node", "no NVMe disk, and the policy asks for none", "/sys/class/nvme");
            return findings.done();
          }
          std::vector<Disk> disks;
          for (const auto& name : *names) {
            const std::string block = "/sys/block/" + name + "n1/";
            disks.push_back({name, host.files().text("/sys/class/nvme/" + name + "/model").value,
                             host.files().text("/sys/class/nvme/" + name + "/state"),
                             host.files().number(block + "size"), host.files().text(block + "ro")});
            if (!disks.back().sectors) {
              // With multipath the namespace belongs to the subsystem: nvme0c0n1 of nvme0n1, found by its
              // number below.
              if (const auto inside = host.files().list("/sys/class/nvme/" + name))
                for (const auto& entry : *inside)
                  if (entry.starts_with("nvme") && entry.find('n', 4) != std::string::npos)
                    disks.back().sectors =
                        host.files().number("/sys/class/nvme/" + name + "/" + entry + "/size");
            }
          }
          return judge(disks, node);
        },
};

extern const Check host_mounts{
    .name = "host.mounts",
    .summary = "file systems are mounted where the policy says, writable and of the right type",
    .why =
        "A disk that is not mounted after a reboot leaves an empty folder: checkpoints then fill the root "
        "disk until the node goes away.",
    .reads = "/proc/self/mounts",
    .fix = "systemctl status of the mount unit; /etc/fstab; mount -a.",
    .keys = "host.mounts",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("host.mounts");
          const auto* node = expectation(policy);
          if (!node || node->mounts.empty()) {
            findings.skip("node", "the policy names no mounts", "policy");
            return findings.done();
          }
          const auto text = host.files().text("/proc/self/mounts", 1 << 20);
          for (const auto& [point, type] : node->mounts) {
            const std::string source = "/proc/self/mounts",
                              expected = "mounted" + (type.empty() ? "" : " as " + type) + ", writable";
            if (!text) {
              findings.unknown(point, text.why, expected, source, "run on the node itself");
              continue;
            }
            const auto mounts = parse_mounts(*text);
            // The last one counts: it covers those below.
            const auto found = std::ranges::find(mounts.rbegin(), mounts.rend(), point, &Mount::point);
            if (found == mounts.rend())
              findings.fail(
                  point, "not mounted", expected, source,
                  "systemctl status " + point + " and the entry in /etc/fstab; then mount " + point);
            else if (!type.empty() && found->type != type)
              findings.fail(point, found->type + " (" + printable(found->device, 60) + ")", expected, source,
                            "correct the entry in /etc/fstab, and find who formatted it");
            else if (found->options != "rw" && !found->options.starts_with("rw,"))
              findings.fail(point, "mounted read-only", expected, source,
                            "dmesg | grep " + printable(found->device, 60) +
                                ": the kernel remounts after errors; check the disk (host.disks), then fsck");
            else
              findings.pass(point, found->type + " on " + printable(found->device, 60), expected, source);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
