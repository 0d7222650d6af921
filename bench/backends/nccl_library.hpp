// NCCL's functions, looked up in libnccl.so.2 when they are first asked for: a program that has NCCL built in
// starts where there is none.
#pragma once

#include <nccl.h>

#include <cstddef>
#include <string>
#include <utility>

#include "validators/host/shared_library.hpp"

namespace mlc {

struct NcclLibrary {
  SharedLibrary library = open();
  std::string absent = library ? "" : "libnccl.so.2 not found: " + library.why();  // why it cannot be used

  decltype(ncclGetVersion)* get_version = need<decltype(ncclGetVersion)>("ncclGetVersion");
  decltype(ncclGetErrorString)* error_string = need<decltype(ncclGetErrorString)>("ncclGetErrorString");
  decltype(ncclGetLastError)* last_error = need<decltype(ncclGetLastError)>("ncclGetLastError");
  decltype(ncclGetUniqueId)* unique_id = need<decltype(ncclGetUniqueId)>("ncclGetUniqueId");
  decltype(ncclCommInitRankConfig)* init = need<decltype(ncclCommInitRankConfig)>("ncclCommInitRankConfig");
  decltype(ncclCommGetAsyncError)* async_error =
      need<decltype(ncclCommGetAsyncError)>("ncclCommGetAsyncError");
  decltype(ncclCommFinalize)* finalize = need<decltype(ncclCommFinalize)>("ncclCommFinalize");
  decltype(ncclCommDestroy)* destroy = need<decltype(ncclCommDestroy)>("ncclCommDestroy");
  decltype(ncclCommAbort)* abort = need<decltype(ncclCommAbort)>("ncclCommAbort");
  decltype(ncclMemAlloc)* allocate = need<decltype(ncclMemAlloc)>("ncclMemAlloc");
  decltype(ncclMemFree)* free = need<decltype(ncclMemFree)>("ncclMemFree");
  decltype(ncclCommRegister)* enroll = need<decltype(ncclCommRegister)>("ncclCommRegister");
  decltype(ncclCommDeregister)* withdraw = need<decltype(ncclCommDeregister)>("ncclCommDeregister");
  decltype(ncclAllReduce)* all_reduce = need<decltype(ncclAllReduce)>("ncclAllReduce");
  decltype(ncclReduce)* reduce = need<decltype(ncclReduce)>("ncclReduce");
  decltype(ncclBroadcast)* broadcast = need<decltype(ncclBroadcast)>("ncclBroadcast");
  decltype(ncclAllGather)* all_gather = need<decltype(ncclAllGather)>("ncclAllGather");
  decltype(ncclReduceScatter)* reduce_scatter = need<decltype(ncclReduceScatter)>("ncclReduceScatter");
  decltype(ncclSend)* send = need<decltype(ncclSend)>("ncclSend");
  decltype(ncclRecv)* receive = need<decltype(ncclRecv)>("ncclRecv");
  decltype(ncclGroupStart)* group_start = need<decltype(ncclGroupStart)>("ncclGroupStart");
  decltype(ncclGroupEnd)* group_end = need<decltype(ncclGroupEnd)>("ncclGroupEnd");
  // Null where a version lacks them; older headers do, too. A window is a pointer.
  using Chunks = ncclResult_t(const void*, void*, std::size_t, ncclDataType_t, ncclComm_t, cudaStream_t);
  using RootedChunks = ncclResult_t(const void*, void*, std::size_t, ncclDataType_t, int, ncclComm_t,
                                    cudaStream_t);
  using OpenWindow = ncclResult_t(ncclComm_t, void*, std::size_t, void**, int);
  using CloseWindow = ncclResult_t(ncclComm_t, void*);
  Chunks* all_to_all = library.find<Chunks>("ncclAlltoAll");
  RootedChunks* gather = library.find<RootedChunks>("ncclGather");
  RootedChunks* scatter = library.find<RootedChunks>("ncclScatter");
  OpenWindow* open_window = library.find<OpenWindow>("ncclCommWindowRegister");
  CloseWindow* close_window = library.find<CloseWindow>("ncclCommWindowDeregister");
  bool has_chunk_collectives() const {
    return all_to_all != nullptr && gather != nullptr && scatter != nullptr;
  }
  bool has_windows() const { return open_window != nullptr && close_window != nullptr; }
  // In no header, and in no promise: null where a version lacks it.
  void (*reset_debug)() = library.find<void()>("ncclResetDebugInit");

  int version() const {  // 22809 is 2.28.9; 0: not known
    int code = 0;
    return absent.empty() && get_version(&code) == ncclSuccess ? code : 0;
  }

 private:
  static SharedLibrary open() {
    SharedLibrary found("libnccl.so.2");
    // Then the place where it was when this was built: Python's wheels are on no search path.
    if (found || *MLC_NCCL_LIBRARY == '\0') return found;
    SharedLibrary guess(MLC_NCCL_LIBRARY);
    return guess ? std::move(guess) : std::move(found);
  }
  template <class Function>
  Function* need(const char* symbol) {
    auto* function = library.find<Function>(symbol);
    if (function == nullptr && absent.empty())
      absent = std::string("libnccl.so.2 is too old: it lacks ") + symbol;
    return function;
  }
};

const NcclLibrary& nccl();

}  // namespace mlc
