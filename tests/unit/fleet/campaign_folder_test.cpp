#include "bench/fleet/measurement/campaign_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "validators/host/scratch_directory.hpp"

namespace mlc::fleet {
namespace {

const CampaignHeader header{.seed = 4,
                            .id = 99,
                            .program = "mlc-bench 1",
                            .engine = "tcp",
                            .question = "--seed 4",
                            .topology = "sha256:1",
                            .nodes = {"a", "b"},
                            .rails = 1};

RoundRecord round_of(int number) {
  FlowResult flow{.rate = .98, .error = .01, .slow_windows = 2, .shares = {1, 1, .9, 1.1}};
  flow.at_sender.port = true;
  return {.round = number,
          .target_gbit_s = 200,
          .target_inferred = true,
          .results = {{.campaign = 99, .round = number, .first = 0, .second = 1, .flows = {flow, flow}}},
          .lost = {1},
          .troubles = {"b is gone"}};
}

struct Folder {
  ScratchDirectory scratch;
  std::string path = (scratch.path() / "campaign").string();
  std::string file = path + "/" + CampaignFolder::file_name;
  Folder() {
    CampaignFolder folder(path);
    EXPECT_FALSE(folder.header());
    folder.begin(header);
    folder.add(round_of(1));
    folder.add(round_of(2));
  }
  void append(const std::string& text) const { std::ofstream(file, std::ios::app) << text; }
};

TEST(CampaignFolder, KeepsWhatWasHeld) {
  const Folder kept;
  const CampaignFolder again(kept.path);
  EXPECT_EQ(again.header(), header);
  EXPECT_EQ(again.rounds(), (std::vector{round_of(1), round_of(2)}));
}

TEST(CampaignFolder, ALineThatWasCutOffIsNoRound) {
  const Folder kept;
  kept.append(R"({"schema": "mlc-bench/fleet-round/v1", "round": 3, "tar)");
  {
    CampaignFolder again(kept.path);
    EXPECT_EQ(again.rounds().size(), 2u);
    again.add(round_of(3));
  }
  EXPECT_EQ(CampaignFolder(kept.path).rounds().size(), 3u);
}

TEST(CampaignFolder, TwoCampaignsDoNotShareIt) {
  const Folder kept;
  const CampaignFolder one(kept.path);
  EXPECT_THROW(CampaignFolder other(kept.path), std::runtime_error);
}

TEST(CampaignFolder, WhatIsNoCampaignIsRefused) {
  for (const char* line :
       {"{}\n", "[1]\n", "{\"schema\": \"mlc-bench/fleet-round/v1\", \"round\": 7}\n", "\xff\n"}) {
    const Folder kept;
    kept.append(line);
    EXPECT_THROW(CampaignFolder again(kept.path), std::runtime_error) << line;
  }
  const Folder kept;
  ::chmod(kept.path.c_str(), 0777);
  EXPECT_THROW(CampaignFolder again(kept.path), std::runtime_error) << "others can write there";
}

}  // namespace
}  // namespace mlc::fleet
