// The error of what a run stands on: a library, a device, or the way to the other ranks.
#pragma once

#include <stdexcept>

namespace mlc {

// What moves the data failed. what() says which call, where and why.
struct BackendError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace mlc
