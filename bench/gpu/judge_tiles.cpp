#include "bench/gpu/judge_tiles.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using DigestKey = std::tuple<std::uint64_t, std::uint64_t>;

// "SM 17 (5 of 64 repeats)", at most eight of them.
std::string list_of(const std::map<std::uint32_t, int>& wrong_by_sm,
                    const std::map<std::uint32_t, int>& seen) {
  std::string text;
  int shown = 0;
  for (const auto& [sm, wrong] : wrong_by_sm) {
    if (++shown > 8) return text + " and " + std::to_string(wrong_by_sm.size() - 8) + " more";
    text += (text.empty() ? "SM " : ", SM ") + std::to_string(sm) + " (" + std::to_string(wrong) + " of " +
            std::to_string(seen.at(sm)) + " repeats)";
  }
  return text;
}

}  // namespace

std::vector<Finding> judge_tiles(tile::Engine engine, const tile::Spec& spec,
                                 std::span<const TileTable> tables) {
  std::array<tile::Digest, tile::seeds> golden;
  for (int i = 0; i < tile::seeds; ++i)
    golden[static_cast<std::size_t>(i)] = tile::golden(engine, tile::spec_of(spec, i));
  const auto expected = [&](const tile::Result& result) {
    return golden[result.repeat % static_cast<std::uint32_t>(tile::seeds)];
  };

  // What most SMs say of each tile, to tell a bad SM from a bad host.
  std::array<std::map<DigestKey, int>, tile::seeds> votes;
  for (const auto& table : tables)
    for (const auto& result : table.results)
      ++votes[result.repeat % static_cast<std::uint32_t>(tile::seeds)]
             [{result.digest.sum, result.digest.parity}];
  bool host_outvoted = false;
  for (int i = 0; i < tile::seeds; ++i) {
    const auto& vote = votes[static_cast<std::size_t>(i)];
    const auto& want = golden[static_cast<std::size_t>(i)];
    const auto all = [&] {
      int total = 0;
      for (const auto& [key, count] : vote)
        total += count;
      return total;
    }();
    for (const auto& [key, count] : vote)
      host_outvoted =
          host_outvoted || (key != DigestKey{want.sum, want.parity} && all >= 16 && count * 2 > all);
  }

  std::vector<Finding> findings;
  for (const auto& table : tables) {
    Finding finding{.check = "burnin.sm",
                    .subject = table.subject + ", " + std::string(tile::to_string(engine)),
                    .expected = "the same tile from each of " + std::to_string(table.sms) +
                                " SMs at every repeat, equal to the host's",
                    .source = "own kernel, one block an SM, digests compared bit for bit"};
    std::map<std::uint32_t, int> seen, wrong;
    for (const auto& result : table.results) {
      ++seen[result.sm];
      if (result.digest != expected(result)) ++wrong[result.sm];
    }
    if (!wrong.empty() && host_outvoted) {
      finding.status = Status::unknown;
      finding.observed = "most SMs agree on a result that is not the host's";
      finding.remedy =
          "the host's result or the build is suspect: run it on another node, and test the host's memory";
    } else if (!wrong.empty()) {
      finding.status = Status::fail;
      finding.observed = wrong.size() == seen.size() && seen.size() > 1
                             ? "every SM that was seen computes wrong results"
                             : list_of(wrong, seen) + " computed a wrong result";
      finding.remedy =
          "silent data corruption: take the GPU out of service and open an RMA; results computed on it are "
          "suspect";
    } else if (static_cast<int>(seen.size()) < table.sms) {
      finding.status = Status::unknown;
      finding.observed =
          "only " + std::to_string(seen.size()) + " of " + std::to_string(table.sms) + " SMs were seen";
      finding.remedy = "another process may hold the others (nvidia-smi); run it on an idle GPU";
    } else {
      finding.status = Status::pass;
      finding.observed = std::to_string(table.results.size()) + " tiles on " + std::to_string(seen.size()) +
                         " SMs, all equal and equal to the host's";
    }
    findings.push_back(finding);
  }
  return findings;
}

}  // namespace mlc
