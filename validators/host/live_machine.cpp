#include <fcntl.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "validators/host/file_descriptor.hpp"
#include "validators/host/live_sources.hpp"
#include "validators/host/netlink_socket.hpp"

namespace mlc {

namespace {

Answer failed(int error, const std::string& what) {
  return {error, what + ": " + std::strerror(error), nullptr};
}

// Only variables that describe devices and the fabric: the environment of a Pod also holds secrets.
bool allowed(std::string_view name) {
  static constexpr std::array<std::string_view, 4> families{"PCIDEVICE_", "NVIDIA_VISIBLE_DEVICES", "NCCL_",
                                                            "UCX_NET_"};
  static constexpr std::array<std::string_view, 5> names{"KUBERNETES_SERVICE_HOST", "NODE_NAME", "POD_NAME",
                                                         "POD_NAMESPACE", "CUDA_VISIBLE_DEVICES"};
  for (const auto family : families)
    if (name.starts_with(family)) return true;
  for (const auto one : names)
    if (name == one) return true;
  return false;
}

Answer environment() {
  auto value = nlohmann::json::object();
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view pair(*entry);
    const auto equals = pair.find('=');
    if (equals != pair.npos && allowed(pair.substr(0, equals)))
      value[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
  return {0, {}, value};
}

Answer limit(const std::string& name) {
  const int resource = name == "memlock"  ? RLIMIT_MEMLOCK
                       : name == "nofile" ? RLIMIT_NOFILE
                       : name == "nproc"  ? RLIMIT_NPROC
                       : name == "stack"  ? RLIMIT_STACK
                                          : -1;
  rlimit value{};
  if (resource < 0) return failed(EINVAL, name);
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &value) != 0) return failed(errno, "getrlimit");
  const auto number = [](rlim_t amount) {
    return amount == RLIM_INFINITY ? nlohmann::json() : nlohmann::json(amount);
  };
  return {0, {}, {{"soft", number(value.rlim_cur)}, {"hard", number(value.rlim_max)}}};
}

Answer filesystem(const std::string& path) {
  struct statfs value {};
  if (::statfs(path.c_str(), &value) != 0) return failed(errno, path);
  const auto block = static_cast<std::uint64_t>(value.f_bsize);
  return {0,
          {},
          {{"bytes", value.f_blocks * block},
           {"free", value.f_bavail * block},
           {"type", static_cast<std::uint64_t>(value.f_type)}}};
}

Answer clock_state() {
  timex value{};  // modes 0: reads only
  const int state = ::adjtimex(&value);
  if (state < 0) return failed(errno, "adjtimex");
  const double unit = (value.status & STA_NANO) != 0 ? 1e-3 : 1.0;
  return {0,
          {},
          {{"synchronised", state != TIME_ERROR && (value.status & STA_UNSYNC) == 0},
           {"offset_us", static_cast<double>(value.offset) * unit},
           {"max_error_us", static_cast<double>(value.maxerror)}}};
}

Answer kernel_name() {
  utsname value{};
  if (::uname(&value) != 0) return failed(errno, "uname");
  return {0, {}, {{"hostname", value.nodename}, {"release", value.release}, {"machine", value.machine}}};
}

Answer resolve_name(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (rc != 0) return {rc == EAI_NONAME ? ENOENT : EAGAIN, name + ": " + ::gai_strerror(rc), nullptr};
  auto addresses = nlohmann::json::array();
  for (const addrinfo* one = found; one; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) ==
        0)
      addresses.push_back(text.data());
  }
  ::freeaddrinfo(found);
  return {0, {}, addresses};
}

}  // namespace

Answer ask_kernel_log() {
  const FileDescriptor log(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!log) return failed(errno, "/dev/kmsg");
  auto lines = nlohmann::json::array();
  std::array<char, 8192> record;
  for (int records = 0; records < 1'000'000; ++records) {
    const ssize_t got = ::read(log.get(), record.data(), record.size());
    if (got < 0 && (errno == EPIPE || errno == EINTR))
      continue;           // EPIPE: that record was overwritten meanwhile
    if (got <= 0) break;  // EAGAIN: the end
    std::string_view text(record.data(), static_cast<std::size_t>(got));
    const auto message = text.find(';');
    if (message == text.npos) continue;
    text.remove_prefix(message + 1);
    text = text.substr(0, text.find('\n'));
    if (text.find("NVRM:") != text.npos || text.find("mlx5_core") != text.npos) lines.push_back(text);
  }
  return {0, {}, lines};
}

namespace {

class LiveMachine : public Machine {
 public:
  Answer ask(const std::string& kind, const std::string& key) const override {
    if (kind == "netlink") {
      const auto request = NetlinkRequest::from_key(key);
      return request ? ask_kernel(*request) : failed(EINVAL, "netlink request");
    }
    if (kind == "environment") return environment();
    if (kind == "limit") return limit(key);
    if (kind == "filesystem") return filesystem(key);
    if (kind == "clock") return clock_state();
    if (kind == "uname") return kernel_name();
    if (kind == "resolve") return resolve_name(key);
    if (kind == "nvml") return ask_nvml();
    if (kind == "verbs") return ask_verbs();
    if (kind == "register-memory") return register_memory(std::strtoull(key.c_str(), nullptr, 10));
    if (kind == "icmp") return probe_icmp(key);
    if (kind == "arp") return probe_arp(key);
    if (kind == "kernel-log") return ask_kernel_log();
    return failed(ENOSYS, kind);
  }
};

}  // namespace

std::unique_ptr<Machine> live_machine() { return std::make_unique<LiveMachine>(); }

}  // namespace mlc
