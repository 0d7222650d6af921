#include "k8s/manifests/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

namespace mlc {
namespace {

TEST(Manifest, TextStaysTextThroughYaml) {
  for (const std::string& text :
       {std::string("no"), std::string("0x10"), std::string("1e3"), std::string("~"), std::string(""),
        std::string("- a"), std::string("a: b"), std::string("#c"), std::string("it's \"both\""),
        std::string("two\nlines"), std::string("&anchor"), std::string("*alias"), std::string("!tag"),
        std::string("{{x}}"), std::string("päth"), std::string(" space ")}) {
    const auto read = YAML::Load(to_yaml({nlohmann::ordered_json{{"value", text}}}));
    EXPECT_EQ(read["value"].as<std::string>(), text);
    EXPECT_TRUE(read["value"].IsScalar()) << text;
  }
}

TEST(Manifest, WorkersAreAsManyAsNodes) {
  ManifestRequest request;
  request.command = {"allreduce", "-b", "1M"}, request.nodes = 3;
  const auto job = mpi_job(request).back();
  EXPECT_EQ(job["kind"], "MPIJob");
  EXPECT_EQ(job["spec"]["mpiReplicaSpecs"]["Worker"]["replicas"], 3);
  const auto objects = indexed_job(request);
  const auto workers = std::find_if(objects.begin(), objects.end(), [](const auto& object) {
    return object["kind"] == "Job" && object["spec"].value("completionMode", "") == "Indexed";
  });
  ASSERT_NE(workers, objects.end());
  EXPECT_EQ((*workers)["spec"]["completions"], 3);
  EXPECT_EQ(objects.size(), 2u) << "no launcher beside it";
  EXPECT_EQ((*workers)["spec"]["successPolicy"]["rules"][0]["succeededIndexes"], "0");
}

TEST(Manifest, AQueueIsALabelAndNoQueueIsNone) {
  ManifestRequest request;
  request.command = {"allreduce"};
  EXPECT_EQ(to_yaml(mpi_job(request)).find("kueue"), std::string::npos);
  request.queue = "gpus";
  EXPECT_NE(to_yaml(mpi_job(request)).find("kueue.x-k8s.io/queue-name: gpus"), std::string::npos);
}

}  // namespace
}  // namespace mlc
