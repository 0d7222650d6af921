#include "validators/checks/pci_groups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mlc::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PciGroups, EachIsWhatStandsDirectlyBelowASwitch) {
  const auto all = pci_groups({{{"a"}, 0}, {{"b"}, 0}}, {{{"a"}, 0}, {{"b"}, 0}, {{"b"}, 0}});
  ASSERT_EQ(all.groups.size(), 2u);
  EXPECT_THAT(all.groups[0].nics, ElementsAre(0));
  EXPECT_THAT(all.groups[0].gpus, ElementsAre(0));
  EXPECT_THAT(all.groups[1].nics, ElementsAre(1));
  EXPECT_THAT(all.groups[1].gpus, ElementsAre(1, 2));
}

TEST(PciGroups, ASwitchBehindASwitchIsAPlaceOfItsOwn) {
  const auto all = pci_groups({{{"a"}, {}}, {{"a", "b"}, {}}}, {{{"a"}, {}}, {{"a", "b"}, {}}});
  ASSERT_EQ(all.groups.size(), 2u);
  EXPECT_THAT(all.groups[0].gpus, ElementsAre(0));
  EXPECT_THAT(all.groups[1].gpus, ElementsAre(1));
}

TEST(PciGroups, BridgesOfOneKindOfDeviceAreNoPlace) {
  // A card with two ports, and GPUs behind a switch of their own.
  const auto all =
      pci_groups({{{"a", "card"}, {}}, {{"a", "card"}, {}}}, {{{"a", "g"}, {}}, {{"a", "g"}, {}}});
  ASSERT_EQ(all.groups.size(), 1u);
  EXPECT_THAT(all.groups[0].nics, ElementsAre(0, 1));
  EXPECT_THAT(all.groups[0].gpus, ElementsAre(0, 1));
}

TEST(PciGroups, WhoSharesNothingWhereOthersDoIsApart) {
  const auto all = pci_groups({{{"a"}, 0}, {{"b"}, 0}}, {{{"a"}, 0}, {{"c"}, 0}});
  EXPECT_EQ(all.groups.size(), 1u);
  EXPECT_THAT(all.apart_nics, ElementsAre(1));
  EXPECT_THAT(all.apart_gpus, ElementsAre(1));
}

TEST(PciGroups, WithoutAnySharedSwitchNumaIsWhatIsLeft) {
  const auto all = pci_groups({{{"a"}, 0}, {{"b"}, 1}}, {{{"c"}, 0}, {{"d"}, 1}, {{"e"}, {}}});
  ASSERT_EQ(all.groups.size(), 2u);
  EXPECT_TRUE(all.groups[0].by_numa);
  EXPECT_THAT(all.groups[1].gpus, ElementsAre(1));
  EXPECT_THAT(all.apart_gpus, ElementsAre(2));
  EXPECT_THAT(pci_groups({}, {}).groups, IsEmpty());
}

}  // namespace
}  // namespace mlc::test
