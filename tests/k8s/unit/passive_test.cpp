// What a look without load makes of a node: it extends, doubts, finds reboots, and makes up for a quarantine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "k8s/admission/standing.hpp"
#include "tests/k8s/unit/admission_cases.hpp"

namespace mlc {
namespace {

TEST(Passive, ALookExtendsAPassUpToTheLimitAndOpensNothing) {
  Policy policy;
  policy.admit.valid_for_s = 1000, policy.admit.extended_for_s = 5000;
  const std::time_t ended = began + 600;
  auto look = looked(Decision::pass, admitted(ended - 3000, began + 800), "r", policy);
  EXPECT_EQ(look.annotations.at(expires_annotation), rfc3339(ended + 1000));
  EXPECT_EQ(look.annotations.at(looked_annotation), rfc3339(ended));
  EXPECT_FALSE(look.open) << "it takes no taint away";
  EXPECT_FALSE(look.labels.contains(admission_label));
  EXPECT_EQ(look.condition.status, "True");
  EXPECT_EQ(looked(Decision::pass, admitted(ended - 4500, began + 800), "r", policy)
                .annotations.at(expires_annotation),
            rfc3339(ended + 500))
      << "never beyond the last run under load and extended_for";
  EXPECT_EQ(looked(Decision::pass, admitted(ended - 100, ended + 4950), "r", policy)
                .annotations.at(expires_annotation),
            rfc3339(ended + 4950))
      << "it takes no time away";
  EXPECT_EQ(looked(Decision::pass, admitted(ended - 100, ended + 900'000), "r", policy)
                .annotations.at(expires_annotation),
            rfc3339(began + 700 + 5000))
      << "but what no run gives";
  NodeView nowhere = admitted(ended - 100, ended + 1000);
  nowhere.annotations.erase(boot_annotation);
  const auto of_unknown_boot = looked(Decision::pass, nowhere, "r", policy);
  EXPECT_EQ(of_unknown_boot.condition.reason, "Rebooted") << "nobody knows in which boot it was measured";
  EXPECT_EQ(of_unknown_boot.labels.at(admission_label), "pending");
  look = looked(Decision::pass, admitted(ended - 5000, began), "r", policy);
  EXPECT_EQ(look.condition.status, "True") << "stale is not bad";
  EXPECT_EQ(look.condition.reason, "DueForALook");
  EXPECT_EQ(look.labels.at(due_label), "true");
  for (const char* status : {"", "Unknown", "False"}) {
    NodeView shut = node(status);
    EXPECT_FALSE(looked(Decision::pass, shut).changes) << status;
    shut.labels[admission_label] = "admitted";  // by hand
    for (const auto decision : {Decision::pass, Decision::fail, Decision::inconclusive}) {
      const auto corrected = looked(decision, shut);
      EXPECT_EQ(corrected.labels.at(admission_label), *status == 'F' ? "refused" : "pending");
      EXPECT_EQ(corrected.condition.status, *status == 'F' ? "False" : "Unknown");
      EXPECT_FALSE(corrected.open);
    }
  }
  EXPECT_FALSE(looked(Decision::inconclusive, admitted(ended, ended + 10)).changes);
  EXPECT_FALSE(looked(Decision::fail, node("Unknown")).changes) << "nothing to take";
}

// A controller that read the node before it was opened, or a hand, may put the taint of new nodes back:
// nothing else that runs on an open node tolerates it.
TEST(Passive, ALookTakesAwayTheTaintOfNewNodesFromAnOpenOne) {
  Policy policy;
  policy.admit.startup_taint = Taint{.key = "mlc-bench.io/startup", .value = {}, .effect = "NoSchedule"};
  NodeView open = admitted(began, began + 8000);
  EXPECT_FALSE(looked(Decision::pass, open, "r", policy).open);
  open.taints = std::vector{*policy.admit.startup_taint};
  EXPECT_TRUE(looked(Decision::pass, open, "r", policy).open);
  EXPECT_FALSE(looked(Decision::fail, open, "r", policy).open);
}

TEST(Passive, WithoutAReadableTimeOfTheLastRunNothingIsExtended) {
  NodeView view = admitted(began, began + 800);
  view.annotations.erase(tested_annotation);
  EXPECT_EQ(looked(Decision::pass, view).annotations.at(expires_annotation), rfc3339(began + 800));
}

TEST(Passive, FindsARebootItself) {
  NodeView view = admitted(began, began + 8000);
  view.annotations[boot_annotation] = "boot-0";
  const auto look = looked(Decision::pass, view);
  EXPECT_EQ(look.condition.reason, "Rebooted");
  EXPECT_EQ(look.labels.at(admission_label), "pending");
}

// Somebody took the annotations away: nobody knows when it was last under load.
TEST(Passive, ALookAtANodeWithoutADateMakesItDueAtOnce) {
  NodeView view = admitted(began, began + 8000);
  view.annotations.erase(tested_annotation), view.annotations.erase(expires_annotation);
  const auto look = looked(Decision::pass, view);
  EXPECT_EQ(look.condition.reason, due_reason);
  EXPECT_EQ(look.condition.message.find("1970"), std::string::npos);
  EXPECT_EQ(look.labels.at(due_label), "true");
  EXPECT_TRUE(look.annotations.at(expires_annotation));
}

// More of the fleet failed in an hour than the policy takes out: what was left open is taken out later.
TEST(Quarantine, ThatWasPutOffIsMadeUpForByAPassiveLook) {
  Policy policy;
  policy.admit.quarantine.emplace();
  policy.admit.quarantine->taint = {.key = "q", .value = "", .effect = "NoSchedule"};
  NodeView shut = node("False");
  shut.labels[admission_label] = "refused";
  for (const Decision decision : {Decision::pass, Decision::fail, Decision::inconclusive}) {
    const auto owed = looked(decision, shut, "r", policy);
    EXPECT_TRUE(owed.changes && owed.quarantine && !owed.open);
    EXPECT_EQ(owed.condition.status, "False");
    EXPECT_TRUE(owed.labels.empty());
    EXPECT_TRUE(owed.annotations.contains(looked_annotation));
  }
  shut.taints = {policy.admit.quarantine->taint};
  EXPECT_TRUE(looked(Decision::fail, shut, "r", policy).quarantine) << "since when is not written";
  shut.annotations[quarantined_annotation] = rfc3339(began);
  EXPECT_FALSE(looked(Decision::fail, shut, "r", policy).changes);
  shut.taints.reset(), shut.annotations.clear();
  shut.conditions[policy.admit.condition].status = "Unknown";
  EXPECT_FALSE(looked(Decision::fail, shut, "r", policy).changes);
  shut.conditions[refused_condition(policy.admit)].status = "True";
  EXPECT_TRUE(looked(Decision::fail, shut, "r", policy).quarantine)
      << "a second run found it too; it is tested again";
  shut.labels[admission_label] = "pending";
  EXPECT_FALSE(looked(Decision::fail, shut, "r", policy).changes) << "mended, somebody says";
}

}  // namespace
}  // namespace mlc
