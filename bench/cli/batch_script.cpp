#include "bench/cli/batch_script.hpp"

#include <algorithm>
#include <cmath>

#include "bench/cli/shell_word.hpp"

namespace mlc {

namespace {

std::string word(const std::string& text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,+%@";
  return text.empty() || text.find_first_not_of(plain) != std::string::npos ? shell_word(text) : text;
}

}  // namespace

std::string batch_script(const BatchRequest& request) {
  std::string text = "#!/bin/bash\n";
  const auto say = [&](const std::string& option) { text += "#SBATCH --" + option + "\n"; };
  const auto minutes = static_cast<long>(std::ceil(request.deadline_s / 60));  // Slurm's unit
  say("job-name=" + request.name);
  say("nodes=" + std::to_string(request.nodes));
  say("ntasks-per-node=" + std::to_string(std::max(1, request.gpus)));
  if (request.gpus > 0) say("gpus-per-node=" + std::to_string(request.gpus));
  say("exclusive");
  if (request.apart) say("no-kill");  // where a node dies
  say("time=" + std::to_string(minutes));
  if (!request.partition.empty()) say("partition=" + request.partition);
  if (!request.interface.empty())
    for (const char* what : {"btl", "oob"})
      text += std::string("export OMPI_MCA_") + what + "_tcp_if_include=" + word(request.interface) + "\n";
  // A rank that dies ends the others, which would wait for it; an agent of a campaign does not.
  text += request.launcher == "mpirun"
              ? std::string("exec mpirun") + (request.root ? " --allow-run-as-root" : "")
              : std::string("exec srun --mpi=pmix ") +
                    (request.apart ? "--no-kill --kill-on-bad-exit=0" : "--kill-on-bad-exit=1");
  text += " mlc-bench";
  for (const auto& one : request.command)
    text += " " + word(one);
  return text + "\n";
}

}  // namespace mlc
