#include "bench/gpu/burnin.hpp"

namespace mlc {

extern const GpuTest one_more_test{
    .name = "one-more",
    .summary = "whether there is one more test",
    .limit = "none",
    .quick_s = 1,
    .full_s = 1,
    .run = [](Burnin& node, double) { node.tick(); },
};

}  // namespace mlc
