#include "reports/record/json_reader.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

// nlohmann's own builder with a callback looks through a whole list at the end of each of its objects (3.11).
template <class Json>
class BoundedBuilder final : public nlohmann::json_sax<Json> {
 public:
  BoundedBuilder(const JsonLimits& limits, std::size_t most_keys) : limits_(limits), most_keys_(most_keys) {}
  // The elements of that member of the root are handed out, and not kept.
  void hand_out(const std::string& list, const std::function<void(const Json&)>& each) {
    list_ = &list, each_ = &each;
  }
  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(typename Json::number_integer_t value) override { return put(value); }
  bool number_unsigned(typename Json::number_unsigned_t value) override { return put(value); }
  bool number_float(typename Json::number_float_t value, const typename Json::string_t&) override {
    return put(value);
  }
  bool string(typename Json::string_t& value) override { return put(std::move(value)); }
  bool binary(typename Json::binary_t&) override { return false; }  // no text has it
  bool start_object(std::size_t) override { return begin(Json::object()); }
  bool start_array(std::size_t) override { return begin(Json::array()); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool key(typename Json::string_t& name) override {
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    std::string_view what = error.what();
    if (const auto name = what.find("] "); what.starts_with('[') && name != what.npos)
      what.remove_prefix(name + 2);
    throw JsonError(printable(what));
  }

 private:
  Json& place(Json value) {
    if (++values_ > limits_.values)
      throw JsonError("more than " + std::to_string(limits_.values) + " values");
    if (open_.empty()) return root_ = std::move(value);
    Json& in = *open_.back();
    if (in.is_array()) {
      in.push_back(std::move(value));
      return in.back();
    }
    if (in.size() >= most_keys_)
      throw JsonError("an object of more than " + std::to_string(most_keys_) + " keys");
    const auto [at, is_new] = in.emplace(key_, std::move(value));
    if (!is_new) throw JsonError("the key '" + printable(key_, 80) + "' is given twice in one object");
    return *at;
  }
  bool put(Json value) {
    place(std::move(value));
    hand_out_last();
    return true;
  }
  bool begin(Json empty) {
    if (open_.size() >= limits_.depth)
      throw JsonError("nested deeper than " + std::to_string(limits_.depth) + " levels");
    const bool handed_out = each_ != nullptr && open_.size() == 1 && open_.front()->is_object() &&
                            key_ == *list_ && empty.is_array();
    open_.push_back(&place(std::move(empty)));
    if (handed_out) handed_out_ = open_.back();
    return true;
  }
  bool end() {
    if (open_.back() == handed_out_) handed_out_ = nullptr;
    open_.pop_back();
    hand_out_last();
    return true;
  }
  // An element of the list is whole.
  void hand_out_last() {
    if (handed_out_ == nullptr || open_.empty() || open_.back() != handed_out_) return;
    (*each_)(handed_out_->back());
    handed_out_->clear();
  }

  const JsonLimits& limits_;
  const std::size_t most_keys_;
  Json root_;
  std::vector<Json*> open_;  // the last is where the next value goes; nothing is added to those before it
  std::string key_;
  std::size_t values_ = 0;
  const std::string* list_ = nullptr;
  const std::function<void(const Json&)>* each_ = nullptr;
  Json* handed_out_ = nullptr;  // that list, while it is open
};

template <class Json>
Json parsed(std::string_view text, const JsonLimits& limits, BoundedBuilder<Json>& builder) {
  if (text.size() > limits.bytes) throw JsonError("larger than " + bytes_text(limits.bytes));
  // The parser takes one for the end, and whatever follows for nothing.
  if (text.find('\0') != text.npos) throw JsonError("a NUL byte, which no JSON has");
  Json::sax_parse(text, &builder);
  return builder.take();
}

template <class Json>
Json read(std::string_view text, const JsonLimits& limits, std::size_t most_keys) {
  BoundedBuilder<Json> builder(limits, most_keys);
  return parsed(text, limits, builder);
}

template <class Json>
void refuse_others(const Json& object, std::span<const std::string_view> known) {
  if (!object.is_object()) return;
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const auto near = nearest(key, std::vector<std::string>(known.begin(), known.end()));
    throw JsonError("the key '" + printable(key, 80) + "' is not known" +
                    (near ? "; did you mean '" + *near + "'?" : ""));
  }
}

}  // namespace

void refuse_other_keys(const nlohmann::json& object, std::span<const std::string_view> known) {
  refuse_others(object, known);
}
void refuse_other_keys(const nlohmann::ordered_json& object, std::span<const std::string_view> known) {
  refuse_others(object, known);
}

nlohmann::json read_json(std::string_view text, const JsonLimits& limits) {
  return read<nlohmann::json>(text, limits, limits.keys);
}

nlohmann::ordered_json read_ordered_json(std::string_view text, const JsonLimits& limits) {
  return read<nlohmann::ordered_json>(text, limits, limits.ordered_keys);
}

nlohmann::json read_json_list(std::string_view text, const std::string& list,
                              const std::function<void(const nlohmann::json&)>& each,
                              const JsonLimits& limits) {
  BoundedBuilder<nlohmann::json> builder(limits, limits.keys);
  builder.hand_out(list, each);
  return parsed(text, limits, builder);
}

std::optional<nlohmann::json> read_json_if(std::string_view text, const JsonLimits& limits) {
  try {
    return read_json(text, limits);
  } catch (const JsonError&) {
    return std::nullopt;
  }
}

}  // namespace mlc
