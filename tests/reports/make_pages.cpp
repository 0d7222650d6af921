// Writes the pages that the browser tests open, and their reports: make_pages DIRECTORY.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "reports/faces/comparison_faces.hpp"
#include "reports/faces/history_faces.hpp"
#include "reports/faces/html.hpp"
#include "reports/faces/junit.hpp"
#include "reports/record/json.hpp"
#include "tests/reports/sample_campaign.hpp"
#include "tests/reports/sample_history.hpp"
#include "tests/reports/sample_report.hpp"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: make_pages DIRECTORY\n");
    return 64;
  }
  const std::filesystem::path directory = arguments[1];
  std::filesystem::create_directories(directory);
  const auto write = [&](const char* name, const std::string& page) {
    std::ofstream file(directory / name, std::ios::binary);
    file << page;
    if (!file.flush()) throw std::runtime_error(std::string("cannot write ") + name);
    std::printf("%s %zu bytes\n", name, page.size());
  };
  using namespace mlc::test;
  const auto write_both = [&](const std::string& name, const mlc::Report& report) {
    write((name + ".html").c_str(), to_html(report));
    write((name + ".json").c_str(), to_json(report));
  };
  write_both("sick", sick_report());
  write_both("healthy", healthy_report());
  write_both("fleet", fleet_report(512));
  write_both("campaign", campaign_report(true));
  write_both("paths", campaign_report(false));
  write("comparison.html",
        to_html(compare(rails_in_launches(healthy_report()), rails_in_launches(sick_report()))));
  write("history.html", to_html(analyse(fleet_history(eventful_fleet()))));
  const mlc::Report hostile =
      hostile_report("\"><script>document.title='owned'</script><!--'\n\x01\xff&amp;");
  write_both("hostile", hostile);
  write("hostile.xml", to_junit(hostile));
  write("sick.xml", to_junit(sick_report()));
}
