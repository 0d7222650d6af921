#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"
#include "validators/policy/lock_file.hpp"

namespace mlc::checks {

namespace {

std::vector<Finding> judge(const LockFile& lock, const LockFile& now,
                           const std::map<std::string, std::string>& unread, const std::string& path) {
  CheckFindings findings("image.drift");
  const std::string again =
      "put the old version back, and pin it in the playbook (apt-mark hold); if the change was meant, write "
      "the lock again: mlc-bench validate --write-lock " +
      path;
  for (const auto& [name, version] : lock.versions) {
    const auto found = now.versions.find(name);
    if (found != now.versions.end() && found->second == version) continue;
    if (found != now.versions.end())
      findings.fail(name, found->second, version, path, again);
    else if (const auto why = unread.find(name); why != unread.end() || unread.contains("packages"))
      findings.unknown(name, why != unread.end() ? why->second : unread.at("packages"), version, path,
                       "run as root on the node itself");
    else if (is_firmware(name))  // of a device: no version of anything put that one away
      findings.unknown(
          name, "the device is not there any more", version, path,
          "see pci.inventory first; if it was taken out on purpose, write the lock again: mlc-bench "
          "validate --write-lock " +
              path);
    else
      findings.fail(name, "not there any more", version, path, again);
  }
  for (const auto& [name, version] : now.versions)
    if (!lock.versions.contains(name))
      findings.warn(name, version + ", new since the lock was written", "in the lock", path,
                    "if it was meant, write the lock again: mlc-bench validate --write-lock " + path);
  if (findings.empty())
    findings.pass("node", std::to_string(lock.versions.size()) + " versions as locked", "as locked", path);
  return findings.done();
}

}  // namespace

extern const Check image_drift{
    .name = "image.drift",
    .summary = "kernel, driver, firmware, container runtime, kubelet and CNI are those of the lock file",
    .why =
        "A playbook that failed and was run again takes the newest driver; one node then differs from all "
        "others, and the bug that follows is looked for everywhere else.",
    .reads =
        "/proc/sys/kernel/osrelease, /proc/driver/nvidia/version, /sys/module/mlx5_core/version, fw_ver, "
        "/var/lib/dpkg/status, /opt/cni/bin",
    .fix =
        "Pin versions in the playbook; write the lock with: mlc-bench validate --write-lock FILE on an "
        "accepted node.",
    .keys = "lock",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("image.drift");
          const auto* node = expectation(policy);
          const std::string path = node ? node->lock : "";
          if (path.empty()) {
            findings.skip("node", "the policy names no lock file", "policy");
            return findings.done();
          }
          const auto content = host.files().text(path, 1 << 20);
          if (!content) {
            findings.unknown("node", path + ": " + content.why, "a lock file", path,
                             "write it on an accepted node: mlc-bench validate --write-lock " + path);
            return findings.done();
          }
          LockFile lock;
          try {
            lock = read_lock(*content, path);
          } catch (const PolicyError& error) {
            findings.unknown("node", error.what(), "a lock file", path,
                             "write it again on an accepted node: mlc-bench validate --write-lock " + path);
            return findings.done();
          }
          std::map<std::string, std::string> unread;
          const auto now = collect_versions(host, unread);
          return judge(lock, now, unread, path);
        },
};

}  // namespace mlc::checks
