#include "kernels/burnin_golden.cpp"
