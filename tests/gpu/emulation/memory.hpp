// Memory of the GPUs and pinned memory of the host. GPU memory cannot be touched but by what runs on a stream
// and was given it; pinned memory cannot be touched by the host while a stream still has to do with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace emulation {

inline constexpr int host = -1;  // in the place of a device

struct Allocation {
  std::byte* at = nullptr;
  std::size_t bytes = 0;
  int device = host;
  std::byte* pages = nullptr;  // what can be protected; null: registered memory that shares its pages
  std::size_t page_bytes = 0;
  bool registered = false;
  std::uint64_t number = 0;  // in the order of allocating
  int pending = 0;           // operations on streams that have to do with it
  int open = 0;              // that are at it now
  std::byte* end() const { return at + bytes; }
  std::string text() const;  // "GPU 0's allocation of 4096 bytes"
};

// A stretch that an operation reads or writes.
struct Range {
  const std::byte* begin = nullptr;
  const std::byte* end = nullptr;
  bool written = false;
};

class MemoryMap {
 public:
  // Ends where a page ends, so that what goes beyond it is caught. `alignment` divides 4096.
  std::byte* allocate(std::size_t bytes, int device, std::size_t alignment);
  void release(std::byte* at);  // fails by name where something wrote around it
  void enroll(std::byte* at, std::size_t bytes);
  bool strike(std::byte* at);  // of what was enrolled

  Allocation* of(const void* at);  // that `at` lies in
  Allocation* first_large(int device);
  Allocation* near(const void* at);  // whose pages, or the fences around them, `at` lies in
  std::uint64_t used(int device) const;
  std::vector<std::string> leaks() const;

  void begin(const std::vector<Range>& ranges);  // an operation was put on a stream
  void end(const std::vector<Range>& ranges);    // it is done, or will never be
  void open(const std::vector<Range>& ranges);   // it runs
  void close(const std::vector<Range>& ranges);

 private:
  void settle(Allocation& allocation) const;
  template <class Change>
  void each(const std::vector<Range>& ranges, Change&& change);
  std::uint64_t last_ = 0;
  std::map<const std::byte*, Allocation> all_;  // by their beginning
};

MemoryMap& memory_map();

// Names what is running in this thread, for what touches memory that it must not; empty: the host.
void set_running(const std::string& what);

}  // namespace emulation
