#include "bench/gpu/judge_memory.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <set>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using memory::Error;
using memory::ErrorLog;

std::string hex(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::span<const Error> kept(const ErrorLog& log) {
  return {log.error, std::min<std::size_t>(log.kept, memory::most_errors)};
}

// The address bit by which another word's value came back, if that explains it. Only patterns whose words
// differ tell; of own addresses, which differ in just that bit, a flipped bit looks the same.
std::optional<int> aliased_bit(const Error& error) {
  if (error.spec.pattern != memory::Pattern::own_address && error.spec.pattern != memory::Pattern::random)
    return std::nullopt;
  for (int bit = 0; bit < memory::address_bits; ++bit)
    if (memory::word(error.spec, error.index ^ std::uint64_t{1} << bit) == error.got) return bit;
  return std::nullopt;
}

std::string bits_text(const ErrorLog& log) {
  std::vector<int> bits;
  for (int bit = 0; bit < 64; ++bit)
    if (log.flipped[bit] > 0) bits.push_back(bit);
  if (bits.size() > 8) return std::to_string(bits.size()) + " different bits";
  return (bits.size() == 1 ? "bit " : "bits ") + rank_list(bits);
}

// Stuck means: the bit always reads the same, whatever was written.
std::string stuck_text(std::span<const Error> errors, const ErrorLog& log) {
  int bit = -1;
  for (int b = 0; b < 64; ++b)
    if (log.flipped[b] > 0) bit = bit < 0 ? b : 64;
  if (bit < 0 || bit > 63) return "";
  const auto value = errors.front().got >> bit & 1;
  for (const auto& error : errors)
    if ((error.got >> bit & 1) != value) return "";
  return errors.size() > 1 ? ", stuck at " + std::to_string(value) : ", read as " + std::to_string(value);
}

// `words`: different ones. One that is read wrong again and again agrees with itself in all of its address.
std::string address_text(const ErrorLog& log, std::size_t words) {
  if (words < 16) return "";
  std::vector<int> constant;
  for (int bit = 0; bit < 24; ++bit)
    if (log.address[bit] == 0 || log.address[bit] == log.wrong) constant.push_back(bit);
  if (constant.empty()) return "";
  return "; their word addresses agree in " + std::string(constant.size() == 1 ? "bit " : "bits ") +
         rank_list(constant) + ": one channel or bank";
}

}  // namespace

