# Sourced by quickstart, runtests and .ci/run: installs what is missing, and nothing when nothing is.

build_packages=(g++ cmake ninja-build libopenmpi-dev openmpi-bin libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libsqlite3-dev libcurl4-openssl-dev
                libibverbs-dev python3 python3-venv)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev python3-jsonschema python3-selenium python3-prometheus-client chromium chromium-driver iproute2 openssl
               clang libclang-rt-14-dev)
# The CUDA toolkit, NCCL and cuBLAS as Python wheels: they install without root.
cuda_wheels=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.88
             nvidia-cuda-cccl==13.0.85 nvidia-nccl-cu13==2.28.9 nvidia-cublas==13.0.2.14)

say() { printf '%s\n' "$*" >&2; }

need_packages() {
  local package missing=()
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian; these packages (or what your system calls them) are needed: $*"
    return 0
  fi
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "missing packages, and neither root nor sudo to install them: ${missing[*]}"; return 1; }
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/tmp/mlc-bench-apt.log 2>&1 ||
    { "${as_root[@]}" apt-get update >/tmp/mlc-bench-apt.log 2>&1 &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >>/tmp/mlc-bench-apt.log 2>&1; } ||
    { say "apt-get failed; its last words (all of them in /tmp/mlc-bench-apt.log):"; tail -n 5 /tmp/mlc-bench-apt.log >&2; return 1; }
}

# need_wheels REQUIREMENTS...: into .venv, once for each state of the files. What they bring is optional: without a network
# the build says what is missing and goes on.
need_wheels() {
  local stamp
  stamp=".venv/wheels-$(cat "$@" | cksum | tr -d ' ')"
  [ -e "$stamp" ] && return 0
  [ -x .venv/bin/python ] || /usr/bin/python3 -m venv .venv || return 0
  local file arguments=()
  for file in "$@"; do arguments+=(-r "$file"); done
  say "installing Python wheels into .venv"
  if .venv/bin/python -m pip install --quiet --disable-pip-version-check "${arguments[@]}" >/tmp/mlc-bench-pip.log 2>&1; then
    touch "$stamp"
  else
    say "pip failed (/tmp/mlc-bench-pip.log); going on without: $(tail -n 1 /tmp/mlc-bench-pip.log)"
  fi
}

# .venv/cuda looks like a toolkit (bin/nvcc, include, lib), .venv/nccl like NCCL.
need_cuda() {
  if command -v nvcc >/dev/null && [ -z "${MLC_CUDA_WHEELS:-}" ]; then return 0; fi
  [ -x .venv/cuda/bin/nvcc ] && [ -e .venv/nccl/lib/libnccl.so.2 ] && return 0
  say "installing the CUDA toolkit and NCCL from Python wheels into .venv (about 1 GB)"
  [ -x .venv/bin/python ] || /usr/bin/python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "${cuda_wheels[@]}"
  local site
  site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  ln -sfn "$site/nvidia/cu13" .venv/cuda
  ln -sfn "$site/nvidia/nccl" .venv/nccl
  [ -e .venv/cuda/lib64 ] || ln -s lib .venv/cuda/lib64
}

# configure_and_build DIR [CMAKE OPTION...]
configure_and_build() {
  local dir=$1
  shift
  cmake -S . -B "$dir" -G Ninja "$@" >"$dir.configure.log" 2>&1 || { cat "$dir.configure.log" >&2; return 1; }
  grep -E '^-- (MPI|CUDA|NCCL|VERBS|CUDA architectures|[A-Za-z ]+: (yes|no, ))' "$dir.configure.log" | sed 's/^-- //' >&2
  cmake --build "$dir" >"$dir.build.log" 2>&1 || { tail -n 60 "$dir.build.log" >&2; return 1; }
}
