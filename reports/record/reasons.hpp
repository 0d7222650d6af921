// The verdict's reasons, each with the remedy that the record holds for it. Every face for people begins with
// these.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/record/report.hpp"

namespace mlc {

struct Reason {
  std::string text;    // a sentence of verdict.because
  std::string remedy;  // what to do next; empty where the record knows none
  std::string where;   // "finding-3", "series-0", "error-1": what it is about; empty if it could not be found
  bool operator==(const Reason&) const = default;
};

std::vector<Reason> reasons(const Report& report);

std::string series_name(const Series& series);     // "allreduce float sum 1 MiB in-place"
std::string room_of(std::string_view check);       // "rdma.link-state" -> "rdma"
std::string slowest_text(const Slowest& slowest);  // "rank 3 (gpu-b), 12.0 % over the others"

// "write", "write, together", "write, together, both ways": what tells two results of a rail apart.
std::string operation_of(const RailResult& rail);

}  // namespace mlc
