#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

std::vector<Finding> judge(const Read<Limit>& limit, const Read<std::string>& registered,
                           std::uint64_t bytes) {
  CheckFindings findings("rdma.memlock");
  const std::string expected = bytes_text(bytes) + " can be registered";
  if (registered) {
    findings.pass("this process", bytes_text(bytes) + " registered (" + *registered + ")", expected,
                  "ibv_reg_mr or mlock");
  } else if (limit && limit->soft && *limit->soft < bytes) {
    findings.fail(
        "this process", registered.why + "; the limit is " + bytes_text(*limit->soft), expected,
        "ibv_reg_mr or mlock, getrlimit(RLIMIT_MEMLOCK)",
        "LimitMEMLOCK=infinity in the unit of containerd, or give the container the capability IPC_LOCK");
  } else if (!limit || registered.not_captured()) {
    findings.unknown(
        "this process", registered.why + (limit ? "" : "; " + limit.why), expected, "ibv_reg_mr or mlock",
        "run on the node itself, or capture it under this policy: mlc-bench capture DIR --policy FILE");
  } else {
    findings.fail("this process", registered.why, expected, "ibv_reg_mr or mlock",
                  "check the memory limit of the cgroup and free memory, then: ulimit -l");
  }
  return findings.done();
}

}  // namespace

extern const Check rdma_memlock{
    .name = "rdma.memlock",
    .summary = "memory can really be registered for RDMA",
    .why =
        "A low memlock limit lets everything start and then fails the first large registration: 'Cannot "
        "allocate memory' hours into scheduling.",
    .reads = "a registration of real memory (ibv_reg_mr; mlock without an RDMA device), getrlimit",
    .fix = "LimitMEMLOCK=infinity for containerd, IPC_LOCK for the container.",
    .keys = "rails.register",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.memlock");
          const auto* node = expectation(policy);
          if (!(node && node->register_bytes)) {
            const auto rails = read_rails(host, policy);
            if (!rails) {
              findings.skip("this process", "no rails, and the policy does not ask", "/sys/class/infiniband");
              return findings.done();
            }
          }
          // Distributions limit memlock to 64 KiB or 8 MiB by default: 64 MiB notices both.
          const std::uint64_t bytes = node ? node->register_bytes.value_or(64u << 20) : 64u << 20;
          return judge(host.limit("memlock"), host.register_memory(bytes), bytes);
        },
};

}  // namespace mlc::checks
