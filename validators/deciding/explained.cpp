#include "validators/deciding/explained.hpp"

namespace mlc {

const char* verdict_explained() {
  return R"(verdict: what a pass promises, and what it does not

pass          Every element of every verified iteration was right. Every threshold of the policy that
              applies was met: a node two standard deviations below the bound passes at most once
              in 1000 (the policy's false_admit), one as far above it fails at most once in 100.
              Every finding is pass, warn or skip; unknown ones too only where the policy lets them
              (unknown_blocks: false).
fail          Wrong data, a threshold or a finding failed. The first reason is the worst.
inconclusive  Neither: too noisy, not measured, not verified (-c 0), a planted fault (--inject), an
              error, a check that could not be made, a policy that asks nothing. Never a pass.

For a node (burnin, admit) a pass also wants, and what is missing is named:
  the policy    its digest, and every stage it requires, run as it says, whole, all launches; each
                threshold for one node or a pair of nodes, at each of its sizes, by some stage; a
                finding of each check that judges a key of the `node` section; figures of as many
                GPUs and rails as it says there are, and no worse than it asks
  the node      its name, boot id and machine id, as the API server has them
  the program   the version that decides
  the time      a beginning and an end that have passed by the API server's clock, and no run
                since that found otherwise
The word "pass" in a file counts for nothing: who acts on a report decides again from what it shows.

Not promised: that the node is right tomorrow (valid_for, health runs); what was not asked (sizes,
ranks and nodes that the policy does not name); a fault that came and went between measurements; a
report whose figures somebody made up with care: keep the state folder and the account to yourself.
Heat that comes after the observation is over (30 s a launch for admission; a second or so in the
quick, interactive form). `mlc-bench explain thresholds` says how one is decided, docs/error_rates.md
how often that errs under noise that is not tame.
)";
}

}  // namespace mlc
