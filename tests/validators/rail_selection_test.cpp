// Which devices are rails, on values: every way to know one, and what must never stand in for a missing one.
#include "validators/checks/rail_selection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "validators/checks/rails.hpp"
#include "validators/policy/policy.hpp"

namespace mlc::test {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string pci(int slot) { return "0000:" + std::to_string(slot) + "a:00.0"; }

// mlx5_N in slot N, interface ethN, near GPUs 2N and 2N+1, address 10.1N.0.21/24.
RailCandidate rail(int n) {
  RailCandidate one;
  one.rdma = "mlx5_" + std::to_string(n), one.pci = pci(n), one.netdev = "eth" + std::to_string(n);
  one.link_layer = LinkLayer::ethernet;
  one.vendor = 0x15b3, one.model = 0x1021, one.numa = n / 2, one.gpus = {2 * n, 2 * n + 1};
  one.link.emplace();
  one.link->index = n + 1, one.link->name = one.netdev;
  one.addresses = {*parse_prefix("10.1" + std::to_string(n) + ".0.21/24")};
  return one;
}

RailCandidate storage() {
  RailCandidate one = rail(9);
  one.gpus.clear();
  one.addresses = {*parse_prefix("192.168.50.21/24")};
  return one;
}

RailInputs inputs_of(std::vector<RailCandidate> candidates) {
  RailInputs inputs;
  inputs.candidates = std::move(candidates);
  return inputs;
}

RailInputs four_and_storage() { return inputs_of({rail(0), rail(1), rail(2), rail(3), storage()}); }

NodeExpectation expecting(const std::string& rails) {
  return *read_policy("policy: p\nnode:\n  rails: " + rails + "\n", "p.yaml").node;
}

const std::string four_prefixes =
    "addresses: [{prefix: 10.10.0.0/16}, {prefix: 10.11.0.0/16}, {prefix: 10.12.0.0/16}, {prefix: "
    "10.13.0.0/16}]";

std::vector<std::string> chosen(const RailSelection& selection, const RailInputs& inputs) {
  std::vector<std::string> names;
  for (const auto& found : selection.rails)
    names.push_back(std::to_string(found.index) + " " + inputs.candidates[found.candidate].rdma);
  return names;
}

std::vector<std::string> missing(const RailSelection& selection) {
  std::vector<std::string> texts;
  for (const auto& one : selection.missing)
    texts.push_back(one.text());
  return texts;
}

std::vector<std::string> none(const RailSelection& selection, const RailInputs& inputs) {
  std::vector<std::string> texts;
  for (const auto& other : selection.others)
    texts.push_back(inputs.candidates[other.candidate].rdma + " " + to_text(other.why));
  return texts;
}

bool all_from(const RailSelection& selection, RailSource source) {
  return std::ranges::all_of(selection.rails, [&](const FoundRail& one) { return one.source == source; });
}

const std::vector<std::string> the_four{"0 mlx5_0", "1 mlx5_1", "2 mlx5_2", "3 mlx5_3"};

TEST(RailSelectors, OneDeviceIsNotTwoRails) {
  EXPECT_THROW(expecting("{select: [{device: mlx5_0}, {device: mlx5_1}, {device: mlx5_0}]}"), PolicyError);
  EXPECT_NO_THROW(expecting("{select: [{device: mlx5_0}, {device: mlx5_1}]}"));
}

TEST(Selector, EveryKeyKnowsARail) {
  for (const char* select :
       {"{interface: 'eth[0-3]'}", "{interface: [eth0, eth1, eth2, eth3]}", "{device: 'mlx5_[0-3]'}",
        "{pci: ['0000:0a:00.0', '0000:1a:00.0', '0000:2a:00.0', '0000:3a:00.0']}", "{near_gpu: any}",
        "{near_gpu: [0, 2, 4, 6]}", "{subnet: 10.0.0.0/8}", "{numa: [0, 1]}", "{vendor: 15b3, near_gpu: any}",
        "{model: 0x1021, numa: [0, 1]}"}) {
    const auto inputs = four_and_storage();
    const auto expected = expecting(std::string("{count: 4, select: ") + select + "}");
    const auto selection = select_rails(inputs, &expected);
    EXPECT_EQ(chosen(selection, inputs), the_four) << select;
    EXPECT_TRUE(all_from(selection, RailSource::selector));
    EXPECT_THAT(none(selection, inputs),
                ElementsAre("mlx5_9 is not what the policy names (node.rails.select)"));
    EXPECT_TRUE(selection.named);
  }
}

TEST(Selector, AllThatAnEntryGivesHasToFit) {
  const auto inputs = four_and_storage();
  const auto expected = expecting("{select: {vendor: 15b3, interface: 'eth*', numa: 0}}");
  EXPECT_THAT(chosen(select_rails(inputs, &expected), inputs), ElementsAre("0 mlx5_0", "1 mlx5_1"));
  const auto other = expecting("{select: {vendor: 14e4, interface: 'eth*'}}");
  EXPECT_THAT(chosen(select_rails(inputs, &other), inputs), IsEmpty());
}

TEST(Selector, AListGivesEachRailItsNumber) {
  const auto inputs = four_and_storage();
  const auto expected = expecting("{select: [{interface: eth3}, {pci: '0000:2a:00.0'}, {near_gpu: 2}]}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_3", "1 mlx5_2", "2 mlx5_1"));
  EXPECT_THAT(none(selection, inputs), testing::SizeIs(2));
}

