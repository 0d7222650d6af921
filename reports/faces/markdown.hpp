// The report as Markdown for a pull request or an issue (GitHub's dialect), and what its writers share.
#pragma once

#include <string>
#include <string_view>

#include "reports/record/report.hpp"

namespace mlc {

std::string to_markdown(const Report& report);

// Untrusted text within a sentence or a table cell: no markup, no link, no mention of a person.
std::string markdown_text(std::string_view untrusted);

// Untrusted text as a code span, fit for a table cell.
std::string markdown_code(std::string_view untrusted);

}  // namespace mlc
