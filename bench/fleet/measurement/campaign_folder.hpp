// A campaign on disk: a line for what it is, and one for each round, on disk before the next begins. Whoever
// has it can go on where the coordinator was killed, and decode it again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/fleet/measurement/round_record.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc::fleet {

class CampaignFolder {
 public:
  static constexpr const char* file_name = "campaign.ndjson";

  // Makes the folder where it is not there, its parents not. What is in it already is read; a last line that
  // was cut off in being written is left out, as if its round had not been held. Throws std::runtime_error.
  explicit CampaignFolder(const std::string& path);

  const std::optional<CampaignHeader>& header() const { return header_; }
  const std::vector<RoundRecord>& rounds() const { return rounds_; }

  // Of an empty one. Throw std::runtime_error.
  void begin(const CampaignHeader& header);
  void add(const RoundRecord& round);

 private:
  void append(const std::string& line);

  std::string file_;
  FileDescriptor descriptor_;
  std::optional<CampaignHeader> header_;
  std::vector<RoundRecord> rounds_;
};

}  // namespace mlc::fleet
