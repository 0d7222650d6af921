// Open MPI's error codes as exceptions.
#pragma once

#include <mpi.h>

#include <array>
#include <source_location>
#include <string>

#include "bench/handles/error.hpp"

namespace mlc {

inline void check_mpi(int code, std::source_location at = std::source_location::current()) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw BackendError("mpi: " + std::string(text.data(), static_cast<std::size_t>(length)) + " (" +
                     place_of(at) + ")");
}

}  // namespace mlc
