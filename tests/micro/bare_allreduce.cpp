// The loop that the tool's overhead is measured against: MPI_Allreduce between two clock readings, entered from a barrier,
// the slowest rank counting; nothing else. usage: bare_allreduce BYTES ITERATIONS; prints the median in microseconds.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int count = std::atoi(argv[1]) / 4, iterations = std::atoi(argv[2]);
  std::vector<float> send(static_cast<std::size_t>(count), 1), recv(static_cast<std::size_t>(count));
  std::vector<double> times(static_cast<std::size_t>(iterations));
  const auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  for (int warm = 0; warm < 1 + iterations / 5; ++warm) MPI_Allreduce(send.data(), recv.data(), count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  for (double& time : times) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = now();
    MPI_Allreduce(send.data(), recv.data(), count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    time = now() - start;
  }
  MPI_Allreduce(MPI_IN_PLACE, times.data(), iterations, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::sort(times.begin(), times.end());
  if (rank == 0) std::printf("%.6f\n", times[times.size() / 2] * 1e6);
  MPI_Finalize();
}
