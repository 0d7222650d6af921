#include "bench/fleet/measurement/campaign_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "reports/record/json_reader.hpp"
#include "validators/host/own_directory.hpp"
#include "validators/host/whole_file.hpp"

namespace mlc::fleet {

namespace {

constexpr std::size_t largest = std::size_t{1} << 30;

[[noreturn]] void cannot(const std::string& what, const std::string& file) {
  throw std::runtime_error(file + " cannot be " + what + ": " + std::strerror(errno));
}

}  // namespace

CampaignFolder::CampaignFolder(const std::string& path)
    : file_((std::filesystem::path(path) / file_name).string()) {
  require_own_directory(path);
  require_own_file(file_);
  descriptor_ = FileDescriptor(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!descriptor_) cannot("opened", file_);
  if (::flock(descriptor_.get(), LOCK_EX | LOCK_NB) != 0)
    throw std::runtime_error(file_ + " is being written by another campaign");
  const std::string text = read_whole(file_, {.bytes = largest, .seconds = 60});
  std::size_t whole = 0;
  for (std::size_t end = 0; (end = text.find('\n', whole)) != std::string::npos; whole = end + 1) {
    const auto line = text.substr(whole, end - whole);
    try {
      if (whole == 0)
        header_ = campaign_header_from(read_json(line));
      else
        rounds_.push_back(round_record_from(read_json(line)));
    } catch (const std::exception& error) {
      throw std::runtime_error(file_ + ", line " + std::to_string(rounds_.size() + (header_ ? 2 : 1)) + ": " +
                               error.what());
    }
  }
  for (std::size_t i = 0; i < rounds_.size(); ++i)
    if (rounds_[i].round != static_cast<int>(i) + 1)
      throw std::runtime_error(file_ + " has round " + std::to_string(rounds_[i].round) +
                               " in the place of " + std::to_string(i + 1));
  if (whole < text.size() && ::ftruncate(descriptor_.get(), static_cast<off_t>(whole)) != 0)
    cannot("cut", file_);
  if (::lseek(descriptor_.get(), 0, SEEK_END) < 0) cannot("read", file_);
}

void CampaignFolder::begin(const CampaignHeader& header) {
  append(to_json(header).dump());
  header_ = header;
}

void CampaignFolder::add(const RoundRecord& round) {
  append(to_json(round).dump());
  rounds_.push_back(round);
}

void CampaignFolder::append(const std::string& line) {
  write_all(descriptor_.get(), line + "\n", file_);
  if (::fsync(descriptor_.get()) != 0 && errno != EINVAL) cannot("written", file_);
}

}  // namespace mlc::fleet
