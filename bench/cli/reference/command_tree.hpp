// The program's commands and options as plain values, read from what CLI11 parses and --help shows, so that
// manual pages and shell completion say the same.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace mlc {

// What may stand as a value. The help's word for it says so: lower case is meant literally, upper case stands
// for something, '|' separates alternatives, and ",..." ends what may be a list: "text|json", "FILE|POLICY",
// "DTYPE,...".
struct ValueOf {
  std::string shown;
  std::vector<std::string> words;  // those that are known beforehand
  bool file = false, directory = false, list = false;
};

struct OptionOf {
  std::vector<std::string> names;  // short ones first; empty: a positional
  std::string positional;          // its name there
  std::string group, about;
  bool flag = false;  // takes no value
  bool repeated = false, required = false;
  ValueOf value;

  bool operator==(const OptionOf& other) const { return names == other.names && about == other.about; }
};

struct CommandOf {
  std::string name;  // "" for the program
  std::string about, notes;
  std::vector<OptionOf> options, positionals;
  std::vector<OptionOf> outer;  // of the command above, that may stand behind this one, too
  std::vector<CommandOf> commands;
};

ValueOf value_from(const std::string& shown);
CommandOf command_tree(const CLI::App& app);

}  // namespace mlc
