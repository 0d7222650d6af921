// TCP between nodes: a port that listens on all addresses of either family, and the first address of a name
// that answers.
#pragma once

#include <string>

#include "validators/host/file_descriptor.hpp"

namespace mlc {

// Not blocking. Throws std::system_error.
FileDescriptor listen_on_tcp(int port, int backlog);

// Not blocking; empty where no address answers within `patience_ms`, and `why` says what became of the last.
// One that does not answer is given up after three seconds: its route may only be coming up.
FileDescriptor connect_by_tcp(const std::string& host, int port, int patience_ms, std::string& why);

}  // namespace mlc
