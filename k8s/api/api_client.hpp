// Asks until there is an answer that waiting cannot change: bounded retries with back-off over one transport.
#pragma once

#include <functional>
#include <string>

#include "validators/host/http.hpp"

namespace mlc {

// The API server could not be asked, or will not do it. what() says which request, and never holds the token.
struct ApiError : std::runtime_error {
  ApiError(const std::string& what, std::string hint_text)
      : std::runtime_error(what), hint(std::move(hint_text)) {}
  std::string hint;
};

struct Patience {
  double total_s = 120;       // from the first request on, over all of them
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
  void pause(double seconds, const std::string& why);

  Transport& transport_;
  std::function<std::string()> token_;
  Patience patience_;
  Timekeeper clock_;
  double deadline_s_;
};

}  // namespace mlc
