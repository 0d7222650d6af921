#include "reports/record/json.hpp"

#include "reports/faces/face.hpp"

namespace mlc {

extern const Face json_face{
    .name = "json",
    .endings = {".json"},
    .render = [](const Report& report, const Style&) { return to_json(report); },
};

}  // namespace mlc
