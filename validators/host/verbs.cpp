// What the checks ask of verbs: ports, dmabuf, and whether memory can be registered.
#include "validators/host/verbs.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "validators/host/live_sources.hpp"

namespace mlc {

namespace {

using rdma::VerbsError;

// NCCL's own question (src/transport/net_ib/gdr.cc): a registration of descriptor -1 that fails with EBADF
// got as far as looking at the descriptor, so the kernel and the driver know dmabuf.
void ask_dmabuf(rdma::Device& device, nlohmann::json& entry) {
  entry["dmabuf"] = "supported";
  try {
    (void)device.register_dmabuf(-1, 0, 0, nullptr);
  } catch (const VerbsError& error) {
    if (error.code == EBADF) return;
    const bool unsupported =
        error.code == ENOSYS || error.code == EOPNOTSUPP || error.code == EPROTONOSUPPORT;
    entry["dmabuf"] = unsupported ? "unsupported" : "unknown";
    entry["dmabuf_why"] = error.code == ENOSYS ? error.what() : std::strerror(error.code);
  }
}

struct Mapping {
  void* start;
  std::size_t length;
  ~Mapping() {
    if (start != MAP_FAILED) ::munmap(start, length);
  }
};

}  // namespace

Answer ask_verbs(rdma::Verbs& verbs) {
  auto value = nlohmann::json::array();
  for (const auto& name : verbs.devices()) {
    nlohmann::json entry{{"device", name}, {"port", 1}};
    try {
      const auto device = verbs.open(name);
      ask_dmabuf(*device, entry);
      const auto port = device->port();
      entry["active_mtu"] = port.active_mtu, entry["max_mtu"] = port.max_mtu;
    } catch (const VerbsError& error) {
      entry["error"] = error.what();
    }
    value.push_back(entry);
  }
  return {0, {}, value};
}

Answer ask_verbs() {
  try {
    return ask_verbs(*rdma::host_verbs());
  } catch (const VerbsError& error) {
    return {error.code, error.what(), nullptr};
  }
}

Answer register_memory(rdma::Verbs* verbs, std::uint64_t bytes) {
  // Not touched before: where memory is short, registering says so, and touching is the end of the process.
  const Mapping memory{::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                       bytes};
  if (memory.start == MAP_FAILED) return {errno, std::string("mmap: ") + std::strerror(errno), nullptr};
  const auto names = verbs != nullptr ? verbs->devices() : std::vector<std::string>{};
  for (const auto& name : names) {
    std::unique_ptr<rdma::Device> device;
    try {
      device = verbs->open(name);
    } catch (const VerbsError&) {
      continue;
    }
    try {
      (void)device->register_memory(static_cast<std::byte*>(memory.start), bytes);
      return {0, {}, {{"bytes", bytes}, {"how", "ibv_reg_mr on " + name}}};
    } catch (const VerbsError& error) {
      return {error.code, "ibv_reg_mr on " + name + ": " + std::strerror(error.code), nullptr};
    }
  }
  if (!names.empty()) return {EIO, "no RDMA device could be opened", nullptr};
  if (::mlock(memory.start, bytes) != 0)
    return {errno, std::string("mlock: ") + std::strerror(errno), nullptr};
  ::munlock(memory.start, bytes);
  return {0, {}, {{"bytes", bytes}, {"how", "mlock"}}};
}

Answer register_memory(std::uint64_t bytes) {
  std::unique_ptr<rdma::Verbs> verbs;
  try {
    verbs = rdma::host_verbs();
    (void)verbs->devices();
  } catch (const VerbsError&) {
    verbs.reset();  // no verbs here, or no kernel that has them
  }
  return register_memory(verbs.get(), bytes);
}

}  // namespace mlc
