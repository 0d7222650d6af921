// The program itself on captured nodes: faces, exit codes, selection, capture.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/validators/built_node.hpp"
#include "validators/checks/all.hpp"

namespace mlc::test {

namespace {

struct Ran {
  int code = -1;
  std::string out;
};

Ran run(const std::string& arguments) {
  Ran ran;
  FILE* pipe = ::popen((std::string(MLC_PROGRAM) + " " + arguments + " 2>&1").c_str(), "r");
  std::array<char, 4096> chunk;
  while (const auto got = std::fread(chunk.data(), 1, chunk.size(), pipe))
    ran.out.append(chunk.data(), got);
  const int status = ::pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

class Captured : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const BuiltNode node(1);
    directory_ = new std::string(node.root() + "-cli");
    Policy policy = load_policy("h100-4x200g");
    policy.node->vfs_per_pf = 1;
    node.write(*directory_, policy);
    const std::string rest = "\n  gpus: {count: 8}\n",
                      rails = "policy: small\nnode:\n  rails: {count: 4, rate_gbit_s: 200";
    std::string addresses;
    for (const char* rail : {"0", "1", "2", "3"})
      addresses += std::string(addresses.empty() ? "" : ", ") + "{prefix: 10.1" + rail +
                   ".0.0/16, gateway: 10.1" + rail + ".0.1, destinations: [10.2" + rail + ".0.0/16]}";
    std::ofstream(*directory_ + "/policy.yaml") << rails << ", addresses: [" << addresses << "]}" << rest;
    std::ofstream(*directory_ + "/no-addresses.yaml") << rails << "}" << rest;
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(*directory_);
    delete directory_;
  }
  static std::string at(const std::string& more) {
    return "validate --root " + *directory_ + " --policy " + *directory_ + "/policy.yaml " + more;
  }
  static inline std::string* directory_ = nullptr;
};

TEST_F(Captured, HealthyPasses) {
  const Ran ran = run(at(""));
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_NE(ran.out.find("gpu-a   " + std::to_string(all_checks().size()) + " checks, policy small"),
            std::string::npos)
      << ran.out;
  EXPECT_NE(ran.out.find("✓ rdma.port-state"), std::string::npos);
}

// The tree was captured under a policy without destinations: its tables answer for those of another, and no
// lookup was made of them.
TEST_F(Captured, TablesAnswerForDestinationsThatNobodyLookedUp) {
  const Ran ran = run(at("net.rail-routes --format json"));
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_NE(ran.out.find("10.21.0.0/16 via 10.11.0.1"), std::string::npos);
  EXPECT_NE(ran.out.find("FIB_MATCH was not captured"), std::string::npos) << ran.out;
}

TEST_F(Captured, WithoutDestinationsRoutesAreUnknown) {
  const Ran ran = run("validate --root " + *directory_ + " --policy " + *directory_ +
                      "/no-addresses.yaml net.rail-routes");
  EXPECT_EQ(ran.code, 2) << ran.out;
  EXPECT_NE(ran.out.find("node.rails.addresses"), std::string::npos) << ran.out;
}

TEST_F(Captured, AFaultFails) {
  const std::string state = *directory_ + "/sys/class/infiniband/mlx5_3/ports/1/state";
  std::ofstream(state) << "1: DOWN\n";
  const Ran text = run(at("rdma.port-state")), line = run(at("rdma --format line")),
            json = run(at("rdma.port-state --format json"));
  std::ofstream(state) << "4: ACTIVE\n";
  EXPECT_EQ(text.code, 1);
  EXPECT_NE(text.out.find("next  reseat or replace the cable"), std::string::npos) << text.out;
  EXPECT_EQ(line.code, 1);
  EXPECT_EQ(line.out.substr(0, 24), "FAIL 1: rdma.port-state ");
  EXPECT_LE(line.out.size(), 81u);
  EXPECT_EQ(std::count(line.out.begin(), line.out.end(), '\n'), 1);
  const auto report = nlohmann::json::parse(json.out);
  EXPECT_EQ(report.at("verdict").at("decision"), "fail");
  EXPECT_EQ(report.at("findings").size(), 4u);
}

TEST_F(Captured, UnknownIsInconclusive) {
  const Ran ran = run("validate --root " + *directory_ + " --node-file /dev/null/none --policy " +
                      *directory_ + "/policy.yaml");
  EXPECT_EQ(ran.code, 64) << "a node file that is not there is a usage error";
  const std::string node = *directory_ + "/node.json", aside = node + ".aside";
  std::filesystem::rename(node, aside);
  const Ran silent = run(at("rdma.port-state --format line"));
  std::filesystem::rename(aside, node);
  EXPECT_EQ(silent.code, 2);
  EXPECT_EQ(silent.out.substr(0, 9), "UNKNOWN 1");
}

TEST_F(Captured, PrometheusAndFiles) {
  const Ran prometheus = run(at("--format prometheus"));
  EXPECT_EQ(prometheus.code, 0);
  EXPECT_NE(prometheus.out.find("rdma.port-state"), std::string::npos);
  const std::string file = *directory_ + "/out.json";
  EXPECT_EQ(run(at("--output " + file)).code, 0);
  std::ifstream stream(file);
  EXPECT_EQ(nlohmann::json::parse(stream).at("schema"), "mlc-bench/report/v1");
}

TEST_F(Captured, LockIsWrittenAndHolds) {
  const std::string lock = *directory_ + "/lock.yaml";
  const Ran ran = run(at("--write-lock " + lock));
  EXPECT_EQ(ran.code, 0) << ran.out;
  std::ifstream stream(lock);
  std::stringstream content;
  content << stream.rdbuf();
  EXPECT_NE(content.str().find("550.90.07"), std::string::npos);
}

TEST(Program, SaysWhatIsWrongWithTheCommand) {
  EXPECT_EQ(run("validate nosuch").code, 64);
  EXPECT_NE(run("validate rdma.port-sate").out.find("did you mean 'rdma.port-state'"), std::string::npos);
  EXPECT_EQ(run("validate --policy nosuch").code, 64);
  EXPECT_EQ(run("validate --root /nowhere").code, 64);
  EXPECT_EQ(run("validate --peer 10.0.0").code, 64);
  EXPECT_EQ(run("validate --format xml").code, 64);
}

TEST(Program, ListsAndExplains) {
  const Ran list = run("list checks");
  EXPECT_EQ(list.code, 0);
  EXPECT_EQ(std::count(list.out.begin(), list.out.end(), '\n'),
            static_cast<std::ptrdiff_t>(all_checks().size()));
  const Ran explain = run("explain net.rail-routes");
  EXPECT_EQ(explain.code, 0);
  for (const char* part : {"why ", "reads", "fix "})
    EXPECT_NE(explain.out.find(part), std::string::npos);
}

// This machine, whatever it is: no false alarm under `local`, and what `capture` records is judged the same.
TEST(Program, CapturesThisMachine) {
  const Ran here = run("validate --policy local --format json");
  EXPECT_NE(here.code, 1) << here.out;
  const std::string directory =
      (std::filesystem::temp_directory_path() / ("mlc-capture-" + std::to_string(::getpid()))).string();
  EXPECT_EQ(run("capture " + directory).code, 0);
  const Ran there = run("validate --root " + directory + " --policy local --format json");
  EXPECT_EQ(there.code, here.code) << there.out;
  EXPECT_EQ(run("capture " + directory).code, 64) << "a capture is never overwritten";
  std::filesystem::remove_all(directory);
}

// The checks read files and ask the kernel; they start no program. (What the linker could tell for the whole
// program is no use: the launcher of ranks is in it.)
TEST(Source, NoCheckStartsAProcess) {
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::string(MLC_SOURCE_DIR) + "/validators")) {
    if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
    // Ranks and stages are started there; that no check does is seen by who includes it.
    if (entry.path().stem() == "child_process") continue;
    std::ifstream file(entry.path());
    std::stringstream content;
    content << file.rdbuf();
    for (const char* call :
         {"fork(", "popen(", "system(", "execv", "posix_spawn", "exit(", "child_process.hpp"}) {
      const auto at = content.str().find(call);
      // "filesystem(" is a question, not a shell.
      const bool innocent = at != std::string::npos && std::string_view(call) == "system(" && at >= 4 &&
                            content.str().compare(at - 4, 4, "file") == 0;
      EXPECT_TRUE(at == std::string::npos || innocent) << entry.path() << " has " << call;
    }
  }
}

}  // namespace

}  // namespace mlc::test
