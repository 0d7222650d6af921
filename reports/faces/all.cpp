#include <algorithm>

#include "reports/faces/face.hpp"

namespace mlc {

// In the order that --help lists them.
#define MLC_FACES(_) \
  _(text_face)       \
  _(json_face)       \
  _(json_lines_face) \
  _(csv_face)        \
  _(prometheus_face) \
  _(html_face)       \
  _(markdown_face)   \
  _(junit_face)      \
  _(line_face)

#define MLC_DECLARE(name) extern const Face name;
#define MLC_ADDRESS(name) &name,
MLC_FACES(MLC_DECLARE)

const std::vector<const Face*>& all_faces() {
  static const std::vector<const Face*> table{MLC_FACES(MLC_ADDRESS)};
  return table;
}

const Face* find_face(std::string_view name) {
  const auto found = std::ranges::find(all_faces(), name, &Face::name);
  return found == all_faces().end() ? nullptr : *found;
}

const Face* face_for(std::string_view file_name) {
  for (const Face* face : all_faces())
    for (const auto ending : face->endings)
      if (file_name.ends_with(ending)) return face;
  return nullptr;
}

}  // namespace mlc
