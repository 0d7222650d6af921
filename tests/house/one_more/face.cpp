#include "reports/faces/face.hpp"

namespace mlc {

extern const Face one_more_face{
    .name = "shout",
    .endings = {".shout"},
    .render = [](const Report& report,
                 const Style&) { return std::to_string(report.series.size()) + " SERIES!\n"; },
};

}  // namespace mlc
