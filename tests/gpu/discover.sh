# Where a CUDA compiler and an NCCL are: sourced by tests/gpu/run and tests/gpu/pack.

# Folders of Python packages, where wheels put both, one a line.
python_packages() {
  local python place
  for python in ${MLC_PYTHONS-python3 /opt/*/bin/python3 /opt/*/.venv/bin/python3 .venv/bin/python}; do
    "$python" -c 'import site, sys; print("\n".join(p for p in sys.path + site.getsitepackages() if p))' 2>/dev/null </dev/null
  done
  for place in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
    [ -z "$place" ] || printf '%s\n' "$place"/lib/python3*/site-packages
  done
}

# The compiler's path, or nothing: where it is said to be, on PATH, the newest toolkit, wheels.
find_nvcc() {
  local place
  for place in "${CUDACXX:-}" "$(command -v nvcc)" /usr/local/cuda/bin/nvcc \
    $(printf '%s\n' /usr/local/cuda-*/bin/nvcc | sort -rV) $(python_packages | sed 's|$|/nvidia/cu13/bin/nvcc|'); do
    if [ -n "$place" ] && [ -x "$place" ]; then printf '%s\n' "$place"; return; fi
  done
}

# find_nccl DEPS [NVCC]: "FOLDER-OF-nccl.h:PATH-OF-libnccl.so.2" of the first place that has both, or nothing. NCCL_HOME is where
# somebody says it is; then what came with the archive; the toolkit; the system; wheels.
find_nccl() {
  local root header library toolkit=''
  [ -z "${2:-}" ] || toolkit=$(dirname "$(dirname "$2")")
  while IFS= read -r root; do
    [ -n "$root" ] || continue
    for header in "$root/include" "$root/targets/x86_64-linux/include"; do
      [ -e "$header/nccl.h" ] || continue
      for library in "$root"/lib{,64,/x86_64-linux-gnu,/aarch64-linux-gnu}/libnccl.so.2 "$root"/targets/x86_64-linux/lib/libnccl.so.2; do
        if [ -e "$library" ]; then printf '%s:%s\n' "$header" "$library"; return; fi
      done
    done
  done < <(printf '%s\n' "${NCCL_HOME:-}" "$1/nccl" .venv/nccl "$toolkit" ${MLC_SYSTEM_ROOTS-/usr/local/cuda /usr /usr/local}; python_packages | sed 's|$|/nvidia/nccl|')
}
