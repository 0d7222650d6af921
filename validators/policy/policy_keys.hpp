// Every key that a policy may have, with what it means. What kind of value a key takes, and its bounds, are
// the readers' own: they are seen reading examples in which all keys are given.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "validators/policy/yaml_reader.hpp"

namespace mlc {

inline constexpr std::string_view required_key = "required";

struct DescribedKey {
  std::string_view path;  // "node.rails.count"; of the entries of a list: "thresholds[].collective"
  std::string_view unit;  // of the number, or what the text is: "Gbit/s", "a time"; empty: its kind says all
  // Taken where it is not given, as YAML; "{}": the defaults of a section's keys; empty: nothing is asked.
  std::string_view otherwise;
  std::string_view example;  // as YAML; empty: a section
  std::string_view meaning;
  std::string_view instead_of = {};  // the key of the same mapping that may not be given beside it
};

// The parts of the table, in the order in which a policy is written.
std::span<const DescribedKey> measuring_keys();  // policy, target, confidence, thresholds, rdma
std::span<const DescribedKey> node_keys();
std::span<const DescribedKey> gpu_keys();
std::span<const DescribedKey> plan_keys();     // burnin, fabric, health, passive
std::span<const DescribedKey> cluster_keys();  // dispatch, admit

struct PolicyKey : DescribedKey {
  AskedKey::Kind kind = AskedKey::Kind::text;
  double least = 0, most = 0;  // of numbers

  // "whole number, 1 to 64", "number in Gbit/s, 0.001 to 10000", "a time: 20 ms", "list of texts"
  std::string value() const;
};

// A section is where its keys are, and has no value of its own.
inline bool is_section(const DescribedKey& key) { return key.example.empty(); }

// All of them, in that order.
const std::vector<PolicyKey>& policy_keys();

// Policies in which every key is given with its example; of keys that exclude each other one in each.
std::vector<std::string> example_policies();

// Under which path a key is described: all plans have the same keys, so that "health.budget" is
// "burnin.budget".
std::string described_path(std::string_view path);
// nullptr: there is none.
const PolicyKey* find_policy_key(std::string_view path);

}  // namespace mlc
