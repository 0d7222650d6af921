// What a campaign costs its coordinator: agents that all connect at once over real sockets, in a process of
// their own, and answer at once what a healthy node would. No test takes time here, so that what is left is
// gathering, messages and decoding. usage: campaign_bench [AGENTS]   (default 64, 1024, 5000)
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/fleet/measurement/coordinator.hpp"

namespace {

using namespace mlc;
using namespace mlc::fleet;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr double rail_gbit_s = 200;
constexpr int rails = 4, leaf_size = 32, uplinks = 16;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Json healthy() {
  RailSides rail;
  rail.sent.gbit_s.fill(rail_gbit_s / queue_pairs), rail.received.gbit_s.fill(rail_gbit_s / queue_pairs);
  return to_json(std::vector<RailSides>(rails, rail));
}

// Answers whatever a coordinator says, until it says that it is over.
void answer(SignedLink& link, const Json& message, const Json& seen, bool& over) {
  const auto type = message.at("type").get<std::string>();
  const auto test = message.value("test", 0);
  if (type == "test") link.send({{"type", "offer"}, {"test", test}, {"offer", Json::array()}});
  if (type == "peer") link.send({{"type", "ready"}, {"test", test}});
  if (type == "go") link.send({{"type", "seen"}, {"test", test}, {"rails", seen}});
  if (type == "end") over = true;
}

[[noreturn]] void all_agents(int agents, int port, const std::string& key) {
  Json told = Json::array();
  for (int rail = 0; rail < rails; ++rail)
    told.push_back({{"name", "rail"}, {"gbit_s", 0}, {"problem", ""}});
  std::deque<SignedLink> links;
  std::string why;
  for (int i = 0; i < agents; ++i) {
    auto link = connect_to("127.0.0.1", port, key, why);
    if (!link) {
      --i;
      continue;
    }
    link->send({{"type", "hello"},
                {"index", i},
                {"node", "n" + std::to_string(i)},
                {"boot_id", "b"},
                {"program", "bench"},
                {"engine", "made up"},
                {"rails", told},
                {"busy", ""}});
    links.push_back(std::move(*link));
    // The hello goes out when the other end's random number is there.
    for (int waits = 0; waits < 100 && !links.back().spoke(); ++waits)
      (void)links.back().wait(.1), (void)links.back().receive();
  }
  const Json seen = healthy();
  std::vector<pollfd> waiting;
  for (const auto& link : links)
    waiting.push_back({link.descriptor(), POLLIN, 0});
  int left = agents;
  auto alive = Clock::now();
  while (left > 0) {
    ::poll(waiting.data(), waiting.size(), 1000);
    const bool say = seconds_since(alive) > 1;
    if (say) alive = Clock::now();
    for (std::size_t i = 0; i < links.size(); ++i) {
      if (waiting[i].fd < 0) continue;
      bool over = false;
      try {
        if (say) links[i].send({{"type", "alive"}});
        while (auto message = waiting[i].revents != 0 ? links[i].receive() : std::nullopt)
          answer(links[i], *message, seen, over);
      } catch (const LinkError&) {
        over = true;
      }
      if (over) waiting[i].fd = -1, --left;
    }
  }
  ::_exit(0);
}

void measure(int agents) {
  auto listener = listen_on(0);
  sockaddr_in6 at{};
  socklen_t length = sizeof at;
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &length);
  const std::string key(64, 'k');
  const pid_t child = ::fork();
  if (child == 0) all_agents(agents, ntohs(at.sin6_port), key);
  CampaignTerms terms{.key = key,
                      .program = "bench",
                      .nodes = std::vector<std::string>(static_cast<std::size_t>(agents)),
                      .gather_s = 300,
                      .warm_up_s = 0,
                      .test_s = 0,
                      .deadline_s = 120,
                      .silence_s = 120,
                      .target_gbit_s = rail_gbit_s,
                      .plan = {}};
  const auto began = Clock::now();
  double gathered = 0;
  Coordinator coordinator(std::move(listener), terms,
                          {.pause = [](double) { return false; },
                           .say = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); },
                           .live = [](const std::string&) {},
                           .topology =
                               [&](const auto& nodes, int) {
                                 gathered = seconds_since(began);
                                 return regular_topology(static_cast<int>(nodes.size()), rails, leaf_size,
                                                         uplinks);
                               },
                           .record = [](const RoundRecord&) {}});
  (void)coordinator.hold({});
  const double all = seconds_since(began);
  const int rounds = coordinator.campaign() == nullptr ? 0 : coordinator.campaign()->round();
  coordinator.dismiss(ExitCode::pass);
  ::waitpid(child, nullptr, 0);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("%6d agents: gathered in %.2f s, %d rounds in %.2f s, %ld MB\n", agents, gathered, rounds,
              all - gathered, usage.ru_maxrss / 1024);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (argc > 1) {
    measure(std::atoi(argv[1]));
    return 0;
  }
  for (const int agents : {64, 1024, 5000})
    measure(agents);
}
