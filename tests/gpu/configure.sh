# How tests/gpu/run builds: sourced by it. Sets nccl, targets, options and build_here.
options=(-DMLC_TESTS=ON -DMLC_CHARTS=OFF -DMLC_SQLITE=AUTO -DCMAKE_BUILD_TYPE=RelWithDebInfo)
if [ -d "$deps/usr" ]; then
  multiarch=$(basename "$(dirname "$(find "$deps/usr/lib" -name 'libyaml-cpp.so*' -print -quit)")")
  libraries=$deps/usr/lib/$multiarch
  options+=("-DCMAKE_PREFIX_PATH=$deps/usr" "-DCMAKE_LIBRARY_ARCHITECTURE=$multiarch")
  export CPATH=$deps/usr/include${CPATH:+:$CPATH}
  export LIBRARY_PATH=$libraries${LIBRARY_PATH:+:$LIBRARY_PATH}
  export LD_LIBRARY_PATH=$libraries:$libraries/openmpi/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export OPAL_PREFIX=$deps/usr PATH=$deps/usr/bin:$PATH
fi
CUDACXX=$(find_nvcc)
export CUDACXX
[ -n "$CUDACXX" ] || unset CUDACXX
[ -z "${CUDACXX:-}" ] || "$CUDACXX" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p' >"$build/nvcc"
nccl=$(find_nccl "$deps" "${CUDACXX:-}")
if [ -n "$nccl" ]; then
  options+=("-DNCCL_INCLUDE_DIR=${nccl%%:*}" "-DMLC_NCCL_LIBRARY=${nccl#*:}")
else
  say "no NCCL (nccl.h beside libnccl.so.2) in NCCL_HOME, the archive, the toolkit, /usr or Python's wheels: built without it"
  options+=(-DMLC_NCCL=OFF)
fi
command -v ninja >/dev/null && options+=(-G Ninja)
# This machine's GPU alone: the release's list of architectures would take longer to build than the rest to run.
if [ -z "$build_only" ] && command -v nvidia-smi >/dev/null; then options+=(-DCMAKE_CUDA_ARCHITECTURES=native); fi
# shellcheck disable=SC2206
options+=(${MLC_CMAKE_OPTIONS:-})
targets=${MLC_BUILD_TARGETS:-mlc-bench gpu_device_test gpu_test}
# gpu_peer_rates needs cuBLAS's header too, and says so in its own step where it is missing.
# shellcheck disable=SC2016
build_here='set -e; build=$1 targets=$2; shift 2
cmake -S . -B "$build" "$@"
cmake --build "$build" --parallel "$(nproc)" --target $targets
[ -n "${MLC_BUILD_TARGETS:-}" ] || cmake --build "$build" --parallel "$(nproc)" --target gpu_peer_rates || echo "without gpu_peer_rates"'
