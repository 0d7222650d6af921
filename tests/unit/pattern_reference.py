#!/usr/bin/env python3
"""An independent reading of the data generator: recomputes the golden values of kernels/pattern_golden.inc with
Python's own integers and fractions, for copies, sums and averages of every floating-point format."""
import re, struct, sys
from fractions import Fraction

M64, M32 = (1 << 64) - 1, (1 << 32) - 1

def mix64(x):
    x = (x + 0x9E3779B97F4A7C15) & M64
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & M64
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & M64
    return x ^ x >> 31

def word(key, i):
    x = (key + i * 0x9E3779B9) & M32
    x = ((x ^ x >> 16) * 0x7FEB352D) & M32
    x ^= key >> 32
    x = ((x ^ x >> 15) * 0x846CA68B) & M32
    return x ^ x >> 16

# name: (width in bytes, exponent bits, mantissa bits)
FORMATS = {"Single": (4, 8, 23), "Bfloat16": (2, 8, 7), "Half": (2, 5, 10), "Double": (8, 11, 52), "Fp8E4M3": (1, 4, 3)}
SEED, ITERATION, RANKS, TARGET = 42, 7, 3, M32

def bits_at(source, index, width):
    per_block = 128 // width
    key = mix64((mix64(mix64(SEED) ^ (ITERATION << 32 | source)) + index // per_block) & M64)
    memory = b"".join(struct.pack("<I", word(key, i)) for i in range(32))
    lane = index % per_block
    return key, int.from_bytes(memory[lane * width:(lane + 1) * width], "little")

def value(bits, width, e, m):
    bias, field = 2 ** (e - 1) - 1, bits >> m & (2 ** e - 1)
    assert 0 < field, "generated values are normal"
    magnitude = Fraction(2 ** m + bits % 2 ** m, 2 ** m) * Fraction(2) ** (field - bias)
    return -magnitude if bits >> (8 * width - 1) else magnitude

def rounded(x, width, e, m):
    """To nearest, ties to even; the bits."""
    bias, sign, x = 2 ** (e - 1) - 1, x < 0, abs(x)
    if x == 0:
        return 0
    power = 1 - bias
    while Fraction(2) ** (power + 1) <= x:
        power += 1
    units = x / Fraction(2) ** (power - m)
    kept, rest = int(units), units - int(units)
    kept += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and kept % 2)
    return sign << (8 * width - 1) | (power + bias - 1 << m) + kept

def power_floor(x):
    return 1 << (x.bit_length() - 1)

failures = checked = 0
golden = {}
for line in open(sys.argv[1]):
    kind, fmt, op, rank, want = re.match(
        r"static_assert\((\w+)_at<(\w+), Op::(\w+)>\(golden, (\d), 1234567\) == 0x([0-9a-f]+)u\);", line).groups()
    golden[kind, fmt, op, int(rank)] = int(want, 16)
for (kind, fmt, op, rank), want in golden.items():
    if fmt not in FORMATS:
        continue
    width, e, m = FORMATS[fmt]
    if op == "copy":
        got = bits_at(rank, 1234567, width)[1]
    elif op == "sum" and kind == "expectation":
        # The sum of the three contributions, exactly, must be the expected value, and that value must be the
        # target stream's: sign and low bits.
        total = sum((value(b, width, e, m) if b else 0) for b in (golden["contribution", fmt, op, r] for r in range(3)))
        key, u = bits_at(TARGET, 1234567, width)
        budget = 2 ** (m + 1)
        q = power_floor(budget // (2 * RANKS))
        y = power_floor(budget - 2 * (RANKS - 1) * q)
        scaled = total / (1 + u % y) * (-1 if u >> (8 * width - 1) else 1)
        power_of_two = scaled > 0 and (scaled.numerator & (scaled.numerator - 1)) == 0 and (scaled.denominator & (scaled.denominator - 1)) == 0
        got = want if total == value(want, width, e, m) and power_of_two else None
    elif op == "avg" and kind == "expectation":
        # The contributions' sum times 1/3, rounded as the format has it, by way of a float but for doubles.
        total = sum((value(b, width, e, m) if b else 0) for b in (golden["contribution", fmt, op, r] for r in range(3)))
        third = Fraction(1 / RANKS if width == 8 else struct.unpack("f", struct.pack("f", 1 / RANKS))[0])
        got = rounded(total * value(rounded(third, width, e, m), width, e, m), width, e, m)
    else:
        continue
    checked += 1
    if got != want:
        failures += 1
        print(f"{fmt} {op} {kind} rank {rank}: golden {want:#x}, here {got if got is None else hex(got)}")
print(f"{checked} golden values checked, {failures} wrong")
sys.exit(1 if failures or checked < 20 else 0)
