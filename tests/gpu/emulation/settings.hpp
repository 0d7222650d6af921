// What is emulated, from the environment of the process:
//   MLC_EMULATED_GPUS     how many (2)           MLC_EMULATED_SMS   multiprocessors of each (3)
//   MLC_EMULATED_MEMORY   MiB of each (8)        MLC_EMULATED_SEED  of all orders (1); 0: in order
//   MLC_EMULATED_FAULT    KIND:KEY=NUMBER,...    what breaks; several are separated by ';'
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace emulation {

// Kinds of a GPU (gpu=, after= operations that it still does): lost, ecc, hang, sms-hang (its kernels
// alone, not its copies); stuck (byte= of its first
// allocation of at least a MiB, bit=): a bit that is always set; sm (sm=): one that multiplies wrongly; link:
// copies to a peer lose a byte; gemm (every=): a product that is wrong; old: one of compute capability 8.0;
// no-driver, old-driver, no-dmabuf; nvml-hangs: its power is never read. Of NCCL (rank=, after= operations):
// init-dies, init-hangs, dies, hangs, abort-hangs, fails (a call), breaks (it says so when it is asked),
// wrong (a bit of what is received), warns, old-nccl (version=).
struct Fault {
  std::string kind;
  std::map<std::string, std::int64_t> numbers;
  std::int64_t number(const std::string& key, std::int64_t otherwise = 0) const;
};

struct Settings {
  int gpus = 2, sms = 3;
  std::uint64_t memory_bytes = 8 << 20, seed = 1;
  std::vector<Fault> faults;
  const Fault* fault(const std::string& kind, const std::string& key, std::int64_t value) const;
};

const Settings& settings();

}  // namespace emulation
