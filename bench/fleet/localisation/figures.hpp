// What trials came to, for people, for a table and for programs. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/fleet/localisation/trials.hpp"

namespace mlc::fleet {

struct MethodFigures {
  std::string method;  // "fleet", or a baseline's name
  std::string about;
  Score score;
};

std::string figures_text(const std::vector<MethodFigures>& all, const TrialPlan& plan, std::uint64_t seed);
// A line of a table each, under its heading.
std::string figures_markdown(const std::vector<MethodFigures>& all, const TrialPlan& plan,
                             std::uint64_t seed);
nlohmann::json figures_json(const std::vector<MethodFigures>& all, const TrialPlan& plan, std::uint64_t seed);

}  // namespace mlc::fleet
