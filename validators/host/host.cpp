#include "validators/host/host.hpp"

#include <linux/rtnetlink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"
#include "validators/host/machine.hpp"
#include "validators/host/netlink_socket.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc {

namespace {

template <class T>
Read<T> no_answer(const Answer& answer) {
  if (answer.error == ENODATA) return Read<T>::never_asked(answer.why);
  if (answer.error == ELIBBAD) return {{}, Absence::other_version, answer.why};
  return answer.error == ENOENT || answer.error == ENODEV ? Read<T>::not_there(answer.why)
                                                          : Read<T>::unreadable(answer.why);
}

// Turns an answer into a value; an answer of another shape (a captured file is untrusted) is unreadable.
template <class T, class Convert>
Read<T> from_answer(const Answer& answer, Convert convert) {
  if (answer.error != 0) return no_answer<T>(answer);
  try {
    return Read<T>::of(convert(answer.value));
  } catch (const nlohmann::json::exception& error) {
    return Read<T>::unreadable("an answer of another shape: " + printable(error.what(), 80));
  } catch (const JsonError& error) {
    return Read<T>::unreadable(std::string("an answer of another shape: ") + error.what());
  }
}

template <class T, class Make>
const Read<T>& once(std::once_flag& flag, Read<T>& read, Make make) {
  std::call_once(flag, [&] { read = make(); });
  return read;
}

bool names_objects_alone(const std::vector<Route>& routes) {
  return std::ranges::any_of(routes,
                             [](const Route& one) { return one.nexthop_id != 0 && one.paths().empty(); });
}

Dmabuf dmabuf_from(const std::string& word) {
  if (word.empty()) return Dmabuf::not_asked;
  return word == "supported"     ? Dmabuf::supported
         : word == "unsupported" ? Dmabuf::unsupported
                                 : Dmabuf::unknown;
}

struct GpuNumber {
  std::string_view key;
  std::optional<std::uint64_t> GpuFacts::*value;
};

// As nvml.cpp writes them. NVML's words: an ECC error is corrected or uncorrected, a row is remapped for
// correctable or uncorrectable ones.
constexpr std::array<GpuNumber, 25> gpu_numbers{
    {{"ecc_enabled", &GpuFacts::ecc_enabled},
     {"ecc_uncorrected", &GpuFacts::ecc_uncorrected},
     {"ecc_corrected", &GpuFacts::ecc_corrected},
     {"remapped_correctable", &GpuFacts::remapped_correctable},
     {"remapped_uncorrectable", &GpuFacts::remapped_uncorrectable},
     {"remap_pending", &GpuFacts::remap_pending},
     {"remap_failed", &GpuFacts::remap_failed},
     {"throttle_reasons", &GpuFacts::throttle_reasons},
     {"pcie_generation", &GpuFacts::pcie_generation},
     {"pcie_generation_max", &GpuFacts::pcie_generation_max},
     {"pcie_width", &GpuFacts::pcie_width},
     {"pcie_width_max", &GpuFacts::pcie_width_max},
     {"pcie_replays", &GpuFacts::pcie_replays},
     {"sm_clock_max", &GpuFacts::sm_clock_max},
     {"memory_clock_max", &GpuFacts::memory_clock_max},
     {"sm_clock_application", &GpuFacts::sm_clock_application},
     {"sm_clock_application_default", &GpuFacts::sm_clock_application_default},
     {"persistence", &GpuFacts::persistence},
     {"mig", &GpuFacts::mig},
     {"temperature", &GpuFacts::temperature},
     {"nvlinks_active", &GpuFacts::nvlinks_active},
     {"nvlinks_total", &GpuFacts::nvlinks_total},
     {"nvlink_errors", &GpuFacts::nvlink_errors},
     {"fabric_state", &GpuFacts::fabric_state},
     {"fabric_status", &GpuFacts::fabric_status}}};

GpuReading gpu_reading(const nlohmann::json& value) {
  std::vector<std::string_view> known{"index", "name", "uuid", "pci", "error"};
  for (const auto& number : gpu_numbers)
    known.push_back(number.key);
  GpuReading reading;
  reading.driver = value.at("driver").get<std::string>();
  for (const auto& entry : value.at("gpus")) {
    refuse_other_keys(entry, known);
    GpuFacts gpu;
    gpu.index = entry.at("index").get<int>();
    gpu.name = entry.value("name", "");
    gpu.uuid = entry.value("uuid", "");
    gpu.pci = entry.value("pci", "");
    for (const auto& number : gpu_numbers)
      if (const auto found = entry.find(number.key); found != entry.end() && !found->is_null())
        gpu.*number.value = found->get<std::uint64_t>();
    reading.gpus.push_back(std::move(gpu));
  }
  return reading;
}

}  // namespace

