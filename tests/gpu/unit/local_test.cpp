// Ranks that are processes and meet in shared memory: every collective, and what a rank finds that was not
// started so.
#include "bench/backends/local.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>

#include "bench/ranks/launched_as.hpp"
#include "tests/unit/every_collective.hpp"

namespace mlc {
namespace {

// Runs `body` in `ranks` processes; true when all return true.
template <class Body>
bool in_processes(int ranks, Body&& body) {
  const LocalSegment segment(ranks);
  std::vector<pid_t> pids;
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      bool good = false;
      try {
        const auto session = join_local(::dup(segment.descriptor()), rank, ranks);
        good = body(*session);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %d: %s\n", rank, error.what());
      }
      ::_exit(good ? 0 : 1);
    }
    pids.push_back(pid);
  }
  bool all = true;
  for (const pid_t pid : pids) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    all = all && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  return all;
}

class LocalRanks : public ::testing::TestWithParam<int> {};

TEST_P(LocalRanks, EveryCollectiveIsRight) {
  EXPECT_TRUE(in_processes(GetParam(), [](Session& session) {
    const auto communicator = session.make_communicator();
    std::uint64_t checked = 0;
    const auto failures = verify_everything(*communicator, checked);
    for (const auto& failure : failures)
      std::fprintf(stderr, "%s\n", failure.c_str());
    return failures.empty() && checked > 1000;
  }));
}

TEST_P(LocalRanks, ControlMessagesOfAnyLengthArrive) {
  EXPECT_TRUE(in_processes(GetParam(), [](Session& session) {
    const auto control = session.make_control();
    const int rank = control->rank(), size = control->size();
    bool good = true;
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{1}, std::size_t{65536}, std::size_t{65537}, std::size_t{200'000}}) {
      const auto texts = gather_text(
          *control, std::string(length + static_cast<std::size_t>(rank), static_cast<char>('a' + rank)));
      for (int other = 0; other < size; ++other)
        good =
            good && texts[static_cast<std::size_t>(other)] ==
                        std::string(length + static_cast<std::size_t>(other), static_cast<char>('a' + other));
      good = good && agree_text(*control, std::string(length, static_cast<char>('0' + rank))) ==
                         std::string(length, '0');
    }
    std::vector<double> values(20'000, rank);
    values[19'999] = -rank;
    control->maximum(values);
    return good && values[0] == size - 1 && values[19'999] == 0;
  }));
}

INSTANTIATE_TEST_SUITE_P(Ranks, LocalRanks, ::testing::Values(1, 2, 3, 5));

TEST(LocalSession, MemoryIsGivenBackAndBoundsAreErrors) {
  const LocalSegment segment(1);
  const auto session = join_local(::dup(segment.descriptor()), 0, 1);
  const auto communicator = session->make_communicator();
  struct stat before {
  }, during{}, after{};
  ::fstat(segment.descriptor(), &before);
  {
    const auto memory = communicator->memory().allocate(8 << 20);
    communicator->memory().set(memory.get(), 8 << 20, 1);
    ::fstat(segment.descriptor(), &during);
  }
  ::fstat(segment.descriptor(), &after);
  EXPECT_GE(during.st_blocks, before.st_blocks + (8 << 20) / 512);
  EXPECT_EQ(after.st_blocks, before.st_blocks);
  EXPECT_THROW((void)communicator->memory().allocate(std::uint64_t{1} << 40), std::bad_alloc);
}

TEST(LocalSession, ADescriptorThatIsNoSegmentIsRefused) {
  EXPECT_THROW((void)join_local(::open("/dev/null", O_RDWR), 0, 2), BackendError);
  EXPECT_THROW((void)join_local(-1, 0, 2), BackendError);
  const LocalSegment two(2);
  EXPECT_THROW((void)join_local(::dup(two.descriptor()), 0, 3), BackendError);
  EXPECT_THROW((void)join_local(::dup(two.descriptor()), 2, 2), BackendError);
}

TEST(LaunchedAs, KnowsRanksThatMlcBenchStarted) {
  std::map<std::string, std::string> variables{{"MLC_LOCAL_RANK", "1"}, {"MLC_RANKS", "4"}, {"MLC_JOB", "j"}};
  const auto as = launched_as([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
  ASSERT_TRUE(as);
  EXPECT_EQ(as->by, local_launcher);
  EXPECT_EQ(as->rank, 1);
  EXPECT_EQ(as->size, 4);
  EXPECT_EQ(as->job, "j");
}

}  // namespace
}  // namespace mlc
