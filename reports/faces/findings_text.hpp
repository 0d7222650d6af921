// The screen of `validate`: a line a check, and for what is wrong where it was read and what to do next.
#pragma once

#include <string>

#include "reports/record/report.hpp"
#include "reports/record/style.hpp"

namespace mlc {

std::string findings_text(const Report& report, const Style& style);

// The worst of them decides how a check is counted: fail, unknown, warn, pass, skip.
Status worst(Status a, Status b);

}  // namespace mlc
