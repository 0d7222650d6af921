// What the checks ask of verbs, over the same fake that rails are measured on.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/rdma/fake_verbs.hpp"
#include "validators/host/live_sources.hpp"

namespace mlc {
namespace {

using testing::HasSubstr;

TEST(VerbsRead, DmabufIsWhatComesOfADescriptorThatIsNone) {
  rdma::fake::Fabric fabric;
  fabric.faults(0, "a").register_errno = EBADF;
  fabric.faults(0, "b").register_errno = EOPNOTSUPP;
  fabric.faults(0, "c").register_errno = EINVAL;
  fabric.faults(0, "c").active_mtu = 1024;
  fabric.faults(0, "d").open_errno = EACCES;
  const Answer answer = ask_verbs(*fabric.verbs(0));
  ASSERT_EQ(answer.error, 0);
  ASSERT_EQ(answer.value.size(), 4u);
  const auto at = [&](std::size_t i, const char* field) { return answer.value[i].value(field, ""); };
  EXPECT_EQ(at(0, "dmabuf"), "supported");
  EXPECT_EQ(at(1, "dmabuf"), "unsupported");
  EXPECT_EQ(at(1, "dmabuf_why"), "Operation not supported");
  EXPECT_EQ(at(2, "dmabuf"), "unknown");
  EXPECT_EQ(at(2, "dmabuf_why"), "Invalid argument");
  EXPECT_EQ(answer.value[2].at("active_mtu"), 1024);
  EXPECT_EQ(answer.value[2].at("max_mtu"), 4096);
  EXPECT_EQ(at(3, "dmabuf"), "");
  EXPECT_THAT(at(3, "error"), HasSubstr("Permission denied"));
}

TEST(VerbsRead, MemoryIsRegisteredOnTheFirstDeviceThatOpens) {
  rdma::fake::Fabric fabric;
  const auto registered = [&] { return register_memory(fabric.verbs(0).get(), 1 << 16); };
  fabric.faults(0, "a").open_errno = EACCES;
  EXPECT_EQ(registered().error, EIO);
  fabric.faults(0, "b").register_errno = ENOMEM;
  EXPECT_EQ(registered().error, ENOMEM);
  EXPECT_EQ(registered().why, "ibv_reg_mr on b: Cannot allocate memory");
  fabric.faults(0, "b").register_errno.reset();
  EXPECT_EQ(registered().value.at("how"), "ibv_reg_mr on b");
  EXPECT_EQ(register_memory(nullptr, 1 << 12).value.at("how"), "mlock");
  EXPECT_EQ(register_memory(fabric.verbs(1).get(), 1 << 12).value.at("how"), "mlock");
}

}  // namespace
}  // namespace mlc
