#include "bench/cli/reference/faces.hpp"
#include "bench/cli/reference/quoted.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr const char* engine = R"fish(
# Whether the words so far name this command, and, where PLACE is given, that many arguments of it.
function __mlc_bench_at --argument-names path place
    set -l at mlc-bench
    set -l placed 0
    set -l value_next 0
    for word in (commandline -opc)[2..]
        if test $value_next = 1
            set value_next 0
        else if string match -q -- '-*' $word
            contains -- "$at $word" $__mlc_bench_valued; and set value_next 1
        else if contains -- $at/$word $__mlc_bench_commands
            set at $at/$word
            set placed 0
        else
            set placed (math $placed + 1)
        end
    end
    test $at = $path; and test -z "$place" -o "$place" = $placed
end

# Words for the last member of a comma-separated list.
function __mlc_bench_list
    set -l before (commandline -ct | string replace -r -- '^--[^=]*=' '' | string replace -r '[^,]*$' '')
    printf "$before%s\n" $argv
end

complete -c mlc-bench -f
)fish";

// Between single quotes fish knows two escapes.
std::string fish_quoted(const std::string& text) { return "'" + escaped(text, "\\'", "\\") + "'"; }

std::string offered(const ValueOf& value) {
  const std::string words = join(value.words, " ");
  if (value.directory) return " -a '(__fish_complete_directories)'";
  if (words.empty()) return value.file ? " -F" : "";
  return (value.file ? " -F -a " : " -a ") +
         fish_quoted(value.list ? "(__mlc_bench_list " + words + ")" : words);
}

std::string complete(const std::string& at, const std::string& rest) {
  return "complete -c mlc-bench -n " + fish_quoted("__mlc_bench_at " + at) + rest + "\n";
}

struct Parts {
  std::string commands, valued, completions;
};

void append_option(Parts& parts, const OptionOf& option, const std::string& at) {
  std::string names;
  for (const auto& name : option.names) {
    names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (!option.flag) parts.valued += "    " + fish_quoted(at + " " + name) + " \\\n";
  }
  parts.completions +=
      complete(at, names + (option.flag ? "" : (option.value.file ? " -r" : " -x") + offered(option.value)) +
                       " -d " + fish_quoted(option.about));
}

void append(Parts& parts, const CommandOf& command, const std::string& at) {
  parts.commands += " " + at;
  for (const auto* some : {&command.options, &command.outer})
    for (const auto& option : *some)
      append_option(parts, option, at);
  for (std::size_t i = 0; i < command.positionals.size(); ++i) {
    const auto& positional = command.positionals[i];
    const std::string value = offered(positional.value);
    if (!value.empty())
      parts.completions += complete(at + (positional.repeated ? "" : " " + std::to_string(i)), value);
  }
  for (const auto& sub : command.commands) {
    parts.completions += complete(at, " -a " + fish_quoted(sub.name) + " -d " + fish_quoted(sub.about));
    append(parts, sub, at + "/" + sub.name);
  }
}

}  // namespace

std::string fish_completion(const CommandOf& program) {
  Parts parts;
  append(parts, program, "mlc-bench");
  return "# fish completion of mlc-bench, made from its own options when it was built\n\n"
         "set -g __mlc_bench_commands" +
         parts.commands +
         "\n"
         "set -g __mlc_bench_valued \\\n" +
         parts.valued + engine + parts.completions;
}

}  // namespace mlc
