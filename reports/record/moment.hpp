// Points in time as the report and the Kubernetes API write them: RFC 3339 in UTC.
#pragma once

#include <ctime>
#include <optional>
#include <string>

namespace mlc {

std::string rfc3339(std::time_t moment);        // "2026-01-02T03:04:05Z": metav1.Time
std::string rfc3339_micro(std::time_t moment);  // "2026-01-02T03:04:05.000000Z": metav1.MicroTime

// Only what rfc3339() writes; empty for anything else.
std::optional<std::time_t> parse_rfc3339(const std::string& text);

}  // namespace mlc
