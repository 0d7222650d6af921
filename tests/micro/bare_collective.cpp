// The loop that the tool's overhead is measured against: an MPI collective between two clock readings,
// entered from a barrier, the slowest rank counting; nothing else. usage: bare_collective
// allreduce|alltoall|allgather|broadcast SECONDS|xITERATIONS BYTES... Prints a line for each size: BYTES
// ITERATIONS P50_US P99_US. BYTES as mlc-bench counts them: all shares together.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Loop {
  std::string collective;
  int ranks, whole;  // elements
  std::vector<float> send, recv;

  void operator()() {
    const int share = whole / ranks;
    if (collective == "allreduce")
      MPI_Allreduce(send.data(), recv.data(), whole, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    if (collective == "alltoall")
      MPI_Alltoall(send.data(), share, MPI_FLOAT, recv.data(), share, MPI_FLOAT, MPI_COMM_WORLD);
    if (collective == "allgather")
      MPI_Allgather(send.data(), share, MPI_FLOAT, recv.data(), share, MPI_FLOAT, MPI_COMM_WORLD);
    if (collective == "broadcast") MPI_Bcast(recv.data(), whole, MPI_FLOAT, 0, MPI_COMM_WORLD);
  }
};

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const bool fixed = argv[2][0] == 'x';
  const double limit = std::atof(argv[2] + (fixed ? 1 : 0));
  for (int at = 3; at < argc; ++at) {
    const auto count = static_cast<std::size_t>(std::atoi(argv[at])) / sizeof(float);
    Loop loop{argv[1], ranks, static_cast<int>(count), std::vector<float>(count, 1),
              std::vector<float>(count)};
    const double warm = now();
    for (int go = 1; go != 0;) {
      for (int i = 0; i < 5; ++i)
        loop();
      go = now() - warm < 0.1 && !fixed;
      MPI_Bcast(&go, 1, MPI_INT, 0, MPI_COMM_WORLD);
    }
    std::vector<double> times;
    const double start = now();
    for (int go = 1; go != 0;) {
      for (int i = 0; i < 5; ++i) {
        MPI_Barrier(MPI_COMM_WORLD);
        const double began = now();
        loop();
        times.push_back(now() - began);
      }
      go = fixed ? static_cast<double>(times.size()) < limit : now() - start < limit;
      MPI_Bcast(&go, 1, MPI_INT, 0, MPI_COMM_WORLD);
    }
    MPI_Allreduce(MPI_IN_PLACE, times.data(), static_cast<int>(times.size()), MPI_DOUBLE, MPI_MAX,
                  MPI_COMM_WORLD);
    std::sort(times.begin(), times.end());
    if (rank == 0)
      std::printf("%s %zu %.6f %.6f\n", argv[at], times.size(), times[times.size() / 2] * 1e6,
                  times[(times.size() * 99 + 99) / 100 - 1] * 1e6);
  }
  MPI_Finalize();
}
