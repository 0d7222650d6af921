#!/usr/bin/env python3
"""rewrite_launches.py KERNELS.cu OUT.cpp NAME: what only nvcc reads, as C++ for the emulation. Lines keep their numbers, under NAME.

kernel<A, B><<<grid, block, shared, stream>>>(arguments) becomes
emulation::Launch(grid, block, shared, stream).run("kernel<A, B>", kernel<A, B>, arguments).
"""
import re
import sys


def kernel_begins(text, end):
    """Where the name of the kernel begins that ends at `end`, its template arguments included."""
    at = end
    if text[at - 1] == ">":
        depth = 0
        while True:
            at -= 1
            depth += {">": 1, "<": -1}.get(text[at], 0)
            if depth == 0:
                break
    while re.match(r"[\w:]", text[at - 1]):
        at -= 1
    return at


def rewritten(text):
    while (mark := text.find("<<<")) >= 0:
        begin = kernel_begins(text, mark)
        end = text.index(">>>", mark)
        if text[end + 3] != "(":
            raise SystemExit(f"no arguments behind >>> at {text[end:end + 40]!r}")
        comma = "" if re.match(r"\s*\)", text[end + 4:]) else ", "
        kernel = text[begin:mark]
        text = f'{text[:begin]}::emulation::Launch({text[mark + 3:end]}).run("{kernel}", {kernel}{comma}{text[end + 4:]}'
    text = re.sub(r"extern __shared__ (?:__align__\(\d+\) )?unsigned char (\w+)\[\];",
                  r"unsigned char* const \1 = ::emulation::dynamic_shared();", text)
    if re.search(r"\basm\b", text):
        raise SystemExit("assembler that the emulation does not know")
    return text


source, target, name = sys.argv[1:4]
with open(source, encoding="utf-8") as file:
    code = rewritten(file.read())
with open(target, "w", encoding="utf-8") as file:
    file.write(f'#include <cuda_runtime.h>\n#line 1 "{name}"\n{code}')
