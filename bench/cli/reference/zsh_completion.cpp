#include "bench/cli/reference/faces.hpp"
#include "bench/cli/reference/quoted.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr const char* head = R"zsh(#compdef mlc-bench
# zsh completion of mlc-bench, made from its own options when it was built

_mlc-bench_or_file() { _alternative "words:word:($*)" 'files:file:_files' }

)zsh";

std::string text(const std::string& about) { return escaped(about, "[]:\\", "\\"); }

// What is called where the value stands; with a space before it, it gets no further arguments.
std::string action(const ValueOf& value) {
  if (value.list && !value.words.empty())
    return " _values -s , " + text(value.shown) + " " + join(value.words, " ");
  if (value.file) return value.words.empty() ? "_files" : " _mlc-bench_or_file " + join(value.words, " ");
  if (value.directory) return "_files -/";
  return value.words.empty() ? " " : "(" + join(value.words, " ") + ")";
}

std::string specs(const OptionOf& option) {
  std::string out, names;
  for (const auto& name : option.names)
    names += (names.empty() ? "" : " ") + name;
  for (const auto& name : option.names) {
    std::string spec = option.repeated ? "*" : "(" + names + ")";
    spec += name + (option.flag ? "" : name.starts_with("--") ? "=" : "+") + "[" + text(option.about) + "]";
    if (!option.flag) spec += ":" + text(option.value.shown) + ":" + action(option.value);
    out += "    " + shell_word(spec) + " \\\n";
  }
  return out;
}

std::string positional_specs(const CommandOf& command) {
  std::string out;
  for (const auto& positional : command.positionals)
    out += "    " +
           shell_word((positional.repeated ? "*:" : ":") + text(positional.positional) + ":" +
                      action(positional.value)) +
           " \\\n";
  return out;
}

std::string function_of(const CommandOf& command, const std::string& name) {
  const std::string arguments = "_arguments -C \\\n";
  std::string out = name + "() {\n  local line state\n  " + arguments;
  for (const auto* some : {&command.options, &command.outer})
    for (const auto& option : *some)
      out += specs(option);
  if (command.commands.empty()) return out + positional_specs(command) + "    && return\n}\n\n";
  // Where a command or an argument may stand, zsh is asked for each by itself.
  out +=
      "    '1:command:->command' '*::argument:->argument' && return\n"
      "  if [[ $state == argument ]] && (( $+functions[" +
      name + "_$line[1]] )); then\n    " + name +
      "_$line[1]\n    return\n  fi\n"
      "  local -a commands=(\n";
  for (const auto& sub : command.commands)
    out += "    " + shell_word(sub.name + ":" + text(sub.about)) + "\n";
  out += "  )\n  [[ $state == command ]] && _describe command commands\n";
  if (!command.positionals.empty()) out += "  " + arguments + positional_specs(command) + "    && return\n";
  out += "}\n\n";
  for (const auto& sub : command.commands)
    out += function_of(sub, name + "_" + sub.name);
  return out;
}

}  // namespace

std::string zsh_completion(const CommandOf& program) {
  return head + function_of(program, "_mlc-bench") + "_mlc-bench \"$@\"\n";
}

}  // namespace mlc
