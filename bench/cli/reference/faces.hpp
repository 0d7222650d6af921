// The faces of the tree of commands: manual pages, and completion for three shells.
#pragma once

#include <string>

#include "bench/cli/reference/command_tree.hpp"

namespace mlc {

// The page of the program, or of one of its commands, in man(7).
std::string man_page(const CommandOf& program, const CommandOf& command, const std::string& version);

std::string bash_completion(const CommandOf& program);
std::string zsh_completion(const CommandOf& program);
std::string fish_completion(const CommandOf& program);

}  // namespace mlc
