// What is wrong with the fleet's addresses, from records that were read one list after the other while the
// cluster went on. Pure.
#pragma once

#include <compare>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "k8s/ipam/whereabouts.hpp"
#include "reports/record/finding.hpp"
#include "validators/checks/check.hpp"

namespace mlc::ipam {

// What these findings are called and what they mean: for `explain` and `list checks`. They run in no
// `validate`.
std::span<const Check> fleet_checks();

enum class Trouble {
  duplicate,           // an address with several owners
  unrecorded,          // an address that a Pod uses and no pool has: it will be handed out again
  leaked,              // an allocation whose Pod is gone, or has another address
  leaked_reservation,  // a reservation that no pool and no Pod knows
};

struct AddressTrouble {
  Trouble kind;
  Ipv4 address;
  std::string pool;
  std::vector<std::string> pods;  // sorted
  auto operator<=>(const AddressTrouble&) const = default;
};

std::vector<AddressTrouble> troubles_of(const Records& records);  // sorted

// What both readings show. A Pod that came or went between two lists is in one of them only.
std::vector<AddressTrouble> confirmed(std::span<const AddressTrouble> first,
                                      std::span<const AddressTrouble> second);

using NodeOfPod = std::map<std::string, std::string>;

// `full_from`: the share of a pool from which it is nearly full. At most `most` addresses of each kind are
// named, and the rest is counted.
std::vector<Finding> findings_of(const Records& records, std::span<const AddressTrouble> troubles,
                                 const NodeOfPod& nodes, double full_from, std::size_t most = 100);

// A line for each node, about its own Pods: at most `most` nodes.
std::map<std::string, std::string> notes_for_nodes(std::span<const AddressTrouble> troubles,
                                                   const NodeOfPod& nodes, std::size_t most);

}  // namespace mlc::ipam
