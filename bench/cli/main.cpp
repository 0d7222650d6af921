#include <cstdio>
#include <cstdlib>

#include "bench/cli/commands.hpp"
#include "validators/checks/validate.hpp"

int main(int argc, char** argv) {
  const int code = mlc::run_program(argc, argv);
  if (mlc::checks_left_running()) {
    std::fflush(nullptr);
    std::_Exit(code);
  }
  return code;
}
