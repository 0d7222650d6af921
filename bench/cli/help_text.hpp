// What --help shows of a command: examples, then the options that most need, on one screen. --help-all shows
// all, as manual pages do.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

namespace mlc {

std::shared_ptr<CLI::Formatter> one_screen_help();

}  // namespace mlc