// With a NIC gone, PFs that have no address of their own (their VFs have) may be any of the rails that are
// left: a cable must not be named by a guess.
TEST(Selector, WhichRailIsMissingIsNotGuessedWhereNothingNumbersThoseThatAreLeft) {
  for (const std::string select : {"select: {vendor: 15b3, near_gpu: any}, ", ""}) {
    auto inputs = inputs_of({rail(0), rail(1), rail(3)});
    for (auto& candidate : inputs.candidates)
      candidate.addresses.clear();
    const auto expected = expecting("{count: 4, " + select + four_prefixes + "}");
    const auto selection = select_rails(inputs, &expected);
    EXPECT_THAT(missing(selection),
                ElementsAre("a rail (10.10.0.0/16 or 10.11.0.0/16 or 10.12.0.0/16 or 10.13.0.0/16)"))
        << select;
    for (const auto& found : selection.rails) {
      EXPECT_FALSE(found.numbered);
      EXPECT_EQ(found.source, RailSource::inferred);
      EXPECT_EQ(rail_of(inputs.candidates[found.candidate], found, &expected).site, nullptr);
    }
    EXPECT_THAT(rail_of(inputs.candidates[2], selection.rails[2], &expected).name(), "rail ? (eth3)");
  }
}

TEST(Selector, OneWithoutAnAddressTakesNoOthersPlaceWhereANicIsGone) {
  auto inputs = inputs_of({rail(0), rail(2), rail(3)});
  inputs.candidates[1].addresses.clear();
  const auto expected = expecting("{count: 4, select: {vendor: 15b3, near_gpu: any}, " + four_prefixes + "}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(missing(selection), ElementsAre("a rail (10.11.0.0/16 or 10.12.0.0/16)"));
  ASSERT_EQ(selection.rails.size(), 3u);
  for (const auto& found : selection.rails)
    EXPECT_EQ(found.numbered, found.candidate != 1);
}

TEST(Selector, AllHereAreNumberedByTheirPlaceOnTheBus) {
  auto inputs = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  for (auto& candidate : inputs.candidates)
    candidate.addresses.clear();
  const auto expected = expecting("{count: 4, select: {vendor: 15b3, near_gpu: any}, " + four_prefixes + "}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_EQ(chosen(selection, inputs), the_four);
  EXPECT_TRUE(std::ranges::all_of(selection.rails, &FoundRail::numbered));
}

TEST(Selector, AStorageNicBesideAGpuDoesNotStandInForAGoneRail) {
  auto inputs = inputs_of({rail(0), rail(1), rail(3), storage()});
  inputs.candidates[3].gpus = {5};
  const auto expected = expecting("{count: 4, select: {vendor: 15b3, near_gpu: any}, " + four_prefixes + "}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_0", "1 mlx5_1", "3 mlx5_3"));
  EXPECT_THAT(missing(selection), ElementsAre("rail 2 (10.12.0.0/16)"));
  EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 has an address of another network"));
}

// Without an address either, it is known by the GPUs beside it: they have their rail, and those of the gone
// one have none. Where NICs are near all GPUs, nothing tells it from a rail that lost its address.
TEST(Selector, AStorageNicBesideAnotherRailsGpusIsNotTheGoneRail) {
  const std::string all = "rails: {count: 4, select: {vendor: 15b3, near_gpu: any}, " + four_prefixes + "}\n";
  const auto expected = *read_policy("policy: p\nnode:\n  gpus: {count: 8}\n  " + all, "p.yaml").node;
  for (const int gone : {2, 3}) {
    auto inputs = inputs_of({rail(0), rail(1), rail(gone == 2 ? 3 : 2), storage()});
    auto& other = inputs.candidates[3];
    other.gpus = inputs.candidates[1].gpus, other.addresses.clear();
    const auto selection = select_rails(inputs, &expected);
    EXPECT_THAT(missing(selection),
                ElementsAre("rail " + std::to_string(gone) + " (10.1" + std::to_string(gone) + ".0.0/16)"));
    EXPECT_THAT(none(selection, inputs),
                ElementsAre("mlx5_9 has no address of the rails, and the GPUs beside it have their rail"));
    for (auto& candidate : inputs.candidates)
      candidate.gpus = {0, 1, 2, 3, 4, 5, 6, 7};
    EXPECT_THAT(select_rails(inputs, &expected).missing, IsEmpty());
  }
  // Where only VFs have addresses, a PF without one is as it has to be.
  auto pfs = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  for (std::size_t i = 0; i < 4; ++i)
    pfs.candidates[i].gpus = i < 2 ? std::vector{0, 1, 2, 3} : std::vector{4, 5, 6, 7};
  for (std::size_t i = 1; i < 4; ++i)
    pfs.candidates[i].addresses.clear();
  auto of_vfs = expected;
  of_vfs.host_addresses = false;
  EXPECT_THAT(select_rails(pfs, &of_vfs).missing, IsEmpty());
  // Two rails to a switch, one of which lost its address.
  auto pairs = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  for (std::size_t i = 0; i < 4; ++i)
    pairs.candidates[i].gpus = i < 2 ? std::vector{0, 1, 2, 3} : std::vector{4, 5, 6, 7};
  pairs.candidates[2].addresses.clear();
  EXPECT_EQ(chosen(select_rails(pairs, &expected), pairs), the_four);
}

// Router advertisements give PFs IPv6 addresses that no policy of IPv4 knows; and where only VFs have the
// policy's addresses, those of a PF say nothing.
TEST(Selector, AddressesThatThePolicyDoesNotSpeakOfExcludeNoRail) {
  auto inputs = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  for (auto& candidate : inputs.candidates) {
    candidate.addresses.clear();
    candidate.addresses6 = {*parse_ip_prefix("2001:db8::21/64")};
  }
  const std::string select = "count: 4, select: {vendor: 15b3, near_gpu: any}, ";
  for (const std::string more : {"", "host_addresses: false, "}) {
    const auto expected = expecting("{" + select + more + four_prefixes + "}");
    EXPECT_EQ(chosen(select_rails(inputs, &expected), inputs), the_four) << more;
  }
  inputs.candidates[2].addresses = {*parse_prefix("10.99.0.21/24")};
  const auto expected = expecting("{" + select + "host_addresses: false, " + four_prefixes + "}");
  EXPECT_EQ(chosen(select_rails(inputs, &expected), inputs), the_four);
}

// VFs of the rails that are here are no NICs whose GPU is gone.
TEST(Selector, VfsOfOtherRailsDoNotStandForAGoneNic) {
  auto inputs = inputs_of({rail(0), rail(1), rail(3)});
  for (const int n : {0, 1, 3}) {
    RailCandidate vf = rail(n);
    vf.rdma += "v", vf.netdev += "v0", vf.vf = true, vf.parent = vf.pci, vf.pci += "v", vf.gpus.clear(),
                                       vf.addresses.clear();
    inputs.candidates.push_back(vf);
  }
  const auto expected = expecting("{count: 4, select: {vendor: 15b3, near_gpu: any}, " + four_prefixes + "}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(missing(selection), ElementsAre("rail 2 (10.12.0.0/16)"));
  for (const auto& text : none(selection, inputs))
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("but for a GPU"))) << text;
}

