// The faces of a report: one file each here, one line each in all.cpp; --format, its help and the endings of
// --output come from the table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/record/report.hpp"
#include "reports/record/style.hpp"

namespace mlc {

struct Face {
  std::string_view name;                  // of --format
  std::vector<std::string_view> endings;  // of --output: ".csv"
  std::string (*render)(const Report& report, const Style& style) = nullptr;
};

const std::vector<const Face*>& all_faces();
const Face* find_face(std::string_view name);
// The face whose ending the file name has; none: nullptr.
const Face* face_for(std::string_view file_name);

}  // namespace mlc
