#include "kernels/pattern_golden.cpp"