// In a Pod the rails are VFs, and have the policy's addresses whatever the host's PFs have.
TEST(Selector, OfVfsInAPodTheAddressesCount) {
  auto inputs = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  for (auto& candidate : inputs.candidates)
    candidate.vf = true, candidate.parent = "0000:ff:00.0";
  inputs.candidates[2].addresses = {*parse_prefix("10.99.0.21/24")};
  const auto expected = expecting(
      "{count: 4, select: {vendor: 15b3, near_gpu: any}, host_addresses: false, " + four_prefixes + "}");
  EXPECT_THAT(missing(select_rails(inputs, &expected)), ElementsAre("rail 2 (10.12.0.0/16)"));
  inputs.candidates[2].gpus.clear(), inputs.candidates[2].addresses.clear();
  const auto counted = expecting("{count: 4, select: {vendor: 15b3, near_gpu: any}}");
  EXPECT_THAT(none(select_rails(inputs, &counted), inputs),
              ElementsAre("mlx5_2 is what the policy selects, but for a GPU beside it"));
}

TEST(Subnet, AddressesThatAnyRouterGivesExcludeNoRail) {
  auto inputs = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  inputs.candidates[2].addresses.clear();
  inputs.candidates[2].addresses6 = {*parse_ip_prefix("2001:db8::21/64")};
  const auto expected = expecting("{count: 4, " + four_prefixes + "}");
  EXPECT_EQ(chosen(select_rails(inputs, &expected), inputs), the_four);
}

