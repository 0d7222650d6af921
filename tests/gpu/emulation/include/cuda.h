// In the place of CUDA's header of the driver: what is asked of it by name.
#pragma once

#include <cstddef>
#include <cstdint>

enum CUresult { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1, CUDA_ERROR_NOT_SUPPORTED = 801 };
enum CUmemRangeHandleType { CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD = 1 };
using CUdeviceptr = unsigned long long;

extern "C" CUresult cuMemGetHandleForAddressRange(void* handle, CUdeviceptr at, std::size_t bytes,
                                                  CUmemRangeHandleType type, unsigned long long flags);
