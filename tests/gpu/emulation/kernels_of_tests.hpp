// Launchers of kernels_of_tests.cu.
#pragma once

#include <cuda_runtime_api.h>

void launch_reverse(int* data, unsigned count, bool synchronises, cudaStream_t stream);
void launch_sum_of_warp(unsigned* sums, unsigned threads, unsigned lanes, cudaStream_t stream);
void launch_leaves_before_the_barrier(cudaStream_t stream);
void launch_waits_in_two_places(cudaStream_t stream);
void launch_writes_at(char* data, long offset, cudaStream_t stream);
void launch_reads_at(const char* data, long offset, char* to, cudaStream_t stream);
void launch_writes_behind_shared(unsigned bytes, cudaStream_t stream);
void launch_order_of_threads(unsigned* order, unsigned* next, unsigned blocks, cudaStream_t stream);
void launch_of_shape(unsigned blocks, unsigned threads, std::uint64_t shared, cudaStream_t stream);
