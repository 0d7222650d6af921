// Looks at the fleet through the API server, and does what a round says.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "k8s/api/api_client.hpp"
#include "k8s/dispatch/round.hpp"

namespace mlc {

struct Dispatched {
  int done = 0;
  std::vector<std::string> notes;     // what somebody else was faster at: nothing to mend
  std::vector<std::string> refusals;  // what the API server would not do
};

class Dispatcher {
 public:
  // `clock` is asked where the server does not say what time it is.
  Dispatcher(ApiClient& api, const Policy& policy, std::function<std::time_t()> clock);

  // Jobs before nodes: a node that a Job has just changed is then seen as changed. Throws ApiError.
  Fleet look();
  Dispatched carry_out(const Round& round);

 private:
  using Take = std::function<void(const nlohmann::json& item)>;
  // `anew` is called before the first page, and again where the list begins again.
  void list(const std::string& path, int page, const std::string& accept, const std::function<void()>& anew,
            const Take& take);
  // False where the server has forgotten the list (410).
  bool pages(const std::string& path, int page, const std::string& accept, const Take& take,
             int at_most = std::numeric_limits<int>::max());
  // False where it is as it was before.
  bool send(const HttpRequest& request, const std::string& what, Dispatched& done);
  // The names of those that were not done.
  template <class Item, class Send>
  static std::set<std::string> each(const std::vector<Item>& list, const std::string& what, Dispatched& done,
                                    Send&& send_one);
  void note_on_template(const PatchTemplate& patch, Dispatched& done);
  std::string in_namespace(const std::string& what) const;

  ApiClient& api_;
  const Policy& policy_;
  std::function<std::time_t()> clock_;
  std::optional<std::time_t> now_;
  std::map<JobKind, nlohmann::json> cron_jobs_;
  std::size_t fleet_size_ = 0;
};

}  // namespace mlc
