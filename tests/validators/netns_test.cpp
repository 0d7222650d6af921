// The kernel's own answers, in network namespaces that the test makes: veth pairs for rails, a second
// namespace for what is at the other end. The fixture's forged tree only says which interface is a rail;
// routes, rules, ARP and packets are real. Commands are the test's; the program under test runs none.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <tuple>

#include "reports/faces/findings_text.hpp"
#include "tests/validators/built_node.hpp"
#include "validators/host/machine.hpp"

namespace mlc::test {

namespace {

int sh(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()); }

// Two namespaces joined by a rail (r0) and an ordinary network (m0). "here" is where the checks run.
class Namespaces : public testing::Test {
 protected:
  void SetUp() override {
    const std::string unique = std::to_string(::getpid());
    here_ = "mlc-here-" + unique, there_ = "mlc-there-" + unique;
    if (::geteuid() != 0) GTEST_SKIP() << "a network namespace needs root";
    if (sh("ip netns add " + here_) != 0)
      GTEST_SKIP() << "this machine allows no network namespaces, or has no iproute2";
    made_ = true;
    ASSERT_EQ(sh("ip netns add " + there_), 0);
    if (sh("ip -n " + here_ + " link add dev r0 type veth peer name r0 netns " + there_) != 0)
      GTEST_SKIP() << "this kernel has no veth";
    ASSERT_EQ(sh("ip -n " + here_ + " link add dev m0 type veth peer name m0 netns " + there_), 0);
    for (const auto& name : {here_, there_})
      for (const char* link : {"lo", "r0", "m0"})
        ASSERT_EQ(sh("ip -n " + name + " link set " + link + " up mtu 9000"), 0);
    in(here_, "address add 10.1.0.21/24 dev r0");
    in(here_, "address add 192.168.0.21/24 dev m0");
    in(here_, "route add default via 192.168.0.1 dev m0");
    in(there_, "address add 10.1.0.1/24 dev r0");
    in(there_, "address add 192.168.0.1/24 dev m0");
    in(there_, "address add 10.9.0.1/16 dev lo");
    // What sysfs would say: r0 is the interface of an RDMA device.
    root_ = std::filesystem::temp_directory_path() / ("mlc-netns-" + unique);
    std::filesystem::create_directories(root_ / "sys/devices/pci0000:00/0000:00:01.0/net/r0");
    std::filesystem::create_directories(root_ /
                                        "sys/devices/pci0000:00/0000:00:01.0/infiniband/mlx5_0/ports/1");
    std::filesystem::create_directories(root_ / "sys/class/infiniband");
    std::filesystem::create_directory_symlink(
        "../../../0000:00:01.0", root_ / "sys/devices/pci0000:00/0000:00:01.0/infiniband/mlx5_0/device");
    std::filesystem::create_directory_symlink("../../devices/pci0000:00/0000:00:01.0/infiniband/mlx5_0",
                                              root_ / "sys/class/infiniband/mlx5_0");
    policy_.name = "netns";
    policy_.node.emplace();
    policy_.node->rails = 1;
    policy_.node->sites = {
        {*parse_prefix("10.1.0.0/24"), parse_ipv4("10.1.0.1"), {*parse_prefix("10.9.0.0/16")}}};
    policy_.node->probe_gateways = policy_.node->probe_duplicates = policy_.node->probe_path_mtu = true;
    policy_.node->netdev_mtu = 4220;
  }
  void TearDown() override {
    if (!made_) return;
    sh("ip netns delete " + here_);
    sh("ip netns delete " + there_);
    std::filesystem::remove_all(root_);
  }
  void in(const std::string& name, const std::string& command) {
    ASSERT_EQ(sh("ip -n " + name + " " + command), 0) << command;
  }
  void sysctl(const std::string& name, const std::string& key, const std::string& value) {
    ASSERT_EQ(sh("ip netns exec " + name + " sh -c 'echo " + value + " > /proc/sys/" + key + "'"), 0) << key;
  }

