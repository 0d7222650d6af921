#include "bench/cli/reference/command_tree.hpp"

#include <algorithm>
#include <cctype>

#include "bench/backends/backends.hpp"
#include "bench/collectives/collective.hpp"
#include "bench/gpu/stress/all.hpp"
#include "validators/checks/all.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

namespace {

template <class Entries, class Name>
void append_names(std::vector<std::string>& words, const Entries& entries, Name&& name_of) {
  for (const auto& entry : entries)
    words.emplace_back(name_of(entry));
}

const auto name_of_pointed = [](const auto* entry) { return entry->name; };

// A check's room is what stands before its first dot: "rdma" of "rdma.mtu".
void append_rooms(std::vector<std::string>& words) {
  for (const auto* check : all_checks()) {
    const std::string room(check->name.substr(0, check->name.find('.')));
    if (std::ranges::find(words, room) == words.end()) words.push_back(room);
  }
}

void append_words(ValueOf& value, const std::string& one) {
  auto& words = value.words;
  if (one == "FILE")
    value.file = true;
  else if (one == "DIR")
    value.directory = true;
  else if (one == "POLICY")
    append_names(words, built_in_policies(), [](const auto& policy) { return policy.name; });
  else if (one == "CHECK")
    append_names(words, all_checks(), name_of_pointed);
  else if (one == "ROOM")
    append_rooms(words);
  else if (one == "COLLECTIVE")
    append_names(words, all_collectives(), name_of_pointed);
  else if (one == "GPU-TEST")
    append_names(words, all_gpu_tests(), name_of_pointed);
  else if (one == "BACKEND")
    append_names(words, all_backends(), [](const auto& backend) { return backend.name; });
  else if (one == "DTYPE")
    append_names(words, dtype_names, [](const auto& dtype) { return dtype.name; });
  else if (one == "OP")
    append_names(words, redop_names, [](const auto& redop) { return redop.second; });
  else if (!one.empty() && std::ranges::none_of(one, [](unsigned char c) { return std::isupper(c); }))
    words.push_back(one);
}

// CLI11 writes a bound behind the type: "INT:INT in [1 - 5000]", "TEXT:{a,b}"; "HOST[:PORT]" has none.
std::pair<std::string, std::string> type_and_bound(const std::string& type) {
  const auto colon = type.find(':');
  if (colon == std::string::npos || type.find('[') < colon) return {type, ""};
  return {type.substr(0, colon), type.substr(colon + 1)};
}

OptionOf option_from(const CLI::Option& option) {
  OptionOf out;
  for (const auto& name : option.get_snames())
    out.names.push_back("-" + name);
  for (const auto& name : option.get_lnames())
    out.names.push_back("--" + name);
  out.positional = option.get_name(true, false);
  out.group = option.get_group();
  out.about = option.get_description();
  out.flag = option.get_expected_max() == 0 || option.get_type_size() == 0;
  out.repeated = option.get_expected_max() >= CLI::detail::expected_max_vector_size;
  out.required = option.get_required();
  if (out.flag) return out;
  auto [type, bound] = type_and_bound(option.get_type_name());
  if (bound.starts_with('{')) {
    type = bound.substr(1, bound.size() - 2);
    std::ranges::replace(type, ',', '|');
  } else if (!bound.empty()) {
    out.about += " (" + bound.substr(bound.find(" in ") + 1) + ")";
  }
  out.value = value_from(type);
  if (!option.get_default_str().empty()) out.about += " (default " + option.get_default_str() + ")";
  return out;
}

std::vector<OptionOf> not_in(const std::vector<OptionOf>& own, const std::vector<OptionOf>& outer) {
  std::vector<OptionOf> rest;
  std::ranges::copy_if(outer, std::back_inserter(rest), [&](const OptionOf& option) {
    return std::ranges::find(own, option.names, &OptionOf::names) == own.end();
  });
  return rest;
}

}  // namespace

ValueOf value_from(const std::string& shown) {
  ValueOf value{.shown = shown, .words = {}};
  std::string rest = shown;
  constexpr std::string_view more = ",...";
  if (rest.ends_with(more)) {
    value.list = true;
    rest.resize(rest.size() - more.size());
  }
  for (std::size_t at = 0; at <= rest.size();) {
    const std::size_t end = std::min(rest.find('|', at), rest.size());
    append_words(value, rest.substr(at, end - at));
    at = end + 1;
  }
  return value;
}

CommandOf command_tree(const CLI::App& app) {
  CommandOf command{.name = app.get_parent() == nullptr ? "" : app.get_name(),
                    .about = app.get_description(),
                    .notes = app.get_footer()};
  if (app.get_parent() != nullptr && command.notes == app.get_parent()->get_footer())
    command.notes.clear();  // a command has its parent's words where it has none of its own
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // CLI11's way to hide one
    auto& where = option->nonpositional() ? command.options : command.positionals;
    where.push_back(option_from(*option));
  }
  for (const CLI::App* sub : app.get_subcommands({}))
    if (!sub->get_group().empty()) {
      command.commands.push_back(command_tree(*sub));
      if (sub->get_fallthrough())
        command.commands.back().outer = not_in(command.commands.back().options, command.options);
    }
  return command;
}

}  // namespace mlc
