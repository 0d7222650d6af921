# Sourced by quickstart, runtests and .ci/run: installs what is missing, and nothing when nothing is.

build_packages=(g++ cmake ninja-build libopenmpi-dev openmpi-bin libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libsqlite3-dev libcurl4-openssl-dev libssl-dev
                libibverbs-dev python3 python3-venv dpkg-dev file)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev python3-jsonschema python3-selenium python3-prometheus-client chromium chromium-driver iproute2 iptables openssh-client openssh-server openssl
               clang libclang-rt-14-dev git fish zsh man-db lintian buildah debootstrap binutils tmux
               slurmctld slurmd slurm-client slurm-wlm-basic-plugins)
# The CUDA toolkit, NCCL and cuBLAS as Python wheels: they install without root.
cuda_wheels=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.88
             nvidia-cuda-cccl==13.0.85 nvidia-nccl-cu13==2.28.9 nvidia-cublas==13.0.2.14)

say() { printf '%s\n' "$*" >&2; }

# What apt and pip said, for when they fail: in the tree, so that two clones at once and two accounts do not meet.
apt_log=build.apt.log
pip_log=build.pip.log

# apt_get ARGUMENT...: as root, and one at a time, for the next finds what this one has installed.
apt_get() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "neither root nor sudo for: apt-get $*"; return 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive flock /var/lib/apt/lists apt-get -o DPkg::Lock::Timeout=900 "$@" </dev/null >>"$apt_log" 2>&1
}

