// Which NCCL has what this program uses where it is there. Looked for at run time; a version is what the
// user is told.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace mlc::nccl_first_with {

inline constexpr int fp8 = 22400, cta_policy = 22700, windows = 22703, zero_ctas = 22800,
                     chunk_collectives = 22800;

}  // namespace mlc::nccl_first_with

namespace mlc {

inline std::string nccl_version_text(int version) {
  return "NCCL " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

struct NcclFeature {
  int since;
  std::string_view what, otherwise;
};

inline constexpr std::array<NcclFeature, 5> nccl_features{{
    {nccl_first_with::fp8, "8-bit floats (-d f8e4m3, f8e5m2), on GPUs of compute capability 9.0 and newer",
     "these dtypes are refused"},
    {nccl_first_with::cta_policy, "how many SMs it may use (-x 1)", "-x is refused"},
    {nccl_first_with::windows, "buffers as symmetric windows (-R 2)", "-R 2 is refused"},
    {nccl_first_with::zero_ctas, "copy engines in the place of SMs (-x 2, with -R 2)", "-x 2 is refused"},
    {nccl_first_with::chunk_collectives, "ncclAlltoAll, ncclGather and ncclScatter of its own",
     "alltoall, gather and scatter are grouped sends and receives, as in nccl-tests"},
}};

// For `mlc-bench explain nccl`. `here`: the version that was found, empty where there is none.
inline std::string nccl_explained(const std::string& here) {
  std::string text =
      "nccl: what it does depends on the library that is found at run time, on every rank alike: the oldest "
      "decides\n\n";
  for (const NcclFeature& feature : nccl_features)
    text += nccl_version_text(feature.since) + "  " + std::string(feature.what) + "; before it, " +
            std::string(feature.otherwise) + "\n";
  text +=
      "\nalltoallv, hypercube and sendrecv are grouped sends and receives with every version. Flags of "
      "nccl-tests "
      "that this program does not know say why (mlc-bench allreduce --help, 'As in nccl-tests').\n";
  return text + (here.empty() ? "Here there is none.\n" : "Here: " + here + ".\n");
}

}  // namespace mlc
