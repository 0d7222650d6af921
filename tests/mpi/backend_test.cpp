// Every collective, dtype, op and placement on the MPI backend, at whatever number of ranks mpirun started.
#include <cstdio>

#include "bench/backends/mpi.hpp"
#include "tests/unit/every_collective.hpp"

int main() {
  using namespace mlc;
  const auto session = start_mpi({});
  const auto communicator = session->make_communicator();
  std::uint64_t checked = 0;
  const auto failures = verify_everything(*communicator, checked);
  for (const auto& failure : failures)
    std::fprintf(stderr, "%s\n", failure.c_str());
  const auto all = gather(communicator->control(), static_cast<std::uint64_t>(failures.size()));
  std::uint64_t wrong = 0;
  for (auto n : all)
    wrong += n;
  if (communicator->control().rank() == 0)
    std::printf("%llu operations on %d ranks, %llu wrong\n", static_cast<unsigned long long>(checked),
                communicator->control().size(), static_cast<unsigned long long>(wrong));
  return wrong == 0 && checked > 1000 ? 0 : 1;
}
