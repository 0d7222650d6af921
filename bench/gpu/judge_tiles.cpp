#include "bench/gpu/judge_tiles.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using DigestKey = std::tuple<std::uint64_t, std::uint64_t>;
DigestKey key_of(const tile::Digest& digest) { return {digest.sum, digest.parity}; }

// What each kind of tile should be, and what most SMs say of it, to tell a bad SM from a bad host.
class Expected {
 public:
  Expected(tile::Engine engine, const tile::Spec& spec, std::span<const TileTable> tables)
      : engine_(engine), spec_(spec) {
    std::vector<std::map<DigestKey, int>> votes(static_cast<std::size_t>(tile::kinds(engine)));
    for (int kind = 0; kind < tile::kinds(engine); ++kind)
      golden_.push_back(tile::golden(engine, spec, kind));
    for (const auto& table : tables)
      for (const auto& result : table.results)
        ++votes[kind_of(result)][key_of(result.digest)];
    for (std::size_t kind = 0; kind < votes.size(); ++kind) {
      int all = 0;
      for (const auto& [key, count] : votes[kind])
        all += count;
      for (const auto& [key, count] : votes[kind])
        outvoted_ = outvoted_ || (key != key_of(golden_[kind]) && all >= 16 && count * 2 > all);
    }
  }
  bool is(const tile::Result& result) const { return result.digest == golden_[kind_of(result)]; }
  bool outvoted() const { return outvoted_; }  // most SMs agree on something else

 private:
  std::size_t kind_of(const tile::Result& result) const {
    return static_cast<std::size_t>(tile::kind_of(engine_, spec_, result.tile));
  }
  tile::Engine engine_;
  const tile::Spec& spec_;
  std::vector<tile::Digest> golden_;
  bool outvoted_ = false;
};

// The tiles of the matrix product that are wrong whichever SM computes them, if that is all that is wrong:
// then what they are made of is. Empty where an SM explains it.
std::set<std::uint32_t> wrong_everywhere(const TileTable& table, const Expected& expected) {
  std::map<std::uint32_t, std::set<std::uint32_t>> wrong;  // by tile, the SMs
  std::set<std::uint32_t> right, tiles;
  for (const auto& result : table.results)
    if (expected.is(result))
      right.insert(result.tile);
    else
      wrong[result.tile].insert(result.sm);
  for (const auto& [tile, sms] : wrong) {
    if (sms.size() < 2 || right.contains(tile)) return {};
    tiles.insert(tile);
  }
  return tiles;
}

// "SM 17 (5 of 64 tiles)", at most eight of them.
std::string list_of(const std::map<std::uint32_t, int>& wrong_by_sm,
                    const std::map<std::uint32_t, int>& seen) {
  std::string text;
  int shown = 0;
  for (const auto& [sm, wrong] : wrong_by_sm) {
    if (++shown > 8) return text + " and " + std::to_string(wrong_by_sm.size() - 8) + " more";
    text += (text.empty() ? "SM " : ", SM ") + std::to_string(sm) + " (" + std::to_string(wrong) + " of " +
            std::to_string(seen.at(sm)) + " tiles)";
  }
  return text;
}

}  // namespace

std::vector<Finding> judge_tiles(tile::Engine engine, const tile::Spec& spec,
                                 std::span<const TileTable> tables) {
  const Expected expected(engine, spec, tables);
  const bool dealt = engine == tile::Engine::product;
  std::vector<Finding> findings;
  for (const auto& table : tables) {
    Finding finding{
        .check = "burnin.sm",
        .subject = table.subject + ", " + std::string(tile::to_string(engine)),
        .expected =
            (dealt
                 ? "each tile of a matrix product the same from any of " + std::to_string(table.sms) + " SMs"
                 : "the same tile from each of " + std::to_string(table.sms) + " SMs at every repeat") +
            ", equal to the host's",
        .source = dealt ? "own kernel, tiles dealt to other SMs each time, digests compared bit for bit"
                        : "own kernel, one block an SM, digests compared bit for bit"};
    std::map<std::uint32_t, int> seen, wrong;
    for (const auto& result : table.results) {
      ++seen[result.sm];
      if (!expected.is(result)) ++wrong[result.sm];
    }
    const auto everywhere =
        dealt && !wrong.empty() ? wrong_everywhere(table, expected) : std::set<std::uint32_t>{};
    if (!wrong.empty() && expected.outvoted()) {
      finding.status = Status::unknown;
      finding.observed = "most SMs agree on a result that is not the host's";
      finding.remedy =
          "the host's result or the build is suspect: run it on another node, and test the host's memory";
    } else if (!everywhere.empty()) {
      finding.status = Status::fail;
      finding.observed = std::to_string(everywhere.size()) + " tiles are wrong whichever SM computes them (" +
                         std::to_string(wrong.size()) + " SMs did): their inputs are, not the SMs";
      finding.remedy =
          "silent data corruption in memory or L2: mlc-bench gpu memory looks for the place; take the GPU "
          "out of "
          "service";
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
