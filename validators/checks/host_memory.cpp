// Shared memory and huge pages.
#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

// "HugePages_Total:     512"
Read<std::uint64_t> huge_pages(const Read<std::string>& meminfo) {
  if (!meminfo) return Read<std::uint64_t>::no(meminfo);
  const std::string key = "HugePages_Total:";
  const auto at = meminfo->find(key);
  if (at == std::string::npos) return Read<std::uint64_t>::unreadable("/proc/meminfo has no " + key);
  auto value = std::string_view(*meminfo).substr(at + key.size());
  value = value.substr(0, value.find('\n'));
  while (value.starts_with(' '))
    value.remove_prefix(1);
  const auto number = whole_number(value);
  return number ? Read<std::uint64_t>::of(*number)
                : Read<std::uint64_t>::unreadable("'" + printable(value, 20) + "' is no number");
}

}  // namespace

extern const Check host_shm{
    .name = "host.shm",
    .summary = "/dev/shm is as large as the policy asks",
    .why =
        "A container gets 64 MiB by default: NCCL's shared-memory transport and data loaders die with a bus "
        "error.",
    .reads = "statfs /dev/shm",
    .fix = "Mount an emptyDir with medium: Memory at /dev/shm in the Pod.",
    .keys = "host.shm",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("host.shm");
          const auto* node = expectation(policy);
          if (!node || !node->shm_bytes) {
            findings.skip("/dev/shm", "the policy does not ask", "policy");
            return findings.done();
          }
          const auto shm = host.filesystem("/dev/shm");
          constexpr std::uint64_t tmpfs_magic = 0x01021994;
          const std::string expected = bytes_text(*node->shm_bytes) + " or more", source = "statfs /dev/shm",
                            remedy =
                                "mount an emptyDir with medium: Memory at /dev/shm (in the Pod), or raise "
                                "size= of the tmpfs (on the host)";
          if (!shm)
            findings.unknown("/dev/shm", shm.why, expected, source, "mount -t tmpfs tmpfs /dev/shm");
          else if (shm->type != tmpfs_magic)
            findings.fail("/dev/shm", "no tmpfs", "tmpfs of " + expected, source, remedy);
          else
            findings.judge(shm->bytes >= *node->shm_bytes ? Status::pass : Status::fail, "/dev/shm",
                           fixed(static_cast<double>(shm->bytes) / (1 << 30), 2) + " GiB", expected, source,
                           remedy);
          return findings.done();
        },
};

extern const Check host_huge_pages{
    .name = "host.huge-pages",
    .summary = "as many huge pages are reserved as the policy asks",
    .why =
        "Software that was given huge pages and finds none falls back or fails; too many reserved take "
        "memory from the job.",
    .reads = "/proc/meminfo",
    .fix = "vm.nr_hugepages in sysctl.d, or hugepages= on the kernel command line.",
    .keys = "host.huge_pages",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("host.huge-pages");
          const auto* node = expectation(policy);
          if (!node || !node->huge_pages) {
            findings.skip("node", "the policy does not ask", "policy");
            return findings.done();
          }
          const auto pages = huge_pages(host.files().text("/proc/meminfo"));
          const std::string expected = std::to_string(*node->huge_pages) + " pages";
          if (!pages)
            findings.unknown("node", pages.why, expected, "/proc/meminfo", "run on the node itself");
          else
            findings.judge(*pages == *node->huge_pages  ? Status::pass
                           : *pages > *node->huge_pages ? Status::warn
                                                        : Status::fail,
                           "node", std::to_string(*pages) + " pages", expected, "/proc/meminfo",
                           "sysctl vm.nr_hugepages=" + std::to_string(*node->huge_pages) +
                               ", in sysctl.d so that it stays");
          return findings.done();
        },
};

}  // namespace mlc::checks
