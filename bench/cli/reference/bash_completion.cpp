#include "bench/cli/reference/faces.hpp"
#include "bench/cli/reference/quoted.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// The tables below are all that differs from program to program: what is offered is read from them.
constexpr const char* engine = R"bash(
_mlc_bench() {
  local current=${COMP_WORDS[COMP_CWORD]} at=mlc-bench place=0 expects= value= word index before= kind
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; ++index)); do
    word=${COMP_WORDS[index]}
    if [ "$word" = = ]; then
      continue  # readline makes three words of --option=value
    elif [ -n "$expects" ]; then
      expects=
    elif [[ $word == -* ]]; then
      [ -n "${_mlc_bench_values["$at $word"]+there}" ] && expects=$word
    elif [[ " ${_mlc_bench_commands["$at"]} " == *" $word "* ]]; then
      at+=/$word place=0
    else
      place=$((place + 1))
    fi
  done
  [ "$current" = = ] && [ -n "$expects" ] && current=
  if [ -n "$expects" ]; then
    value=${_mlc_bench_values["$at $expects"]}
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "${_mlc_bench_options["$at"]}" -- "$current"))
    return
  else
    value=${_mlc_bench_values["$at #$place"]-${_mlc_bench_values["$at #"]-}}
    COMPREPLY=($(compgen -W "${_mlc_bench_commands["$at"]}" -- "$current"))
  fi
  kind=${value%% *} value=${value#* }
  if [ "$kind" = list ] && [[ $current == *,* ]]; then
    before=${current%,*},
  fi
  COMPREPLY+=($(compgen -P "$before" -W "$value" -- "${current#"$before"}"))
  case $kind in
    list) compopt -o nospace ;;
    file) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
    directory) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current") ;;
  esac
} && complete -F _mlc_bench mlc-bench
)bash";

std::string entry(const std::string& key, const std::string& value) {
  return "  [" + shell_word(key) + "]=" + shell_word(value) + "\n";
}

std::string spec(const ValueOf& value) {
  return std::string(value.list        ? "list "
                     : value.file      ? "file "
                     : value.directory ? "directory "
                                       : "word ") +
         join(value.words, " ");
}

struct Tables {
  std::string commands, options, values;
};

void append(Tables& tables, const CommandOf& command, const std::string& at) {
  std::vector<std::string> commands, options;
  for (const auto& sub : command.commands)
    commands.push_back(sub.name);
  for (const auto* some : {&command.options, &command.outer})
    for (const auto& option : *some)
      for (const auto& name : option.names) {
        options.push_back(name);
        if (!option.flag) tables.values += entry(at + " " + name, spec(option.value));
      }
  for (std::size_t i = 0; i < command.positionals.size(); ++i) {
    const auto& positional = command.positionals[i];
    tables.values +=
        entry(at + " #" + (positional.repeated ? "" : std::to_string(i)), spec(positional.value));
  }
  tables.commands += entry(at, join(commands, " "));
  tables.options += entry(at, join(options, " "));
  for (const auto& sub : command.commands)
    append(tables, sub, at + "/" + sub.name);
}

}  // namespace

std::string bash_completion(const CommandOf& program) {
  Tables tables;
  append(tables, program, "mlc-bench");
  return "# bash completion of mlc-bench, made from its own options when it was built\n\n"
         "declare -gA _mlc_bench_commands=(\n" +
         tables.commands +
         ")\n\n"
         "declare -gA _mlc_bench_options=(\n" +
         tables.options +
         ")\n\n"
         "declare -gA _mlc_bench_values=(\n" +
         tables.values + ")\n" + engine;
}

}  // namespace mlc
