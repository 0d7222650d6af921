// The readers: files that are not what they should be, netlink bytes that are not netlink, annotations that
// are not JSON, captures that are not captures. Nothing here may crash or turn into a value.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/validators/built_node.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/rails.hpp"
#include "validators/checks/validate.hpp"
#include "validators/host/file_descriptor.hpp"
#include "validators/host/scratch_directory.hpp"
#include "validators/host/whole_file.hpp"
#include "validators/policy/lock_file.hpp"

namespace mlc::test {

namespace {

TEST(FileTree, RefusesWhatIsNoAttribute) {
  auto node = BuiltNode::machine();
  const FileTree files(node->root());
  node->file("/sys/a", "4: ACTIVE\n");
  EXPECT_EQ(*files.text("/sys/a"), "4: ACTIVE");
  EXPECT_TRUE(files.text("/sys/none").missing());
  node->file("/sys/empty", "");
  EXPECT_EQ(files.text("/sys/empty").why, "empty");
  node->file("/sys/binary", std::string("4: \0\x01", 5));
  EXPECT_EQ(files.text("/sys/binary").why, "binary, where text belongs");
  node->file("/sys/giant", std::string(FileTree::text_limit + 1, '4'));
  EXPECT_EQ(files.text("/sys/giant").why, "larger than 64 KiB");
  node->file("/sys/exact", std::string(FileTree::text_limit, '4'));
  EXPECT_TRUE(files.text("/sys/exact"));
  EXPECT_FALSE(files.text("/sys"));
  ASSERT_EQ(::mkfifo((node->root() + "/sys/fifo").c_str(), 0600), 0);
  EXPECT_EQ(files.text("/sys/fifo").why, "not a regular file");  // and does not hang
}

std::string why_not_read(const std::string& path, const ReadLimits& limits = {.seconds = 0.3}) {
  try {
    return "read: " + read_whole(path, limits);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST(WholeFile, IsReadOnlyWhereItIsOne) {
  const ScratchDirectory scratch;
  const auto path = [&](const char* name) { return (scratch.path() / name).string(); };
  std::ofstream(path("file")) << "text";
  EXPECT_EQ(why_not_read(path("file")), "read: text");
  std::filesystem::create_symlink("file", path("link"));
  EXPECT_EQ(why_not_read(path("link")), "read: text");
  EXPECT_EQ(why_not_read(path("none")), "No such file or directory");
  EXPECT_EQ(why_not_read(scratch.path().string()), "a directory, not a regular file");
  for (const char* device : {"/dev/zero", "/dev/null"})
    EXPECT_EQ(why_not_read(device), "not a regular file");
  EXPECT_EQ(why_not_read("/proc/kmsg"), "a file of /proc, not a regular file");
  EXPECT_EQ(why_not_read("/proc/self/status"), "a file of /proc, not a regular file");
  std::ofstream(path("sparse")).close();
  std::filesystem::resize_file(path("sparse"), 10ull << 30);
  EXPECT_EQ(why_not_read(path("sparse")), "larger than 1 MiB");
  EXPECT_EQ(why_not_read(path("file"), {.bytes = 3}), "larger than 3 B");
}

TEST(WholeFile, APipeThatNobodyReadsIsNotWaitedFor) {
  const ScratchDirectory scratch;
  const std::string fifo = (scratch.path() / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(why_not_writable(fifo), "No such device or address");
  EXPECT_THROW(write_whole(fifo, "x"), std::runtime_error);
  const FileDescriptor reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  write_whole(fifo, "x");
}

TEST(WholeFile, APipeIsReadWhereItMayBeAndGivenUp) {
  const ScratchDirectory scratch;
  const std::string fifo = (scratch.path() / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(why_not_read(fifo), "not a regular file");
  EXPECT_EQ(why_not_read(fifo, {.seconds = 0.1, .pipes = true}), "could not be read to its end within 0.1 s")
      << "nobody writes";
  const FileDescriptor writer(::open(fifo.c_str(), O_RDWR | O_CLOEXEC));
  write_all(writer.get(), "token", fifo);
  EXPECT_EQ(why_not_read(fifo, {.seconds = 0.1, .pipes = true}), "could not be read to its end within 0.1 s")
      << "the writer does not close";
  std::jthread feeder([&] { std::ofstream(fifo) << "token"; });
  EXPECT_EQ(why_not_read("/proc/self/fd/" + std::to_string(writer.get()),
                         {.bytes = 4, .seconds = 60, .pipes = true}),
            "larger than 4 B");
}

TEST(FileTree, NumbersAreWholeOrNothing) {
  auto node = BuiltNode::machine();
  const FileTree files(node->root());
  for (const char* text : {"", " ", "-1", "1.5", "0x", "1 2", "18446744073709551616", "nan", "٣"}) {
    node->file("/sys/n", std::string(text) + "\n");
    EXPECT_FALSE(files.number("/sys/n")) << text;
  }
  node->file("/sys/n", "18446744073709551615\n");
  EXPECT_EQ(*files.number("/sys/n"), ~0ull);
  node->file("/sys/n", "0x15b3\n");
  EXPECT_EQ(*files.number("/sys/n"), 0x15b3u);
}

TEST(FileTree, LinksStayInside) {
  auto node = BuiltNode::machine();
  const FileTree files(node->root());
  node->link("/sys/out", "../../../../../../../../etc/passwd");
  node->link("/sys/absolute", "/etc/passwd");
  node->link("/sys/loop", "loop");
  EXPECT_FALSE(files.text("/sys/out"));
  EXPECT_FALSE(files.text("/sys/absolute"));
  EXPECT_FALSE(files.text("/sys/loop"));
  EXPECT_FALSE(files.resolve("/sys/loop"));
  node->file("/etc/passwd", "ours\n");
  EXPECT_EQ(*files.text("/sys/absolute"), "ours");
  EXPECT_EQ(*files.resolve("/sys/absolute"), "/etc/passwd");
}

TEST(Netlink, ParsersTakeAnyBytes) {
  std::mt19937 random(1);
  const NetlinkMessage good{RTM_NEWROUTE,
                            route_lookup_request(*parse_ipv4("10.0.0.1"), parse_ipv4("10.0.0.2"), 3).payload};
  for (int i = 0; i < 20000; ++i) {
    NetlinkMessage message = good;
    message.type = static_cast<std::uint16_t>(RTM_BASE + random() % 80);
    for (int flips = static_cast<int>(random() % 6); flips > 0; --flips)
      message.payload[random() % message.payload.size()] = static_cast<char>(random());
    message.payload.resize(random() % (message.payload.size() + 1));
    parse_link(message), parse_address(message), parse_route(message), parse_rule(message),
        parse_neighbour(message), parse_dcb(message), parse_eswitch_mode(message),
        parse_rdma_exclusive(message);
  }
}

TEST(Netlink, TruncationLosesTheValueNotTheProgram) {
  const auto request = route_lookup_request(*parse_ipv4("10.9.0.1"), parse_ipv4("10.1.0.21"), 7);
  const auto whole = parse_route({RTM_NEWROUTE, request.payload});
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->oif, 7);
  for (std::size_t length = 0; length < request.payload.size(); ++length) {
    const auto cut = parse_route({RTM_NEWROUTE, request.payload.substr(0, length)});
    if (length < sizeof(rtmsg)) {
      EXPECT_FALSE(cut);
    } else if (cut) {
      EXPECT_NE(*cut, *whole);
    }
  }
}

TEST(Netlink, ALookupCarriesDestinationSourceDeviceAndFibMatch) {
  const auto request = route_lookup_request(*parse_ipv4("10.9.0.1"), parse_ipv4("10.1.0.21"), 7);
  rtmsg header;
  std::memcpy(&header, request.payload.data(), sizeof header);
  EXPECT_NE(header.rtm_flags & RTM_F_FIB_MATCH, 0u);
  std::set<int> attributes;
  for_each_attribute(std::string_view(request.payload).substr(sizeof header),
                     [&](std::uint16_t type, std::string_view) { attributes.insert(type); });
  EXPECT_EQ(attributes, (std::set<int>{RTA_DST, RTA_SRC, RTA_OIF}));
}

TEST(Netlink, KeysReadBack) {
  for (const auto& request : {links_request(), link_request(3), routes_request(),
                              eswitch_request("0000:1a:00.0"), rdma_system_request()}) {
    const auto again = NetlinkRequest::from_key(request.key());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->key(), request.key());
  }
  for (const char* bad : {"", "route", "route 1 2 3 4", "route 1 2 zz", "route 1 2 0"})
    EXPECT_FALSE(NetlinkRequest::from_key(bad)) << bad;
}

TEST(Ipv4, ReadsAddressesAndNothingElse) {
  EXPECT_EQ(to_string(*parse_ipv4("10.10.0.21")), "10.10.0.21");
  for (const char* bad : {"", "10.10.0", "10.10.0.256", " 10.0.0.1", "10.0.0.1 ", "::1"})
    EXPECT_FALSE(parse_ipv4(bad)) << bad;
  for (const char* bad : {"10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x"})
    EXPECT_FALSE(parse_prefix(bad)) << bad;
  EXPECT_TRUE(parse_prefix("0.0.0.0/0")->contains(*parse_ipv4("255.255.255.255")));
  EXPECT_TRUE(parse_prefix("10.10.0.0/16")->overlaps(*parse_prefix("10.10.7.0/24")));
  EXPECT_FALSE(parse_prefix("10.10.0.0/16")->overlaps(*parse_prefix("10.11.0.0/16")));
  EXPECT_EQ(to_string(*mapped_ipv4("0000:0000:0000:0000:0000:ffff:0a0a:0015")), "10.10.0.21");
  EXPECT_FALSE(mapped_ipv4("fe80:0000:0000:0000:0000:00ff:fe00:0001"));
}

TEST(Pod, AnnotationsThatAreNone) {
  for (const char* bad :
       {"", "{}", "[1]", "[{\"ips\":\"x\"}]", "[{\"device-info\":{\"pci\":[]}}]", "null", "[{\"name\":7}]"})
    EXPECT_FALSE(parse_network_status(bad)) << bad;
  // `version` and device-info may be missing, and rdma-device may be a list.
  const auto one = parse_network_status(
      R"([{"name":"a","interface":"net1","ips":["10.0.0.1"],"dns":{},"device-info":{"type":"pci","pci":{"pci-address":"0000:1a:00.2","rdma-device":"mlx5_4, mlx5_5"}}}])");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->front().rdma, (std::vector<std::string>{"mlx5_4", "mlx5_5"}));
  EXPECT_FALSE(parse_annotation("k=unquoted", "k"));
  EXPECT_FALSE(parse_annotation("k=\"cut\\", "k"));
  EXPECT_TRUE(parse_annotation("other=\"x\"", "k").missing());
  EXPECT_EQ(*parse_annotation("k=\"[\\n \\\"x\\\"]\"", "k"), "[\n \"x\"]");
}

TEST(Capture, ANodeFileThatIsNone) {
  for (const char* bad :
       {"", "[]", "{\"schema\":\"other\"}", "{\"schema\":\"mlc-bench/node/v1\",\"answers\":[{}]}",
        "{\"schema\":\"mlc-bench/node/v1\",\"answers\":[{\"kind\":1,\"key\":\"\",\"value\":0}]}", "\xff\xfe"})
    EXPECT_THROW(captured_machine(bad, "node.json"), CaptureError) << bad;
  EXPECT_THROW(captured_host("/nowhere/at/all"), CaptureError);
}

TEST(Capture, ANodeFileThatLies) {
  const auto why = [](const std::string& answers) -> std::string {
    try {
      captured_machine(R"({"schema": "mlc-bench/node/v1", "answers": [)" + answers + "]}", "node.json");
    } catch (const CaptureError& error) {
      return error.what();
    }
    return {};
  };
  const std::string one = R"({"kind": "clock", "key": "", "value": )";
  EXPECT_EQ(why(one + "1}"), "");
  EXPECT_NE(why(one + std::string(1'000'000, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NE(why(one + std::string(500'000, '[') + std::string(500'000, ']') + "}").find("nested deeper"),
            std::string::npos);
  EXPECT_NE(why(one + "1}, " + one + "2}").find("'clock ' is answered twice"), std::string::npos);
  EXPECT_NE(why(one + "1, \"value\": 2}").find("'value' is given twice"), std::string::npos);
  EXPECT_NE(why(one + R"(1, "eror": 2})").find("did you mean 'error'?"), std::string::npos);
}

TEST(Capture, AnswersOfAnotherShapeAreUnknown) {
  auto node = BuiltNode::machine();
  for (const char* kind : {"nvml", "verbs", "clock", "uname", "kernel-log"})
    node->answer(kind, "", {{"surprise", true}});
  node->answer("nvml", "", {{"driver", 5}});
  const auto host = node->host();
  EXPECT_FALSE(host->gpus());
  EXPECT_FALSE(host->clock());
  EXPECT_FALSE(host->kernel_name());
  EXPECT_FALSE(host->kernel_log());
}

// What `capture` writes of a machine is judged as the machine was.
TEST(Capture, ReplaysTheSameFindings) {
  const BuiltNode node(1);
  const Policy policy = h100_policy();
  const auto before = validate(node.host(), policy, all_checks());
  const std::string directory = node.root() + "-captured";
  node.write(directory, policy);
  const auto after = validate(captured_host(directory), policy, all_checks());
  std::filesystem::remove_all(directory);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(before[i], after[i]) << before[i].check << " " << before[i].observed << " | "
                                   << after[i].observed;
}

TEST(Capture, RecordsWhatWasReadWithItsLinks) {
  const BuiltNode node(1);
  const auto recorder = std::make_shared<FileRecorder>();
  const FileTree recording(node.root(), recorder);
  const auto devices = read_rdma_devices(recording);
  const std::string directory = node.root() + "-recorded";
  recorder->write(directory);
  const auto again = read_rdma_devices(FileTree(directory));
  std::filesystem::remove_all(directory);
  ASSERT_TRUE(devices && again);
  ASSERT_EQ(devices->size(), again->size());
  for (std::size_t i = 0; i < devices->size(); ++i) {
    EXPECT_EQ((*devices)[i].name, (*again)[i].name);
    EXPECT_EQ((*devices)[i].parent, (*again)[i].parent);
    EXPECT_EQ((*devices)[i].netdevs, (*again)[i].netdevs);
  }
}

// VFs come and go while a node is looked at: findings may be unknown, the program stays.
TEST(Disappearing, VfsVanishWhileTheyAreRead) {
  const BuiltNode node(8);
  const Policy policy = h100_policy();
  std::atomic<bool> stop = false;
  std::thread vandal([&] {
    const std::string folder = node.root() + node.pci(node.vf(1, 3));
    while (!stop) {
      std::error_code error;
      std::filesystem::rename(folder, folder + ".gone", error);
      std::filesystem::rename(folder + ".gone", folder, error);
    }
  });
  for (int i = 0; i < 5; ++i)
    for (const auto& finding : validate(
             node.host(), policy, select_checks(std::vector<std::string>{"vf", "rdma", "pci"}, all_checks())))
      EXPECT_EQ(finding.observed.find("the check broke"), std::string::npos) << finding.observed;
  stop = true;
  vandal.join();
}

TEST(Selection, ChecksRoomsAndNothingElse) {
  EXPECT_EQ(select_checks({}, all_checks()).size(), all_checks().size());
  const std::vector<std::string> room{"lossless"}, one{"vf.count"}, wrong{"rmda"};
  EXPECT_EQ(select_checks(room, all_checks()).size(), 3u);
  EXPECT_EQ(select_checks(one, all_checks()).size(), 1u);
  EXPECT_THROW(select_checks(wrong, all_checks()), UnknownCheck);
  Policy policy = h100_policy();
  EXPECT_NO_THROW(require_known_checks(policy, all_checks()));
  policy.node->skip.insert("vf.counts");
  EXPECT_THROW(require_known_checks(policy, all_checks()), PolicyError);
}

TEST(Selection, ThePolicySkipsBySide) {
  const auto pod = BuiltNode::pod();
  const Policy policy = h100_policy();
  for (const auto& finding :
       validate(pod->host(), policy, select_checks(std::vector<std::string>{"vf", "image"}, all_checks())))
    EXPECT_EQ(finding.status, Status::skip);
  const BuiltNode node(1);
  for (const auto& finding :
       validate(node.host(), policy, select_checks(std::vector<std::string>{"pod"}, all_checks())))
    EXPECT_EQ(finding.status, Status::skip);
}

TEST(Selection, APodOnTheHostsNetworkIsAskedWhatAHostIs) {
  BuiltNode node(1);
  node.answer("environment", "", {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}});
  Policy policy = h100_policy();
  policy.node->vfs_per_pf = 1;
  const std::vector<std::string> rooms{"vf", "lossless", "overlay", "rdma.namespace"};
  for (const auto& finding : validate(node.host(), policy, select_checks(rooms, all_checks())))
    EXPECT_EQ(finding.status, Status::pass) << finding.check << ": " << finding.observed;
}

// A whole healthy node and a whole healthy Pod pass under the seed's policy, with nothing unknown.
TEST(Healthy, HostAndPodPass) {
  const Policy policy = h100_policy();
  const BuiltNode node(8);
  for (const auto& finding : validate(node.host(), policy, all_checks()))
    EXPECT_TRUE(finding.status == Status::pass || finding.status == Status::skip)
        << finding.check << " " << finding.subject << ": " << finding.observed;
  const auto pod = BuiltNode::pod();
  for (const auto& finding : validate(pod->host(), policy, all_checks()))
    EXPECT_TRUE(finding.status == Status::pass || finding.status == Status::skip)
        << finding.check << " " << finding.subject << ": " << finding.observed;
}

TEST(Healthy, AMachineWithoutRailsRaisesNoAlarmUnderLocal) {
  const auto machine = BuiltNode::machine();
  for (const auto& finding : validate(machine->host(), load_policy("local"), all_checks()))
    EXPECT_TRUE(finding.status == Status::pass || finding.status == Status::skip)
        << finding.check << ": " << finding.observed;
  std::map<Status, int> counts;
  for (const auto& finding : validate(machine->host(), load_policy("h100-4x200g"), all_checks()))
    ++counts[finding.status];
  EXPECT_GT(counts[Status::fail], 0);
}

TEST(Lock, IsReadStrictlyAndReadsBack) {
  LockFile lock{{{"kernel", "5.15"}, {"odd: \"name\"", "1 # no comment"}, {"number", "1.10"}}};
  EXPECT_EQ(read_lock(lock_text(lock), "lock"), lock);
  for (const char* bad :
       {"", "lock: mlc-bench/lock/v1", "lock: mlc-bench/lock/v1\nversions: []",
        "lock: mlc-bench/lock/v1\nversions: {a: [1]}", "lock: mlc-bench/lock/v1\nversions: {a: 1}\nextra: 1",
        "lock: mlc-bench/lock/v1\nversions: {a: 1, a: 2}"})
    EXPECT_THROW(read_lock(bad, "lock"), PolicyError) << bad;
}

TEST(Lock, HoldsWhatCanDrift) {
  const BuiltNode node(1);
  std::map<std::string, std::string> unread;
  const auto lock = collect_versions(*node.host(), unread);
  EXPECT_TRUE(unread.empty());
  EXPECT_EQ(lock.versions.at("kernel"), "5.15.0-113-generic");
  EXPECT_EQ(lock.versions.at("nvidia driver"), "550.90.07");
  EXPECT_EQ(lock.versions.at("package kubelet"), "1.29.6-1.1");
  EXPECT_EQ(lock.versions.at("firmware 0000:1a:00.0"), "28.39.3560");
  EXPECT_FALSE(lock.versions.contains("package vim"));
}

TEST(Policy, NodeSectionIsReadStrictly) {
  const std::string head = "policy: p\nnode:\n";
  for (const char* bad : {"  rails: {cout: 4}\n",
                          "  rails: {count: 0}\n",
                          "  rails: {count: 4, addresses: [{prefix: 10.0.0.1/16}]}\n",
                          "  rails: {count: 2, addresses: [{prefix: 10.0.0.0/16}]}\n",
                          "  rails: {netns: both}\n",
                          "  lossless: {pfc_priorities: [8]}\n",
                          "  lossless: {dscp: 26}\n",
                          "  vfs: {eswitch: maybe}\n",
                          "  host: {shm: much}\n",
                          "  host: {memlock: 8M}\n",
                          "  host: {mounts: {data: xfs}}\n",
                          "  probe: {peers: [{rails: [10.0.0]}]}\n",
                          "  deadline: soon\n",
                          "  pod: {podinfo: relative}\n",
                          "  rails: {counters_over: 100000 h}\n",
                          "  rails: {link_layer: RoCE}\n",
                          "  rails: {pkey: 8001}\n",
                          "  rails: {pkey: 0x8000}\n",
                          "  rails: {select: {}}\n",
                          "  rails: {select: []}\n",
                          "  rails: {select: {pci: []}}\n",
                          "  rails: {select: {pci: ''}}\n",
                          "  rails: {select: {pcie: a}}\n",
                          "  rails: {select: {vendor: mellanox}}\n",
                          "  rails: {select: {numa: -1}}\n",
                          "  rails: {select: {near_gpu: all}}\n",
                          "  rails: {select: {subnet: 10.0.0.1/16}}\n",
                          "  rails: {count: 2, select: [{pci: '0000:1a:00.0'}]}\n"})
    EXPECT_THROW(read_policy(head + bad, "p.yaml"), PolicyError) << bad;
  const auto policy =
      read_policy(head +
                      "  rails: {count: 1, addresses: [{prefix: 10.0.0.0/16, gateway: 10.0.0.1, "
                      "destinations: [10.9.0.0/16]}]}\n  deadlines: {net.path-mtu: 2 s}\n",
                  "p.yaml");
  EXPECT_EQ(policy.node->deadlines_s.at("net.path-mtu"), 2);
  EXPECT_EQ(policy.node->sites.front().destinations.size(), 1u);
}

TEST(Policy, BuiltInOnesNameOnlyChecksThereAre) {
  for (const auto& policy : built_in_policies())
    EXPECT_NO_THROW(require_known_checks(load_policy(std::string(policy.name)), all_checks())) << policy.name;
}

// As soft RoCE on a VF looks (tests/lab): no `device`, but the name of the interface.
TEST(RdmaDevices, SoftRoceIsWhereItsInterfaceIs) {
  BuiltNode node(1);
  const std::string vf = node.vf(2, 0);
  node.file("/sys/class/infiniband/roce2/parent", "rail2\n");
  node.file(node.pci(vf) + "/net/rail2/address", "02:00:00:00:00:01\n");
  node.link("/sys/class/net/rail2", "../.." + (node.pci(vf) + "/net/rail2").substr(4));
  node.link(node.pci(vf) + "/net/rail2/device", "../..");
  node.file("/sys/class/infiniband/roce3/parent", "elsewhere\n");
  const auto devices = read_rdma_devices(FileTree(node.root()));
  ASSERT_TRUE(devices);
  const auto soft = std::ranges::find(*devices, "roce2", &RdmaDevice::name);
  ASSERT_NE(soft, devices->end());
  EXPECT_TRUE(soft->soft);
  EXPECT_EQ(soft->pci, vf);
  EXPECT_EQ(soft->parent, node.pf(2));
  EXPECT_EQ(soft->netdevs, std::vector<std::string>{"rail2"});
  const auto away = std::ranges::find(*devices, "roce3", &RdmaDevice::name);
  ASSERT_NE(away, devices->end());
  EXPECT_TRUE(away->netdevs.empty()) << "its interface is in another namespace";
}

}  // namespace

}  // namespace mlc::test
