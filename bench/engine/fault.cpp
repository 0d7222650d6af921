#include "bench/engine/fault.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "bench/engine/sweep.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr std::uint64_t most_index = ~std::uint64_t{0} >> 8;  // in bits and in bytes it still is a number

constexpr FaultKey place(std::string_view name, std::uint64_t most, std::uint64_t example) {
  return {name, most, example, [](Fault& f, std::uint64_t v) { f.place = static_cast<int>(v); }};
}
constexpr FaultKey index(std::string_view name, std::uint64_t most, std::uint64_t example) {
  return {name, most, example, [](Fault& f, std::uint64_t v) { f.index = v; }};
}
constexpr FaultKey bit(std::uint64_t most) {
  return {"bit", most, 3, [](Fault& f, std::uint64_t v) { f.bit = static_cast<int>(v); }};
}
constexpr FaultKey us{"us", 3'600'000'000, 500,
                      [](Fault& f, std::uint64_t v) { f.delay_us = static_cast<double>(v); }, 1};
constexpr FaultKey after{"after", most_index, 50, [](Fault& f, std::uint64_t v) { f.after = v; }};

FaultKinds faults_of_transfers(const FaultKey& where, std::uint64_t most_bit) {
  return {{Fault::Kind::flip, "flip", {where, index("index", most_index, 7), bit(most_bit)}},
          {Fault::Kind::delay, "delay", {where, us}},
          {Fault::Kind::hang, "hang", {where, after}},
          {Fault::Kind::die, "die", {where, after}}};
}

std::string form(const FaultKind& kind) {
  std::string text;
  for (const auto& key : kind.keys)
    text += (text.empty() ? std::string(kind.name) + ":" : ",") + std::string(key.name) + "=" +
            std::to_string(key.example);
  return text;
}

std::string range(const FaultKey& key) {
  return std::string(key.name) + " must be a number from " + std::to_string(key.least) + " to " +
         std::to_string(key.most);
}

template <class Entries>
std::vector<std::string> names(const Entries& entries) {
  std::vector<std::string> list;
  for (const auto& entry : entries)
    list.emplace_back(entry.name);
  return list;
}

}  // namespace

const FaultKinds& rank_faults() {
  static const FaultKinds kinds = faults_of_transfers(place("rank", (1 << 20) - 1, 1), 63);
  return kinds;
}

const FaultKinds& rail_faults() {
  static const FaultKinds kinds = faults_of_transfers(place("rail", 1023, 1), 7);
  return kinds;
}

const FaultKinds& gpu_faults() {
  static const FaultKey gpu = place("gpu", 1023, 0);
  static const FaultKinds kinds{
      {Fault::Kind::memory, "memory", {gpu, index("word", most_index, 1000), bit(63)}},
      {Fault::Kind::sm, "sm", {gpu, index("sm", 65535, 17)}}};
  return kinds;
}

std::string fault_forms(const FaultKinds& kinds) {
  std::vector<std::string> forms;
  for (const auto& kind : kinds)
    forms.push_back(form(kind));
  return join(forms, " | ");
}

Fault fault_from(std::string_view text, const FaultKinds& kinds) {
  const auto name = text.substr(0, text.find(':'));
  const auto kind = std::ranges::find(kinds, name, &FaultKind::name);
  const auto refuse = [&](const std::string& why) {
    throw UsageError("--inject '" + printable(std::string(text)) + "' is no fault: " + why,
                     "write " + (kind == kinds.end() ? fault_forms(kinds) : form(*kind)));
  };
  if (kind == kinds.end())
    refuse("'" + printable(std::string(name)) + "' is none of " + join(names(kinds), ", "));
  Fault fault{.kind = kind->kind};
  std::set<std::string_view> given;
  for (auto rest = text.substr(std::min(name.size() + 1, text.size())); !rest.empty();) {
    const auto part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const auto equals = std::min(part.find('='), part.size());
    const auto word = part.substr(0, equals), value = part.substr(std::min(equals + 1, part.size()));
    const auto key = std::ranges::find(kind->keys, word, &FaultKey::name);
    if (key == kind->keys.end())
      refuse("'" + printable(std::string(word)) + "' is none of " + join(names(kind->keys), ", "));
    if (!given.insert(key->name).second) refuse(std::string(key->name) + " is given twice");
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size() || number < key->least ||
        number > key->most)
      refuse(range(*key));
    key->set(fault, number);
  }
  for (const auto& key : kind->keys)
    if (!given.contains(key.name)) refuse(std::string(key.name) + " is missing; " + range(key));
  return fault;
}

void check_fault(const Fault& fault, const std::vector<Cell>& cells, int ranks) {
  check_below("rank", static_cast<std::uint64_t>(fault.place), static_cast<std::uint64_t>(ranks),
              "the number of ranks");
  if (fault.kind != Fault::Kind::flip) return;
  std::uint64_t most = 0;
  for (const Cell& cell : cells) {
    const std::uint64_t received = cell.collective->layout({fault.place, ranks, cell.root, cell.count}).recv;
    // The runner plants it in the first cell that has the element.
    if (fault.index < received)
      return check_below("bit", static_cast<std::uint64_t>(fault.bit),
                         static_cast<std::uint64_t>(width_of(cell.dtype)) * 8,
                         "the width of " + std::string(to_string(cell.dtype)));
    most = std::max(most, received);
  }
  check_below("index", fault.index, most,
              "the elements that rank " + std::to_string(fault.place) + " receives");
}

void check_verified(const Fault& fault, int check) {
  if (fault.kind == Fault::Kind::flip && check == 0)
    throw UsageError("--inject: a flip is found by verification, which -c 0 switches off");
}

void check_below(std::string_view key, std::uint64_t value, std::uint64_t bound, const std::string& of_what) {
  if (value >= bound)
    throw UsageError("--inject: " + std::string(key) + " " + std::to_string(value) + " is not below " +
                     std::to_string(bound) + ", " + of_what);
}

std::string never_planted_text(const Fault& fault, std::uint64_t operations) {
  const bool late = fault.kind == Fault::Kind::hang || fault.kind == Fault::Kind::die;
  return "the fault that --inject asks for was never planted: " +
         (late ? "after=" + std::to_string(fault.after) + " lets more pass than the " +
                     std::to_string(operations) + " operations there were"
               : std::string("nothing was sent or received where it belongs"));
}

void check_among(std::string_view key, int value, const std::vector<int>& known) {
  if (std::ranges::find(known, value) != known.end()) return;
  std::vector<std::string> list;
  for (const int one : known)
    list.push_back(std::to_string(one));
  throw UsageError("--inject: " + std::string(key) + " " + std::to_string(value) +
                   " is none of those measured: " + join(list, ", "));
}

}  // namespace mlc
