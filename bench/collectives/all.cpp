#include "bench/collectives/collective.hpp"

namespace mlc {

extern const Collective allreduce, allgather, reducescatter, alltoall, broadcast, reduce, gather_to_root,
    scatter_from_root, sendrecv;

const std::vector<const Collective*>& all_collectives() {
  static const std::vector<const Collective*> table{
      &allreduce, &allgather,      &reducescatter,     &alltoall, &broadcast,
      &reduce,    &gather_to_root, &scatter_from_root, &sendrecv,
  };
  return table;
}

const Collective* find_collective(std::string_view name) {
  for (const Collective* collective : all_collectives())
    if (collective->name == name) return collective;
  return nullptr;
}

std::uint64_t count_of(const Collective& collective, std::uint64_t bytes, int ranks, int width) {
  const auto element = static_cast<std::uint64_t>(width);
  if (!collective.chunked) return bytes / element;
  return bytes / element / static_cast<std::uint64_t>(ranks) / (16 / element) * (16 / element);
}

std::uint64_t bytes_of(const Collective& collective, std::uint64_t count, int ranks, int width) {
  return count * static_cast<std::uint64_t>(width) *
         (collective.chunked ? static_cast<std::uint64_t>(ranks) : 1);
}

}  // namespace mlc
