// Asks until there is an answer that waiting cannot change: bounded retries with back-off over one transport.
#pragma once

#include <functional>
#include <string>

#include "validators/host/http.hpp"

namespace mlc {

// The API server could not be asked, or will not do it. what() says which request, and never holds the token.
struct ApiError : std::runtime_error {
  ApiError(const std::string& what, std::string hint_text, bool refused_now = false)
      : std::runtime_error(what), hint(std::move(hint_text)), refused(refused_now) {}
  std::string hint;
  bool refused;  // it answers, and will not do this: other requests may fare better
};

struct Patience {
  // Without an answer, or in a race that others win each time; a slow server that answers is waited for.
  double total_s = 120;
  double first_wait_s = 0.2;  // doubled with each try
  double most_wait_s = 10;
};

// Time that passes, so that tests need not wait for it.
struct Timekeeper {
  std::function<double()> now_s;
  std::function<void(double)> sleep_s;
};
Timekeeper steady_timekeeper();

class ApiClient {
 public:
  ApiClient(Transport& transport, std::function<std::string()> token, Patience patience, Timekeeper clock);

  // Resends after a broken connection, 429 and 5xx, and once after 401 with the token read anew. So every
  // request must be one that may arrive twice. Returns 2xx, 404, 409, 410 and 422, which the caller
  // understands; throws ApiError for everything else, and when the patience is at its end.
  HttpResponse send(const HttpRequest& request);

  // Before another round of a read and a write that others got in between: a wait that grows with `round`,
  // with jitter so that two writers do not meet again. Throws ApiError when the patience is at its end.
  void wait_before_round(int round, const std::string& why);
  void settle(double seconds) { clock_.sleep_s(seconds); }

 private:
  double wait_of(int attempt) const;
  void pause(double since_s, double seconds, const std::string& why);

  Transport& transport_;
  std::function<std::string()> token_;
  Patience patience_;
  Timekeeper clock_;
  double rounds_began_s_ = 0;
};

// Of a 409 or 422: others were faster (a conflict, a failed test of a JSON Patch, an entry that is there
// already), so that another look helps. False where the cluster forbids it or finds it invalid, and would
// again.
bool is_lost_race(const HttpResponse& response);

// ": " and the message of the server's Status; empty where it has none.
std::string said_by(const HttpResponse& response);

}  // namespace mlc
