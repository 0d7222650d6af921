// What the memory test writes, what it expects to read, and what it notes of a word that is wrong. A word is
// 64 bits; its value follows from (pattern, seed, index), so any thread can check any word without a second
// buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/pattern.hpp"

namespace mlc::memory {

enum class Pattern : std::uint8_t { own_address, walking_bit, switching, random, modulo_20 };

inline constexpr std::array<std::pair<Pattern, std::string_view>, 5> pattern_names{
    {{Pattern::own_address, "own address"},
     {Pattern::walking_bit, "walking bit"},
     {Pattern::switching, "switching lines"},
     {Pattern::random, "random"},
     {Pattern::modulo_20, "modulo 20"}}};

constexpr std::string_view to_string(Pattern pattern) {
  return pattern_names[static_cast<std::size_t>(pattern)].second;
}

struct Spec {
  Pattern pattern = Pattern::random;
  std::uint64_t seed = 0;
  bool inverted = false;
  MLC_HD constexpr Spec inverse() const { return {pattern, seed, !inverted}; }
};

// One in twenty words is marked: neighbours in a row, a column and a burst hold its complement (memtest86's
// modulo-20 test; 20 divides no power of two).
MLC_HD constexpr bool marked(const Spec& spec, std::uint64_t index) { return index % 20 == spec.seed % 20; }

MLC_HD constexpr std::uint64_t word(const Spec& spec, std::uint64_t index) {
  std::uint64_t value = 0;
  switch (spec.pattern) {
    case Pattern::own_address:  // two addresses that are one cell cannot both read back: aliasing, dead lines
      value = index ^ pattern::mix64(spec.seed);
      break;
    case Pattern::walking_bit:  // one bit of 64, walking with the address and from row to row
      value = std::uint64_t{1} << ((index + index / 64 + spec.seed) % 64);
      break;
    case Pattern::switching:  // 32-byte sectors of 00 and FF, 64-byte lines of 55 and AA: all lines switch at
                              // once
      value = (index / 4 % 2 != 0 ? ~std::uint64_t{0} : 0) ^
              ((index / 8 + spec.seed) % 2 != 0 ? 0xaaaaaaaaaaaaaaaau : 0);
      break;
    case Pattern::random:
      value = pattern::mix64(pattern::mix64(spec.seed) + index);
      break;
    case Pattern::modulo_20:
      value = marked(spec, index) ? pattern::mix64(spec.seed) : ~pattern::mix64(spec.seed);
      break;
  }
  return spec.inverted ? ~value : value;
}

// One sweep over a stretch of memory.
enum class Step : std::uint8_t {
  write,             // every word
  write_marked,      // modulo 20: only the marked words,
  write_unmarked,    // only the others
  check,             // every word
  check_and_invert,  // and where it is right, its complement is written
};

struct Sweep {
  Spec spec;  // what is written, or expected
  Step step = Step::write;
  bool down = false;  // from the last word to the first
};

struct Error {
  std::uint64_t index = 0;  // of the word, over all memory under test
  std::uint64_t expected = 0, got = 0;
  std::uint64_t again[3] = {};  // read anew after the caches were swept; valid if `reread`
  std::uint32_t sm = 0;         // that read it
  std::uint32_t round = 0;
  Spec spec;
  bool down = false, reread = false;
};

inline constexpr int most_errors = 4096;  // kept; the counters go on
inline constexpr int address_bits = 40;   // of a word index: 8 TiB

// Zero but for `first` before the first sweep. In memory that survives the loss of the GPU's context.
struct ErrorLog {
  unsigned long long wrong = 0;
  unsigned long long first = ~0ull;               // lowest index
  unsigned long long flipped[64] = {};            // times that this bit was wrong
  unsigned long long address[address_bits] = {};  // wrong words whose index has this bit set
  unsigned int kept = 0;                          // may run over most_errors: then the rest was not kept
  Error error[most_errors] = {};
};

// What a sweep does to one word. `note` is called with what was read where it is wrong, and says whether that
// was kept: then the word is left as it was found, to be read again. Else it is gone on with as if it had
// been right: left behind, it would be wrong in all of its bits from then on, whichever one of them is at
// fault. Says whether the word is to be written: what is left is not, for what was read need not be what is
// there.
template <class Note>
MLC_HD constexpr bool visit(const Sweep& sweep, std::uint64_t* at, std::uint64_t index, Note&& note) {
  const std::uint64_t value = word(sweep.spec, index);
  switch (sweep.step) {
    case Step::write:
      *at = value;
      return true;
    case Step::write_marked:
    case Step::write_unmarked: {
      const bool mine = marked(sweep.spec, index) == (sweep.step == Step::write_marked);
      if (mine) *at = value;
      return mine;
    }
    case Step::check:
    case Step::check_and_invert: {
      const std::uint64_t got = *at;
      const bool left = got != value && note(value, got);
      const bool goes_on = sweep.step == Step::check_and_invert && !left;
      if (goes_on) *at = ~value;
      return goes_on;
    }
  }
  return false;
}

// As the kernel counts, for one thread: whether the error was kept.
constexpr bool add(ErrorLog& log, const Error& error) {
  ++log.wrong;
  log.first = error.index < log.first ? error.index : log.first;
  for (int bit = 0; bit < 64; ++bit)
    log.flipped[bit] += (error.expected ^ error.got) >> bit & 1;
  for (int bit = 0; bit < address_bits; ++bit)
    log.address[bit] += error.index >> bit & 1;
  const bool kept = log.kept < most_errors;
  if (kept) log.error[log.kept] = error;
  ++log.kept;
  return kept;
}

}  // namespace mlc::memory
