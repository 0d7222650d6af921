#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <system_error>

#include "bench/cli/launches.hpp"
#include "bench/ranks/launched_as.hpp"
#include "bench/ranks/launcher.hpp"
#include "validators/host/child_process.hpp"
#include "validators/host/scratch_directory.hpp"

namespace mlc {
namespace {

std::optional<LaunchedAs> with(std::map<std::string, std::string> variables) {
  return launched_as([variables](const std::string& name) {
    return variables.contains(name) ? std::optional(variables.at(name)) : std::nullopt;
  });
}

TEST(LaunchedAs, KnowsItsLaunchers) {
  const auto ompi = with({{"OMPI_COMM_WORLD_RANK", "3"},
                          {"OMPI_COMM_WORLD_SIZE", "8"},
                          {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                          {"PMIX_NAMESPACE", "77"}});
  ASSERT_TRUE(ompi);
  EXPECT_EQ(ompi->rank, 3);
  EXPECT_EQ(ompi->size, 8);
  EXPECT_EQ(ompi->local_size, 4);
  EXPECT_EQ(ompi->job, "77");
  const auto slurm = with({{"SLURM_PROCID", "1"},
                           {"SLURM_STEP_NUM_TASKS", "2"},
                           {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"},
                           {"SLURM_JOB_ID", "5"},
                           {"SLURM_STEP_ID", "0"}});
  ASSERT_TRUE(slurm);
  EXPECT_EQ(slurm->job, "5.0");
  EXPECT_EQ(slurm->local_size, 2);  // what it does not say is taken for one node
  EXPECT_TRUE(with({{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}}));
}

TEST(LaunchedAs, SlurmSaysHowManyAreOnThisNode) {
  const auto local = [](const char* counts, const char* node) {
    return with({{"SLURM_PROCID", "1"},
                 {"SLURM_STEP_NUM_TASKS", "9"},
                 {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"},
                 {"SLURM_NODEID", node},
                 {"SLURM_CPUS_ON_NODE", "4"},
                 {"SLURM_STEP_TASKS_PER_NODE", counts}});
  };
  EXPECT_EQ(local("2(x3),1,2", "0")->local_size, 2);
  EXPECT_EQ(local("2(x3),1,2", "2")->local_size, 2);
  EXPECT_EQ(local("2(x3),1,2", "3")->local_size, 1);
  EXPECT_EQ(local("2(x3),1,2", "4")->local_size, 2);
  EXPECT_EQ(local("2(x3),1,2", "4")->node_cpus, 4);
  for (const char* nonsense : {"", "x", "2(", "2(x", "2(x3", "2(x3)1", "0", "-1", "2,", "99999999999"})
    EXPECT_EQ(local(nonsense, "7")->local_size, 9) << nonsense;
}

TEST(LaunchedAs, AStepOfSlurmWithoutPmiCannotFindItsRanks) {
  std::map<std::string, std::string> step{
      {"SLURM_PROCID", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"}};
  EXPECT_THAT(with(step)->no_pmi_remedy, testing::StartsWith("srun --mpi=pmix"));
  for (const char* known : {"PMIX_NAMESPACE", "PMI_FD", "PMI_RANK"}) {
    auto speaking = step;
    speaking[known] = "1";
    EXPECT_EQ(with(speaking)->no_pmi_remedy, "") << known;
  }
}

TEST(LaunchedAs, BareIsBareAlsoInsideAnAllocation) {
  EXPECT_FALSE(with({}));
  EXPECT_FALSE(with({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}, {"SLURM_JOB_ID", "5"}}));  // sbatch script
  EXPECT_FALSE(with({{"SLURM_PROCID", "0"},
                     {"SLURM_STEP_NUM_TASKS", "1"},
                     {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"}}));  // srun --pty
  EXPECT_FALSE(with({{"OMPI_COMM_WORLD_RANK", "x"}, {"OMPI_COMM_WORLD_SIZE", "2"}}));
}

TEST(MpirunCommand, HandlesRootOversubscriptionAndHosts) {
  using testing::ElementsAre;
  EXPECT_THAT(mpirun_command(
                  {.mpirun = "mpirun", .program = "/m", .arguments = {"allreduce"}, .ranks = 2, .cpus = 4}),
              ElementsAre("mpirun", "--quiet", "-n", "2", "--oversubscribe", "/m", "allreduce"));
  EXPECT_THAT(mpirun_command({.mpirun = "mpirun", .program = "/m", .ranks = 4, .root = true, .cpus = 2}),
              ElementsAre("mpirun", "--quiet", "-n", "4", "--allow-run-as-root", "--oversubscribe",
                          "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "/m"));
  EXPECT_THAT(mpirun_command({.mpirun = "mpirun",
                              .program = "/m",
                              .ranks = 3,
                              .hosts = {"a", "b"},
                              .timeout_s = 60,
                              .exported = {"NCCL_ALGO"}}),
              ElementsAre("mpirun", "--quiet", "-n", "3", "--host", "a:2,b:2", "--mca",
                          "orte_keep_fqdn_hostnames", "1", "-x", "NCCL_ALGO", "/m"));
}

ChildEnd end_of(Children& children) {
  for (int i = 0; i < 1000; ++i) {
    if (const auto end = children.ended()) return *end;
    (void)children.wait(0.05);
  }
  return {};
}

TEST(Children, EndAsTheyEndAndAreToldOnce) {
  Children children;
  children.start({"sh", "-c", "exit 3"}, {});
  EXPECT_TRUE(children.any());
  const ChildEnd exited = end_of(children);
  EXPECT_EQ(exited.code, 3);
  EXPECT_EQ(exited.text(), "ended with status 3");
  EXPECT_FALSE(children.any());
  EXPECT_FALSE(children.ended());
  children.start({"sh", "-c", "kill -9 $$"}, {});
  const ChildEnd killed = end_of(children);
  EXPECT_EQ(killed.child, 1u);
  EXPECT_EQ(killed.code, 137);
  EXPECT_EQ(killed.text(), "was ended by signal 9 (Killed)");
}

TEST(Children, FindTheirEnvironmentAndWhatCannotStartThrows) {
  Children children;
  children.start({"sh", "-c", "exit $MLC_CODE"}, {{"MLC_CODE", "7"}});
  EXPECT_EQ(end_of(children).code, 7);
  EXPECT_THROW(children.start({"/no/such/program"}, {}), std::system_error);
  EXPECT_FALSE(children.any());
}

TEST(Children, AndTheirOwnAreGoneWithTheLaunch) {
  const ScratchDirectory scratch;
  const std::string told = (scratch.path() / "pid").string();
  {
    Children children;
    // A session of its own, so that no signal to the group reaches it.
    children.start({"sh", "-c",
                    "setsid sh -c 'echo $$ > " + told + ".new; mv " + told + ".new " + told +
                        "; exec sleep 600' & sleep 600"},
                   {});
    for (int i = 0; i < 1000 && read_file(told).empty(); ++i)
      (void)children.wait(0.01);
    children.signal(SIGTERM);
    EXPECT_EQ(end_of(children).signal, SIGTERM);
    ASSERT_FALSE(read_file(told).empty());
    EXPECT_EQ(::kill(std::stoi(read_file(told)), 0), 0);
  }
  EXPECT_EQ(::kill(std::stoi(read_file(told)), 0), -1);
}

LaunchResult ended(ExitCode code, bool finished = true, bool interrupted = false) {
  return {.finished = finished, .code = code, .interrupted = interrupted, .what = {}, .checkpoint = {}};
}

TEST(Launches, FollowEachOtherWithTheirNumber) {
  std::vector<Variables> told;
  const auto start = [&](const Variables& variables) {
    told.push_back(variables);
    return ended(ExitCode::pass);
  };
  EXPECT_EQ(one_after_the_other(3, start).code, ExitCode::pass);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[2][0], std::pair(std::string("MLC_LAUNCH"), std::string("3")));
  EXPECT_EQ(told[0][1], told[2][1]);  // one folder for all
  told.clear();
  (void)one_after_the_other(1, start);
  EXPECT_EQ(told, std::vector<Variables>(1));  // nothing to tell
}

TEST(Launches, EndWithTheFirstThatHasNoVerdict) {
  for (const auto& [bad, ends_it] :
       {std::pair(ended(ExitCode::tool), true), std::pair(ended(ExitCode::usage), true),
        std::pair(ended(ExitCode::pass, false), true), std::pair(ended(ExitCode::pass, true, true), true),
        std::pair(ended(ExitCode::fail), false), std::pair(ended(ExitCode::inconclusive), false)}) {
    int started = 0;
    (void)one_after_the_other(
        5, [&, bad = bad](const Variables&) { return ++started == 2 ? bad : ended(ExitCode::pass); });
    EXPECT_EQ(started, ends_it ? 2 : 5) << static_cast<int>(bad.code);
  }
}

TEST(Launches, AreFiveWhereTheReportIsKept) {
  EXPECT_EQ(LaunchOptions{}.number(true), 5);
  EXPECT_EQ(LaunchOptions{}.number(false), 1);
  EXPECT_EQ(LaunchOptions{.count = 1}.number(true), 1);
  EXPECT_EQ(LaunchOptions{.count = 12}.number(false), 12);
}

}  // namespace
}  // namespace mlc
