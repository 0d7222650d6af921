#include "bench/burnin/stage.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <system_error>
#include <utility>

#include "reports/record/text.hpp"
#include "validators/host/child_process.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc {

namespace {

// What a stage has to write down what it knows, after it was told to stop.
constexpr double grace_s = 10;

void replace_all(std::string& text, std::string_view mark, const std::string& with) {
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + with.size()))
    text.replace(at, mark.size(), with);
}

}  // namespace

std::optional<std::vector<std::string>> words_of(const BurninStage& stage, const std::string& node,
                                                 const std::vector<std::string>& peers) {
  std::vector<std::string> words = stage.command;
  const std::string list = join(peers, ",");
  for (auto& word : words) {
    const auto has = [&](std::string_view mark) { return word.find(mark) != std::string::npos; };
    if (peers.empty() && (has("{peer}") || has("{peers}") || has("{nodes}"))) return std::nullopt;
    replace_all(word, "{peers}", list);
    if (!peers.empty()) replace_all(word, "{peer}", peers.front());
    replace_all(word, "{nodes}", node + "," + list);
  }
  return words;
}

StageEnd run_stage(const std::vector<std::string>& command, double limit_s, const std::string& log,
                   const std::function<void(double)>& alive, const std::function<void()>& stopping) {
  const FileDescriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!output) throw std::system_error(errno, std::generic_category(), "cannot write " + printable(log));
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  StageEnd end;
  double kill_at = -1;
  Children child;
  child.start(command, {}, output.get());
  std::optional<ChildEnd> ended;
  while (!(ended = child.ended())) {
    const int told = child.wait(0.05);
    if (alive && !end.interrupted) alive(seconds());
    if (kill_at < 0 && (told > 0 || seconds() > limit_s)) {
      end.interrupted = told > 0, end.timed_out = told <= 0;
      if (end.interrupted && stopping) stopping();
      child.signal(end.interrupted ? told : SIGTERM);
      kill_at = seconds() + grace_s;
    } else if (told > 0) {
      if (!std::exchange(end.interrupted, true) && stopping) stopping();
      kill_at = 0;  // told again, or while it was given time to end: now
    }
    if (kill_at >= 0 && seconds() > kill_at) child.signal(SIGKILL);
  }
  child.end();
  end.seconds = seconds();
  end.code = ended->code;
  return end;
}

std::string complaint_in(const std::string& log) {
  std::ifstream stream(log);
  std::string last, error;
  for (std::string line; std::getline(stream, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    last = line;
    if (line.starts_with("error:")) error = line.substr(std::min<std::size_t>(7, line.size()));
  }
  return printable(error.empty() ? last : error);
}

}  // namespace mlc
