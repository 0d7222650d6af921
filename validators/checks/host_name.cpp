#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

extern const Check host_name{
    .name = "host.name",
    .summary = "the host name is set and resolves to this machine, and the names of the policy resolve",
    .why =
        "MPI and the rendezvous of training jobs go by name: a name that resolves to 127.0.1.1, or not at "
        "all, hangs the start.",
    .reads = "uname, getaddrinfo, RTM_GETADDR",
    .fix = "/etc/hosts, /etc/resolv.conf; kubectl -n kube-system get pods for the cluster's DNS.",
    .keys = "host.hostname_resolves host.resolve",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("host.name");
          const auto* node = expectation(policy);
          if (!node || (!node->hostname_resolves && node->resolve.empty())) {
            findings.skip("node", "the policy does not ask", "policy");
            return findings.done();
          }
          if (node->hostname_resolves) {
            const auto name = host.kernel_name();
            const std::string
                source = "uname, getaddrinfo",
                expected = "an address of this machine",
                remedy = "give it an entry in DNS or /etc/hosts with the address of the ordinary network";
            if (!name) {
              findings.unknown("host name", name.why, expected, source, "run on the node itself");
            } else if (name->hostname.empty() || name->hostname == "localhost" ||
                       name->hostname == "(none)") {
              findings.fail("host name", "'" + printable(name->hostname, 60) + "'", "a name of its own",
                            source, "hostnamectl set-hostname NAME");
            } else {
              const std::string shown = printable(name->hostname, 60);
              const auto found = host.resolve(name->hostname);
              const auto& addresses = host.addresses();
              bool own = false, loopback = false;
              for (const auto& text : *found) {
                const auto address = parse_ipv4(text);
                loopback = loopback || (address && address->bits >> 24 == 127);
                for (const auto& mine : *addresses)
                  own = own || (address && mine.prefix.address == *address && address->bits >> 24 != 127);
              }
              if (!found) {
                if (found.missing())
                  findings.fail("host name", found.why, expected, source, remedy);
                else
                  findings.unknown("host name", found.why, expected, source,
                                   "check the resolver: /etc/resolv.conf, then getent hosts " + shown);
              } else if (!addresses) {
                findings.unknown("host name", addresses.why, expected, source, "run on the node itself");
              } else if (own) {
                findings.pass("host name", shown + " is " + join(*found, ", "), expected, source);
              } else {
                findings.fail("host name",
                              shown + " resolves to " + (found->empty() ? "nothing" : join(*found, ", ")) +
                                  (loopback ? " (loopback)" : ""),
                              expected, source, remedy);
              }
            }
          }
          for (const auto& wanted : node->resolve) {
            const auto found = host.resolve(wanted);
            const std::string remedy = "check /etc/resolv.conf and the cluster's DNS: getent hosts " + wanted;
            if (found && !found->empty())
              findings.pass(wanted, join(*found, ", "), "resolves", "getaddrinfo");
            else if (found || found.missing())
              findings.fail(wanted, found ? "no address" : found.why, "resolves", "getaddrinfo", remedy);
            else
              findings.unknown(wanted, found.why, "resolves", "getaddrinfo", remedy);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
