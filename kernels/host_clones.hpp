// One function, several vector widths, chosen when the program is loaded: the Debian baseline has no 32-bit
// vector multiplication, and the hashing lives from it.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define MLC_HOST_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MLC_HOST_CLONES  // sanitizers run before the loader could choose; other compilers take their baseline
#endif