  // Runs `body` on a thread of its own inside `here`; the namespace of the test process stays.
  template <class Body>
  auto inside(Body body) {
    decltype(body()) result{};
    std::string trouble;
    std::thread([&] {
      const int fd = ::open(("/run/netns/" + here_).c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0 || ::setns(fd, CLONE_NEWNET) != 0)
        trouble = "setns";
      else
        result = body();
      if (fd >= 0) ::close(fd);
    }).join();
    EXPECT_EQ(trouble, "");
    return result;
  }

  std::vector<Finding> check(const std::string& name, const std::string& files = "") {
    return inside([&] {
      const Host host(FileTree(files.empty() ? root_.string() : files), live_machine());
      return run_check(name, host, policy_);
    });
  }
  static std::string said(const std::vector<Finding>& findings) {
    std::string text;
    for (const auto& one : findings)
      text += std::string(to_string(one.status)) + " " + one.subject + ": " + one.observed + "\n";
    return text;
  }
  void expect(const std::string& name, Status status, const std::string& words,
              const std::string& files = "") {
    const auto findings = check(name, files);
    EXPECT_EQ(worst_of(findings), status) << said(findings);
    EXPECT_NE(said(findings).find(words), std::string::npos) << said(findings);
  }

  std::string here_, there_;
  std::filesystem::path root_;
  Policy policy_;
  bool made_ = false;
};

// What the kernel answers to a lookup with other flags, for showing the trap itself.
Answer plain_lookup(Ipv4 destination, std::optional<Ipv4> source, std::optional<int> oif, bool fib_match) {
  auto request = route_lookup_request(destination, source, oif);
  if (!fib_match)
    request.payload[9] = static_cast<char>(request.payload[9] & ~0x20);  // RTM_F_FIB_MATCH of rtm_flags
  return live_machine()->ask("netlink", request.key());
}

TEST_F(Namespaces, TheTrapIsReal) {
  const auto answers = inside([] {
    const Host host(FileTree("/nowhere"), live_machine());
    int rail = 0;
    for (const auto& link : *host.links())
      if (link.name == "r0") rail = link.index;
    const Ipv4 far = *parse_ipv4("10.9.0.1"), own = *parse_ipv4("10.1.0.21");
    return std::array{plain_lookup(far, own, rail, false).error, plain_lookup(far, own, rail, true).error,
                      plain_lookup(far, own, std::nullopt, false).error};
  });
  EXPECT_EQ(answers[0], 0) << "a lookup bound to the rail succeeds although there is no route";
  EXPECT_NE(answers[1], 0) << "FIB_MATCH tells the truth";
  EXPECT_EQ(answers[2], 0) << "a lookup without the device succeeds through the wrong one";
}

TEST_F(Namespaces, RouteMissing) { expect("net.rail-routes", Status::fail, "no route matches"); }

TEST_F(Namespaces, RoutePresent) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  expect("net.rail-routes", Status::pass, "10.9.0.0/16 via 10.1.0.1 dev r0");
  expect("net.default-route", Status::pass, "leaves by r0");
}

TEST_F(Namespaces, RouteBlackholed) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  in(here_, "route add blackhole 10.9.0.0/24");
  expect("net.rail-routes", Status::fail, "");
}

// One lookup an address of each prefix passed all of these.
TEST_F(Namespaces, BlackholeOverAllPeersButOne) {
  in(here_, "route add 10.9.0.1/32 via 10.1.0.1 dev r0");
  in(here_, "route add blackhole 10.9.0.0/16");
  expect("net.rail-routes", Status::fail, "10.9.0.2-10.9.255.255 blackhole: blackhole 10.9.0.0/16");
}

TEST_F(Namespaces, WrongPreferredSource) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0 src 192.168.0.21");
  expect("net.rail-routes", Status::fail, "sends from 192.168.0.21");
}

TEST_F(Namespaces, ARuleForPartOfTheDestination) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  in(here_, "rule add to 10.9.200.0/24 priority 10 prohibit");
  expect("net.rail-routes", Status::fail,
         "10.9.200.0-10.9.200.255 refused by rule '10: from all to 10.9.200.0/24");
}

