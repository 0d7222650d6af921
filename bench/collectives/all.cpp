#include "bench/collectives/collective.hpp"

namespace mlc {

#define MLC_COLLECTIVES(_) \
  _(allreduce)             \
  _(allgather)             \
  _(reducescatter)         \
  _(alltoall)              \
  _(alltoallv)             \
  _(hypercube)             \
  _(broadcast)             \
  _(reduce)                \
  _(gather_to_root)        \
  _(scatter_from_root)     \
  _(sendrecv)

#define MLC_DECLARE(name) extern const Collective name;
#define MLC_ADDRESS(name) &name,
MLC_COLLECTIVES(MLC_DECLARE)

const std::vector<const Collective*>& all_collectives() {
  static const std::vector<const Collective*> table{MLC_COLLECTIVES(MLC_ADDRESS)};
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
