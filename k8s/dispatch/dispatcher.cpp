#include "k8s/dispatch/dispatcher.hpp"

#include <algorithm>
#include <iterator>

#include "k8s/admission/admission.hpp"
#include "k8s/admission/quarantine_ledger.hpp"
#include "k8s/api/request_text.hpp"
#include "k8s/dispatch/job_object.hpp"
#include "k8s/dispatch/managed_fields.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// A page of metadata is some 50 MB, of which a quarter is kept: the rest is managed fields.
constexpr int nodes_in_a_page = 5000, jobs_in_a_page = 500;
constexpr int lists_at_most = 3;  // begun anew where the server forgot where we were (410)
// Of nodes, events are in "default"; the kubelet writes one when it comes up in another boot than before.
constexpr const char* reboots_path = "/api/v1/namespaces/default/events?fieldSelector=reason%3DRebooted";
constexpr const char* live_pods = "&fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed";
constexpr const char* metadata_only =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string text_at(const nlohmann::json& object, const char* pointer) {
  const nlohmann::json::json_pointer at(pointer);
  return object.contains(at) && object.at(at).is_string() ? object.at(at).get<std::string>() : "";
}

// The "message" of what was refused.
std::string said(const HttpResponse& response) {
  const auto status = read_json_if(response.body);
  if (!status || !status->is_object() || !status->contains("message") || !(*status)["message"].is_string())
    return "HTTP " + std::to_string(response.status);
  return "HTTP " + std::to_string(response.status) + ": " +
         printable((*status)["message"].get<std::string>(), 400);
}

}  // namespace

Dispatcher::Dispatcher(ApiClient& api, const Policy& policy, std::function<std::time_t()> clock)
    : api_(api), policy_(policy), clock_(std::move(clock)) {}

std::string Dispatcher::in_namespace(const std::string& what) const {
  return "/apis/batch/v1/namespaces/" + policy_.dispatch.job_namespace + "/" + what;
}

bool Dispatcher::pages(const std::string& path, int page, const std::string& accept, const Take& take,
                       int at_most) {
  std::string from;
  do {
    HttpRequest request{.method = "GET",
                        .path = path + (path.find('?') == path.npos ? "?" : "&") +
                                "limit=" + std::to_string(page) +
                                (from.empty() ? "" : "&continue=" + query_escaped(from)),
                        .content_type = {},
                        .body = {}};
    request.accept = accept;
    request.filter = [] {
      return [filter = ManagedFieldsFilter()](std::string_view piece, std::string& kept) mutable {
        filter.take(piece, kept);
      };
    };
    HttpResponse response = api_.send(request);
    if (response.status == 410) return false;
    if (response.status < 200 || response.status >= 300)
      throw ApiError("GET " + path + ": " + said(response),
                     "is there a namespace " + policy_.dispatch.job_namespace + " (dispatch.namespace)?");
    if (response.date && !now_) now_ = response.date;
    const auto answer = read_json_list(response.body, "items", take);
    if (!answer.is_object() || !answer.contains("items") || !answer["items"].is_array())
      throw std::runtime_error("the API server's answer to GET " + path + " is no list");
    const auto metadata = answer.find("metadata");
    const bool more = metadata != answer.end() && metadata->is_object() && metadata->contains("continue") &&
                      (*metadata)["continue"].is_string();
    from = more ? (*metadata)["continue"].get<std::string>() : "";
  } while (!from.empty() && --at_most > 0);
  return true;
}

void Dispatcher::list(const std::string& path, int page, const std::string& accept,
                      const std::function<void()>& anew, const Take& take) {
  for (int i = 0; i < lists_at_most; ++i) {
    anew();
    if (pages(path, page, accept, take)) return;
  }
  throw ApiError(
      "GET " + path + ": the list expired before its end, " + std::to_string(lists_at_most) + " times",
      "the API server is slow; the next round tries again");
}