Host::Host(FileTree files, std::shared_ptr<const Machine> machine, std::optional<FileTree> later)
    : files_(std::move(files)), machine_(std::move(machine)), later_(std::move(later)) {}
Host::~Host() = default;

std::optional<FileTree> Host::files_after(double seconds) const {
  if (!files_.live()) return later_;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return later_ ? later_ : files_;
}

template <class T>
Read<std::vector<T>> Host::dump(const NetlinkRequest& request,
                                std::optional<T> (*parse)(const NetlinkMessage&)) const {
  const Answer answer = machine_->ask("netlink", request.key());
  if (answer.error != 0) return no_answer<std::vector<T>>(answer);
  std::vector<T> values;
  for (const auto& message : messages_from(answer.value))
    if (auto value = parse(message)) values.push_back(std::move(*value));
  return Read<std::vector<T>>::of(std::move(values));
}

template <class T>
Read<std::vector<T>> Host::whole_dump(const NetlinkRequest& request,
                                      std::optional<T> (*parse)(const NetlinkMessage&)) const {
  const Answer answer = machine_->ask("netlink", request.key());
  if (answer.error != 0) return no_answer<std::vector<T>>(answer);
  std::vector<T> values;
  const auto messages = messages_from(answer.value);
  bool whole = answer.value.is_array() && messages.size() == answer.value.size();
  for (const auto& message : messages) {
    auto value = parse(message);
    whole = whole && value;
    if (!whole) break;
    values.push_back(std::move(*value));
  }
  if (!whole) return Read<std::vector<T>>::unreadable("an entry of the kernel's list was not understood");
  return Read<std::vector<T>>::of(std::move(values));
}

const Read<std::vector<Link>>& Host::links() const {
  return once(links_.flag, links_.read, [this] {
    auto links = dump<Link>(links_request(), parse_link);
    // Every network namespace has a loopback: an empty list is an answer that was not understood.
    if (links && links->empty())
      return Read<std::vector<Link>>::unreadable("the kernel listed no interface at all");
    return links;
  });
}

const Read<std::vector<Address>>& Host::addresses() const {
  return once(addresses_.flag, addresses_.read,
              [this] { return dump<Address>(addresses_request(), parse_address); });
}
const Read<std::vector<Route>>& Host::routes(IpFamily family) const {
  auto& once_of = routes_[family == IpFamily::v6];
  return once(once_of.flag, once_of.read, [&] {
    auto listed = whole_dump<Route>(routes_request(family), parse_route);
    // Most routes name their hops themselves, and kernels before 5.3 know no objects.
    if (listed && names_objects_alone(listed.value))
      if (const auto objects = nexthops()) fill_hops(listed.value, objects.value);
    return listed;
  });
}
const Read<std::vector<Rule>>& Host::rules(IpFamily family) const {
  auto& once_of = rules_[family == IpFamily::v6];
  return once(once_of.flag, once_of.read,
              [&] { return whole_dump<Rule>(rules_request(family), parse_rule); });
}
Read<std::vector<Nexthop>> Host::nexthops() const {
  return whole_dump<Nexthop>(nexthops_request(), parse_nexthop);
}
Read<FibTables> Host::fib(IpFamily family) const {
  const auto& listed = routes(family);
  const auto& asked = rules(family);
  if (!listed) return Read<FibTables>::unreadable("routes: " + listed.why);
  if (!asked) return Read<FibTables>::unreadable("rules: " + asked.why);
  if (asked->empty()) return Read<FibTables>::unreadable("rules: the kernel listed no rule at all");
  FibTables tables{*listed, *asked, {}, {}};
  if (names_objects_alone(*listed))  // blackholes among them
    if (auto objects = nexthops()) tables.nexthops = std::move(objects.value);
  return Read<FibTables>::of(std::move(tables));
}

Read<std::vector<Neighbour>> Host::neighbours() const {
  return dump<Neighbour>(neighbours_request(), parse_neighbour);
}

Read<Link> Host::link_with_vfs(int index) const {
  const auto links = dump<Link>(link_request(index), parse_link);
  if (!links) return Read<Link>::no(links);
  if (links->empty()) return Read<Link>::unreadable("RTM_GETLINK: an answer that was not understood");
  return Read<Link>::of(links->front());
}

