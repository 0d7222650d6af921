// Rails that carry the memory of emulated GPUs: registered as a NIC does it, by dmabuf or by nvidia-peermem,
// and verified on the GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "bench/backends/loopback.hpp"
#include "bench/rdma/rail_memory.hpp"
#include "bench/rdma/session.hpp"
#include "tests/gpu/emulation/dmabuf.hpp"
#include "tests/gpu/emulation/stream.hpp"
#include "tests/rdma/fake_verbs.hpp"

namespace mlc::rdma {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// What a NIC reaches of the emulated machine.
struct Nic {
  bool dmabuf = true;  // the kernel and its driver import them
  bool peermem = false;
  fake::Fabric fabric;

  Nic(bool with_dmabuf, bool with_peermem) : dmabuf(with_dmabuf), peermem(with_peermem) {
    fabric.reach(
        {.move = [](std::byte* to, const std::byte* from, std::size_t bytes) { move(to, from, bytes); },
         .pin_errno = [this](const std::byte* at, std::uint64_t) { return pin_errno(at); },
         .import_errno =
             [this](int descriptor, std::uint64_t offset, std::uint64_t bytes, const std::byte* at) {
               return dmabuf ? import_errno(descriptor, offset, bytes, at) : EOPNOTSUPP;
             }});
  }

  // Past the processor: what the GPU keeps from the host is open for as long.
  static void move(std::byte* to, const std::byte* from, std::size_t bytes) {
    const std::lock_guard lock(emulation::runtime_lock());
    const std::vector<emulation::Range> both{{to, to + bytes, true}, {from, from + bytes, false}};
    emulation::memory_map().open(both);
    std::memcpy(to, from, bytes);
    emulation::memory_map().close(both);
  }
  // ibv_reg_mr of what is no memory of the host's: EFAULT, but where nvidia-peermem knows the address.
  int pin_errno(const std::byte* at) const {
    const std::lock_guard lock(emulation::runtime_lock());
    const auto* const allocation = emulation::memory_map().of(at);
    return allocation != nullptr && allocation->device != emulation::host && !peermem ? EFAULT : 0;
  }
  static int import_errno(int descriptor, std::uint64_t offset, std::uint64_t bytes, const std::byte* at) {
    emulation::DmaBuf range;
    if (::pread(descriptor, &range, sizeof range, 0) != static_cast<ssize_t>(sizeof range)) return EBADF;
    return offset + bytes > range.bytes || reinterpret_cast<std::uint64_t>(at) != range.at + offset ? EINVAL
                                                                                                    : 0;
  }
};

Plan plan_of(Verb verb) {
  Plan plan;
  plan.verb = verb, plan.memory = "gpu";
  plan.sizes = {4096}, plan.pairs = 2, plan.depth = 8, plan.iterations = 20, plan.timeout_s = 5,
  plan.retests = 0;
  return plan;
}

RailFacts rail() {
  return {.index = 0,
          .device = "dev0",
          .netdev = "eth0",
          .gid = "0000:0000:0000:0000:0000:ffff:0a00:0001",
          .gid_index = 3,
          .network = "10.0.0.0/24",
          .rate_gbit_s = 200};
}

// Two ends in this process; what end 0 says of its meeting.
std::vector<Meet> meet(Nic& nic, const Plan& plan) {
  std::mutex mutex;
  std::vector<Meet> first;
  run_loopback(2, [&](Communicator& communicator) {
    const int end = communicator.control().rank();
    nic.fabric.faults(end, "dev0");
    const auto verbs = nic.fabric.verbs(end);
    Session session(communicator.control(), *verbs, plan,
                    {.node = "node" + std::to_string(end), .version = "test", .rails = {rail()}, .cpus = 1},
                    true);
    const auto meets = session.run([](const auto&, const auto&) { return false; }, [](const auto&) {});
    const std::lock_guard lock(mutex);
    if (end == 0) first = meets;
  });
  return first;
}

std::unique_ptr<RailMemory> registered(Nic& nic, std::unique_ptr<Device>& device) {
  nic.fabric.faults(0, "dev0");
  device = nic.fabric.verbs(0)->open("dev0");
  return gpu_rail_memory(*device, "dev0", 5000);  // no multiple of a page
}

class GpuRails : public testing::TestWithParam<std::tuple<Verb, bool>> {};
INSTANTIATE_TEST_SUITE_P(Verbs, GpuRails,
                         testing::Combine(testing::Values(Verb::write, Verb::read, Verb::send),
                                          testing::Bool()));

TEST_P(GpuRails, CarryWhatTheGpuHoldsAndTheGpuVerifies) {
  const auto [verb, by_dmabuf] = GetParam();
  Nic nic(by_dmabuf, !by_dmabuf);
  const auto meets = meet(nic, plan_of(verb));
  ASSERT_EQ(meets.size(), 1u);
  ASSERT_FALSE(meets[0].results.empty());
  for (const auto& lane : meets[0].results) {
    EXPECT_EQ(lane.error, "");
    ASSERT_TRUE(lane.wrong.has_value());
    EXPECT_EQ(*lane.wrong, 0u) << lane.first_wrong;
  }
}

TEST(GpuRails, DataThatIsLostOnItsWayIsFoundOnTheGpu) {
  Nic nic(true, false);
  nic.fabric.faults(0, "dev0").loses_data = true;
  const auto meets = meet(nic, plan_of(Verb::write));
  bool found = false;
  for (const auto& lane : meets.at(0).results)
    found = found || lane.wrong.value_or(0) > 0;
  EXPECT_TRUE(found);
}

TEST(GpuRails, ADmabufIsAskedForFirst) {
  Nic nic(true, true);
  std::unique_ptr<Device> device;
  EXPECT_THAT(registered(nic, device)->kind(), AllOf(HasSubstr("GPU 0"), HasSubstr("through dmabuf")));
}

TEST(GpuRails, WithoutDmabufPeermemDoesIt) {
  std::unique_ptr<Device> device;
  Nic nic(false, true);
  EXPECT_THAT(registered(nic, device)->kind(), HasSubstr("through nvidia-peermem"));
}

TEST(GpuRails, WithNeitherBothAreSaid) {
  std::unique_ptr<Device> device;
  Nic nic(false, false);
  try {
    (void)registered(nic, device);
    FAIL() << "nothing can register it";
  } catch (const VerbsError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("through dmabuf (ibv_reg_dmabuf_mr"),
                                    HasSubstr("through nvidia-peermem (ibv_reg_mr: Bad address)"),
                                    HasSubstr("load nvidia-peermem")));
    EXPECT_EQ(error.code, EFAULT);
  }
}

// In a process of its own: what is emulated is read once.
TEST(GpuRails, ADriverThatGivesNoDmabufIsSaid) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto tries = [] {
    ::setenv("MLC_EMULATED_FAULT", "no-dmabuf:gpu=0", 1);
    std::unique_ptr<Device> device;
    Nic nic(true, false);
    try {
      (void)registered(nic, device);
      std::_Exit(0);
    } catch (const VerbsError& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::_Exit(3);
    }
  };
  EXPECT_EXIT(tries(), testing::ExitedWithCode(3), "dmabuf .the driver gives no dmabuf. nor");
}

}  // namespace
}  // namespace mlc::rdma