Fleet Dispatcher::look() {
  Fleet fleet;
  now_.reset();
  list(
      in_namespace("cronjobs"), jobs_in_a_page, "application/json",
      [&] { fleet.templates.clear(), cron_jobs_.clear(); },
      [&](const nlohmann::json& item) {
        const auto found = read_template(item);
        if (!found) return;
        fleet.templates[found->first] = found->second;
        cron_jobs_[found->first] = item;
      });
  list(
      in_namespace("jobs?labelSelector=" + query_escaped(kind_label)), jobs_in_a_page, "application/json",
      [&] { fleet.jobs.clear(); },
      [&](const nlohmann::json& item) {
        if (auto job = read_job(item)) fleet.jobs.push_back(std::move(*job));
      });
  const auto pods = [&](const std::string& selector) {
    std::vector<JobPod> found;
    list(
        "/api/v1/namespaces/" + policy_.dispatch.job_namespace + "/pods?labelSelector=" + selector,
        jobs_in_a_page, "application/json", [&] { found.clear(); },
        [&](const nlohmann::json& item) {
          if (auto pod = read_job_pod(item)) found.push_back(std::move(*pod));
        });
    return found;
  };
  try {
    add_pods(fleet, pods(query_escaped(job_name_label) + live_pods));
    if (const auto looks = looks_without_pass(fleet); !looks.empty())
      add_places(fleet, pods(query_escaped(std::string(job_name_label) + " in (" + join(looks, ",") + ")")));
  } catch (const ApiError& error) {
    // Then a Job's own status has to do.
    if (!error.refused) throw;
    fleet.no_pods = error.what();
  }
  list(
      "/api/v1/nodes?labelSelector=" + query_escaped(policy_.admit.fleet), nodes_in_a_page, metadata_only,
      [&] { fleet.nodes.clear(); },
      [&](const nlohmann::json& item) { fleet.nodes.push_back(read_fleet_node(item)); });
  try {
    list(
        reboots_path, jobs_in_a_page, "application/json", [&] { fleet.reboots.clear(); },
        [&](const nlohmann::json& item) {
          const auto reboot = read_reboot(item, now_.value_or(clock_()));
          if (!reboot) return;
          std::time_t& last = fleet.reboots[reboot->first];
          last = std::max(last, reboot->second);
        });
  } catch (const ApiError& error) {
    // Then a reboot is found by the next passive look.
    fleet.no_reboots = error.what();
  }
  // A node whose label was taken away is in no list of the fleet.
  if (policy_.admit.fleet == admission_label)
    (void)pages(
        "/api/v1/nodes?labelSelector=" +
            query_escaped("!" + std::string(admission_label) + ",!node-role.kubernetes.io/control-plane"),
        unlabelled_shown + 1, metadata_only,
        [&](const nlohmann::json& item) { fleet.unlabelled.push_back(read_fleet_node(item).name); }, 1);
  fleet.now = now_.value_or(clock_());
  distrust_times_ahead(fleet, policy_.admit);
  give_up_lost_jobs(fleet);
  fleet_size_ = fleet.nodes.size();
  return fleet;
}

bool Dispatcher::send(const HttpRequest& request, const std::string& what, Dispatched& done) {
  const HttpResponse response = api_.send(request);
  const bool creates = request.method == "POST";
  if (response.status >= 200 && response.status < 300) {
    ++done.done;
    return true;
  }
  if (response.status == 404 && !creates) {
    done.notes.push_back(what + ": it is gone");
    return true;
  }
  if (response.status == 409)
    done.notes.push_back(
        what + (creates ? ": it is there already, by another dispatcher, or without its labels: kubectl -n " +
                              policy_.dispatch.job_namespace + " get job --show-labels"
                        : ": it has changed meanwhile"));
  else
    done.refusals.push_back(what + ": " + said(response));
  return false;
}

