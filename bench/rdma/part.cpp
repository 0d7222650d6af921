#include "bench/rdma/part.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "bench/rdma/failure.hpp"

namespace mlc::rdma {

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Session::Part::Part(Session& session, const std::vector<Meet>& meets,
                    const std::vector<std::optional<Cell>>& cells)
    : s_(session),
      me_(static_cast<std::size_t>(session.control_.rank())),
      peer_(me_),
      phase_("waiting for the other pairs of the round") {
  const int me = session.control_.rank();
  for (std::size_t i = 0; i < meets.size(); ++i)
    if (cells[i] && (meets[i].ends.first == me || meets[i].ends.second == me))
      meet_ = &meets[i], cell_ = &*cells[i];
  if (meet_ == nullptr) return;
  first_ = meet_->ends.first == me;
  peer_ = static_cast<std::size_t>(first_ ? meet_->ends.second : meet_->ends.first);
  phase_ = std::string(to_string(s_.plan_.verb)) + " " + std::string(to_string(s_.plan_.mode)) + " with " +
           s_.ends_[peer_].node + ", " + cell_->name();
  const std::size_t count = cell_->lanes.size();
  lanes_.resize(count), addresses_.resize(count), ready_.resize(count), reports_.resize(count);
  before_.resize(count);
}

void Session::Part::enter(const char* step) {
  if (s_.settings_.pulse) s_.settings_.pulse->enter(phase_ + ": " + step);
}

RailPair Session::Part::positions(std::size_t lane) const {
  const RailPair pair = meet_->lanes[cell_->lanes[lane]];
  return first_ ? pair : RailPair{pair.theirs, pair.mine};
}

const RailFacts& Session::Part::rail_of(std::size_t lane) const {
  return s_.ends_[me_].rails[static_cast<std::size_t>(positions(lane).mine)];
}

Ends Session::Part::ends_of(std::size_t lane) const {
  return {s_.settings_.node, rail_of(lane), s_.ends_[peer_].node,
          s_.ends_[peer_].rails[static_cast<std::size_t>(positions(lane).theirs)]};
}

CounterReading Session::Part::counters_of(std::size_t lane) const {
  return read_counters(s_.settings_.files, rail_of(lane).device, rail_of(lane).netdev);
}

LaneSettings Session::Part::settings_for(const RailFacts& rail) const {
  const Cell& cell = *cell_;
  const bool initiates = cell.direction == Direction::both || (cell.direction == Direction::forth) == first_;
  const bool passive_sink = cell.direction == Direction::both || !initiates;
  LaneSettings settings{
      .plan = s_.plan_,
      .bytes = cell.bytes,
      .initiates = initiates,
      .receives = passive_sink || (s_.plan_.mode == Mode::latency && s_.plan_.verb == Verb::send),
      .numa_node = rail.numa_node,
      .wait = s_.settings_.wait,
      .fault = {},
      .fault_record = nullptr,
      .status_text = [this](int status) { return s_.verbs_.status_text(status); }};
  // All rails together are the load that heats, and the one that admission observes.
  if (settings.plan.question && !cell.together && s_.plan_.together && meet_->lanes.size() > 1)
    settings.plan.question->observe_s = 0,
    settings.plan.seconds_question = std::min(settings.plan.seconds_question, quick_question_s);
  // Spinning is for those who have a core to themselves, with one left for the rest of the node.
  if (settings.wait == Wait::automatic)
    settings.wait = static_cast<int>(lanes_.size()) < s_.settings_.cpus ? Wait::spin : Wait::yield;
  if (s_.settings_.fault && s_.settings_.fault->place == rail.index)
    settings.fault = s_.settings_.fault, settings.fault_record = &s_.fault_record_;
  return settings;
}

// Watches this end's threads. They stop together when each knows enough, so that what is measured together
// runs together.
void Session::Part::drive(CellState& state, bool until_sent) {
  std::uint64_t seen = 0;
  const double began = now_s();
  double told = began;
  const Plan& plan = s_.plan_;
  const double most_s =
      plan.iterations ? 1e9 : 1.5 * (plan.question ? plan.seconds_question : plan.seconds) + 1;
  const double alive_every_s = std::min(1.0, s_.plan_.timeout_s / 4);
  const auto all = [&](auto&& holds) {
    return std::ranges::all_of(lanes_, [&](const auto& lane) { return !lane || holds(*lane); });
  };
  for (int pause_us = 20;; pause_us = std::min(pause_us * 2, 2000)) {
    if (all([](const Lane& lane) { return lane.settled(); })) state.stop = true;
    if (all([&](const Lane& lane) { return until_sent ? lane.sent_all() : lane.ended(); })) return;
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
    const double now = now_s();
    if (now - began > most_s) state.stop = true;
    if (now - told < alive_every_s) continue;
    std::uint64_t progress = 0;
    for (const auto& lane : lanes_)
      if (lane) progress += lane->progress();
    told = now;
    // The threads give up by themselves when nothing moves, and then the peer learns why; the watch sees to
    // one that is stuck inside a verb.
    if (s_.settings_.alive) s_.settings_.alive();
    if (progress != seen && s_.settings_.pulse) s_.settings_.pulse->tick();
    seen = progress;
  }
}

void Session::Part::open() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto& held = s_.mine_->rails[static_cast<std::size_t>(positions(i).mine)];
    try {
      if (!rail_of(i).problem.empty()) throw VerbsError(rail_of(i).problem, EIO);
      lanes_[i] =
          std::make_unique<Lane>(*held.device, *held.memory, rail_of(i).gid_index, settings_for(rail_of(i)));
      addresses_[i] = lanes_[i]->address();
    } catch (const VerbsError& error) {
      addresses_[i].error = failure_text(error.what(), ends_of(i));
      lanes_[i].reset();
    }
  }
}

