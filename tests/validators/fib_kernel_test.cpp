// fib.hpp against the kernel: random routes and rules of both families in network namespaces of their own,
// and for thousands of addresses and several flows the kernel's answer beside ours. MLC_FIB_SEED=N tries one
// seed alone, MLC_FIB_SEEDS=N that many.
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "validators/host/fib.hpp"
#include "validators/host/file_descriptor.hpp"
#include "validators/host/host.hpp"
#include "validators/host/machine.hpp"

namespace mlc::test {

namespace {

constexpr int seeds = 80, flows = 5, addresses = 100;  // lookups of one family: the product

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  unsigned below(unsigned end) { return static_cast<unsigned>(engine_() % end); }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <std::size_t N>
  const char* of(const char* const (&words)[N]) {
    return words[below(N)];
  }
  IpBits bits() { return IpBits{engine_()} << 64 | engine_(); }

 private:
  std::mt19937_64 engine_;
};

// What differs between the families, for both generators.
struct World {
  IpFamily family;
  IpPrefix universe;  // all addresses that are looked up
  const char *ip, *rail_source, *other_source, *rail_gateway, *other_gateway;
};

const World v4{IpFamily::v4, *parse_ip_prefix("10.64.0.0/12"), "", "10.1.0.21", "10.2.0.21", "10.1.0.1",
               "10.2.0.1"};
const World v6{IpFamily::v6,
               *parse_ip_prefix("2001:db8:40::/44"),
               "-6",
               "2001:db8:1::21",
               "2001:db8:2::21",
               "2001:db8:1::1",
               "2001:db8:2::1"};

// The commands of one namespace.
class Commands {
 public:
  Commands(const World& world, unsigned seed) : world_(world), random_(seed) {
    for (int i = 0; i < 5; ++i) {
      pool_.push_back(somewhere());
      // Some of which prefixes of many lengths have the same first address.
      if (i % 2 == 0) pool_.back() = IpPrefix{pool_.back(), world.universe.length + 4}.first();
    }
    nexthops();
    for (unsigned i = 5 + random_.below(40); i > 0; --i)
      route();
    if (random_.chance(70))
      for (unsigned i = 1 + random_.below(7); i > 0; --i)
        rule();
  }

  const std::string& text() const { return text_; }
  int rules() const { return rules_; }

  // Anywhere, or near where something begins.
  IpAddress address() {
    if (random_.chance(30)) return somewhere();
    IpAddress near = pool_[random_.below(static_cast<unsigned>(pool_.size()))];
    const int hosts = width(world_.family) - world_.universe.length;
    const int low =
        static_cast<int>(random_.below(random_.chance(50) ? 9u : static_cast<unsigned>(hosts + 1)));
    near.bits ^= random_.bits() & ((IpBits{1} << low) - 1);
    return near;
  }
  Random& random() { return random_; }

 private:
  IpAddress somewhere() {
    return {world_.family, world_.universe.first().bits | (random_.bits() & world_.universe.host_mask())};
  }
  std::string prefix() {
    static constexpr std::array<int, 12> v4_lengths{0, 8, 11, 12, 14, 16, 20, 24, 26, 30, 31, 32};
    static constexpr std::array<int, 12> v6_lengths{0, 20, 40, 44, 48, 56, 64, 65, 96, 112, 127, 128};
    const int length = (world_.family == IpFamily::v4 ? v4_lengths : v6_lengths)[random_.below(12)];
    const IpAddress within = random_.chance(50) ? address() : pool_[random_.below(5)];
    return to_string(IpPrefix{IpPrefix{within, length}.first(), length});
  }
  std::string rail() { return std::string("via ") + world_.rail_gateway + " dev r0"; }
  std::string other() { return std::string("via ") + world_.other_gateway + " dev m0"; }

  void nexthops() {
    text_ += "nexthop add id 1 " + rail() + "\n";
    text_ += "nexthop add id 2 " + other() + "\n";
    text_ += "nexthop add id 3 group 1/2\n";
    text_ += "nexthop add id 4 blackhole\n";
  }

