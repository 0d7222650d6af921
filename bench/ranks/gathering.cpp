#include "bench/ranks/gathering.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr double stranger_s = 10;
constexpr std::size_t most_strangers = 512;
constexpr int most_told = 20;

double seconds_since(Gathering::Clock::time_point start) {
  return std::chrono::duration<double>(Gathering::Clock::now() - start).count();
}

}  // namespace

Gathering::Gathering(FileDescriptor listener, Terms terms)
    : listener_(std::move(listener)), terms_(std::move(terms)) {}

std::vector<std::pair<int, nlohmann::json>> Gathering::turn(int wait_ms) {
  // Who was not listened to for so long, by a stopped process or a moved machine, was not silent.
  if (terms_.silence_s > 0 && seconds_since(turned_) > terms_.silence_s / 2)
    for (auto& seat : seats_)
      seat->heard = Clock::now();
  turned_ = Clock::now();
  std::vector<pollfd> waiting;
  const bool open = guests_.size() < most_strangers && Clock::now() >= rests_until_;
  // Who comes while all places for strangers are taken waits outside.
  if (open) waiting.push_back({listener_.get(), POLLIN, 0});
  for (const auto& guest : guests_)
    waiting.push_back({guest.link.descriptor(), POLLIN, 0});
  for (const auto& seat : seats_)
    if (seat->link) waiting.push_back({seat->link->descriptor(), POLLIN, 0});
  ::poll(waiting.data(), waiting.size(), wait_ms);
  while (open && guests_.size() < most_strangers) {
    errno = 0;
    auto link = accept_on(listener_, terms_.key);
    if (!link) {
      // No descriptor is left: the one that waits is there at once again, and would keep this busy.
      if (errno == EMFILE || errno == ENFILE) rests_until_ = Clock::now() + std::chrono::seconds(1);
      break;
    }
    guests_.push_back({std::move(*link)});
  }
  std::erase_if(guests_,
                [&](Guest& guest) { return seconds_since(guest.since) > stranger_s || !keep(guest); });
  std::vector<std::pair<int, nlohmann::json>> said;
  for (int i = 0; i < size(); ++i) {
    Seat& each = *seats_[static_cast<std::size_t>(i)];
    try {
      while (each.link) {
        auto message = each.link->receive();
        if (!message) break;
        each.heard = Clock::now();
        said.emplace_back(i, std::move(*message));
      }
    } catch (const LinkError& error) {
      lose(i, error.what());
    }
    if (terms_.silence_s > 0 && seconds_since(each.heard) > terms_.silence_s)
      lose(i, "it has been silent for " + time_text(terms_.silence_s * 1e6));
  }
  if (seconds_since(alive_) > terms_.alive_every_s) {
    alive_ = Clock::now();
    for (int i = 0; i < size(); ++i)
      tell(i, {{"type", "alive"}});
  }
  return said;
}

bool Gathering::keep(Guest& guest) {
  try {
    auto hello = guest.link.receive();
    if (!hello) return true;
    const std::string why = terms_.refusal(*hello);
    if (!why.empty()) {
      guest.link.send({{"type", "refused"}, {"why", why}});
      terms_.say(guest.link.peer() + " was refused: " + why);
      return false;
    }
    auto seat = std::make_unique<Seat>();
    seat->address = guest.link.peer(), seat->hello = std::move(*hello), seat->heard = Clock::now();
    seat->link.emplace(std::move(guest.link));
    seats_.push_back(std::move(seat));
  } catch (const std::exception& error) {
    if (!guest.link.spoke()) return false;  // looked whether anybody listens
    if (++turned_away_ <= most_told)
      terms_.say("turned away: " + printable(error.what(), 300) +
                 (turned_away_ == most_told ? "; those that come are no longer told" : ""));
  }
  return false;
}

void Gathering::lose(int seat, const std::string& why) {
  Seat& lost = *seats_[static_cast<std::size_t>(seat)];
  if (!lost.link) return;
  lost.gone = why, lost.link.reset();
  if (!ending_) terms_.say(terms_.name(lost.hello) + " is gone: " + why);
}

void Gathering::tell(int seat, const nlohmann::json& message) {
  Seat& told = *seats_[static_cast<std::size_t>(seat)];
  try {
    if (told.link) told.link->send(message);
  } catch (const LinkError& error) {
    lose(seat, error.what());
  }
}

int Gathering::present() const {
  return static_cast<int>(
      std::ranges::count_if(seats_, [](const auto& seat) { return seat->link.has_value(); }));
}

void Gathering::sort(const std::function<int(const nlohmann::json&)>& by) {
  std::ranges::sort(seats_, {}, [&](const auto& seat) { return by(seat->hello); });
}

}  // namespace mlc
