#include "k8s/dispatch/job_object.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mlc {
namespace {

nlohmann::json cron_job() {
  return nlohmann::json::parse(R"({
    "metadata": {"name": "mlc-burnin", "uid": "u"},
    "spec": {"suspend": true, "jobTemplate": {
      "metadata": {"labels": {"team": "x"}},
      "spec": {"backoffLimit": 3, "template": {
        "metadata": {"labels": {"app.kubernetes.io/name": "mlc-bench"}},
        "spec": {
          "affinity": {"podAntiAffinity": {"kept": true}},
          "containers": [{"name": "mlc-bench", "env": [{"name": "RUN_ID", "value": "by hand"},
                                                        {"name": "NODE_NAME", "value": "n"}]}]}}}}}})");
}

CreateJob job_of(JobKind kind) {
  CreateJob job;
  job.kind = kind, job.name = "mlc-x-1", job.run_id = "run", job.members = {{"gpu-7", "uid-7", 2}},
  job.hosts = {"host-7"};
  return job;
}

using Pointer = nlohmann::ordered_json::json_pointer;
const Pointer terms(
    "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/"
    "nodeSelectorTerms");
const Pointer preferred(
    "/spec/template/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution");

TEST(JobObject, IsTheTemplatesHeldToItsNode) {
  const auto made = job_object(cron_job(), job_of(JobKind::burnin), {});
  EXPECT_EQ(made["kind"], "Job");
  EXPECT_EQ(made["metadata"]["namespace"], "mlc-bench");
  EXPECT_EQ(made["metadata"]["labels"]["team"], "x");
  EXPECT_EQ(made["metadata"]["labels"][kind_label], "burnin");
  EXPECT_EQ(made["metadata"]["labels"][node_label], "gpu-7");
  EXPECT_FALSE(made["metadata"].contains("ownerReferences")) << "the CronJob's controller would tidy it away";
  EXPECT_EQ(made["spec"]["backoffLimit"], 3);
  const auto& pod = made["spec"]["template"]["spec"];
  EXPECT_FALSE(pod.contains("nodeName"));
  EXPECT_TRUE(pod["affinity"].contains("podAntiAffinity"));
  EXPECT_EQ(made.at(terms).dump(),
            R"([{"matchFields":[{"key":"metadata.name","operator":"In","values":["gpu-7"]}]}])");
  EXPECT_EQ(
      pod["containers"][0]["env"].dump(),
      R"([{"name":"RUN_ID","value":"run"},{"name":"PODS","value":"1"},{"name":"NODE_NAME","value":"n"}])");
  // A look is a run of its own: what the template has, the Job's uid, is left.
  auto look = job_of(JobKind::passive);
  look.run_id.clear();
  EXPECT_THAT(job_object(cron_job(), look, {})["spec"]["template"]["spec"]["containers"][0]["env"].dump(),
              testing::HasSubstr(R"({"name":"RUN_ID","value":"by hand"})"));
  // What the dispatcher reads back is what it wrote.
  auto back = nlohmann::json::parse(made.dump());
  back["metadata"]["uid"] = "u";
  const auto read = read_job(back);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->member("uid-7")->number, 2);
  EXPECT_TRUE(read->waiting());
}

