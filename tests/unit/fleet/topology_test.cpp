#include "bench/fleet/localisation/topology.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "bench/fleet/localisation/hostlist.hpp"
#include "bench/fleet/localisation/topology_readers.hpp"

namespace mlc::fleet {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i)
    all.push_back("n" + std::to_string(i));
  return all;
}

std::string why_not(auto&& call) {
  try {
    call();
  } catch (const TopologyError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Hostlist, AsSlurmWritesThem) {
  EXPECT_THAT(hostlist("n[0-3]"), ElementsAre("n0", "n1", "n2", "n3"));
  EXPECT_THAT(hostlist("n[08-11,14],login"), ElementsAre("n08", "n09", "n10", "n11", "n14", "login"));
  EXPECT_THAT(hostlist("rack[1-2]n[3-4]-ib"),
              ElementsAre("rack1n3-ib", "rack1n4-ib", "rack2n3-ib", "rack2n4-ib"));
  EXPECT_THAT(hostlist(""), IsEmpty());
  for (const char* wrong : {"n[0-3", "n0-3]", "n[]", "n[3-1]", "n[a-b]", "n[[1]]", "n[1-99999999999]",
                            "n[0-9]x[0-9]x[0-9]x[0-9]x[0-9]x[0-9]", "n[-1]", "n[1-]"})
    EXPECT_THROW(hostlist(wrong), TopologyError) << wrong;
}

TEST(Slurm, ASwitchWithNodesIsALeaf) {
  const auto placements = placements_from_slurm(
      "# the tree\nSwitchName=leaf1 Nodes=n[0-1] LinkSpeed=400\nswitchname=leaf2 nodes=n[2-3] \\\n"
      "  LinkSpeed=1\nSwitchName=spine Switches=leaf[1-2]\n");
  ASSERT_EQ(placements.size(), 4u);
  EXPECT_EQ(placements[3], (Placement{"n3", -1, "leaf2", ""}));
  const Topology topology = topology_of(names(4), 2, placements, "topology.conf");
  EXPECT_THAT(topology.group, ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(topology.leaves.size(), 4u);
  EXPECT_TRUE(topology.same_leaf(0, 1, 1));
  EXPECT_FALSE(topology.same_leaf(1, 2, 1));
  EXPECT_EQ(topology.coverage, 1);
}

TEST(Slurm, WhatItDoesNotUnderstandIsNamedWithItsLine) {
  EXPECT_THAT(why_not([] { placements_from_slurm("SwitchName=a Nodes=b\nBlockName=c Nodes=d\n"); }),
              HasSubstr("line 2: 'BlockName'"));
  EXPECT_THAT(why_not([] { placements_from_slurm("SwitchName=a\n"); }),
              HasSubstr("neither Nodes nor Switches"));
  EXPECT_THAT(why_not([] { placements_from_slurm("leaf1 n0\n"); }), HasSubstr("no KEY=VALUE"));
  EXPECT_THAT(why_not([] { placements_from_slurm("Nodes=n0\n"); }), HasSubstr("without SwitchName"));
}

TEST(Csv, ALeafForEachRailMakesGroupsOfTheTuple) {
  const auto placements = placements_from_lines(
      "node,rail,leaf,port\nn0,0,a,1\nn0,1,b,1\nn1,0,a,2\nn1,1,c,7\nn2,0,a,3\nn2,1,b,2\n");
  const Topology topology = topology_of(names(3), 2, placements, "rails.csv");
  EXPECT_THAT(topology.group, ElementsAre(0, 1, 0));
  EXPECT_TRUE(topology.same_leaf(0, 1, 0));
  EXPECT_FALSE(topology.same_leaf(0, 1, 1));
  EXPECT_EQ(topology.port[3], "7");
}

TEST(Csv, MistakesAreNamedWithTheirLine) {
  EXPECT_THAT(why_not([] { placements_from_csv("n0,0\n"); }), HasSubstr("line 1"));
  EXPECT_THAT(why_not([] { placements_from_csv("n0,x,a\n"); }), HasSubstr("'x' is no rail"));
  EXPECT_THAT(why_not([] { placements_from_csv("n0,0,a\n,0,a\n"); }), HasSubstr("line 2"));
  EXPECT_THAT(why_not([] { placements_from_lines("# nothing\n"); }), HasSubstr("says nothing"));
  EXPECT_EQ(placements_from_csv("n0,*,a\nn1,,a\n")[1].rail, -1);
}

TEST(Topology, WhatDoesNotFitTheNodesIsSaidByName) {
  const auto all = names(20);
  std::vector<Placement> placements;
  for (int i = 0; i < 19; ++i)
    placements.push_back({"n" + std::to_string(i), -1, "leaf" + std::to_string(i / 10), ""});
  placements.push_back({"stranger", -1, "leaf0", ""});
  const Topology topology = topology_of(all, 4, placements, "f");
  EXPECT_EQ(topology.group[19], -1);
  EXPECT_NEAR(topology.coverage, .95, 1e-9);
  ASSERT_EQ(topology.warnings.size(), 2u);
  EXPECT_THAT(topology.warnings[0], HasSubstr("lacks n19"));
  EXPECT_THAT(topology.warnings[1], HasSubstr("stranger"));

  auto twice = placements;
  twice.push_back({"n3", 2, "leaf1", ""});
  EXPECT_THAT(why_not([&] { topology_of(all, 4, twice, "f"); }), HasSubstr("n3 is there twice, rail 2"));
  auto few = placements;
  few.resize(17);
  EXPECT_THAT(why_not([&] { topology_of(all, 4, few, "f"); }), HasSubstr("17 of 20 nodes"));
  placements[0].rail = 4;
  EXPECT_THAT(why_not([&] { topology_of(all, 4, placements, "f"); }), HasSubstr("rail 4 of n0"));
}

TEST(Topology, ANodeMayHaveItsDomainInOnePlaceAlone) {
  const std::vector<std::string> nodes{"gpu-1.cluster.local", "gpu-2"};
  const std::vector<Placement> placements{{"gpu-1", -1, "a", ""}, {"gpu-2.rack", -1, "a", ""}};
  EXPECT_EQ(topology_of(nodes, 1, placements, "f").groups, 1);
}

TEST(Topology, SourcesThatDisagreeAreAWarning) {
  const auto all = names(4);
  const auto of = [&](std::array<const char*, 4> leaves, const char* source) {
    std::vector<Placement> placements;
    for (std::size_t i = 0; i < 4; ++i)
      placements.push_back({all[i], -1, leaves[i], ""});
    return topology_of(all, 2, placements, source);
  };
  const auto same = chosen({of({"a", "a", "b", "b"}, "file"), of({"x", "x", "y", "y"}, "labels")});
  EXPECT_THAT(same.warnings, IsEmpty());
  const auto other = chosen({of({"a", "a", "b", "b"}, "file"), of({"x", "x", "y", "x"}, "labels")});
  ASSERT_EQ(other.warnings.size(), 1u);
  EXPECT_THAT(other.warnings[0], HasSubstr("file and labels disagree about node 3"));
  EXPECT_EQ(other.source, "file");
}

TEST(Labels, TheFirstThatCoversEnoughIsTaken) {
  std::map<std::string, Labels> labels;
  for (int i = 0; i < 10; ++i) {
    const std::string node = "n" + std::to_string(i);
    labels[node]["topology.kubernetes.io/zone"] = "z";
    labels[node]["network.topology.nvidia.com/leaf"] = i < 5 ? "l1" : "l2";
    if (i < 8) labels[node]["fabric.topograph.run/tier-0"] = "too few";
  }
  const Topology topology = topology_from_labels(names(10), 4, labels);
  EXPECT_EQ(topology.source, "label network.topology.nvidia.com/leaf");
  EXPECT_EQ(topology.groups, 2);
  for (auto& [node, of_node] : labels)
    of_node.erase("network.topology.nvidia.com/leaf");
  EXPECT_THAT(why_not([&] { topology_from_labels(names(10), 4, labels); }), HasSubstr("8 of 10 nodes"));
  labels.clear();
  EXPECT_THAT(why_not([&] { topology_from_labels(names(10), 4, labels); }), HasSubstr("no node has a label"));
}

TEST(Labels, ACoarserLayerOfTheSameMakerIsNoSecondOpinion) {
  std::map<std::string, Labels> labels;
  for (int i = 0; i < 4; ++i)
    labels["n" + std::to_string(i)] = {{"topology.k8s.aws/network-node-layer-3", i < 2 ? "a" : "b"},
                                       {"topology.k8s.aws/network-node-layer-2", "c"}};
  const Topology topology = topology_from_labels(names(4), 4, labels);
  EXPECT_EQ(topology.groups, 2);
  EXPECT_THAT(topology.warnings, IsEmpty());
}

// As kubectl writes them: labels among much else, nodes of no leaf, and strings where objects should be.
TEST(Topology, OfKubernetesNodes) {
  std::string items;
  for (int i = 0; i < 10; ++i)
    items += std::string(i == 0 ? "" : ",") + R"({"kind":"Node","metadata":{"name":"n)" + std::to_string(i) +
             R"(","labels":{"kubernetes.io/arch":"amd64","network.topology.nvidia.com/leaf":"l)" +
             std::to_string(i / 5) + R"("}},"status":{"images":[{"names":["a"]}]}})";
  const std::string text = R"({"apiVersion":"v1","kind":"List","items":[)" + items + "]}";
  const Topology topology = topology_from_text(names(10), 4, text, "nodes.json");
  EXPECT_EQ(topology.source, "label network.topology.nvidia.com/leaf");
  EXPECT_EQ(topology.groups, 2);
  EXPECT_TRUE(topology.same_leaf(0, 4, 3));
  EXPECT_FALSE(topology.same_leaf(4, 5, 0));
  const std::string carried = topology_to_carry(text);
  EXPECT_LT(carried.size(), text.size() / 2);
  EXPECT_EQ(topology_from_text(names(10), 4, carried, "").leaf, topology.leaf);
  EXPECT_EQ(topology_to_carry("n0,*,a\n"), "n0,*,a\n");
  for (const char* wrong :
       {"{", "{}", R"({"items":[]})", R"({"items":[{"metadata":{"name":"n0"}},{"metadata":{"name":"n0"}}]})",
        R"({"items":["n0"]})", R"({"items":[{"metadata":{}}]})",
        R"({"items":[{"metadata":{"name":"n0","labels":{"fabric.topograph.run/tier-0":1}}}]})"})
    EXPECT_THAT(why_not([&] { topology_from_text(names(10), 4, wrong, "f"); }), HasSubstr("topology: "))
        << wrong;
}

}  // namespace

}  // namespace mlc::fleet
