// The exit codes of every command, the same everywhere.
#pragma once

#include <optional>

#include "reports/record/verdict.hpp"

namespace mlc {

enum class ExitCode : int {
  pass = 0,
  fail = 1,           // the node or a threshold failed
  inconclusive = 2,   // nothing failed, but something was not decided or could not be tested
  tool = 3,           // the tool could not do its work
  usage = 64,         // EX_USAGE of sysexits.h
  interrupted = 130,  // 128 + SIGINT, as shells have it
};

constexpr ExitCode exit_code_of(Decision decision) {
  switch (decision) {
    case Decision::pass:
      return ExitCode::pass;
    case Decision::fail:
      return ExitCode::fail;
    case Decision::inconclusive:
      return ExitCode::inconclusive;
  }
  return ExitCode::tool;
}

// What another process of ours said that it ends with; empty: none of these.
constexpr std::optional<ExitCode> exit_code_from(int code) {
  for (const auto each : {ExitCode::pass, ExitCode::fail, ExitCode::inconclusive, ExitCode::tool,
                          ExitCode::usage, ExitCode::interrupted})
    if (static_cast<int>(each) == code) return each;
  return std::nullopt;
}

}  // namespace mlc