# need_packages [-t RELEASE] PACKAGE...
need_packages() {
  local package missing=() from=()
  if [ "$1" = -t ]; then
    from=(-t "$2")
    shift 2
  fi
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian; these packages (or what your system calls them) are needed: $*"
    return 0
  fi
  for package in "$@"; do
    # That a package is there says nothing of its release: what has to be of one is asked for whatever is installed.
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] && [ ${#from[@]} -eq 0 ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    say "missing packages, and neither root nor sudo to install them: ${missing[*]}"
    return 1
  fi
  say "installing ${missing[*]}"
  : >"$apt_log"
  apt_get install -y --no-install-recommends "${from[@]}" "${missing[@]}" ||
    { apt_get update && apt_get install -y --no-install-recommends "${from[@]}" "${missing[@]}"; } ||
    { say "apt-get failed; its last words (all of them in $apt_log):"; tail -n 5 "$apt_log" >&2; return 1; }
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
  if .venv/bin/python -m pip install --quiet --disable-pip-version-check "${arguments[@]}" </dev/null >"$pip_log" 2>&1; then
    touch "$stamp"
  else
    say "pip failed ($pip_log); going on without: $(tail -n 1 "$pip_log")"
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

# What tests/lab boots its virtual nodes with. Never an error: what cannot be had leaves the lab's tests skipped, with the reason.
# The last two lines: its Pods, containers of crun with CNI's plugins, the runtime's seccomp profile, and what the image holds.
lab_packages=(qemu-system-x86 busybox-static kmod cpio openssh-server openssh-client perftest rdma-core ibverbs-providers iproute2
              crun containernetworking-plugins golang-github-containers-common
              ca-certificates ethtool)
lab_has_its_programs() {
  local path
  for path in /usr/bin/ib_write_bw /usr/bin/crun /usr/lib/cni/host-device /usr/share/containers/seccomp.json /usr/sbin/ethtool; do
    [ -e "$path" ] || return 1
  done
}
need_lab() {
  tests/lab/up --why-not >/dev/null 2>&1 && lab_has_its_programs && return 0
  if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null; then
    say "the lab's tests will be skipped: $(tests/lab/up --why-not || true)"
    return 0
  fi
  local release
  release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # QEMU's SR-IOV NIC came with version 8; Debian 12 has 7.2, its backports 10.
  if [ "$release" = bookworm ] && ! qemu_has_igb; then
    need_backports "$release" && need_packages -t "$release-backports" qemu-system-x86 || say "no QEMU from backports"
  fi
  local new_sshd=
  [ -e /usr/sbin/sshd ] || new_sshd=yes
  need_packages "${lab_packages[@]}" || say "not all packages of the lab could be installed"
  # The program is for the virtual nodes; this machine gets no new way in.
  if [ -n "$new_sshd" ] && [ -d /run/systemd/system ]; then
    $([ "$(id -u)" -eq 0 ] || echo sudo) systemctl disable --now ssh.service ssh.socket >/dev/null 2>&1 || true
  fi
  tests/lab/up --why-not >/dev/null 2>&1 || need_lab_kernel || true
  local reason
  reason=$(tests/lab/up --why-not) || say "the lab's tests will be skipped: $reason"
}

# An older QEMU exits 0 from "-device igb,help" too, and only says that it knows no such device.
qemu_has_igb() { [[ $(qemu-system-x86_64 -device help 2>/dev/null) == *'name "igb"'* ]]; }

# need_backports RELEASE: this machine's own source of the release, with the suite changed, so that mirror, key and options stay.
need_backports() {
  apt-cache policy | grep -q "n=$1-backports" && return 0
  local as_root=() text
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  text=$(backports_source "$1" /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
  [ -n "$text" ] || return 1
  say "adding $1-backports to the package sources"
  printf '%s\n' "$text" | "${as_root[@]}" tee "/etc/apt/sources.list.d/$1-backports.$([[ $text == deb* ]] && echo list || echo sources)" >/dev/null
  apt_get update
}

# backports_source RELEASE FILE...: the first entry that has the release itself, in either format, with the suite changed.
backports_source() {
  local release=$1 file found
  shift
  for file in "$@"; do
    [ -r "$file" ] || continue
    if [[ $file == *.sources ]]; then
      found=$(awk -v release="$release" 'BEGIN { RS = "" } ("\n" $0 "\n") ~ ("\nSuites:([^\n]* )?" release "[ \n]") && !/\nEnabled: *no/ {
        sub(/\nSuites:[^\n]*/, "\nSuites: " release "-backports", $0); print; exit }' "$file")
    else
      found=$(sed -n "s/^\(deb  *\(\[[^]]*\] *\)\{0,1\}[^ ]*  *\)$release  *\(.*\)/\1$release-backports \3/p" "$file" | head -n 1)
    fi
    [ -z "$found" ] || { printf '%s\n' "$found"; return 0; }
  done
}

# A kernel for the virtual nodes, unpacked and not installed: this machine's own boot is not touched.
need_lab_kernel() {
  local package work
  package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)/\1/p' | head -n 1)
  [ -n "$package" ] || { say "no kernel package for the lab"; return 1; }
  say "unpacking $package into .lab-kernel"
  work=$(mktemp -d)
  (cd "$work" && chmod 755 . && apt-get download "$package" >log 2>&1) && rm -rf .lab-kernel && mkdir .lab-kernel &&
    dpkg -x "$work"/*.deb .lab-kernel && { [ -e .lab-kernel/lib ] || ln -s usr/lib .lab-kernel/lib; } &&
    PATH=$PATH:/usr/sbin:/sbin depmod -b "$PWD/.lab-kernel" "${package#linux-image-}" || { say "no kernel for the lab: $(tail -n 1 "$work/log")"; rm -rf .lab-kernel; }
  rm -rf "$work"
}

# What reads our metrics in the tests, unpacked and not installed: a server that Debian starts at once is not wanted here.
need_prometheus() {
  local packages=(prometheus prometheus-node-exporter) package work
  [ ! -x .monitoring/promtool ] || return 0
  { command -v promtool && command -v prometheus-node-exporter; } >/dev/null && return 0
  command -v apt-get >/dev/null || { say "the tests of the metrics will be skipped: no apt-get to bring ${packages[*]}"; return 0; }
  say "unpacking ${packages[*]} into .monitoring"
  work=$(mktemp -d)
  (cd "$work" && chmod 755 . && apt-get download "${packages[@]}" >log 2>&1) && rm -rf .monitoring && mkdir "$work/root" &&
    for package in "$work"/*.deb; do dpkg -x "$package" "$work/root" || break; done && mv "$work/root/usr/bin" .monitoring ||
    say "no Prometheus for the tests: $(tail -n 1 "$work/log")"
  rm -rf "$work"
}

# configure_and_build DIR [CMAKE OPTION...] [-- TARGET...]
configure_and_build() {
  local dir=$1 options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  cmake -S . -B "$dir" -G Ninja "${options[@]}" >"$dir.configure.log" 2>&1 || { cat "$dir.configure.log" >&2; return 1; }
  grep -E '^-- (MPI|CUDA|NCCL|VERBS|CUDA architectures|[A-Za-z ]+: (yes|no, ))' "$dir.configure.log" | sed 's/^-- //' >&2
  cmake --build "$dir" ${1:+--target "$@"} >"$dir.build.log" 2>&1 || { tail -n 60 "$dir.build.log" >&2; return 1; }
}
