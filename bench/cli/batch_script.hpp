// A command of mlc-bench over several nodes as a batch script for Slurm's sbatch. Pure.
#pragma once

#include <string>
#include <vector>

namespace mlc {

struct BatchRequest {
  std::string name = "mlc-bench";
  std::vector<std::string> command;  // "allreduce", "--sizes=1M": what each rank runs
  int nodes = 2;
  int gpus = 8;                   // of each node, one rank each; 0: one rank of host memory
  std::string partition;          // empty: Slurm's default
  std::string interface;          // that MPI's own traffic takes; empty: as MPI finds it
  std::string launcher = "srun";  // srun, by PMIx, or mpirun
  bool root = false;              // mpirun refuses root unless it is told
  bool apart = false;             // a process that dies ends no other (srun)
  double deadline_s = 3600;       // of the job
};

std::string batch_script(const BatchRequest& request);

}  // namespace mlc
