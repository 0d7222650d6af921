// Reads what rails are chosen from (rail_selection.hpp).
#pragma once

#include "validators/checks/rail_selection.hpp"
#include "validators/host/host.hpp"

namespace mlc {

// Missing: there is no RDMA device, or none has an interface here. Unreadable: it cannot be told.
Read<RailInputs> read_rail_inputs(const Host& host, const NodeExpectation* expected);

}  // namespace mlc
