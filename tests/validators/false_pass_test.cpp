// Each way in which another tool says "healthy" of a node that is not, or of one that it never looked at, as
// a test of ours (validation notes, section 6.5).
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "reports/faces/line.hpp"
#include "tests/validators/built_node.hpp"
#include "tests/validators/odd_nodes.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/validate.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc::test {

namespace {

Decision decision(const std::vector<Finding>& findings, const Policy& policy) {
  Report report;
  report.findings = findings;
  return decide(report, policy, {}).decision;
}

std::mutex mutex;
std::condition_variable released;
bool release = false;

extern const Check hanging{.name = "test.hangs",
                           .summary = "s",
                           .why = "w",
                           .reads = "nothing",
                           .fix = "f",
                           .run = [](const Host&, const Policy&) -> std::vector<Finding> {
                             std::unique_lock lock(mutex);
                             released.wait(lock, [] { return release; });
                             return {{"test.hangs", "x", Status::pass, "late", "", "s", ""}};
                           }};
extern const Check throwing{.name = "test.throws",
                            .summary = "s",
                            .why = "w",
                            .reads = "nothing",
                            .fix = "f",
                            .run = [](const Host&, const Policy&) -> std::vector<Finding> {
                              throw std::runtime_error("boom\x1b[31m");
                            }};
extern const Check throwing_an_int{
    .name = "test.throws-int",
    .summary = "s",
    .why = "w",
    .reads = "nothing",
    .fix = "f",
    .run = [](const Host&, const Policy&) -> std::vector<Finding> { throw 7; }};
extern const Check silent{.name = "test.silent",
                          .summary = "s",
                          .why = "w",
                          .reads = "nothing",
                          .fix = "f",
                          .run = [](const Host&, const Policy&) -> std::vector<Finding> { return {}; }};
extern const Check fine{.name = "test.fine",
                        .summary = "s",
                        .why = "w",
                        .reads = "nothing",
                        .fix = "f",
                        .run = [](const Host&, const Policy&) -> std::vector<Finding> {
                          return {{"test.fine", "x", Status::pass, "fine", "", "s", ""}};
                        }};

// A cluster scanner exited 0 when its test ran into the timeout.
// Nobody can tell a rail in another slot from a storage NIC in a gone one's place: neither a pass nor an RMA.
TEST(FalsePass, AStorageNicInAGoneRailsPlaceIsNoPassAndNoRma) {
  BuiltNode node(0);
  add_storage_nic(node);
  drop_nic(node, 2);
  const Policy policy = read_policy("policy: p\nnode:\n  rails: {count: 4}\n", "p");
  const auto findings = run_check("pci.inventory", *node.host(), policy);
  EXPECT_EQ(worst_of(findings), Status::unknown);
  bool said = false;
  for (const auto& finding : findings) {
    EXPECT_EQ(finding.remedy.find("RMA"), std::string::npos) << finding.remedy;
    said = said || finding.observed.find("is near no GPU, as the others are") != std::string::npos;
  }
  EXPECT_TRUE(said);
}

// All of them gone, and the policy names or asks about them without a number: there is nothing to look at,
// and that is no pass.
TEST(FalsePass, AllThatThePolicyAsksAboutIsGone) {
  const auto machine = BuiltNode::machine();
  for (const auto& [asks, status] : std::vector<std::pair<const char*, Status>>{
           {"rails: {select: [{interface: eth2}, {interface: eth3}]}", Status::fail},
           {"rails: {addresses: [{prefix: 10.10.0.0/16}, {prefix: 10.11.0.0/16}]}", Status::fail},
           {"rails: {netdev_mtu: 4200}", Status::unknown},
           {"vfs: {per_pf: 8}", Status::unknown},
           {"lossless: {ecn: true}", Status::unknown},
           {"probe: {gateways: true, path_mtu: true}", Status::unknown},
           {"gpus: {ecc: true}", Status::unknown},
           {"gpus: {count: 0, ecc: true}", Status::pass}}) {
    const Policy policy = read_policy(std::string("policy: p\nnode:\n  ") + asks + "\n", "p");
    const char* check = std::string_view(asks).starts_with("gpus") ? "gpu.count" : "pci.inventory";
    EXPECT_EQ(worst_of(run_check(check, *machine->host(), policy)), status) << asks;
    const auto all = validate(machine->host(), policy, all_checks());
    EXPECT_TRUE(status == Status::pass || decision(all, policy) != Decision::pass) << asks;
  }
}

TEST(FalsePass, ATimeoutIsUnknownAndTheOthersGoOn) {
  auto node = BuiltNode::machine();
  Policy policy;
  policy.node.emplace();
  policy.node->deadlines_s["test.hangs"] = 0.05;
  const Check* checks[]{&hanging, &fine};
  const auto findings = validate(node->host(), policy, checks);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].status, Status::unknown);
  EXPECT_NE(findings[0].observed.find("did not finish"), std::string::npos);
  EXPECT_EQ(findings[1].status, Status::pass);
  EXPECT_EQ(decision(findings, policy), Decision::inconclusive);
  EXPECT_TRUE(checks_left_running());
  {
    const std::lock_guard lock(mutex);
    release = true;
  }
  released.notify_all();
  for (int i = 0; i < 1000 && checks_left_running(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(checks_left_running());
}

// Another exited 0 when it aborted, and one lost the exit code of the program it had started.
TEST(FalsePass, ACrashIsUnknownAndTheOthersGoOn) {
  auto node = BuiltNode::machine();
  const Policy policy;
  const Check* checks[]{&throwing, &throwing_an_int, &silent, &fine};
  const auto findings = validate(node->host(), policy, checks);
  ASSERT_EQ(findings.size(), 4u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(findings[static_cast<std::size_t>(i)].status, Status::unknown);
    EXPECT_EQ(findings[static_cast<std::size_t>(i)].observed.find('\x1b'), std::string::npos);
    EXPECT_FALSE(findings[static_cast<std::size_t>(i)].remedy.empty());
  }
  EXPECT_EQ(findings[3].status, Status::pass);
  EXPECT_EQ(decision(findings, policy), Decision::inconclusive);
}

// A daemon called a node without any port data "healthy (skipped)".
TEST(FalsePass, NoPortsAtAllIsNeverAPass) {
  BuiltNode node;
  node.remove("/sys/class/infiniband");
  const Policy policy = h100_policy();
  for (const char* check : {"pci.inventory", "rdma.port-state", "rdma.gid-table", "rdma.counters",
                            "rdma.flaps", "net.rail-routes", "vf.count"}) {
    const Status status = worst_of(run_check(check, *node.host(), policy));
    EXPECT_TRUE(status == Status::fail || status == Status::unknown) << check;
  }
  EXPECT_EQ(decision(validate(node.host(), policy, all_checks()), policy), Decision::fail);
}

// A benchmark suite dropped every device that is not InfiniBand, so a RoCE cluster was never looked at.
TEST(FalsePass, RoceDevicesAreLookedAt) {
  BuiltNode node;
  const auto findings = run_check("rdma.port-state", *node.host(), h100_policy());
  EXPECT_EQ(findings.size(), 4u);
  EXPECT_EQ(worst_of(findings), Status::pass);
}

// A monitor skipped all VFs.
TEST(FalsePass, VfsAreLookedAtInAPod) {
  auto pod = BuiltNode::pod();
  EXPECT_EQ(run_check("rdma.port-state", *pod->host(), h100_policy()).size(), 4u);
  pod->file(pod->port(2) + "state", "1: DOWN\n");
  EXPECT_EQ(worst_of(run_check("rdma.port-state", *pod->host(), h100_policy())), Status::fail);
}

// "Only VFs in Pods have addresses" switched off, in the Pod, all that looks at them.
TEST(FalsePass, InAPodTheAddressesAreJudgedWhateverThePfsHave) {
  auto pod = BuiltNode::pod();
  Policy policy = h100_policy();
  policy.node->host_addresses = false;
  for (const char* check :
       {"net.rail-prefixes", "net.rail-routes", "net.default-route", "net.rules", "net.sysctls"})
    EXPECT_EQ(worst_of(run_check(check, *pod->host(), policy)), Status::pass) << check;
  std::erase_if(pod->routes, [](const BuiltRoute& route) {
    return route.destination && *route.destination == *parse_ip_prefix("10.21.0.0/16");
  });
  EXPECT_EQ(worst_of(run_check("net.rail-routes", *pod->host(), policy)), Status::fail);
  BuiltNode node;
  EXPECT_EQ(worst_of(run_check("net.rail-routes", *node.host(), policy)), Status::skip)
      << "of PFs it is said";
}

// Rails were the fast NICs, as many as the policy counts: one that died made room for a storage NIC.
TEST(FalsePass, ADeadRailIsNotReplacedByAStorageNic) {
  for (const bool gone : {false, true}) {
    BuiltNode node;
    add_storage_nic(node);
    if (gone) drop_nic(node, 2);
    node.file(node.pci(node.pf(2)) + "/infiniband/mlx5_2/ports/1/state", "1: DOWN\n");
    node.file(node.pci(node.pf(2)) + "/infiniband/mlx5_2/ports/1/rate", "10 Gb/sec (4X SDR)\n");
    for (const Policy& policy : {h100_policy(), load_policy("h100-4x200g")}) {
      const auto findings = run_check(gone ? "pci.inventory" : "rdma.port-state", *node.host(), policy);
      EXPECT_EQ(worst_of(findings), Status::fail) << policy.node->sites.size();
      for (const auto& finding : run_check("rdma.port-state", *node.host(), policy))
        EXPECT_EQ(finding.subject.find("storage0"), std::string::npos) << finding.subject;
    }
  }
}

// And the other way round: what is more than the rails is no fault of the node.
TEST(FalsePass, AFifthNicIsNoRailAndNoFailure) {
  BuiltNode plain, more;
  add_storage_nic(more);
  for (const Policy& policy : {h100_policy(), load_policy("h100-4x200g"), load_policy("local")}) {
    const auto status_of = [&](const BuiltNode& node) {
      std::map<std::string, Status> statuses;
      for (const auto& finding : validate(node.host(), policy, all_checks())) {
        // That there is a new card is a change of the image all the same.
        if (finding.status == Status::skip || finding.check == "image.drift") continue;
        auto& status = statuses.try_emplace(finding.check, Status::skip).first->second;
        status = worst(status, finding.status);
      }
      return statuses;
    };
    const auto with = status_of(more), without = status_of(plain);
    EXPECT_EQ(with.size(), without.size()) << policy.name;
    for (const auto& [check, status] : with)
      EXPECT_TRUE(without.contains(check) && without.at(check) == status)
          << policy.name << ": " << check << " is " << to_string(status);
  }
}

// A guess is no name: with the name unanswered or its address gone, nobody passes.
TEST(FalsePass, AGuessedRailNeverSatisfiesAPolicyThatNamesRails) {
  BuiltNode node;
  Policy policy = h100_policy();
  policy.node->select = {};
  EXPECT_EQ(worst_of(run_check("pci.inventory", *node.host(), policy)), Status::pass);
  node.rail_link(1).addresses.clear();
  const auto findings = run_check("pci.inventory", *node.host(), policy);
  EXPECT_EQ(worst_of(findings), Status::unknown);
  EXPECT_NE(findings.front().observed.find("taken mlx5_1 as rail 1"), std::string::npos);
}

// A gate passed on missing data, and took the missing exit code for a zero.
TEST(FalsePass, NothingWasReadIsInconclusive) {
  EXPECT_EQ(decision({}, Policy{}), Decision::inconclusive);
  const Host nothing(FileTree("/nowhere/at/all"), silent_machine("was not captured"));
  Policy policy = h100_policy();
  policy.node->deadline_s = 30;
  policy.node->deadlines_s.clear();
  for (const auto* check : all_checks()) {
    const Status status = worst_of(check->run(nothing, policy));
    EXPECT_NE(status, Status::pass) << check->name;
    EXPECT_NE(status, Status::warn) << check->name;
  }
}

// The same without a policy: what cannot be read is not "nothing here".
TEST(FalsePass, AnEmptyRootIsNotAnEmptyMachine) {
  const Host nothing(FileTree("/nowhere/at/all"), silent_machine("was not captured"));
  const Policy policy = load_policy("local");
  for (const char* check : {"pci.inventory", "rdma.port-state", "net.rail-routes", "gpu.count", "host.disks",
                            "overlay.default-route"})
    EXPECT_EQ(worst_of(run_check(check, nothing, policy)), Status::unknown) << check;
}

// A gateway probe took the first default route of a table, of whatever device, and pinged over the management
// network.
TEST(FalsePass, ADefaultRouteElsewhereIsNoRailRoute) {
  BuiltNode node;
  std::erase_if(node.routes,
                [](const BuiltRoute& route) { return route.destination == parse_prefix("10.21.0.0/16"); });
  const auto findings = run_check("net.rail-routes", *node.host(), h100_policy());
  EXPECT_EQ(worst_of(findings), Status::fail);
}

// An operator checked that a module is loaded, not that devices work: a healthy lsmod and a dead port.
TEST(FalsePass, ALoadedModuleIsNoPort) {
  BuiltNode node;
  node.file(node.port(0) + "state", "1: DOWN\n");
  EXPECT_EQ(worst_of(run_check("rdma.port-state", *node.host(), h100_policy())), Status::fail);
}

// A launcher's exit code was the only verdict: a run in which nothing was decided exited 0.
TEST(FalsePass, UnknownBlocksWhereThePolicySaysSo) {
  Policy policy;
  policy.node.emplace().keys = {"host.nofile"};
  const std::vector<Finding> findings{{"a.b", "x", Status::pass, "o", "", "s", ""},
                                      {"c.d", "x", Status::unknown, "o", "", "s", "r"}};
  EXPECT_EQ(decision(findings, policy), Decision::inconclusive);
  policy.unknown_blocks = false;
  EXPECT_EQ(decision(findings, policy), Decision::pass);
}

// A plugin's exit code must never be 0 for what was not looked at; its line names the reason.
TEST(FalsePass, TheLineOfANodeThatCouldNotBeReadIsNotOk) {
  Report report;
  report.findings = {{"rdma.port-state", "rails", Status::unknown, "/sys/class/infiniband: Permission denied",
                      "", "s", "r"}};
  report.verdict = decide(report, Policy{}, {});
  EXPECT_EQ(line_text(report).substr(0, 9), "UNKNOWN 1");
}

}  // namespace

}  // namespace mlc::test
