#!/usr/bin/env python3
"""An independent reading of the burn-in's data: recomputes kernels/burnin_golden.inc and kernels/burnin_golden_digests.inc
with Python's own integers. usage: burnin_reference.py FOLDER [--write]"""
import struct, sys

M64 = (1 << 64) - 1
SEED = 42


def mix64(x):
    x = (x + 0x9E3779B97F4A7C15) & M64
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & M64
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & M64
    return x ^ x >> 31


def word(pattern, index):
    if pattern == "own_address":
        return index ^ mix64(SEED)
    if pattern == "walking_bit":
        return 1 << (index + index // 64 + SEED) % 64
    if pattern == "switching":
        sector = M64 if index // 4 % 2 else 0
        return sector ^ (0xAAAAAAAAAAAAAAAA if (index // 8 + SEED) % 2 else 0)
    if pattern == "random":
        return mix64(mix64(SEED) + index & M64)
    return mix64(SEED) if index % 20 == SEED % 20 else mix64(SEED) ^ M64


def digest(elements):
    total = parity = 0
    for index, bits in enumerate(elements):
        mixed = mix64(mix64(index) ^ bits)
        total, parity = (total + mixed) & M64, parity ^ mixed
    return total, parity


def small(matrix, line, k):
    h = mix64(mix64(mix64(SEED) ^ (matrix << 60) ^ line) + k // 16 & M64)
    return (h >> k % 16 * 4 & 15) - 8


def product(rounds, scale=lambda x: x, row=0, column=0, depth=128):
    a = [[scale(small(0, row + line, k)) for k in range(depth)] for line in range(128)]
    b = [[scale(small(1, column + line, k)) for k in range(depth)] for line in range(128)]
    for left in a:
        for right in b:
            value = float(sum(x * y for x, y in zip(left, right)) * rounds)
            yield struct.unpack("<I", struct.pack("<f", value))[0]


def chain(index):
    x = SEED + index
    for _ in range(64):
        x = mix64(x)
    return x


HEADING = "// Written and checked by tests/unit/burnin_reference.py: seed 42."
words = [HEADING]
for pattern in ("own_address", "walking_bit", "switching", "random", "modulo_20"):
    for index in (0, 1, 62, 1234567, 9876543210):
        words.append(f"static_assert(word({{Pattern::{pattern}, 42, false}}, {index}) == {word(pattern, index):#x}u);")
    words.append(f"static_assert(word({{Pattern::{pattern}, 42, true}}, 62) == {word(pattern, 62) ^ M64:#x}u);")
digests = [HEADING]
for name, elements in (("product_once", product(1)), ("product_many", product(2047)),
                       ("fp8_many", product(2047, lambda x: x >> 1)),
                       # Row 2 and column 3 of the four kinds of tiles, 256 deep.
                       ("large_product", product(1, row=256, column=384, depth=256)),
                       ("integer_once", map(chain, range(4096))),
                       ("shared_once", (mix64(mix64(SEED) + i & M64) for i in range(8192)))):
    total, parity = digest(elements)
    digests.append(f"inline constexpr std::uint64_t {name}[2] = {{{total:#x}u, {parity:#x}u}};  // sum, parity")
for name, lines in (("burnin_golden.inc", words), ("burnin_golden_digests.inc", digests)):
    path, text = f"{sys.argv[1]}/{name}", "\n".join(lines) + "\n"
    if sys.argv[2:] == ["--write"]:
        open(path, "w", encoding="utf-8").write(text)
    elif open(path, encoding="utf-8").read() != text:
        sys.exit(f"{path} is not what Python computes; see burnin_reference.py --write")
