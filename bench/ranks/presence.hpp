// "I have started", told to ranks of the same job on the same node before any of them can communicate: an
// abstract Unix socket by job and rank. It leaves no file behind and is gone with the process.
#pragma once

#include <string>
#include <vector>

#include "validators/host/file_descriptor.hpp"

namespace mlc {

// Bound for as long as the descriptor lives; invalid if there is no such socket here (then nobody is seen).
FileDescriptor announce_presence(const std::string& job, int rank);

// Ranks below `size` whose presence is announced on this node.
std::vector<int> ranks_present(const std::string& job, int size);

}  // namespace mlc
