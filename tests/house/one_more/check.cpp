#include "validators/checks/check.hpp"

namespace mlc::checks {

extern const Check one_more_check{
    .name = "house.one-more",
    .summary = "there is one more check",
    .why = "or the recipe for one is not true",
    .reads = "nothing",
    .fix = "mend the recipe",
    .run =
        [](const Host&, const Policy&) {
          return std::vector{Finding{
              .check = "house.one-more", .subject = "house", .status = Status::pass, .observed = "one more"}};
        },
};

}  // namespace mlc::checks
