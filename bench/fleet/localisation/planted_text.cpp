#include "bench/fleet/localisation/planted_text.hpp"

#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "reports/record/split.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

const std::set<std::string> keys{"node", "rail", "leaf", "uplink", "direction", "slow",
                                 "loss", "dead", "duty", "period", "counted",   "round"};

class Fields {
 public:
  explicit Fields(std::string_view text) : text_(text) {
    for (const auto& part : split(text_)) {
      const auto equals = part.find('=');
      const std::string key = part.substr(0, equals);
      if (equals == part.npos || !keys.contains(key))
        refuse("'" + printable(key, 40) +
               "' is none of node, rail, leaf, uplink, direction, slow, loss, dead, duty, "
               "period, counted, round");
      if (!values_.emplace(key, part.substr(equals + 1)).second) refuse(key + " is given twice");
    }
    if (values_.empty()) refuse("it names no fault");
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw std::invalid_argument("'" + printable(text_, 100) + "': " + why);
  }
  bool has(const std::string& key) const { return values_.contains(key); }
  std::string word(const std::string& key, const std::string& otherwise = "") const {
    const auto at = values_.find(key);
    return at == values_.end() ? otherwise : at->second;
  }
  int number(const std::string& key, int below) const {
    const std::string text = word(key);
    int value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value >= below)
      refuse(key + " must be a number from 0 to " + std::to_string(below - 1));
    return value;
  }
  double real(const std::string& key, double most, const std::string& as) const {
    std::string_view digits = values_.at(key);
    const bool percent = digits.ends_with('%');
    if (percent) digits.remove_suffix(1);
    double value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
    if (percent) value /= 100;
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
        !(value > 0 && value <= most))
      refuse(key + " must be " + as);
    return value;
  }
  bool yes(const std::string& key) const {
    if (!has(key)) return false;
    if (word(key) != "yes") refuse(key + " can only be yes");
    return true;
  }

 private:
  std::string text_;
  std::map<std::string, std::string> values_;
};

Component component_from(const Fields& fields, const WorldKnobs& knobs) {
  const std::string direction = fields.word("direction");
  if (fields.has("node") == fields.has("leaf")) fields.refuse("it is in one node or in one leaf");
  if (fields.has("node")) {
    if (fields.has("uplink")) fields.refuse("an uplink is a leaf's");
    Component at{.kind = Kind::node, .node = fields.number("node", knobs.nodes)};
    if (!fields.has("rail") && fields.has("direction")) fields.refuse("a direction is of one rail");
    if (!fields.has("rail")) return at;
    at.rail = fields.number("rail", knobs.rails);
    if (direction != "" && direction != "both" && direction != "tx" && direction != "rx")
      fields.refuse("direction must be tx, rx or both");
    at.kind = direction == "tx" ? Kind::tx : direction == "rx" ? Kind::rx : Kind::end;
    return at;
  }
  if (!fields.has("rail")) fields.refuse("a leaf is one rail's: rail is missing");
  const int groups = (knobs.nodes + knobs.leaf_size - 1) / knobs.leaf_size;
  Component at{.kind = Kind::leaf,
               .leaf = fields.number("leaf", groups) * knobs.rails + fields.number("rail", knobs.rails)};
  if (!fields.has("uplink")) {
    if (fields.has("direction")) fields.refuse("a direction is of an uplink or of one rail of a node");
    return at;
  }
  at.uplink = fields.number("uplink", knobs.uplinks);
  if (direction != "up" && direction != "down") fields.refuse("direction must be up or down");
  at.kind = direction == "up" ? Kind::up : Kind::down;
  return at;
}

}  // namespace

Planted planted_from(std::string_view text, const WorldKnobs& knobs) {
  const Fields fields(text);
  Planted fault{.component = component_from(fields, knobs)};
  const int severities_given =
      (fields.has("slow") ? 1 : 0) + (fields.has("loss") ? 1 : 0) + (fields.has("dead") ? 1 : 0);
  if (severities_given != 1) fields.refuse("it has one of slow, loss and dead");
  const std::string share = "a share above 0, up to 100%: 10% or 0.1";
  if (fields.yes("dead"))
    fault.severity = 1;
  else
    fault.severity = fields.real(fields.has("slow") ? "slow" : "loss", 1, share);
  fault.counted = fields.yes("counted");
  if (fault.counted && !fault.component.of_host()) fields.refuse("counters are of a node's ports");
  if (fields.has("duty") != fields.has("period")) fields.refuse("duty and period go together");
  if (fields.has("duty")) {
    fault.intermittent = true;
    fault.duty = fields.real("duty", 1, share);
    fault.period_s = fields.real("period", 86400, "seconds above 0, up to a day");
  }
  if (fields.has("round")) fault.from_round = std::max(1, fields.number("round", 17));
  return fault;
}

}  // namespace mlc::fleet