TEST(Selector, ANicWhoseGpuIsGoneIsSaidToBeHere) {
  auto inputs = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  inputs.candidates[2].gpus.clear();
  for (auto& candidate : inputs.candidates)
    candidate.addresses.clear();
  const auto expected = expecting("{count: 4, select: {vendor: 15b3, near_gpu: any}}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(none(selection, inputs),
              ElementsAre("mlx5_2 is what the policy selects, but for a GPU beside it"));
}

TEST(Selector, AMissingRailIsNamedAndAStorageNicDoesNotStandInForIt) {
  auto inputs = four_and_storage();
  inputs.candidates.erase(inputs.candidates.begin() + 2);
  const auto expected = expecting(
      "{count: 4, rate_gbit_s: 200, select: [{pci: '0000:0a:00.0', interface: eth0}, {pci: '0000:1a:00.0', "
      "interface: eth1}, {pci: '0000:2a:00.0', interface: eth2}, {pci: '0000:3a:00.0', interface: eth3}]}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_0", "1 mlx5_1", "3 mlx5_3"));
  EXPECT_THAT(missing(selection), ElementsAre("rail 2 (0000:2a:00.0, eth2)"));
  EXPECT_THAT(none(selection, inputs), testing::SizeIs(1));
}

// A maker is the storage NIC's too; the prefixes tell them apart, as they do without a selector.
TEST(Selector, AMakerAloneTakesNoDeviceOfAnotherNetwork) {
  auto inputs = four_and_storage();
  inputs.candidates.erase(inputs.candidates.begin() + 2);
  const auto expected = expecting("{count: 4, select: {vendor: 15b3}, " + four_prefixes + "}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_0", "1 mlx5_1", "3 mlx5_3"));
  EXPECT_THAT(missing(selection), ElementsAre("rail 2 (10.12.0.0/16)"));
  EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 has an address of another network"));
}