  void route() {
    const bool of_v4 = world_.family == IpFamily::v4;
    std::string line = std::string("route ") + (random_.chance(of_v4 ? 15 : 50) ? "append " : "add ");
    static constexpr const char* refusals[]{"blackhole ", "unreachable ", "prohibit ", "throw "};
    const bool unicast = random_.chance(65);
    if (!unicast) line += random_.of(refusals);
    line += prefix();
    if (!of_v4 && random_.chance(15)) {
      static constexpr const char* sources[]{"2001:db8:1::/64", "2001:db8:1::21/128", "2001:db8:2::/64",
                                             "2001:db8::/32"};
      line += std::string(" from ") + random_.of(sources);
    }
    static constexpr const char* tables[]{"main", "main", "main", "100", "101", "default", "local"};
    line += std::string(" table ") + random_.of(tables);
    if (of_v4) {
      static constexpr const char* tos[]{"", "", "", "", " tos 0x10", " tos 0x08"};
      static constexpr const char* metrics[]{"", "", " metric 10", " metric 20"};
      line += std::string(random_.of(tos)) + random_.of(metrics);
    } else {
      line += " metric " + std::to_string(50 + random_.below(2));
      static constexpr const char* preferences[]{"", "", "", " pref high", " pref low"};
      if (unicast) line += random_.of(preferences);
    }
    if (unicast) line += hops(of_v4);
    text_ += line + "\n";
  }

  std::string hops(bool of_v4) {
    switch (random_.below(10)) {
      case 0:
        return " dev r0";
      case 1:
        return " dev m0";
      case 2:
        return " nexthop " + rail() + " nexthop " + other();
      case 3:
      case 9:
        return std::string(" nhid ") + std::to_string(1 + random_.below(4));
      case 4:
        return of_v4 ? " via inet6 fe80::9 dev r0" : " " + rail() + " mtu 1400";
      case 5:
      case 6:
        return " " + other() + (random_.chance(30) ? " onlink" : "");
      default:
        return " " + rail() + (random_.chance(30) ? std::string(" src ") + world_.rail_source : "");
    }
  }

  void rule() {
    const bool of_v4 = world_.family == IpFamily::v4;
    std::string line = std::string("rule add ") + (random_.chance(15) ? "not " : "");
    line +=
        random_.chance(40) ? std::string("from ") + world_.rail_source + (of_v4 ? "/24" : "/64") : "from all";
    if (random_.chance(40)) line += " to " + prefix();
    static constexpr const char* others[]{"",
                                          "",
                                          "",
                                          " iif lo",
                                          " iif r0",
                                          " oif r0",
                                          " oif m0",
                                          " fwmark 1",
                                          " fwmark 2/2",
                                          " tos 0x10",
                                          " ipproto udp",
                                          " ipproto tcp",
                                          " uidrange 0-0",
                                          " uidrange 1000-2000",
                                          " dport 53"};
    line += random_.of(others);
    line += " priority " + std::to_string(100 + 10 * random_.below(50));
    const std::string suppressed =
        " lookup main suppress_prefixlength " +
        std::to_string(world_.universe.length + static_cast<int>(random_.below(12)));
    static constexpr const char* actions[]{" lookup 100",  " lookup 100",  " lookup 101",
                                           " lookup main", " goto 32766",  " goto 300",
                                           " blackhole",   " unreachable", " prohibit"};
    line += random_.chance(25) ? suppressed : random_.of(actions);
    text_ += line + "\n";
    ++rules_;
  }

