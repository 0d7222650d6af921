// Stands in for who drives a campaign: keeps in FOLDER the rounds that nodes of these names would have had,
// with one of them at fault where BAD is NODE:RAIL (its sending carries half of what it should).
// usage: played_campaign FOLDER RAILS GBIT_S BAD|- NODE...
#include <cstdlib>

#include "bench/fleet/measurement/campaign_folder.hpp"
#include "tests/fleet/held_campaign.hpp"

int main(int count, char** words) {
  if (count < 7) return 64;
  const std::string bad = words[4];
  const auto record =
      mlc::fleet::held_campaign({words + 5, words + count}, std::atoi(words[2]), std::atof(words[3]),
                                [&](const std::string& sender, const std::string&, int rail) {
                                  return bad == sender + ":" + std::to_string(rail) ? .48 : .99;
                                });
  mlc::fleet::CampaignFolder folder(words[1]);
  folder.begin(record.header);
  for (const auto& round : record.rounds)
    folder.add(round);
  return 0;
}
