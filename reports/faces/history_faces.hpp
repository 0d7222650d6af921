// History for a terminal, a program and a browser.
#pragma once

#include <string>

#include "reports/faces/page_assets.hpp"
#include "reports/history/history.hpp"

namespace mlc {

struct HistoryTextOptions {
  bool colour = false;
};

std::string to_text(const HistoryResult& result, const HistoryTextOptions& options = {});
std::string to_json(const HistoryResult& result);  // trends: as many as the page draws
std::string to_html(const HistoryResult& result, const PageAssets& assets = page_assets());

// What the faces for people say alike.
std::string subject_of(const HistoryEvent& event);  // "gpu-7 rail 2", "the fleet", "120 of 1000 of the fleet"
std::string change_text(const HistoryEvent& event);  // "allreduce 1 GiB -12.1 %, worse (and 7 other metrics)"
std::string versions_text(const std::vector<VersionChange>& versions);
std::string outlier_text(const Outlier& outlier);  // "write 1 MiB 50.1 % under its 4000 peers (z -160)"
// Of a pass: with what was compared. "nothing is worse than before or than its peers"
std::string compared_text(const HistoryResult& result);
std::string headline_text(
    const HistoryResult& result);  // "365000 runs, 5000 series, 2026-01-01 to 2026-12-31"

// Lines worth drawing: those with events, alarms or outliers first; a bounded number of groups and of tracks.
std::vector<std::size_t> trends_to_draw(const HistoryResult& result);
bool concerns(const HistoryEvent& event, const Trend& trend);

}  // namespace mlc