// What is refused for one node or Job must not stop the others. Where the API server gives no answer the rest
// of its kind is left to the next round: a webhook that is down stops what it guards, and nothing else.
template <class Item, class Send>
std::set<std::string> Dispatcher::each(const std::vector<Item>& list, const std::string& what,
                                       Dispatched& done, Send&& send_one) {
  std::set<std::string> left;
  bool silent = false;
  for (const auto& one : list) {
    bool is_done = false;
    if (!silent) try {
        is_done = send_one(one);
      } catch (const ApiError& error) {
        done.refusals.push_back(what + " " + one.name + ": " + error.what());
        silent = !error.refused;
      }
    if (!is_done) left.insert(one.name);
  }
  if (silent) done.refusals.push_back(what + ": what is left of these waits for the next round");
  return left;
}

Dispatched Dispatcher::carry_out(const Round& round) {
  Dispatched done;
  if (policy_.admit.quarantine) try {
      tell_fleet_size(api_, *policy_.admit.quarantine, fleet_size_);
    } catch (const ApiError& error) {
      done.refusals.push_back("size of the fleet, of which a share may be quarantined: " +
                              std::string(error.what()));
    }
  const auto unwritten = each(round.node_patches, "note on node", done, [&](const PatchNode& patch) {
    NodeView node;
    node.name = patch.name, node.uid = patch.uid;
    return send(set_metadata(node, patch.labels, patch.annotations), "note on node " + patch.name, done);
  });
  // What is not recorded must not be forgotten with its Job, nor begun again as if it had not been.
  std::set<std::string> not_now;
  for (const auto& patch : round.node_patches)
    if (unwritten.contains(patch.name) && patch.annotations.contains(attempts_annotation))
      not_now.insert(patch.name);
  const auto may_go = [&](const auto& job) {
    return std::ranges::none_of(job.members,
                                [&](const JobMember& member) { return not_now.contains(member.name); });
  };
  for (const auto& patch : round.template_patches)
    note_on_template(patch, done);
  // As it was seen: a Job that has begun to run since then is left alone.
  std::vector<DeleteJob> deletions;
  std::ranges::copy_if(round.deletions, std::back_inserter(deletions), may_go);
  const auto standing = each(deletions, "deletion of Job", done, [&](const DeleteJob& job) {
    const nlohmann::ordered_json body{
        {"apiVersion", "v1"},
        {"kind", "DeleteOptions"},
        {"propagationPolicy", "Background"},
        {"preconditions", {{"uid", job.uid}, {"resourceVersion", job.resource_version}}}};
    return send({.method = "DELETE",
                 .path = in_namespace("jobs/" + job.name),
                 .content_type = "application/json",
                 .body = dumped(body)},
                "deletion of Job " + job.name, done);
  });
  // Where a Job still stands, another would only wait behind it.
  for (const auto& job : deletions)
    if (standing.contains(job.name))
      for (const auto& member : job.members)
        not_now.insert(member.name);
  std::map<JobKind, std::vector<CreateJob>> by_kind;
  for (const auto& job : round.creations)
    if (may_go(job)) by_kind[job.kind].push_back(job);
  for (const auto& [kind, jobs] : by_kind)
    each(jobs, "Job", done, [&](const CreateJob& job) {
      return send({.method = "POST",
                   .path = in_namespace("jobs"),
                   .content_type = "application/json",
                   .body = dumped(job_object(cron_jobs_.at(job.kind), job, policy_.dispatch))},
                  "Job " + job.name, done);
    });
  return done;
}

void Dispatcher::note_on_template(const PatchTemplate& patch, Dispatched& done) {
  const std::string name = text_at(cron_jobs_.at(patch.kind), "/metadata/name"),
                    uid = text_at(cron_jobs_.at(patch.kind), "/metadata/uid");
  const nlohmann::ordered_json body{
      {"metadata",
       {{"uid", uid},
        {"annotations", {{attempts_annotation, attempts_text({{patch.kind, patch.attempts}})}}}}}};
  try {
    send({.method = "PATCH",
          .path = in_namespace("cronjobs/" + name),
          .content_type = "application/merge-patch+json",
          .body = dumped(body)},
         "note on CronJob " + name, done);
  } catch (const ApiError& error) {
    done.refusals.push_back("note on CronJob " + name + ": " + error.what());
  }
}

}  // namespace mlc