std::string localise(const ErrorLog& log, bool all_patterns) {
  const auto errors = kept(log);
  const Error& first = *std::ranges::min_element(errors, {}, &Error::index);
  // One block of threads, which is one SM's, sweeps so many neighbours: within them one SM says nothing.
  constexpr std::uint64_t words_of_a_block = 512;
  std::set<std::uint64_t> words, stretches;
  for (const auto& error : errors)
    words.insert(error.index), stretches.insert(error.index / words_of_a_block);
  // The counter is of readings; of words beyond those that were kept nobody knows which were the same.
  std::string text = (log.kept > memory::most_errors ? "at least " : "") + std::to_string(words.size()) +
                     (words.size() == 1 ? " wrong word" : " wrong words") +
                     (words.size() == log.wrong ? "" : " in " + std::to_string(log.wrong) + " readings") +
                     (words.size() == 1 ? ", at byte " : ", first at byte ") + hex(first.index * 8) +
                     " of the memory under test (word " + std::to_string(first.index) + "): expected " +
                     hex(first.expected) + ", got " + hex(first.got) + " (" +
                     std::string(to_string(first.spec.pattern)) + (first.spec.inverted ? ", inverted" : "") +
                     (first.down ? ", downwards" : "") + "); ";
  std::set<std::uint32_t> sms;
  std::size_t same = 0, mended = 0, read_again = 0, aliased = 0;
  std::set<int> lines;
  for (const auto& error : errors) {
    sms.insert(error.sm);
    if (const auto bit = aliased_bit(error)) ++aliased, lines.insert(*bit);
    if (!error.reread) continue;
    ++read_again;
    same += std::ranges::all_of(error.again, [&](std::uint64_t again) { return again == error.got; });
    mended += std::ranges::all_of(error.again, [&](std::uint64_t again) { return again == error.expected; });
  }
  const std::string line = lines.size() == 1
                               ? "address bit " + std::to_string(*lines.begin()) + " does not work"
                               : "address lines do not work";
  const bool all_aliased = aliased == errors.size();
  // Of random words that a line exchanges any bit may be wrong, and these are counted though the first round
  // has filled the log; and they come back wrong however often they are read.
  constexpr std::ptrdiff_t bits_of_a_line = 16;
  const bool comes_back = 2 * mended <= read_again;
  // Own addresses differ in these bits alone, so that a wrong bit above them is of other words.
  const bool of_other_words = std::ranges::any_of(std::span(log.flipped).subspan(memory::address_bits),
                                                  [](auto times) { return times > 0; });
  if (all_aliased && comes_back && of_other_words &&
      std::ranges::count_if(log.flipped, [](auto times) { return times > 0; }) >= bits_of_a_line)
    return text + "every wrong word holds the value of another address, " + line;
  text += bits_text(log) + stuck_text(errors, log);
  const bool kept_wrong = read_again > 0 && same == read_again;
  const bool of_one_sm = sms.size() == 1 && stretches.size() > 1;
  if (errors.size() > 1 && sms.size() == 1)
    text += "; all read by SM " + std::to_string(*sms.begin()) +
            (of_one_sm && !kept_wrong ? ", so that SM or its path is suspect, not the memory" : "");
  else if (sms.size() == 1)
    text += "; read by SM " + std::to_string(*sms.begin());
  else
    text += "; read by " + std::to_string(sms.size()) + " SMs";
  if (read_again > 0) {
    if (kept_wrong)
      text += std::string("; read again, the same: the memory cell") +
              (of_one_sm ? ", or what that SM wrote" : "");
    else if (mended == read_again)
      text += "; read again, correct: the path or a transient fault, not the cell";
    else
      text += "; read again, " + std::to_string(same) + " of " + std::to_string(read_again) + " the same";
  }
  // A line makes half of all words wrong, and random ones among them in any bit.
  if (all_aliased && !all_patterns && log.wrong > memory::most_errors && comes_back && sms.size() > 1)
    text += "; or " + line + ": own addresses do not tell";
  return text + address_text(log, words.size());
}

std::vector<Finding> judge_memory(std::span<const MemoryOutcome> outcomes, double tested_at_least) {
  std::vector<Finding> findings;
  for (const auto& outcome : outcomes) {
    const double share =
        outcome.total > 0 ? static_cast<double>(outcome.tested) / static_cast<double>(outcome.total) : 0;
    Finding tested{.check = "burnin.memory-tested",
                   .subject = outcome.subject,
                   .status = share >= tested_at_least && !outcome.lost ? Status::pass : Status::unknown,
                   .observed = percent_text(share) + " of " +
                               fixed(static_cast<double>(outcome.total) / 1e9, 1) + " GB tested",
                   .expected = "at least " + percent_text(tested_at_least),
                   .source = "allocations, as far as the driver gives them"};
    if (outcome.lost)
      tested.observed = "not to its end", tested.remedy = "see burnin.device of this GPU";
    else if (tested.status != Status::pass)
      tested.remedy =
          "something else holds memory on this GPU: nvidia-smi; end it, or drain the node, and run again";
    Finding words{.check = "burnin.memory",
                  .subject = outcome.subject,
                  .expected = "every word as it was written",
                  .source = "own kernels: patterns marched up, inverted, down"};
    // A word that was wrong is wrong, whatever became of the round.
    if (outcome.log == nullptr || (outcome.log->wrong == 0 && (outcome.rounds == 0 || outcome.lost))) {
      words.observed = outcome.rounds == 0
                           ? "not one round was finished"
                           : "lost after " + std::to_string(outcome.rounds) + " rounds without a wrong word";
      words.remedy = "see what the other findings say of this GPU, and give the test more time";
    } else if (outcome.log->wrong == 0) {
      words.status = Status::pass;
      words.observed = std::to_string(outcome.rounds) + " rounds over " +
                       fixed(static_cast<double>(outcome.tested) / 1e9, 1) + " GB, no word wrong";
    } else {
      words.status = Status::fail;
      words.observed = localise(*outcome.log, outcome.rounds >= memory::pattern_names.size());
      words.remedy =
          "take the GPU out of service; nvidia-smi -q -d ECC,ROW_REMAPPER and dmesg | grep -i xid for the "
          "RMA";
    }
    findings.push_back(words);
    findings.push_back(tested);
  }
  return findings;
}

}  // namespace mlc