  const World& world_;
  Random random_;
  std::vector<IpAddress> pool_;
  std::string text_;
  int rules_ = 0;
};

void ip(const std::string& family, const std::string& commands) {
  FILE* pipe = ::popen(("ip " + family + " -force -batch - >/dev/null 2>&1").c_str(), "w");
  ASSERT_TRUE(pipe);
  std::fputs(commands.c_str(), pipe);
  ::pclose(pipe);
}

// One socket for all lookups: ten thousand take a fraction of a second.
class KernelLookups {
 public:
  KernelLookups() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  struct Said {
    int error = 0;
    std::optional<Route> route;
  };
  Said ask(const IpAddress& address, const FibFlow& flow) {
    const auto request = route_lookup_request(
        address, flow.source, flow.oif ? std::optional(flow.oif) : std::nullopt, flow.mark, flow.tos);
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + request.payload.size());
    header.nlmsg_type = request.type;
    header.nlmsg_flags = NLM_F_REQUEST;
    const std::string sent =
        std::string(reinterpret_cast<const char*>(&header), sizeof header) + request.payload;
    EXPECT_EQ(::send(socket_.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
    std::array<char, 16384> buffer;
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    nlmsghdr answer{};
    if (got < static_cast<ssize_t>(sizeof answer)) return {EBADMSG, {}};
    std::memcpy(&answer, buffer.data(), sizeof answer);
    const std::string body(buffer.data() + NLMSG_HDRLEN, answer.nlmsg_len - NLMSG_HDRLEN);
    if (answer.nlmsg_type == NLMSG_ERROR) {
      int error = 0;
      std::memcpy(&error, body.data(), sizeof error);
      return {-error, {}};
    }
    return {0, parse_route({answer.nlmsg_type, body})};
  }

 private:
  FileDescriptor socket_;
};

// The errno of a lookup that was refused or found nothing, as far as it is told: bound, IPv4 has one for all.
std::vector<int> errors(const FibAnswer& ours, const FibFlow& flow, IpFamily family) {
  if (family == IpFamily::v4 && flow.oif != 0) return {EHOSTUNREACH};
  if (ours.outcome == FibOutcome::nothing) return {ENETUNREACH};
  if (!ours.route) return {EINVAL, ENETUNREACH, EACCES};
  switch (ours.route->type) {
    case RTN_UNREACHABLE:
      return {EHOSTUNREACH};
    case RTN_PROHIBIT:
      return {EACCES};
    default:
      return {EINVAL};
  }
}

bool same_route(Route ours, Route kernels) {
  // IPv6 caches what it made of a hop with the hop (rt6_get_pcpu_route()); where routes share a next hop
  // object, the kernel names the first that used it. The hop is right.
  if (ours.family() == IpFamily::v6 && ours.nexthop_id != 0 && kernels.nexthop_id != 0)
    return std::ranges::any_of(kernels.paths(), [paths = ours.paths()](const Hop& hop) {
      return std::ranges::find(paths, hop) != paths.end();
    });
  for (auto* one : {&ours, &kernels}) {
    // The same hops, whichever the kernel names first.
    one->hops = one->paths();
    std::ranges::sort(one->hops, {}, [](const Hop& hop) { return std::pair(hop.oif, hop.gateway); });
    one->oif.reset(), one->gateway.reset(), one->flags = 0;
    if (one->hops.size() > 1) one->preference = 0;                 // of one of them
    if (one->table == RT_TABLE_LOCAL) one->table = RT_TABLE_MAIN;  // one trie without rules
    if (one->from && one->from->length == 0) one->from.reset();
  }
  return ours == kernels;
}

struct Tally {
  int asked = 0;
  std::array<int, 4> outcomes{};
};

// What one namespace has at last.
struct Namespace {
  FibTables tables;
  DeviceNames names;
  int r0 = 0, m0 = 0;
};

Namespace make_namespace(const World& world, const Commands& commands) {
  std::string setup =
      "link set lo up\nlink add r0 type veth peer name p0\nlink add m0 type veth peer name q0\n";
  for (const char* link : {"r0", "p0", "m0", "q0"})
    setup += std::string("link set ") + link + " up\n";
  setup +=
      "addr add 10.1.0.21/24 dev r0\naddr add 10.2.0.21/24 dev m0\n"
      "addr add 2001:db8:1::21/64 dev r0 nodad\naddr add 2001:db8:2::21/64 dev m0 nodad\n";
  // A router does not ask whether neighbours answer, so that what was tried before does not count
  // (rt6_check_neigh).
  std::ofstream("/proc/sys/net/ipv6/conf/all/forwarding") << "1\n";
  ip("", setup);
  ip(world.ip, commands.text());

  const Host host(FileTree("/nowhere"), live_machine());
  Namespace made;
  const auto tables = host.fib(world.family);
  EXPECT_TRUE(tables) << tables.why;
  made.tables = *tables;
  if (commands.rules() == 0)
    made.tables.rules_changed = false;
  else if (made.tables.rules.size() > 3)
    made.tables.rules_changed = true;
  for (const auto& link : *host.links()) {
    made.names[link.index] = link.name;
    if (link.name == "r0") made.r0 = link.index;
    if (link.name == "m0") made.m0 = link.index;
  }
  return made;
}

FibFlow random_flow(const World& world, const Namespace& made, Random& random) {
  FibFlow flow;
  if (random.chance(80)) flow.source = parse_ip(random.chance(70) ? world.rail_source : world.other_source);
  if (random.chance(70))
    flow.oif = random.chance(70) ? made.r0 : made.m0, flow.oif_name = made.names.at(flow.oif);
  flow.mark = random.chance(25) ? 1 + random.below(3) : 0;
  flow.tos = random.chance(25) ? 0x10 : 0;
  flow.protocol = world.family == IpFamily::v4 ? 17 : 0;  // what RTM_GETROUTE assumes
  flow.uid = ::geteuid();
  flow.ports_known = true;
  return flow;
}

bool agree(const FibAnswer& ours, const KernelLookups::Said& kernels, const FibFlow& flow,
           const World& world) {
  if (ours.outcome == FibOutcome::route) return kernels.route && same_route(*ours.route, *kernels.route);
  if (kernels.error == 0) return false;
  const auto allowed = errors(ours, flow, world.family);
  return std::ranges::find(allowed, kernels.error) != allowed.end();
}

std::string shown(const IpAddress& address, const FibFlow& flow, const FibAnswer& ours,
                  const KernelLookups::Said& kernels, const Namespace& made) {
  std::string text =
      to_string(address) + " from " + (flow.source ? to_string(*flow.source) : "any") + " oif " +
      flow.oif_name + " mark " + std::to_string(flow.mark) + " tos " + std::to_string(flow.tos) +
      "\nours: outcome " + std::to_string(static_cast<int>(ours.outcome)) + " " +
      (ours.route ? ip_route_form(*ours.route, made.names) : "-") + "\nthe kernel: " +
      (kernels.route ? ip_route_form(*kernels.route, made.names) : std::strerror(kernels.error)) + "\n";
  for (const auto& one : made.tables.rules)
    text += ip_rule_form(one) + "\n";
  for (const auto& one : made.tables.routes)
    if (one.destination.contains(address)) text += ip_route_form(one, made.names) + "\n";
  return text;
}

// In a namespace of this thread.
void try_seed(const World& world, unsigned seed, Tally& tally) {
  SCOPED_TRACE("MLC_FIB_SEED=" + std::to_string(seed));
  Commands commands(world, seed);
  const Namespace made = make_namespace(world, commands);
  ASSERT_TRUE(made.r0 && made.m0);
  KernelLookups kernel;
  Random& random = commands.random();
  for (int i = 0; i < flows; ++i) {
    const FibFlow flow = random_flow(world, made, random);
    const auto ranges = fib_ranges(made.tables, flow, world.universe);
    for (int j = 0; j < addresses; ++j) {
      IpAddress address = commands.address();
      // A fifth of them where one answer ends and another begins.
      if (j % 5 == 0) {
        const auto& range = ranges[random.below(static_cast<unsigned>(ranges.size()))].range;
        address = random.chance(50) ? range.first : range.last;
      }
      const auto part =
          std::ranges::find_if(ranges, [&](const FibRange& one) { return one.range.contains(address); });
      ASSERT_NE(part, ranges.end()) << to_string(address);
      ++tally.asked, ++tally.outcomes[static_cast<std::size_t>(part->answer.outcome)];
      if (part->answer.outcome == FibOutcome::unsure) continue;
      const auto said = kernel.ask(address, flow);
      ASSERT_TRUE(agree(part->answer, said, flow, world))
          << shown(address, flow, part->answer, said, made) << commands.text();
    }
  }
}

void try_all(const World& world) {
  if (::geteuid() != 0) GTEST_SKIP() << "a network namespace needs root";
  const char* one = std::getenv("MLC_FIB_SEED");
  const char* many = std::getenv("MLC_FIB_SEEDS");
  const unsigned first = one ? static_cast<unsigned>(std::atoi(one)) : 1;
  const unsigned last = one ? first : many ? static_cast<unsigned>(std::atoi(many)) : seeds;
  Tally tally;
  std::string missing;
  for (unsigned seed = first; seed <= last && missing.empty() && !testing::Test::HasFailure(); ++seed)
    std::thread([&] {
      if (::unshare(CLONE_NEWNET) != 0)
        missing = "this machine allows no network namespaces, or has no iproute2";
      else if (std::system("ip link add r9 type veth peer name p9 >/dev/null 2>&1") != 0)
        missing = "this kernel has no veth";
      else
        try_seed(world, seed, tally);
    }).join();
  if (!missing.empty()) GTEST_SKIP() << missing;
  std::printf("seeds %u to %u: %d lookups: %d routed, %d refused, %d without a route, %d unsure\n", first,
              last, tally.asked, tally.outcomes[0], tally.outcomes[1], tally.outcomes[2], tally.outcomes[3]);
  if (one) return;
  EXPECT_GE(tally.asked, 10000);
  EXPECT_LT(tally.outcomes[3], tally.asked / 20) << "what is not decided is not shown";
  for (int i = 0; i < 3; ++i)
    EXPECT_GT(tally.outcomes[static_cast<std::size_t>(i)], tally.asked / 200) << "the tables are too tame";
}

TEST(FibKernel, RandomTablesOfIpv4) { try_all(v4); }
TEST(FibKernel, RandomTablesOfIpv6) { try_all(v6); }

}  // namespace

}  // namespace mlc::test