void Session::Part::connect(const std::vector<std::string>& all_addresses) {
  if (meet_ == nullptr) return;
  const auto theirs = lane_addresses_from(all_addresses[peer_], lanes_.size());
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    ready_[i].error = addresses_[i].error;
    if (!lanes_[i] || !theirs[i].error.empty()) {
      lanes_[i].reset();
      continue;
    }
    const int smaller = std::min(addresses_[i].mtu, theirs[i].mtu);
    ready_[i].mtu = s_.plan_.mtu > 0 ? std::min(s_.plan_.mtu, smaller) : smaller;
    try {
      lanes_[i]->prepare_data(first_ ? 0 : 1);
      lanes_[i]->connect(theirs[i]);
    } catch (const VerbsError& error) {
      ready_[i].error = failure_text(error.what(), ends_of(i));
      lanes_[i].reset();
    }
  }
}

void Session::Part::leave_what_the_peer_left(const std::vector<std::string>& all_ready) {
  if (meet_ == nullptr) return;
  const auto theirs = lane_reports_from(all_ready[peer_], lanes_.size());
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (!theirs[i].error.empty()) lanes_[i].reset();
}

std::vector<std::string> Session::Part::transfer() {
  if (first_ && s_.settings_.live) s_.settings_.live(phase_);
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (lanes_[i]) before_[i] = counters_of(i);
  CellState state;
  struct Threads {
    CellState& state;
    std::vector<std::thread> running;
    ~Threads() {
      state.abandon = true;  // without effect on those that have ended
      for (auto& thread : running)
        thread.join();
    }
  } threads{state, {}};
  for (auto& lane : lanes_)
    if (lane) threads.running.emplace_back([&state, each = lane.get()] { each->run(state); });
  drive(state, true);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i]) reports_[i] = lanes_[i]->report();
    if (!reports_[i].error.empty()) reports_[i].error = failure_text(reports_[i].error, ends_of(i));
  }
  enter("waiting for the other end's results");
  auto all_reports = gather_text(s_.control_, to_text(reports_));
  if (meet_ != nullptr) {
    const auto theirs = lane_reports_from(all_reports[peer_], lanes_.size());
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      if (lanes_[i])
        lanes_[i]->expect(theirs[i].error.empty() ? theirs[i].sent : std::vector<std::uint64_t>(1, 0));
  }
  state.stop = true;
  drive(state, false);
  return all_reports;
}

std::vector<LaneCheck> Session::Part::verify() {
  std::vector<LaneCheck> checks(lanes_.size());
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (!lanes_[i]) continue;
    checks[i] = lanes_[i]->verify(first_ ? 1 : 0);
    if (!lanes_[i]->failure().empty() && reports_[i].error.empty())
      checks[i].error = failure_text(lanes_[i]->failure(), ends_of(i));
    checks[i].counters = telling_deltas(before_[i], counters_of(i));
  }
  return checks;
}

}  // namespace mlc::rdma
