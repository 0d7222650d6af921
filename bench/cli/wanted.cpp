#include "bench/cli/wanted.hpp"

#include "bench/backends/backends.hpp"
#include "bench/collectives/collective.hpp"
#include "validators/checks/all.hpp"

namespace mlc {

namespace {

std::vector<KnownCollective> known_collectives() {
  std::vector<KnownCollective> known;
  for (const auto* one : all_collectives()) {
    KnownCollective entry{std::string(one->name), one->reduces, one->in_place, {}};
    for (const auto& backend : all_backends())
      if (one_buffer_only(backend.name, one->name)) entry.one_buffer_over.push_back(backend.name);
    known.push_back(std::move(entry));
  }
  return known;
}

}  // namespace

Wanted with_all_known(Wanted wanted) {
  wanted.checks = known_checks(), wanted.collectives = known_collectives();
  return wanted;
}

Wanted wanted_by(const Policy& policy, RunKind kind) {
  return with_all_known({.plan = wanted_plan(policy, kind), .kind = kind});
}

}  // namespace mlc
