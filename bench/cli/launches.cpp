#include "bench/cli/launches.hpp"

#include <charconv>

#include "bench/ranks/launched_as.hpp"
#include "validators/host/scratch_directory.hpp"

namespace mlc {

namespace {

constexpr int default_launches = 5;
// What rank 0 of a launch finds in its environment.
constexpr const char* number_variable = "MLC_LAUNCH";
constexpr const char* folder_variable = "MLC_LAUNCHES";

}  // namespace

void LaunchOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--launches", count,
          "measure everything so many times, each with ranks started anew, for 'mlc-bench compare' "
          "(default 1; 5 where --output is a JSON file); each of several is then measured to 0.5 % or for "
          "its share of a second, unless told")
      ->group("Measuring")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
}

int LaunchOptions::number(bool saved) const { return count.value_or(saved ? default_launches : 1); }

std::string LaunchPlace::file(int launch) const {
  return directory + "/launch-" + std::to_string(launch) + ".json";
}

LaunchPlace launch_place(int launches) {
  const auto number = from_environment(number_variable), folder = from_environment(folder_variable);
  LaunchPlace place{.of = launches};
  if (launches == 1) return place;
  place.renewed = Renewed::communicators;
  if (!number || !folder) return place;
  const auto [end, error] = std::from_chars(number->data(), number->data() + number->size(), place.number);
  if (error != std::errc{} || end != number->data() + number->size() || place.number < 1 ||
      place.number > launches)
    place.number = 1;
  else
    place.renewed = Renewed::processes, place.directory = *folder;
  return place;
}

std::string launches_text(int launches, Renewed renewed, bool asked_for) {
  std::string text = std::to_string(launches) + " launches";
  if (renewed == Renewed::processes)
    text += ", each with ranks of its own";
  else
    text +=
        ": these ranks stay and make their communicators anew; what differs from process to process (core, "
        "memory, port) is not seen";
  if (!asked_for) text += "; 'mlc-bench compare' needs them, --launches 1 is quicker";
  return text;
}

LaunchResult one_after_the_other(int launches, const std::function<LaunchResult(const Variables&)>& start) {
  if (launches == 1) return start({});
  const ScratchDirectory folder;
  LaunchResult result;
  for (int launch = 1; launch <= launches; ++launch) {
    result = start({{number_variable, std::to_string(launch)}, {folder_variable, folder.path().string()}});
    const bool verdict = result.code == ExitCode::pass || result.code == ExitCode::fail ||
                         result.code == ExitCode::inconclusive;
    if (!result.finished || result.interrupted || !verdict) break;
  }
  return result;
}

}  // namespace mlc