TEST_F(Namespaces, NextHopObject) {
  in(here_, "nexthop add id 7 via 10.1.0.1 dev r0");
  in(here_, "nexthop add id 8 blackhole");
  in(here_, "route add 10.9.0.0/16 nhid 7");
  expect("net.rail-routes", Status::pass, "10.9.0.0/16 nhid 7 via 10.1.0.1 dev r0");
  // Then the route names the object and no hop.
  sysctl(here_, "net/ipv4/nexthop_compat_mode", "0");
  expect("net.rail-routes", Status::pass, "10.9.0.0/16 nhid 7 via 10.1.0.1 dev r0");
  expect("net.default-route", Status::pass, "leaves by r0");
  in(here_, "route add 10.9.4.0/24 nhid 8");
  expect("net.rail-routes", Status::fail, "10.9.4.0-10.9.4.255 blackhole");
}

TEST_F(Namespaces, DefaultRouteByANextHopObject) {
  in(here_, "nexthop add id 7 via 10.1.0.1 dev r0");
  in(here_, "nexthop add id 8 via 192.168.0.1 dev m0");
  in(here_, "nexthop add id 9 group 7/8");
  for (const char* compat : {"1", "0"}) {
    sysctl(here_, "net/ipv4/nexthop_compat_mode", compat);
    for (const char* object : {"7", "9"}) {
      in(here_, std::string("route replace default nhid ") + object);
      expect("net.default-route", Status::fail,
             std::string("carries the default route: default nhid ") + object);
    }
  }
}

TEST_F(Namespaces, MultipathOverTheOrdinaryNetworkToo) {
  in(here_, "route add 10.9.0.0/16 nexthop via 10.1.0.1 dev r0 nexthop via 192.168.0.1 dev m0");
  expect("net.rail-routes", Status::fail, "multipath route over 2 devices");
}

TEST_F(Namespaces, MtuLock) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0 mtu lock 9000");
  expect("net.rail-routes", Status::warn, "locked");
}

TEST_F(Namespaces, DefaultRouteInTheRailsOwnTable) {
  in(here_, "route add default via 10.1.0.1 dev r0 table 100");
  in(here_, "route add 10.1.0.0/24 dev r0 table 100");
  in(here_, "rule add from 10.1.0.21 lookup 100 priority 100");
  expect("net.rail-routes", Status::pass, "default via 10.1.0.1 dev r0 table 100");
  expect("net.default-route", Status::pass, "leaves by r0");
}

TEST_F(Namespaces, NoDestinationIsKnown) {
  policy_.node->sites.clear();
  expect("net.rail-routes", Status::unknown, "none is known for rail 0 (r0)");
  policy_.node->peers = {{*parse_ipv4("10.1.0.1")}};
  expect("net.rail-routes", Status::pass, "10.1.0.0/24 dev r0");
}

TEST_F(Namespaces, RouteUnreachable) {
  in(here_, "route add unreachable 10.9.0.0/16");
  expect("net.rail-routes", Status::fail, "10.9.0.0-10.9.255.255 unreachable: unreachable 10.9.0.0/16");
}

TEST_F(Namespaces, RouteViaWrongDevice) {
  in(here_, "route add 10.9.0.0/16 via 192.168.0.1 dev m0");
  expect("net.rail-routes", Status::fail, "no route matches");
  expect("net.default-route", Status::fail, "leaves by m0");
}

TEST_F(Namespaces, RouteViaWrongGateway) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.99 dev r0");
  expect("net.rail-routes", Status::fail, "via 10.1.0.99");
}

TEST_F(Namespaces, RouteWithSmallMtu) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0 mtu 1500");
  expect("net.rail-routes", Status::fail, "MTU is 1500");
}

TEST_F(Namespaces, FallsToDefaultRoute) {
  expect("net.default-route", Status::fail, "default route out of m0");
}

TEST_F(Namespaces, ShadowedByARule) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  expect("net.rules", Status::pass, "main table");
  in(here_, "route add default via 192.168.0.1 dev m0 table 200");
  in(here_, "rule add from all lookup 200 priority 50");
  expect("net.rules", Status::fail, "answers before");
  expect("net.default-route", Status::fail, "");
}

TEST_F(Namespaces, SourceBasedRouting) {
  in(here_, "route add default via 10.1.0.1 dev r0 table 100");
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0 table 100");
  in(here_, "route add 10.1.0.0/24 dev r0 table 100");
  in(here_, "rule add from 10.1.0.21 lookup 100 priority 100");
  expect("net.rules", Status::pass, "from 10.1.0.21/32");
  expect("net.rail-routes", Status::pass, "10.9.0.0/16 via 10.1.0.1 dev r0");
}

