#include "bench/cli/machine_lack.hpp"

#include "bench/backends/communicator.hpp"
#include "bench/cli/node_facts.hpp"
#include "bench/cli/recorder.hpp"

namespace mlc {

ExitCode report_lack(const MachineLack& lack, const Policy& policy, const OutputOptions& output,
                     const std::vector<std::string>& arguments) {
  if (!lack.machines || lack.required.empty())
    throw BackendError(
        lack.what + " is not here: " + lack.why +
        (lack.required.empty() || lack.machines
             ? ""
             : "; policy " + policy.name + " requires it, and this program was built without it"));
  Recorder recorder(output, policy, new_report(policy, arguments), "");
  recorder.record([&](Report& report) {
    report.environment.nodes = {this_node()};
    report.findings.push_back({.check = "machine.lack",
                               .subject = lack.what,
                               .status = Status::fail,
                               .observed = "not here: " + lack.why,
                               .expected = lack.required,
                               .source = "policy " + policy.name,
                               .remedy = lack.remedy});
  });
  return recorder.finish();
}

}  // namespace mlc
