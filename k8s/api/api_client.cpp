#include "k8s/api/api_client.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"

namespace mlc {

Timekeeper steady_timekeeper() {
  return {[] {
            return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
          },
          [](double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }};
}

namespace {

// The "message" of a metav1.Status.
std::string message_of(const nlohmann::json& status) {
  if (!status.is_object()) return {};
  const auto message = status.find("message");
  return message != status.end() && message->is_string() ? message->get<std::string>() : std::string();
}

// The reasons in details.causes of a metav1.Status: one for each field that is wrong.
std::vector<std::string> causes_of(const nlohmann::json& status) {
  std::vector<std::string> causes;
  if (!status.is_object() || !status.contains("details") || !status.at("details").is_object()) return causes;
  const auto& details = status.at("details");
  if (!details.contains("causes") || !details.at("causes").is_array()) return causes;
  for (const auto& cause : details.at("causes"))
    causes.push_back(cause.is_object() && cause.contains("reason") && cause.at("reason").is_string()
                         ? cause.at("reason").get<std::string>()
                         : std::string());
  return causes;
}

std::string hint_for(int status, const HttpRequest& request) {
  if (status == 401)
    return "the token is not accepted, also after reading it again: is it of this cluster, and mounted "
           "fresh?";
  if (status == 403)
    return "this account may not " + request.method +
           " that; k8s/manifests/base/rbac.yaml, events.yaml and dispatch.yaml list what mlc-bench needs";
  return "the API server answers; what it says is above";
}

}  // namespace

std::string said_by(const HttpResponse& response) {
  const auto status = read_json_if(response.body);
  const std::string message = status ? message_of(*status) : "";
  return message.empty() ? "" : ": " + printable(message);
}

bool is_lost_race(const HttpResponse& response) {
  if (response.status == 409) return true;
  if (response.status != 422) return false;
  const auto status = read_json_if(response.body);
  if (!status) return true;
  // "ValidatingAdmissionPolicy 'x' with binding 'y' denied request: ..." and, of webhooks, "denied the
  // request" (apiserver, pkg/admission/plugin/policy/validating and webhook/errors). A failed test of a JSON
  // Patch names no field (handlers/patch.go); what is there twice is named as a duplicate.
  const std::string message = message_of(*status);
  if (message.find("denied request") != std::string::npos ||
      message.find("denied the request") != std::string::npos)
    return false;
  return std::ranges::all_of(causes_of(*status),
                             [](const std::string& reason) { return reason == "FieldValueDuplicate"; });
}

ApiClient::ApiClient(Transport& transport, std::function<std::string()> token, Patience patience,
                     Timekeeper clock)
    : transport_(transport), token_(std::move(token)), patience_(patience), clock_(std::move(clock)) {}

double ApiClient::wait_of(int attempt) const {
  static thread_local std::mt19937 random{std::random_device{}()};
  const double whole =
      std::min(patience_.most_wait_s, patience_.first_wait_s * std::exp2(std::min(attempt, 20)));
  return std::uniform_real_distribution<double>(whole / 2, whole)(random);
}

void ApiClient::pause(double since_s, double seconds, const std::string& why) {
  if (clock_.now_s() + seconds > since_s + patience_.total_s)
    throw ApiError(why + "; gave up after " + shortest(patience_.total_s) + " s",
                   "nothing more was sent; the same command does the rest when the API server answers");
  clock_.sleep_s(seconds);
}

void ApiClient::wait_before_round(int round, const std::string& why) {
  if (round == 0) rounds_began_s_ = clock_.now_s();
  pause(rounds_began_s_, wait_of(std::min(round, 4)) / 4, why);
}

HttpResponse ApiClient::send(const HttpRequest& request) {
  const std::string name = request.method + " " + request.path;
  const double began_s = clock_.now_s();
  bool token_was_read_again = false;
  for (int attempt = 0;; ++attempt) {
    std::string why;
    double wait_s = wait_of(attempt);
    try {
      HttpResponse response = transport_.send(request, token_());
      const int status = response.status;
      if ((status >= 200 && status < 300) || status == 404 || status == 409 || status == 410 || status == 422)
        return response;
      why = name + ": HTTP " + std::to_string(status) + said_by(response);
      if (status == 401 && !token_was_read_again) {
        token_was_read_again = true;
        wait_s = 0;
      } else if (status == 429 || status >= 500) {
        if (response.retry_after_s) wait_s = std::max(wait_s, *response.retry_after_s);
      } else {
        throw ApiError(why, hint_for(status, request), status != 401);
      }
    } catch (const TransportError& error) {
      why = name + ": " + printable(error.what());
      if (error.permanent)
        throw ApiError(
            why,
            "the server is not the one that the certificate authority vouches for, or its address is wrong");
    }
    pause(began_s, wait_s, why);
  }
}

}  // namespace mlc