// wg-quick's way: the main table first, but for its default route, then the tunnel for all that is not its
// own.
TEST_F(Namespaces, ATunnelForWhatTheMainTableDoesNotHave) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  in(here_, "route add default dev m0 table 51820");
  in(here_, "rule add not fwmark 0xca6c table 51820 priority 100");
  expect("net.rules", Status::fail, "answers before");
  in(here_, "rule add table main suppress_prefixlength 0 priority 50");
  expect("net.rules", Status::pass, "main table");
  expect("net.default-route", Status::pass, "leaves by r0");
}

// 0.0.0.0 and multicast lie in these, and nobody sends there by a route.
TEST_F(Namespaces, ADefaultRouteInTwoHalves) {
  in(here_, "rule add from 10.1.0.21 lookup 100 priority 100");
  for (const char* half : {"0.0.0.0/1", "128.0.0.0/1"})
    in(here_, std::string("route add ") + half + " via 10.1.0.1 dev r0 table 100");
  in(here_, "route add 10.1.0.0/24 dev r0 table 100");
  expect("net.rules", Status::pass, "from 10.1.0.21/32");
}

TEST_F(Namespaces, TheRuleOfTheMainTableIsGone) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  in(here_, "rule delete priority 32766");
  expect("net.rules", Status::fail, "table main has a route for");
}

// Then nothing that comes for the rail is delivered.
TEST_F(Namespaces, TheLocalTableComesLast) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  in(here_, "rule add priority 40000 lookup local");
  in(here_, "rule delete priority 0");
  expect("net.rules", Status::fail, "before the table local is asked");
  in(here_, "rule add priority 0 lookup local");
  expect("net.rules", Status::pass, "main table");
}

TEST_F(Namespaces, Ipv6Routes) {
  // Without duplicate detection, whose seconds the addresses would be no source in.
  for (const auto& [name, address] : {std::pair{here_, "2001:db8:1::15/64"}, {there_, "2001:db8:1::1/64"}})
    in(name, std::string("address add ") + address + " dev r0 nodad");
  policy_.node->sites = {{*parse_ip_prefix("2001:db8:1::/64"),
                          parse_ip("2001:db8:1::1"),
                          {*parse_ip_prefix("2001:db8:9::/48")}}};
  std::filesystem::create_directories(root_ / "proc/net");
  std::ofstream(root_ / "proc/net/if_inet6") << "20010db8000100000000000000000015 02 40 00 80 r0\n";
  expect("net.rail-routes", Status::fail,
         "2001:db8:9::-2001:db8:9:ffff:ffff:ffff:ffff:ffff no route matches");
  in(here_, "route add 2001:db8:9::/48 via 2001:db8:1::1 dev r0");
  for (const char* one : {"net.rail-routes", "net.default-route", "net.rules", "net.rail-prefixes"})
    expect(one, Status::pass, "");
  expect("net.rail-routes", Status::pass, "2001:db8:9::/48 via 2001:db8:1::1 dev r0");
  in(here_, "route add unreachable 2001:db8:9:7::/64");
  expect("net.rail-routes", Status::fail, "2001:db8:9:7::-2001:db8:9:7:ffff:ffff:ffff:ffff unreachable");
  in(here_, "route delete unreachable 2001:db8:9:7::/64");
  in(here_, "route add default dev m0 table 200");
  in(here_, "-6 route add default dev m0 table 200");
  in(here_, "-6 rule add from all lookup 200 priority 50");
  expect("net.rules", Status::fail, "answers before");
  expect("net.default-route", Status::fail, "default route out of m0");
}

