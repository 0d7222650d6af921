#include "validators/host/clock.hpp"

#include <ctime>

#include "reports/record/moment.hpp"

namespace mlc {

std::string timestamp() { return rfc3339(std::time(nullptr)); }

}  // namespace mlc