TEST(JobObject, KeepsWhatTheTemplateAsksOfANode) {
  auto of = cron_job();
  of["spec"]["jobTemplate"]["spec"]["template"]["spec"]["affinity"]["nodeAffinity"] = nlohmann::json::parse(
      R"({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
          {"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"matchExpressions": [{"key": "b", "operator": "Exists"}]}]}})");
  const auto made = job_object(of, job_of(JobKind::burnin), {});
  ASSERT_EQ(made.at(terms).size(), 2u);
  for (const auto& term : made.at(terms))
    EXPECT_TRUE(term.contains("matchFields") && term.contains("matchExpressions")) << term;
}

TEST(JobObject, AGroupTakesItsNodesFirstAndWitnessesForTheRest) {
  CreateJob job = job_of(JobKind::fabric);
  job.members.push_back({"gpu-8", "uid-8", 0}), job.hosts = {"host-7", "host-8"};
  job.pods = 5, job.witnesses = true;
  const auto made = job_object(cron_job(), job, {});
  EXPECT_EQ(made["spec"]["completionMode"], "Indexed");
  EXPECT_EQ(made["spec"]["completions"], 5);
  EXPECT_EQ(made["spec"]["parallelism"], 5);
  ASSERT_EQ(made.at(terms).size(), 2u);
  EXPECT_EQ(made.at(terms)[0]["matchExpressions"][0]["values"].dump(), R"(["host-7","host-8"])");
  EXPECT_EQ(made.at(terms)[1]["matchExpressions"][0]["values"].dump(), R"(["admitted"])");
  EXPECT_EQ(made.at(preferred)[0]["weight"], 100);
  job.witnesses = false;
  EXPECT_EQ(job_object(cron_job(), job, {}).at(terms).size(), 1u);
}

TEST(JobObject, ALookTakesTheFreeNodeThatIsStalest) {
  CreateJob job = job_of(JobKind::health);
  job.members.clear(), job.hosts.clear(), job.tested_before = 1'000'000 * 3600LL;
  const auto made = job_object(cron_job(), job, {});
  ASSERT_EQ(made.at(terms).size(), 2u);
  EXPECT_EQ(made.at(terms)[0]["matchExpressions"][1].dump(),
            R"({"key":"mlc-bench.io/tested-hour","operator":"Lt","values":["1000001"]})");
  for (const auto& one : made.at(preferred)) {
    EXPECT_GE(one["weight"].get<int>(), 1);
    EXPECT_LE(one["weight"].get<int>(), 100);
  }
  EXPECT_FALSE(made["metadata"]["annotations"].contains(members_annotation));
}

TEST(JobObject, WaitsInTheQueueOfThePolicyAndAStrangersTemplateIsRefused) {
  DispatchPolicy policy;
  policy.queue = "team", policy.job_namespace = "other";
  const auto made = job_object(cron_job(), job_of(JobKind::health), policy);
  EXPECT_EQ(made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "team");
  for (const JobKind kind : {JobKind::passive, JobKind::ipam})
    EXPECT_FALSE(job_object(cron_job(), job_of(kind), policy)["metadata"]["labels"].contains(
        "kueue.x-k8s.io/queue-name"))
        << to_string(kind) << " takes nothing that a queue shares out, and must not wait for it";
  EXPECT_EQ(made["metadata"]["namespace"], "other");
  for (const char* odd :
       {"{}", R"({"spec":3})", R"({"spec":{"jobTemplate":{"spec":{"template":{"spec":{}}}}}})"})
    EXPECT_THROW((void)job_object(nlohmann::json::parse(odd), job_of(JobKind::burnin), {}),
                 std::runtime_error)
        << odd;
}

TEST(JobObject, IsMadeOfATemplateThatSaysLittle) {
  for (const JobKind kind :
       {JobKind::burnin, JobKind::health, JobKind::passive, JobKind::fabric, JobKind::ipam}) {
    const auto of = nlohmann::json::parse(
        R"({"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"mlc-bench"}]}}}}}})");
    const auto made = job_object(of, job_of(kind), {});
    EXPECT_EQ(made["metadata"]["labels"][kind_label], to_string(kind));
    const auto& environment = made["spec"]["template"]["spec"]["containers"][0]["env"];
    ASSERT_EQ(environment.size(), 2u);
    EXPECT_EQ(environment[0].dump(), R"({"name":"RUN_ID","value":"run"})");
  }
}

TEST(JobObject, ANameThatIsTooLongForALabelIsLeftOut) {
  CreateJob job = job_of(JobKind::burnin);
  job.members[0].name = std::string(64, 'n');
  EXPECT_FALSE(job_object(cron_job(), job, {})["metadata"]["labels"].contains(node_label));
}

}  // namespace
}  // namespace mlc
