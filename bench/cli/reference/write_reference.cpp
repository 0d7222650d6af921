// Writes the manual pages and the shells' completion of the program that it is built with.
// usage: write_reference VERSION DIR
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>

#include "bench/cli/commands.hpp"
#include "bench/cli/reference/faces.hpp"

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: write_reference VERSION DIR\n", stderr);
    return 64;
  }
  try {
    CLI::App app;
    mlc::Invocation invocation;
    mlc::describe_program(app, invocation);
    const mlc::CommandOf program = mlc::command_tree(app);
    const std::filesystem::path folder = argv[2];
    write(folder / "mlc-bench.1", mlc::man_page(program, program, argv[1]));
    for (const auto& command : program.commands)
      write(folder / ("mlc-bench-" + command.name + ".1"), mlc::man_page(program, command, argv[1]));
    write(folder / "mlc-bench.bash", mlc::bash_completion(program));
    write(folder / "_mlc-bench", mlc::zsh_completion(program));
    write(folder / "mlc-bench.fish", mlc::fish_completion(program));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
  return 0;
}
