// A dry run: reads go to the API server (or to a made-up node, where there is none), what would change
// anything is shown and done to a copy of the node instead, so that each request is the one that a real run
// would send next.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "validators/host/http.hpp"

namespace mlc {

class Rehearsal : public Transport {
 public:
  using Show = std::function<void(const HttpRequest&)>;
  // `reads` may be null: then every node is one that has just joined with `taints` (a JSON list).
  Rehearsal(std::unique_ptr<Transport> reads, nlohmann::json taints, Show show);
  HttpResponse send(const HttpRequest& request, const std::string& token) override;

 private:
  std::unique_ptr<Transport> reads_;
  nlohmann::json taints_;
  Show show_;
  // By path: as they are now, and when the server gave them.
  std::map<std::string, nlohmann::json> objects_;
  std::map<std::string, std::optional<std::time_t>> dates_;
};

}  // namespace mlc
