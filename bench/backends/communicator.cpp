#include "bench/backends/communicator.hpp"

namespace mlc {

namespace {

// Chunk `index` of a buffer of this call's.
Transfer chunk(const Call& call, const void* buffer, int index, int peer) {
  const auto bytes = call.count * static_cast<std::uint64_t>(width_of(call.dtype));
  return {const_cast<std::byte*>(static_cast<const std::byte*>(buffer)) +
              bytes * static_cast<std::uint64_t>(index),
          call.count, peer};
}

std::vector<Transfer> chunks_of_all(const Call& call, const void* buffer, int ranks) {
  std::vector<Transfer> all;
  for (int peer = 0; peer < ranks; ++peer)
    all.push_back(chunk(call, buffer, peer, peer));
  return all;
}

}  // namespace

void Communicator::all_to_all(const Call& call) {
  const int ranks = control().size();
  group(call.dtype, chunks_of_all(call, call.send, ranks), chunks_of_all(call, call.recv, ranks));
}

void Communicator::gather(const Call& call) {
  std::vector<Transfer> receives;
  if (control().rank() == call.root) receives = chunks_of_all(call, call.recv, control().size());
  group(call.dtype, std::vector{chunk(call, call.send, 0, call.root)}, receives);
}

void Communicator::scatter(const Call& call) {
  std::vector<Transfer> sends;
  if (control().rank() == call.root) sends = chunks_of_all(call, call.send, control().size());
  group(call.dtype, sends, std::vector{chunk(call, call.recv, 0, call.root)});
}

void Communicator::send_recv(const Call& call) {
  const int rank = control().rank(), ranks = control().size();
  group(call.dtype, std::vector{chunk(call, call.send, 0, (rank + 1) % ranks)},
        std::vector{chunk(call, call.recv, 0, (rank + ranks - 1) % ranks)});
}

}  // namespace mlc
