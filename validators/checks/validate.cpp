#include "validators/checks/validate.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::atomic<int> checks_running{0};

using Clock = std::chrono::steady_clock;

std::string room_of(std::string_view check) { return std::string(check.substr(0, check.find('.'))); }

// A Pod on the host's network, as a burn-in has it, sees the PFs: it is asked what a host is asked.
bool sees_host_network(const Host& host) {
  return std::ranges::any_of(host.rdma_devices().value, [](const RdmaDevice& device) {
    return !device.is_vf() && !device.netdevs.empty();
  });
}

// Outlives validate() when its check hangs; therefore shared, and with copies of all that the check reads.
struct Running {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::optional<std::vector<Finding>>> results;
};

Finding unknown(const Check& check, std::string why, std::string remedy) {
  return {std::string(check.name),  "check",          Status::unknown, std::move(why), {},
          std::string(check.reads), std::move(remedy)};
}

std::vector<Finding> run_one(const Check& check, const Host& host, const Policy& policy) {
  const std::string again = "run it alone: mlc-bench validate " + std::string(check.name);
  try {
    auto findings = check.run(host, policy);
    if (findings.empty()) findings.push_back(unknown(check, "the check said nothing", again));
    return findings;
  } catch (const std::exception& error) {
    return {unknown(check, "the check broke: " + printable(error.what()), again)};
  } catch (...) {
    return {unknown(check, "the check broke", again)};
  }
}

}  // namespace

std::vector<const Check*> select_checks(std::span<const std::string> names,
                                        std::span<const Check* const> table) {
  std::set<std::string> known;
  for (const auto* check : table)
    known.insert(std::string(check->name)), known.insert(room_of(check->name));
  for (const auto& name : names) {
    if (known.contains(name)) continue;
    const std::vector<std::string> all(known.begin(), known.end());
    const auto near = nearest(name, all);
    throw UnknownCheck("'" + printable(name) + "' is no check and no room" +
                       (near ? "; did you mean '" + *near + "'?" : "; see: mlc-bench list checks"));
  }
  std::vector<const Check*> selected;
  for (const auto* check : table)
    if (names.empty() || std::ranges::any_of(names, [&](const std::string& name) {
          return name == check->name || name == room_of(check->name);
        }))
      selected.push_back(check);
  return selected;
}

void require_known_checks(const Policy& policy, std::span<const Check* const> table) {
  if (!policy.node) return;
  std::vector<std::string> names;
  for (const auto* skipped : {&policy.node->skip, &policy.node->skip_in_pod, &policy.node->skip_on_host})
    names.insert(names.end(), skipped->begin(), skipped->end());
  for (const auto& [name, deadline] : policy.node->deadlines_s)
    names.push_back(name);
  for (const auto& name : names) {
    const std::vector<std::string> one{name};
    try {
      select_checks(one, table);
    } catch (const UnknownCheck& error) {
      throw PolicyError("policy " + policy.name + ": " + error.what());
    }
  }
}

bool checks_left_running() { return checks_running > 0; }

std::vector<Finding> validate(std::shared_ptr<const Host> host, const Policy& policy,
                              std::span<const Check* const> checks) {
  const NodeExpectation expected = policy.node.value_or(NodeExpectation{});
  const bool pod = host->in_pod() && !sees_host_network(*host);
  std::set<std::string> skip = expected.skip;
  const auto& skip_here = pod ? expected.skip_in_pod : expected.skip_on_host;
  skip.insert(skip_here.begin(), skip_here.end());
  const auto shared_policy = std::make_shared<const Policy>(policy);
  const auto running = std::make_shared<Running>();
  running->results.resize(checks.size());
  const auto started = Clock::now();
  for (std::size_t i = 0; i < checks.size(); ++i) {
    const Check* check = checks[i];
    if (skip.contains(std::string(check->name)) || skip.contains(room_of(check->name))) {
      running->results[i] = std::vector<Finding>{
          {std::string(check->name),
           "check",
           Status::skip,
           std::string("the policy does not ask this ") + (pod ? "of a Pod" : "of a host"),
           {},
           policy.source.empty() ? "policy" : policy.source,
           {}}};
      continue;
    }
    const auto work = [host, shared_policy, running, check, i] {
      auto findings = run_one(*check, *host, *shared_policy);
      const std::lock_guard lock(running->mutex);
      running->results[i] = std::move(findings);
      running->changed.notify_all();
      --checks_running;
    };
    ++checks_running;
    try {
      std::thread(work).detach();
    } catch (const std::system_error&) {
      work();  // no more threads to be had (a Pod's pids limit): one after the other
    }
  }
  std::vector<Finding> findings;
  std::unique_lock lock(running->mutex);
  for (std::size_t i = 0; i < checks.size(); ++i) {
    const auto own = expected.deadlines_s.find(std::string(checks[i]->name));
    const double seconds = own != expected.deadlines_s.end() ? own->second : expected.deadline_s;
    const auto deadline =
        started + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    running->changed.wait_until(lock, deadline, [&] { return running->results[i].has_value(); });
    if (running->results[i]) {
      for (auto& finding : *running->results[i])
        findings.push_back(std::move(finding));
    } else {
      findings.push_back(unknown(*checks[i], "did not finish within " + time_text(seconds * 1e6),
                                 "find what hangs: mlc-bench validate " + std::string(checks[i]->name) +
                                     ", dmesg; or give it more time in the policy (node.deadlines)"));
    }
  }
  return findings;
}

}  // namespace mlc
