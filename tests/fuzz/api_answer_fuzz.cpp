// Any answer of an API server: to a read of a node, to a list of them, to a change. The first byte chooses
// the status.
#include <cstdint>

#include "k8s/admission/publisher.hpp"

namespace {

class Canned final : public mlc::Transport {
 public:
  Canned(int status, std::string body) : status_(status), body_(std::move(body)) {}
  mlc::HttpResponse send(const mlc::HttpRequest&, const std::string&) override {
    if (++asked_ > 4) return {200, R"({"items": []})", std::nullopt};
    return {status_, body_, std::nullopt};
  }

 private:
  int status_, asked_ = 0;
  std::string body_;
};

template <class Ask>
void asked(int status, const std::string& body, Ask&& ask) {
  Canned server(status, body);
  double now = 0;
  mlc::ApiClient api(server, [] { return std::string(); }, {.total_s = 1},
                     {[&now] { return now; }, [&now](double seconds) { now += seconds; }});
  mlc::Publisher publisher(api, {}, {.settle_s = 0, .now = [] { return std::time_t{1'700'000'000}; }});
  try {
    ask(publisher);
  } catch (const std::runtime_error&) {  // ApiError, or an answer that is no Node
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static constexpr int statuses[]{200, 403, 500, 409, 422, 404, 401, 429};
  const int status = statuses[data[0] % 8];
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  asked(status, body, [](mlc::Publisher& publisher) { (void)publisher.fleet(); });
  asked(status, body, [](mlc::Publisher& publisher) {
    (void)publisher.publish(
        "n", [](const mlc::NodeView& node) { return mlc::expiry_of({}, node, 1'700'000'000); });
  });
  return 0;
}
