#include "bench/cli/commands.hpp"

int main(int argc, char** argv) { return mlc::run_program(argc, argv); }
