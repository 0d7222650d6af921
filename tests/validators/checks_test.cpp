// Every check on a healthy node, on a broken one and on one that cannot be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "tests/validators/check_cases.hpp"
#include "validators/checks/all.hpp"

namespace mlc::test {

void PrintTo(const Case& one, std::ostream* out) { *out << one.check << " " << one.name; }

namespace {

void healthy_cases(Cases& add) {
  // Healthy: every check passes somewhere.
  for (const auto* check : all_checks()) {
    const std::string name(check->name);
    const bool of_pod = name.starts_with("pod.");
    add(
        name, "healthy", Status::pass, "",
        [=](BuiltNode& node, Policy& policy) {
          if (name == "net.rail-matrix") reach_peers(node, policy, [](int i, int j) { return i == j; });
          if (name == "host.mounts") {
            policy.node->mounts = {{"/data0", "xfs"}};
            node.file("/proc/self/mounts",
                      "/dev/sda2 / ext4 rw 0 0\n/dev/nvme0n1 /data0 xfs rw,noatime 0 0\n");
          }
        },
        of_pod ? Kind::pod : Kind::host);
  }
}

std::vector<Case> all_cases() {
  Cases cases;
  for (const auto of : {healthy_cases, pci_cases, rdma_cases, net_cases, vf_cases, gpu_cases, host_cases})
    of(cases);
  return cases.all;
}

std::unique_ptr<BuiltNode> build(const Case& one) {
  if (one.kind == Kind::pod) return BuiltNode::pod();
  return std::make_unique<BuiltNode>(one.check.starts_with("vf.") ? 8 : 1);  // files are what building costs
}

class EveryCheck : public testing::TestWithParam<Case> {};

TEST_P(EveryCheck, SaysWhatItShould) {
  const Case& one = GetParam();
  auto node = build(one);
  Policy policy = h100_policy();
  one.change(*node, policy);
  const auto findings = run_check(one.check, *node->host(), policy);
  EXPECT_EQ(worst_of(findings), one.expected) << testing::PrintToString(one);
  bool said = one.says.empty();
  for (const auto& finding : findings) {
    SCOPED_TRACE(finding.subject + ": " + std::string(to_string(finding.status)) + ": " + finding.observed +
                 " | " + finding.expected + " | " + finding.remedy);
    EXPECT_EQ(finding.check, one.check);
    EXPECT_FALSE(finding.subject.empty());
    EXPECT_FALSE(finding.observed.empty());
    // What is wrong says where it was read and what to do next.
    const bool wrong =
        finding.status == Status::fail || finding.status == Status::warn || finding.status == Status::unknown;
    EXPECT_EQ(finding.remedy.empty(), !wrong);
    EXPECT_TRUE(finding.status == Status::skip || !finding.source.empty());
    said = said || (finding.status == one.expected && finding.observed.find(one.says) != std::string::npos);
    EXPECT_TRUE(one.expected != Status::pass || finding.status == Status::pass ||
                finding.status == Status::skip);
  }
  EXPECT_TRUE(said) << "nothing " << to_string(one.expected) << " says '" << one.says << "'";
  if (HasFailure())
    for (const auto& finding : findings)
      std::printf("  %s %s: %s (%s)\n", std::string(to_string(finding.status)).c_str(),
                  finding.subject.c_str(), finding.observed.c_str(), finding.expected.c_str());
}

INSTANTIATE_TEST_SUITE_P(Case, EveryCheck, testing::ValuesIn(all_cases()), [](const auto& param) {
  std::string name = param.param.check + "_" + param.param.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

TEST(PciAffinity, WhoHasTooManyIsNotAccusedOfWhatAnotherLacks) {
  BuiltNode node(1);
  const std::string moved =
      std::filesystem::path(node.pci("0000:19:00.0")).parent_path().string() + "/" + node.gpu(2);
  std::filesystem::rename(node.root() + node.pci(node.gpu(2)), node.root() + moved);
  node.link("/sys/bus/pci/devices/" + node.gpu(2), "../../../" + moved.substr(5));
  std::map<std::string, Status> said;
  for (const auto& finding : run_check("pci.affinity", *node.host(), h100_policy()))
    said[finding.subject.substr(0, 6)] = finding.status;
  EXPECT_THAT(said, testing::ElementsAre(
                        testing::Pair("rail 0", Status::unknown), testing::Pair("rail 1", Status::fail),
                        testing::Pair("rail 2", Status::pass), testing::Pair("rail 3", Status::pass)));
}

// Devices on root ports of their own, in a virtual machine that tells the NUMA node of its GPUs alone.
TEST(PciAffinity, NobodyIsAccusedByNumaNodesOfWhichHalfIsNotKnown) {
  BuiltNode node(1);
  const auto own_port = [&](const std::string& address, const char* numa) {
    std::string moved = "/sys/devices/pci0000:f0/" + address;
    std::filesystem::create_directories(node.root() + "/sys/devices/pci0000:f0");
    std::filesystem::rename(node.root() + node.pci(address), node.root() + moved);
    node.link("/sys/bus/pci/devices/" + address, "../../../" + moved.substr(5));
    node.file(moved + "/numa_node", numa);
    return moved;
  };
  for (int gpu = 0; gpu < 8; ++gpu)
    own_port(node.gpu(gpu), gpu < 4 ? "0\n" : "1\n");
  for (int rail = 0; rail < 4; ++rail) {
    const auto name = "mlx5_" + std::to_string(rail);
    node.link("/sys/class/infiniband/" + name,
              "../.." + own_port(node.pf(rail), "-1\n").substr(4) + "/infiniband/" + name);
  }
  const auto findings = run_check("pci.affinity", *node.host(), h100_policy());
  EXPECT_GE(findings.size(), 4u);
  for (const auto& finding : findings)
    EXPECT_EQ(finding.status, Status::unknown) << finding.subject << ": " << finding.observed;
}

TEST(AllChecks, EachHasAPassAFailAndAnUnknownCase) {
  // These advise and never refuse: their worst is a warning.
  const std::set<std::string> advise{"pci.max-read-request", "pci.relaxed-ordering", "vf.spoof-check"};
  std::map<std::string, std::set<Status>> seen;
  for (const auto& one : all_cases())
    seen[one.check].insert(one.expected);
  for (const auto* check : all_checks()) {
    const std::string name(check->name);
    EXPECT_TRUE(seen[name].contains(Status::pass)) << name;
    EXPECT_TRUE(seen[name].contains(advise.contains(name) ? Status::warn : Status::fail)) << name;
    EXPECT_TRUE(seen[name].contains(Status::unknown)) << name;
  }
}

TEST(AllChecks, SayWhatTheyAreFor) {
  std::set<std::string_view> names;
  for (const auto* check : all_checks()) {
    EXPECT_TRUE(names.insert(check->name).second) << check->name;
    EXPECT_NE(check->name.find('.'), std::string_view::npos);
    for (const auto text : {check->summary, check->why, check->reads, check->fix})
      EXPECT_GT(text.size(), 5u) << check->name;
  }
  EXPECT_GE(names.size(), 60u) << "a check was lost";
}

}  // namespace

}  // namespace mlc::test
