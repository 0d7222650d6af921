// An interface's driver statistics, as `ethtool -S` shows them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace mlc::rdma {

// Empty where the driver has none or does not say.
std::map<std::string, std::uint64_t> ethtool_statistics(const std::string& netdev);

}  // namespace mlc::rdma