TEST_F(Namespaces, ReversePathFilter) {
  for (const auto& [all, own, status] :
       {std::tuple{"0", "0", Status::pass}, std::tuple{"1", "0", Status::warn},
        std::tuple{"0", "2", Status::pass}}) {
    sysctl(here_, "net/ipv4/conf/all/rp_filter", all);
    sysctl(here_, "net/ipv4/conf/r0/rp_filter", own);
    // /proc/sys/net shows the namespace of the thread that reads it: copied beside the forged tree of the
    // rail.
    const auto copy = inside([&]() -> bool {
      for (const char* which : {"all", "r0"})
        for (const char* key : {"rp_filter", "arp_ignore", "arp_announce"}) {
          const std::string path = std::string("/proc/sys/net/ipv4/conf/") + which + "/" + key;
          std::filesystem::create_directories(
              (root_.string() + path).substr(0, (root_.string() + path).rfind('/')));
          std::ofstream(root_.string() + path) << FileTree("/").text(path).value << "\n";
        }
      return true;
    });
    ASSERT_TRUE(copy);
    ASSERT_EQ(FileTree(root_.string()).text("/proc/sys/net/ipv4/conf/all/rp_filter").value, all);
    expect("net.sysctls", status, "");
  }
}

TEST_F(Namespaces, GatewayAnswers) {
  expect("net.reachability", Status::pass, "answers");
  in(there_, "address delete 10.1.0.1/24 dev r0");
  expect("net.reachability", Status::fail, "10.1.0.1");
  // Without a carrier there is one failure, of rdma.port-state; whatever needs the link could not be tested.
  in(there_, "link set r0 down");
  for (const char* check : {"net.reachability", "net.rail-routes", "net.duplicate-address"})
    expect(check, Status::unknown, "its link is down");
}

TEST_F(Namespaces, WrongVlanIsNotHiddenByTheOrdinaryNetwork) {
  // The gateway's address moves to the other network: an unbound ping would still reach it.
  in(there_, "address delete 10.1.0.1/24 dev r0");
  in(there_, "address add 10.1.0.1/32 dev m0");
  sysctl(there_, "net/ipv4/conf/all/arp_ignore", "1");
  expect("net.reachability", Status::fail, "10.1.0.1");
}

TEST_F(Namespaces, PathMtu) {
  expect("net.path-mtu", Status::pass, "4220 bytes");
  // The other end takes only 1500: what is larger vanishes without a word, as on a switch port.
  in(there_, "link set r0 mtu 1500");
  const auto findings = check("net.path-mtu");
  EXPECT_EQ(worst_of(findings), Status::fail) << said(findings);
  EXPECT_NE(said(findings).find("black hole"), std::string::npos) << said(findings);
}

TEST_F(Namespaces, LocalMtuTooSmall) {
  in(here_, "link set r0 mtu 1500");
  expect("net.path-mtu", Status::pass, "1500 bytes");  // the path carries what the interface can
  in(here_, "link set r0 mtu 9000");
}

TEST_F(Namespaces, DuplicateAddress) {
  expect("net.duplicate-address", Status::pass, "nobody else");
  in(there_, "address add 10.1.0.21/32 dev lo");
  expect("net.duplicate-address", Status::fail, "10.1.0.21 is also owned by");
}

TEST_F(Namespaces, RailMatrix) {
  policy_.node->peers = {{*parse_ipv4("10.1.0.1")}};
  expect("net.rail-matrix", Status::pass, "");
  policy_.node->peers = {{*parse_ipv4("10.1.0.77")}};
  expect("net.rail-matrix", Status::fail, "same rail");
}

TEST_F(Namespaces, OverlappingPrefixes) {
  in(here_, "address add 10.1.0.22/24 dev m0");
  expect("net.rail-prefixes", Status::fail, "overlaps");
}

TEST_F(Namespaces, ARouteLookupOfTheWholeProgram) {
  in(here_, "route add 10.9.0.0/16 via 10.1.0.1 dev r0");
  const auto neighbours = inside([&] {
    const Host host(FileTree("/nowhere"), live_machine());
    host.echo("r0", *parse_ipv4("10.1.0.21"), *parse_ipv4("10.1.0.1"), 84);
    return host.neighbours();
  });
  ASSERT_TRUE(neighbours);
  bool gateway = false;
  for (const auto& one : *neighbours)
    gateway = gateway || (one.address == *parse_ipv4("10.1.0.1") && one.mac.size() == 17);
  EXPECT_TRUE(gateway);
}

}  // namespace

}  // namespace mlc::test
