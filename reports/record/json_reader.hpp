// The only way from text to JSON: what others wrote is bounded in size, depth and number of values, and no
// key of it is given twice, since readers differ in which of the two they believe.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mlc {

// what() says what is wrong and where, on one line that a terminal can show.
struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct JsonLimits {
  std::size_t bytes = 64u << 20;  // of text
  // Arrays and objects in one another. The managed fields of a Pod are 15 deep, nothing of ours is more than
  // 8; copying and writing a value recurse.
  std::size_t depth = 64;
  std::size_t values = 8'000'000;  // each takes 16 bytes and up, however short its text
  // Of one object. An ordered object is searched from its beginning for each key that comes.
  std::size_t keys = 100'000, ordered_keys = 1000;
};

// Throws JsonError.
nlohmann::json read_json(std::string_view text, const JsonLimits& limits = {});
nlohmann::ordered_json read_ordered_json(std::string_view text, const JsonLimits& limits = {});

// An object of which one member is a long list: each of its elements is handed out as it is read, and then
// let go. Returns the rest, with that list empty; where it throws, some elements have been handed out.
nlohmann::json read_json_list(std::string_view text, const std::string& list,
                              const std::function<void(const nlohmann::json&)>& each,
                              const JsonLimits& limits = {});

// Empty where read_json() would throw: for answers that are only looked at.
std::optional<nlohmann::json> read_json_if(std::string_view text, const JsonLimits& limits = {});

// Throws JsonError where `object` has a key that is none of `known`, and says which was perhaps meant: of a
// file that we write ourselves, a key that is spelled otherwise would be read as a value that is not there.
void refuse_other_keys(const nlohmann::json& object, std::span<const std::string_view> known);
void refuse_other_keys(const nlohmann::ordered_json& object, std::span<const std::string_view> known);

}  // namespace mlc
