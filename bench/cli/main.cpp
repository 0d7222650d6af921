#include <cstdio>
#include <cstdlib>

#include "bench/cli/commands.hpp"
#include "bench/gpu/device.hpp"
#include "validators/checks/validate.hpp"

int main(int argc, char** argv) {
  const int code = mlc::run_program(argc, argv);
  // A runtime's own end would wait for a GPU that hangs.
  if (mlc::checks_left_running() || mlc::one_gpu_hangs()) {
    std::fflush(nullptr);
    std::_Exit(code);
  }
  return code;
}
