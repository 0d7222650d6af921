// For `mlc-bench explain verdict`.
#pragma once

namespace mlc {

const char* verdict_explained();

}  // namespace mlc