// As it was chosen before: by number and speed. Nothing here knows a rate.
TEST(Selector, FourOfFiveAreTheNamedOnesOrNobody) {
  auto inputs = four_and_storage();
  for (const char* rails : {"{count: 4, rate_gbit_s: 200, select: {near_gpu: any}}",
                            "{count: 4, rate_gbit_s: 200, addresses: [{prefix: 10.10.0.0/16}, {prefix: "
                            "10.11.0.0/16}, {prefix: 10.12.0.0/16}, {prefix: 10.13.0.0/16}]}"}) {
    const auto expected = expecting(rails);
    EXPECT_EQ(chosen(select_rails(inputs, &expected), inputs), the_four) << rails;
  }
  // Without names the GPUs tell them apart, and it is said that this is a guess.
  const auto expected = expecting("{count: 4, rate_gbit_s: 200}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_EQ(chosen(selection, inputs), the_four);
  EXPECT_TRUE(all_from(selection, RailSource::inferred));
  // And without GPUs nothing does: then nobody is taken.
  for (auto& one : inputs.candidates)
    one.gpus.clear();
  const auto undecided = select_rails(inputs, &expected);
  EXPECT_THAT(undecided.rails, IsEmpty());
  EXPECT_THAT(undecided.undecided, testing::SizeIs(5));
}

TEST(Selector, TwoThatFitOneNameAreNotDecided) {
  const auto inputs = four_and_storage();
  const auto expected = expecting("{select: [{interface: 'eth[01]'}, {interface: eth2}]}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(selection.rails, IsEmpty());
  EXPECT_THAT(selection.undecided, ElementsAre(0u, 1u));
}

TEST(Selector, InAPodByResourceAndNetwork) {
  std::vector<RailCandidate> vfs;
  for (int n = 0; n < 2; ++n) {
    auto one = rail(n);
    one.vf = true, one.parent = pci(n), one.pci = "0000:" + std::to_string(n) + "a:00.2";
    one.resources = {"PCIDEVICE_MLC_IO_RAIL" + std::to_string(1 - n)};
    one.networks = {"bench/rail" + std::to_string(n)};
    vfs.push_back(std::move(one));
  }
  auto inputs = inputs_of(vfs);
  inputs.pod_known = true;
  const auto by_resource = expecting("{select: [{resource: mlc.io/rail0}, {resource: mlc.io/rail1}]}");
  EXPECT_THAT(chosen(select_rails(inputs, &by_resource), inputs), ElementsAre("0 mlx5_1", "1 mlx5_0"));
  const auto by_network = expecting("{select: [{network: bench/rail0}, {network: bench/rail1}]}");
  EXPECT_THAT(chosen(select_rails(inputs, &by_network), inputs), ElementsAre("0 mlx5_0", "1 mlx5_1"));
  // A VF is known by the address of its PF.
  const auto by_pci = expecting("{select: [{pci: '0000:1a:00.0'}, {pci: '0000:0a:00.0'}]}");
  EXPECT_THAT(chosen(select_rails(inputs, &by_pci), inputs), ElementsAre("0 mlx5_1", "1 mlx5_0"));
}

TEST(Selector, WhatTheMachineCannotAnswerIsSaidAndNotSatisfied) {
  auto inputs = inputs_of({rail(0), rail(1)});
  const auto of_pod = expecting("{count: 2, select: {resource: mlc.io/rails}}");
  auto selection = select_rails(inputs, &of_pod);
  EXPECT_EQ(selection.unanswered, "resource");
  EXPECT_TRUE(selection.named);
  EXPECT_TRUE(all_from(selection, RailSource::inferred));
  for (auto& one : inputs.candidates)
    one.gpus.clear();
  const auto near = expecting("{count: 2, select: {near_gpu: any}}");
  selection = select_rails(inputs, &near);
  EXPECT_EQ(selection.unanswered, "near_gpu");
  EXPECT_TRUE(all_from(selection, RailSource::inferred));
  // Prefixes are names as well.
  const auto with_addresses = expecting(
      "{count: 2, select: {near_gpu: any}, addresses: [{prefix: 10.10.0.0/16}, {prefix: 10.11.0.0/16}]}");
  EXPECT_TRUE(all_from(select_rails(inputs, &with_addresses), RailSource::subnet));
}

TEST(Subnet, NumbersTheRailsAndLeavesTheRestOut) {
  auto inputs = four_and_storage();
  std::swap(inputs.candidates[0].addresses, inputs.candidates[3].addresses);
  const auto expected = expecting("{count: 4, " + four_prefixes + "}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_3", "1 mlx5_1", "2 mlx5_2", "3 mlx5_0"));
  EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 has an address of another network"));
}

TEST(Subnet, KnowsIpv6PrefixesAndMixesNoFamilies) {
  auto inputs = inputs_of({rail(0), rail(1), storage()});
  inputs.candidates[0].addresses.clear(), inputs.candidates[1].addresses.clear();
  inputs.candidates[0].addresses6 = {*parse_ip_prefix("2001:db8:b::21/64")};
  inputs.candidates[1].addresses6 = {*parse_ip_prefix("2001:db8:a::21/64")};
  const auto expected = expecting(
      "{count: 2, addresses: [{prefix: '2001:db8:a::/64', gateway: first}, {prefix: '2001:db8:b::/64', "
      "gateway: '2001:db8:b::9', destinations: ['2001:db8:1::/48']}]}");
  const auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_1", "1 mlx5_0"));
  const Rail first = rail_of(inputs.candidates[1], {.index = 0, .source = RailSource::subnet}, &expected);
  EXPECT_EQ(first.gateway, parse_ip("2001:db8:a::1"));
  EXPECT_EQ(gateway4(first), std::nullopt);
  EXPECT_EQ(first.own(), inputs.candidates[1].addresses6);
  for (const char* mixed :
       {"{prefix: '2001:db8:a::/64', gateway: 10.10.0.1}", "{prefix: 10.10.0.0/16, gateway: '2001:db8::1'}",
        "{prefix: 10.10.0.0/16, destinations: ['2001:db8:1::/48']}", "{prefix: '2001:db8:a::5/64'}",
        "{prefix: 10.10.0.0/16, gateway: last}"})
    EXPECT_THROW(expecting("{count: 1, addresses: [" + std::string(mixed) + "]}"), PolicyError) << mixed;
}

TEST(Subnet, OneWithoutAnAddressIsAGuessAndOneOfAnotherNetworkIsNone) {
  auto inputs = four_and_storage();
  inputs.candidates[1].addresses = {*parse_prefix("169.254.7.7/16")};
  const auto expected = expecting("{count: 4, " + four_prefixes + "}");
  auto selection = select_rails(inputs, &expected);
  EXPECT_EQ(chosen(selection, inputs), the_four);
  EXPECT_EQ(selection.rails[1].source, RailSource::inferred);
  inputs.candidates.erase(inputs.candidates.begin() + 1);
  selection = select_rails(inputs, &expected);
  EXPECT_THAT(missing(selection), ElementsAre("rail 1 (10.11.0.0/16)"));
  EXPECT_THAT(selection.rails, testing::SizeIs(3));
}

TEST(Subnet, WithASelectorOfAllItNumbersThem) {
  auto inputs = four_and_storage();
  std::swap(inputs.candidates[0].addresses, inputs.candidates[3].addresses);
  inputs.candidates[1].addresses = {*parse_prefix("10.99.0.21/24")};
  const auto expected = expecting("{count: 4, select: {near_gpu: any}, " + four_prefixes + "}");
  const auto selection = select_rails(inputs, &expected);
  // The rail with a wrong address, or a storage NIC beside a GPU in a gone rail's place: nothing says which,
  // and the finding names both.
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_3", "2 mlx5_2", "3 mlx5_0"));
  EXPECT_THAT(missing(selection), ElementsAre("rail 1 (10.11.0.0/16)"));
  EXPECT_THAT(none(selection, inputs), testing::Contains("mlx5_1 has an address of another network"));
}

TEST(Route, ThePeersTellWithoutAnyName) {
  auto inputs = four_and_storage();
  for (auto& one : inputs.candidates)
    one.gpus.clear();
  inputs.routes = {{*parse_prefix("10.10.0.0/16"), "eth2"},
                   {*parse_prefix("10.11.0.0/16"), "eth1"},
                   {*parse_prefix("10.12.0.0/16"), "eth0"},
                   {*parse_prefix("10.13.0.0/16"), "eth3"},
                   {*parse_prefix("10.0.0.0/8"), "eth9"}};
  auto expected = expecting("{count: 4}");
  expected.peers = {{*parse_ipv4("10.10.0.22"), *parse_ipv4("10.11.0.22"), *parse_ipv4("10.12.0.22"),
                     *parse_ipv4("10.13.0.22")}};
  auto selection = select_rails(inputs, &expected);
  EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_2", "1 mlx5_1", "2 mlx5_0", "3 mlx5_3"));
  EXPECT_TRUE(all_from(selection, RailSource::route));
  EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 has no route to a peer"));
  // A route that is gone: of two that are left nobody can say which is rail 1.
  inputs.routes.erase(inputs.routes.begin() + 1), inputs.routes.pop_back();
  selection = select_rails(inputs, &expected);
  EXPECT_THAT(missing(selection), ElementsAre("rail 1"));
  // A name comes before a route.
  const auto named = [&] {
    auto one = expecting("{count: 4, select: {interface: 'eth[0-3]'}}");
    one.peers = expected.peers;
    return one;
  }();
  EXPECT_EQ(chosen(select_rails(inputs, &named), inputs), the_four);
}

TEST(Inference, LeavesOutWhatIsUnlikeARail) {
  auto inputs = four_and_storage();
  auto selection = select_rails(inputs, nullptr);
  EXPECT_EQ(chosen(selection, inputs), the_four);
  EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 is near no GPU, as the others are"));
  for (auto& one : inputs.candidates)
    one.gpus.clear();
  EXPECT_THAT(chosen(select_rails(inputs, nullptr), inputs), testing::SizeIs(5));
  inputs.candidates.back().model = 0x101d;
  selection = select_rails(inputs, nullptr);
  EXPECT_EQ(chosen(selection, inputs), the_four);
  EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 is another model than most"));
  inputs.candidates.back().model = 0x1021;
  inputs.default_device = "eth9";
  selection = select_rails(inputs, nullptr);
  EXPECT_EQ(chosen(selection, inputs), the_four);
  EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 carries the default route"));
  EXPECT_FALSE(selection.named);
}

TEST(Inference, ARailWithTheDefaultRouteIsOneWhereTheyAreCounted) {
  auto inputs = inputs_of({rail(0), rail(1)});
  inputs.default_device = "eth0";
  EXPECT_THAT(chosen(select_rails(inputs, nullptr), inputs), ElementsAre("0 mlx5_1"));
  const auto expected = expecting("{count: 2}");
  EXPECT_THAT(chosen(select_rails(inputs, &expected), inputs), ElementsAre("0 mlx5_0", "1 mlx5_1"));
}

TEST(Inference, TooFewAreMissingAndTooManyAreNotDecided) {
  auto inputs = inputs_of({rail(0), rail(1), rail(2)});
  auto expected = expecting("{count: 4}");
  EXPECT_THAT(missing(select_rails(inputs, &expected)), ElementsAre("a rail"));
  expected = expecting("{count: 2, rate_gbit_s: 200}");
  EXPECT_THAT(select_rails(inputs, &expected).undecided, testing::SizeIs(3));
}

// Four are counted, one has gone, and a storage NIC makes four again.
TEST(Inference, AStorageNicDoesNotMakeTheNumberUp) {
  const auto inputs = inputs_of({rail(0), rail(1), rail(3), storage()});
  for (const char* how :
       {"{count: 4}", "{count: 4, select: {vendor: 15b3}}", "{count: 4, select: {device: 'mlx5_*'}}"}) {
    const auto expected = expecting(how);
    const auto selection = select_rails(inputs, &expected);
    EXPECT_THAT(chosen(selection, inputs), ElementsAre("0 mlx5_0", "1 mlx5_1", "2 mlx5_3")) << how;
    EXPECT_THAT(none(selection, inputs), ElementsAre("mlx5_9 is near no GPU, as the others are")) << how;
    EXPECT_THAT(missing(selection), testing::SizeIs(1)) << how;
  }
  // Nothing is near a GPU in a virtual machine, or most are not.
  auto far = inputs_of({rail(0), rail(1), rail(2), rail(3)});
  for (std::size_t i = 0; i < 3; ++i)
    far.candidates[i].gpus.clear();
  const auto expected = expecting("{count: 4}");
  EXPECT_EQ(chosen(select_rails(far, &expected), far), the_four);
  far.candidates[3].gpus.clear();
  EXPECT_EQ(chosen(select_rails(far, &expected), far), the_four);
}

TEST(Inference, VfsAreRailsOnlyWhereThereIsNoPf) {
  auto vf = rail(0);
  vf.vf = true, vf.parent = pci(0), vf.pci = "0000:0a:00.2", vf.rdma = "mlx5_7";
  auto inputs = inputs_of({rail(0), vf});
  EXPECT_THAT(chosen(select_rails(inputs, nullptr), inputs), ElementsAre("0 mlx5_0"));
  EXPECT_THAT(select_rails(inputs, nullptr).others, IsEmpty());
  inputs = inputs_of({vf});
  EXPECT_THAT(chosen(select_rails(inputs, nullptr), inputs), ElementsAre("0 mlx5_7"));
}

TEST(Bond, IsKnownByItsOwnNameAndItsMembers) {
  auto bond = rail(0);
  bond.netdev = "bond0", bond.members = {"eth0", "eth4"};
  const auto inputs = inputs_of({bond, storage()});
  for (const char* name : {"bond0", "eth4"}) {
    const auto expected = expecting(std::string("{select: {interface: ") + name + "}}");
    EXPECT_THAT(chosen(select_rails(inputs, &expected), inputs), ElementsAre("0 mlx5_0")) << name;
  }
}

TEST(Inet6, SubnetsKnowRailsToo) {
  auto one = rail(0), other = rail(1);
  one.addresses.clear(), other.addresses.clear();
  one.addresses6 = {*parse_ip_prefix("2001:db8:a::15/64")},
  other.addresses6 = {*parse_ip_prefix("2001:db8:b::15/64")};
  const auto inputs = inputs_of({one, other});
  const auto expected = expecting("{select: [{subnet: '2001:db8:b::/64'}, {subnet: '2001:db8:a::/64'}]}");
  EXPECT_THAT(chosen(select_rails(inputs, &expected), inputs), ElementsAre("0 mlx5_1", "1 mlx5_0"));
}

TEST(Inet6, ProcIsReadLineByLine) {
  const auto addresses = parse_if_inet6(
      "20010db8000a00000000000000000015 03 40 00 80 eth0\n"
      "fe80000000000000000000fffe000001 03 40 20 88 eth0\n"
      "nonsense\n20010db8 03 40 00 80 eth1\n20010db8000a00000000000000000015 03 ff 00 80 eth1\n");
  ASSERT_EQ(addresses.size(), 2u);
  EXPECT_EQ(to_string(addresses[0].prefix), "2001:db8:a::15/64");
  EXPECT_EQ(addresses[0].interface, "eth0");
  EXPECT_FALSE(addresses[0].duplicate);
  EXPECT_TRUE(addresses[1].duplicate);
  EXPECT_TRUE(addresses[1].prefix.address.link_local());
  EXPECT_TRUE(parse_ip_prefix("2001:db8::/33")->contains(*parse_ip("2001:db8:7fff::1")));
  EXPECT_FALSE(parse_ip_prefix("2001:db8::/33")->contains(*parse_ip("2001:db8:8000::1")));
  EXPECT_EQ(to_string(parse_ip_prefix("2001:db8:ffff::1/33")->network()), "2001:db8:8000::/33");
}

TEST(RailOf, TakesTheSitesAddressFirstAndLinkLocalOnesAside) {
  auto one = rail(0);
  one.addresses = {*parse_prefix("169.254.9.9/16"), *parse_prefix("172.20.0.5/24"),
                   *parse_prefix("10.10.0.21/24")};
  const auto expected = expecting("{count: 1, addresses: [{prefix: 10.10.0.0/16, gateway: first}]}");
  const Rail known = rail_of(one, {.index = 0, .source = RailSource::subnet}, &expected);
  EXPECT_EQ(to_string(known.addresses.front()), "10.10.0.21/24");
  EXPECT_EQ(known.addresses.size(), 2u);
  EXPECT_EQ(known.link_local.size(), 1u);
  EXPECT_EQ(known.gateway, parse_ipv4("10.10.0.1"));
  // A site may run its rails there, and then says so.
  const auto there = expecting("{count: 1, addresses: [{prefix: 169.254.0.0/16}]}");
  EXPECT_EQ(to_string(rail_of(one, {.index = 0, .source = RailSource::subnet}, &there).addresses.front()),
            "169.254.9.9/16");
}

TEST(RailOf, TheGatewayMayBeTheFirstAddressOfTheNodesOwnSubnet) {
  auto one = rail(0);
  const auto expected = expecting("{count: 1, addresses: [{prefix: 10.10.0.0/16, gateway: first}]}");
  for (const auto& [own, gateway] :
       {std::pair("10.10.3.40/26", "10.10.3.1"), {"10.10.3.70/26", "10.10.3.65"}}) {
    one.addresses = {*parse_prefix(own)};
    EXPECT_EQ(rail_of(one, {.index = 0, .source = RailSource::subnet}, &expected).gateway,
              parse_ipv4(gateway));
  }
  one.addresses.clear();
  EXPECT_EQ(rail_of(one, {.index = 0, .source = RailSource::subnet}, &expected).gateway, std::nullopt);
}

}  // namespace

}  // namespace mlc::test
