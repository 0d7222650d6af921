// A Job of a template: what `kubectl create job --from=cronjob/NAME` makes, held to its nodes. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "k8s/dispatch/round.hpp"

namespace mlc {

// `cron_job` is the template as the API server has it. Throws std::runtime_error where it holds no Job.
nlohmann::ordered_json job_object(const nlohmann::json& cron_job, const CreateJob& job,
                                  const DispatchPolicy& policy);

}  // namespace mlc