Read<Route> Host::lookup(const IpAddress& destination, const std::optional<IpAddress>& source,
                         std::optional<int> oif) const {
  const Answer answer = machine_->ask("netlink", route_lookup_request(destination, source, oif).key());
  // What the kernel says instead of a route: nothing matched, or it matched unreachable, blackhole or
  // prohibit.
  for (const int verdict : {EHOSTUNREACH, ENETUNREACH, EINVAL, EACCES})
    if (answer.error == verdict) return Read<Route>::not_there(answer.why);
  if (answer.error == ENODATA) return Read<Route>::never_asked(answer.why);
  if (answer.error != 0) return Read<Route>::unreadable(answer.why);
  for (const auto& message : messages_from(answer.value))
    if (const auto route = parse_route(message)) return Read<Route>::of(*route);
  return Read<Route>::unreadable("RTM_GETROUTE: an answer that was not understood");
}

Read<Dcb> Host::dcb(const std::string& device) const {
  const auto answers = dump<Dcb>(dcb_request(device), parse_dcb);
  if (!answers) return Read<Dcb>::no(answers);
  if (answers->empty()) return Read<Dcb>::unreadable("RTM_GETDCB: no answer");
  return Read<Dcb>::of(answers->front());
}

Read<unsigned> Host::eswitch_mode(const std::string& pci) const {
  const auto modes = dump<unsigned>(eswitch_request(pci), parse_eswitch_mode);
  if (!modes) return Read<unsigned>::no(modes);
  return modes->empty() ? Read<unsigned>::unreadable("devlink: no mode in the answer")
                        : Read<unsigned>::of(modes->front());
}

Read<bool> Host::rdma_exclusive() const {
  const auto modes = dump<bool>(rdma_system_request(), parse_rdma_exclusive);
  if (!modes) return Read<bool>::no(modes);
  return modes->empty() ? Read<bool>::unreadable("RDMA netlink: no netns mode in the answer")
                        : Read<bool>::of(modes->front());
}

const Read<std::vector<RdmaDevice>>& Host::rdma_devices() const {
  return once(rdma_devices_.flag, rdma_devices_.read, [this] { return read_rdma_devices(files_); });
}
const Read<std::vector<PciDevice>>& Host::pci_devices() const {
  return once(pci_devices_.flag, pci_devices_.read, [this] { return read_pci_devices(files_); });
}
const Read<GpuReading>& Host::gpus() const {
  return once(gpus_.flag, gpus_.read,
              [this] { return from_answer<GpuReading>(machine_->ask("nvml", ""), gpu_reading); });
}

const Read<std::vector<VerbsPort>>& Host::verbs() const {
  return once(verbs_.flag, verbs_.read, [this] {
    return from_answer<std::vector<VerbsPort>>(machine_->ask("verbs", ""), [](const nlohmann::json& value) {
      static constexpr std::array<std::string_view, 7> known{"device", "port",   "active_mtu", "max_mtu",
                                                             "error",  "dmabuf", "dmabuf_why"};
      std::vector<VerbsPort> ports;
      for (const auto& entry : value) {
        refuse_other_keys(entry, known);
        ports.push_back({entry.at("device").get<std::string>(), entry.value("active_mtu", 0),
                         entry.value("max_mtu", 0), dmabuf_from(entry.value("dmabuf", "")),
                         entry.value("dmabuf_why", "")});
      }
      return ports;
    });
  });
}

const std::map<std::string, std::string>& Host::environment() const {
  return once(environment_.flag, environment_.read,
              [this] {
                return from_answer<std::map<std::string, std::string>>(
                    machine_->ask("environment", ""), [](const nlohmann::json& value) {
                      return value.get<std::map<std::string, std::string>>();
                    });
              })
      .value;
}

bool Host::in_pod() const { return environment().contains("KUBERNETES_SERVICE_HOST"); }

Read<Limit> Host::limit(const std::string& name) const {
  return from_answer<Limit>(machine_->ask("limit", name), [](const nlohmann::json& value) {
    const auto number = [&value](const char* field) {
      const auto& amount = value.at(field);
      return amount.is_null() ? std::nullopt : std::optional(amount.get<std::uint64_t>());
    };
    return Limit{number("soft"), number("hard")};
  });
}

