#include "tests/gpu/emulation/memory.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "tests/gpu/emulation/failure.hpp"

namespace emulation {

namespace {

constexpr std::size_t page = 4096;
constexpr std::byte fence{0xec}, fresh{0xa7};

thread_local std::string running;

// Not for signals in general: the process ends in it.
void on_fault(int signal, siginfo_t* info, void*) {
  const Allocation* const near = memory_map().near(info->si_addr);
  if (near == nullptr) {
    ::signal(signal, SIG_DFL);
    return;
  }
  const auto* const at = static_cast<const std::byte*>(info->si_addr);
  const std::string place = near->text() + ", " + std::to_string(at - near->at) + " bytes from its beginning";
  const bool inside = at >= near->at && at < near->end();
  if (running.empty() && near->device != host) fail("host access to device memory", place);
  if (running.empty()) fail(inside ? "unsynchronised memory" : "out of bounds", "the host touched " + place);
  if (inside) fail("memory that was not given", running + " touched " + place);
  fail("out of bounds", running + " touched what lies beside " + place);
}

void watch_faults() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
}

void check_fences(const Allocation& allocation) {
  const auto untouched = [](std::byte one) { return one == fence; };
  if (!std::all_of(allocation.pages, allocation.at, untouched) ||
      !std::all_of(allocation.end(), allocation.pages + allocation.page_bytes, untouched))
    fail("out of bounds", "something wrote just beside " + allocation.text());
}

}  // namespace

void set_running(const std::string& what) { running = what; }

MemoryMap& memory_map() {
  static MemoryMap* const one = [] {
    watch_faults();
    return new MemoryMap;  // looked at when the process ends, after every destructor
  }();
  return *one;
}

std::string Allocation::text() const {
  return (device == host ? std::string(registered ? "registered host memory" : "the pinned host memory")
                         : "GPU " + std::to_string(device) + "'s allocation") +
         " of " + std::to_string(bytes) + " bytes";
}

std::byte* MemoryMap::allocate(std::size_t bytes, int device, std::size_t alignment) {
  const std::size_t room = std::max<std::size_t>((bytes + page - 1) / page * page, page);
  void* const mapped = ::mmap(nullptr, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const pages = static_cast<std::byte*>(mapped) + page;
  auto* const at = pages + (room - bytes) / alignment * alignment;
  (void)::mprotect(pages, room, PROT_READ | PROT_WRITE);
  std::fill(pages, pages + room, fence);
  std::fill(at, at + bytes, fresh);  // not zero: nobody has written it yet
  auto& allocation = all_[at] = {
      .at = at, .bytes = bytes, .device = device, .pages = pages, .page_bytes = room, .number = ++last_};
  settle(allocation);
  return at;
}

void MemoryMap::release(std::byte* at) {
  const auto found = all_.find(at);
  Allocation& allocation = found->second;
  (void)::mprotect(allocation.pages, allocation.page_bytes, PROT_READ | PROT_WRITE);
  check_fences(allocation);
  (void)::munmap(allocation.pages - page, allocation.page_bytes + 2 * page);
  all_.erase(found);
}

void MemoryMap::enroll(std::byte* at, std::size_t bytes) {
  const bool whole = reinterpret_cast<std::uintptr_t>(at) % page == 0 && bytes % page == 0;
  all_[at] = {.at = at,
              .bytes = bytes,
              .pages = whole ? at : nullptr,
              .page_bytes = whole ? bytes : 0,
              .registered = true};
}

bool MemoryMap::strike(std::byte* at) {
  const auto found = all_.find(at);
  if (found == all_.end() || !found->second.registered) return false;
  all_.erase(found);
  return true;
}

Allocation* MemoryMap::of(const void* at) {
  const auto* const byte = static_cast<const std::byte*>(at);
  auto next = all_.upper_bound(byte);
  if (next == all_.begin()) return nullptr;
  Allocation& allocation = std::prev(next)->second;
  return byte < allocation.end() ? &allocation : nullptr;
}

Allocation* MemoryMap::near(const void* at) {
  const auto* const byte = static_cast<const std::byte*>(at);
  for (auto& [begin, allocation] : all_)
    if (allocation.pages != nullptr && byte >= allocation.pages - (allocation.registered ? 0 : page) &&
        byte < allocation.pages + allocation.page_bytes + (allocation.registered ? 0 : page))
      return &allocation;
  return nullptr;
}

Allocation* MemoryMap::first_large(int device) {
  Allocation* first = nullptr;
  for (auto& [begin, allocation] : all_)
    if (allocation.device == device && allocation.bytes >= 1 << 20 &&
        (first == nullptr || allocation.number < first->number))
      first = &allocation;
  return first;
}

std::uint64_t MemoryMap::used(int device) const {
  std::uint64_t sum = 0;
  for (const auto& [begin, allocation] : all_)
    if (allocation.device == device) sum += allocation.bytes;
  return sum;
}

std::vector<std::string> MemoryMap::leaks() const {
  std::vector<std::string> all;
  for (const auto& [begin, allocation] : all_)
    all.push_back(allocation.text());
  return all;
}

template <class Change>
void MemoryMap::each(const std::vector<Range>& ranges, Change&& change) {
  std::vector<Allocation*> met;
  for (const auto& range : ranges)
    if (Allocation* const allocation = of(range.begin);
        allocation != nullptr && std::ranges::find(met, allocation) == met.end())
      met.push_back(allocation);
  for (Allocation* allocation : met)
    change(*allocation), settle(*allocation);
}

void MemoryMap::begin(const std::vector<Range>& ranges) {
  each(ranges, [](Allocation& one) { ++one.pending; });
}
void MemoryMap::end(const std::vector<Range>& ranges) {
  each(ranges, [](Allocation& one) { --one.pending; });
}
void MemoryMap::open(const std::vector<Range>& ranges) {
  each(ranges, [](Allocation& one) { ++one.open; });
}
void MemoryMap::close(const std::vector<Range>& ranges) {
  each(ranges, [](Allocation& one) { --one.open; });
}

void MemoryMap::settle(Allocation& allocation) const {
  if (allocation.pages == nullptr) return;
  const bool usable = allocation.open > 0 || (allocation.device == host && allocation.pending == 0);
  (void)::mprotect(allocation.pages, allocation.page_bytes, usable ? PROT_READ | PROT_WRITE : PROT_NONE);
}

}  // namespace emulation
