#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "validators/host/live_sources.hpp"
#include "validators/host/shared_library.hpp"

namespace mlc {

namespace {

// The part of verbs.h that is used, so that building needs no rdma-core. Everything but the port attributes
// is opaque; of those only the leading enums are read, the same in every ABI version.
struct PortAttributes {
  int state, max_mtu, active_mtu;
  std::array<char, 500> rest;
};
constexpr std::array<int, 6> mtu_bytes{0, 256, 512, 1024, 2048, 4096};
int bytes_of(int mtu) { return mtu >= 1 && mtu <= 5 ? mtu_bytes[static_cast<std::size_t>(mtu)] : 0; }
constexpr int local_write = 1;  // IBV_ACCESS_LOCAL_WRITE

struct Verbs {
  SharedLibrary library{"libibverbs.so.1"};
  decltype(library.find<void**(int*)>("")) list = library.find<void**(int*)>("ibv_get_device_list");
  decltype(library.find<void(void**)>("")) free_list = library.find<void(void**)>("ibv_free_device_list");
  decltype(library.find<const char*(void*)>("")) name =
      library.find<const char*(void*)>("ibv_get_device_name");
  decltype(library.find<void*(void*)>("")) open = library.find<void*(void*)>("ibv_open_device");
  decltype(library.find<int(void*)>("")) close = library.find<int(void*)>("ibv_close_device");
  decltype(library.find<int(void*, std::uint8_t, void*)>("")) query_port =
      library.find<int(void*, std::uint8_t, void*)>("ibv_query_port");
  decltype(library.find<void*(void*)>("")) alloc_pd = library.find<void*(void*)>("ibv_alloc_pd");
  decltype(library.find<int(void*)>("")) free_pd = library.find<int(void*)>("ibv_dealloc_pd");
  decltype(library.find<void*(void*, void*, std::size_t, int)>("")) reg =
      library.find<void*(void*, void*, std::size_t, int)>("ibv_reg_mr");
  decltype(library.find<int(void*)>("")) dereg = library.find<int(void*)>("ibv_dereg_mr");
  decltype(library.find<void*(void*, std::uint64_t, std::size_t, std::uint64_t, int, int)>("")) reg_dmabuf =
      library.find<void*(void*, std::uint64_t, std::size_t, std::uint64_t, int, int)>("ibv_reg_dmabuf_mr");
  bool complete() const {
    return list && free_list && name && open && close && query_port && alloc_pd && free_pd && reg && dereg;
  }
};

// NCCL's own question (src/transport/net_ib/gdr.cc): a registration of descriptor -1 that fails with EBADF
// got as far as looking at the descriptor, so the kernel and the driver know dmabuf.
std::string dmabuf_support(const Verbs& verbs, void* domain) {
  if (!verbs.reg_dmabuf) return "unsupported: libibverbs has no ibv_reg_dmabuf_mr";
  errno = 0;
  void* region = verbs.reg_dmabuf(domain, 0, 0, 0, -1, 0);
  if (region) return verbs.dereg(region), "supported";
  if (errno == EBADF) return "supported";
  if (errno == EOPNOTSUPP || errno == EPROTONOSUPPORT)
    return std::string("unsupported: ") + std::strerror(errno);
  return std::string("unknown: ") + std::strerror(errno);
}

}  // namespace

Answer ask_verbs() {
  const Verbs verbs;
  if (!verbs.library) return {ENOENT, "libibverbs cannot be loaded: " + verbs.library.why(), nullptr};
  if (!verbs.complete()) return {ENOSYS, "libibverbs lacks a basic symbol", nullptr};
  int count = 0;
  void** devices = verbs.list(&count);
  if (!devices) return {errno, std::string("ibv_get_device_list: ") + std::strerror(errno), nullptr};
  auto value = nlohmann::json::array();
  for (int i = 0; i < count; ++i) {
    nlohmann::json device{{"device", verbs.name(devices[i])}, {"port", 1}};
    if (void* context = verbs.open(devices[i])) {
      PortAttributes port{};
      if (verbs.query_port(context, 1, &port) == 0)
        device["active_mtu"] = bytes_of(port.active_mtu), device["max_mtu"] = bytes_of(port.max_mtu);
      if (void* domain = verbs.alloc_pd(context)) {
        device["dmabuf"] = dmabuf_support(verbs, domain);
        verbs.free_pd(domain);
      }
      verbs.close(context);
    } else {
      device["error"] = std::strerror(errno);
    }
    value.push_back(device);
  }
  verbs.free_list(devices);
  return {0, {}, value};
}

Answer register_memory(std::uint64_t bytes) {
  struct Mapping {
    void* start;
    std::size_t length;
    ~Mapping() {
      if (start != MAP_FAILED) ::munmap(start, length);
    }
  } memory{::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), bytes};
  if (memory.start == MAP_FAILED) return {errno, std::string("mmap: ") + std::strerror(errno), nullptr};
  const Verbs verbs;
  int count = 0;
  void** devices = verbs.complete() ? verbs.list(&count) : nullptr;
  if (devices && count > 0) {
    Answer answer{EIO, "no RDMA device could be opened", nullptr};
    for (int i = 0; i < count && answer.error == EIO; ++i) {
      void* context = verbs.open(devices[i]);
      if (!context) continue;
      if (void* domain = verbs.alloc_pd(context)) {
        errno = 0;
        if (void* region = verbs.reg(domain, memory.start, bytes, local_write)) {
          answer = {
              0, {}, {{"bytes", bytes}, {"how", std::string("ibv_reg_mr on ") + verbs.name(devices[i])}}};
          verbs.dereg(region);
        } else {
          const int error = errno != 0 ? errno : ENOMEM;
          answer = {error,
                    std::string("ibv_reg_mr on ") + verbs.name(devices[i]) + ": " + std::strerror(error),
                    nullptr};
        }
        verbs.free_pd(domain);
      }
      verbs.close(context);
    }
    verbs.free_list(devices);
    return answer;
  }
  if (devices) verbs.free_list(devices);
  if (::mlock(memory.start, bytes) != 0)
    return {errno, std::string("mlock: ") + std::strerror(errno), nullptr};
  ::munlock(memory.start, bytes);
  return {0, {}, {{"bytes", bytes}, {"how", "mlock"}}};
}

}  // namespace mlc
