#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

extern const Check host_limits{
    .name = "host.limits",
    .summary = "memlock and open files are as the policy asks",
    .why =
        "Low limits pass every short test and stop the large job: too many open files at the thousandth "
        "connection, no memory to register.",
    .reads = "getrlimit",
    .fix = "LimitMEMLOCK=infinity and LimitNOFILE in containerd's unit; limits.d on the host.",
    .keys = "host.memlock host.nofile",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("host.limits");
          const auto* node = expectation(policy);
          if (!node || (!node->memlock_unlimited && !node->nofile)) {
            findings.skip("this process", "the policy does not ask", "policy");
            return findings.done();
          }
          const auto judge = [&](const std::string& name, const Read<Limit>& limit,
                                 std::optional<std::uint64_t> least, const std::string& remedy) {
            const std::string expected = least ? std::to_string(*least) + " or more" : "unlimited",
                              source = "getrlimit " + name;
            if (!limit)
              findings.unknown(name, limit.why, expected, source, "run on the node itself");
            else
              findings.judge(!limit->soft || (least && *limit->soft >= *least) ? Status::pass : Status::fail,
                             name, limit->soft ? std::to_string(*limit->soft) : "unlimited", expected, source,
                             remedy);
          };
          if (node->memlock_unlimited)
            judge("memlock", host.limit("memlock"), std::nullopt,
                  "LimitMEMLOCK=infinity in containerd's unit (systemctl edit containerd), then restart it; "
                  "on the host: limits.d");
          if (node->nofile)
            judge("nofile", host.limit("nofile"), node->nofile,
                  "LimitNOFILE=" + std::to_string(*node->nofile) +
                      " in containerd's unit (systemctl edit containerd), then restart it");
          return findings.done();
        },
};

}  // namespace mlc::checks