Read<FilesystemSize> Host::filesystem(const std::string& path) const {
  return from_answer<FilesystemSize>(machine_->ask("filesystem", path), [](const nlohmann::json& value) {
    return FilesystemSize{value.at("bytes").get<std::uint64_t>(), value.at("free").get<std::uint64_t>(),
                          value.at("type").get<std::uint64_t>()};
  });
}

Read<ClockState> Host::clock() const {
  return from_answer<ClockState>(machine_->ask("clock", ""), [](const nlohmann::json& value) {
    return ClockState{value.at("synchronised").get<bool>(), value.at("offset_us").get<double>(),
                      value.at("max_error_us").get<double>()};
  });
}

Read<KernelName> Host::kernel_name() const {
  return from_answer<KernelName>(machine_->ask("uname", ""), [](const nlohmann::json& value) {
    return KernelName{value.at("hostname").get<std::string>(), value.at("release").get<std::string>(),
                      value.at("machine").get<std::string>()};
  });
}

Read<std::vector<std::string>> Host::resolve(const std::string& name) const {
  return from_answer<std::vector<std::string>>(
      machine_->ask("resolve", name),
      [](const nlohmann::json& value) { return value.get<std::vector<std::string>>(); });
}

Read<std::vector<std::string>> Host::kernel_log() const {
  return from_answer<std::vector<std::string>>(
      machine_->ask("kernel-log", ""),
      [](const nlohmann::json& value) { return value.get<std::vector<std::string>>(); });
}

Read<std::string> Host::register_memory(std::uint64_t bytes) const {
  return from_answer<std::string>(
      machine_->ask("register-memory", std::to_string(bytes)),
      [](const nlohmann::json& value) { return value.at("how").get<std::string>(); });
}

Read<Echo> Host::echo(const std::string& device, Ipv4 source, Ipv4 destination, int ip_bytes) const {
  const std::string key =
      device + " " + to_string(source) + " " + to_string(destination) + " " + std::to_string(ip_bytes);
  return from_answer<Echo>(machine_->ask("icmp", key), [](const nlohmann::json& value) {
    return Echo{value.at("replied").get<bool>(), value.at("local_error").get<std::string>()};
  });
}

Read<std::vector<std::string>> Host::arp_probe(const std::string& device, Ipv4 target) const {
  return from_answer<std::vector<std::string>>(
      machine_->ask("arp", device + " " + to_string(target)),
      [](const nlohmann::json& value) { return value.at("macs").get<std::vector<std::string>>(); });
}

std::shared_ptr<const Host> live_host() {
  return std::make_shared<const Host>(FileTree("/"), live_machine());
}

std::shared_ptr<const Host> captured_host(const std::string& root, const std::string& node_file) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(root, error)) throw CaptureError(printable(root) + ": not a directory");
  const std::string file = node_file.empty() ? root + "/node.json" : node_file;
  std::unique_ptr<Machine> machine;
  if (node_file.empty() && !fs::exists(file, error)) {
    machine = silent_machine(std::string(not_captured) + " (there is no " + printable(file) + ")");
  } else {
    std::string content;
    try {
      content = read_whole(file, {.bytes = largest_node_file, .seconds = 30});
    } catch (const std::exception& why) {
      throw CaptureError(printable(file) + ": " + why.what());
    }
    machine = captured_machine(content, printable(file));
  }
  std::optional<FileTree> later;
  if (fs::is_directory(root + "/later", error)) later.emplace(root + "/later");
  return std::make_shared<const Host>(FileTree(root == "/" ? "/." : root), std::move(machine),
                                      std::move(later));
}

Recording::Recording()
    : files_(std::make_shared<FileRecorder>()), machine_(std::make_shared<RecordingMachine>(live_machine())) {
  host_ = std::make_shared<const Host>(FileTree("/", files_), machine_, FileTree("/", files_, "later"));
}
Recording::~Recording() = default;

std::shared_ptr<const Host> Recording::host() const { return host_; }

void Recording::write(const std::string& directory) const {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(directory, error) &&
      (!fs::is_directory(directory, error) || !fs::is_empty(directory, error)))
    throw CaptureError(printable(directory) + ": already exists and is not an empty directory");
  if (!fs::create_directories(directory, error) && error)
    throw CaptureError(printable(directory) + ": " + error.message());
  files_->write(directory);
  std::ofstream node(directory + "/node.json", std::ios::binary);
  node << machine_->node_file();
  if (!node.flush()) throw CaptureError(printable(directory) + "/node.json: cannot be written");
}

}  // namespace mlc
