// The parts of a report's page. Each writes one section, or nothing when the record has nothing for it.
#pragma once

#include "reports/faces/html_writer.hpp"
#include "reports/record/report.hpp"

namespace mlc {

void write_findings(HtmlWriter& html, const Report& report);
void write_fleet(HtmlWriter& html, const Report& report);   // html_fleet.cpp
void write_series(HtmlWriter& html, const Report& report);  // html_series.cpp
void write_figures(HtmlWriter& html,
                   const Report& report);  // html_figures.cpp: rails, matrices, histograms, GPUs
void write_environment(HtmlWriter& html, const Report& report);

}  // namespace mlc
