#include "validators/policy/gpu_expectation.hpp"

#include <charconv>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

// "90 %" or 0.9
std::optional<double> share(YamlMap& map, std::string_view key) {
  const auto text = map.text_if(key);
  if (!text) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text->data() + text->size() - end));
  while (unit.starts_with(' '))
    unit.remove_prefix(1);
  if (unit == "%") number /= 100;
  if (error != std::errc{} || (!unit.empty() && unit != "%") || !(number > 0 && number <= 1))
    map.reject(key,
               "'" + std::string(key) + "' must be a share such as 90 %, got '" + printable(*text) + "'");
  return number;
}

}  // namespace

GpuExpectation read_gpu_expectation(YamlMap map) {
  GpuExpectation gpu;
  for (const char* test : {"hbm", "memory", "gemm", "pcie", "nvlink", "launch"})
    if (map.has(test)) gpu.tests.insert(test);
  gpu.ecc = map.boolean_if("ecc").value_or(false);
  gpu.throttled = share(map, "throttled_at_most").value_or(gpu.throttled);
  if (auto hbm = map.map_if("hbm")) {
    gpu.hbm_read = share(*hbm, "read_at_least");
    gpu.hbm_write = share(*hbm, "write_at_least");
    gpu.hbm_copy = share(*hbm, "copy_at_least");
    gpu.hbm_triad = share(*hbm, "triad_at_least");
    gpu.hbm_spread = share(*hbm, "below_median").value_or(gpu.hbm_spread);
    gpu.hbm_window_spread = share(*hbm, "window_below_median").value_or(gpu.hbm_window_spread);
    hbm->finish();
  }
  if (auto memory = map.map_if("memory")) {
    gpu.memory_tested = share(*memory, "tested_at_least").value_or(gpu.memory_tested);
    gpu.memory_rate_of_copy = share(*memory, "rate_of_copy_at_least");
    memory->finish();
  }
  if (auto gemm = map.map_if("gemm")) {
    gpu.gemm_bf16_tflop_s = gemm->number_if("bf16_tflop_s_at_least", 0.001, 1e6);
    gpu.gemm_fp8_tflop_s = gemm->number_if("fp8_tflop_s_at_least", 0.001, 1e6);
    gpu.gemm_spread = share(*gemm, "below_median").value_or(gpu.gemm_spread);
    gpu.gemm_clock_spread = share(*gemm, "per_clock_below_median").value_or(gpu.gemm_clock_spread);
    gemm->finish();
  }
  if (auto pcie = map.map_if("pcie")) {
    gpu.pcie_gb_s = pcie->number_if("gb_s_at_least", 0.001, 1e4);
    gpu.pcie_spread = share(*pcie, "below_median").value_or(gpu.pcie_spread);
    if (const auto generation = pcie->integer_if("generation", 1, 8))
      gpu.pcie_generation = static_cast<int>(*generation);
    if (const auto width = pcie->integer_if("width", 1, 32)) gpu.pcie_width = static_cast<int>(*width);
    pcie->finish();
  }
  if (auto nvlink = map.map_if("nvlink")) {
    gpu.nvlink_gb_s = nvlink->number_if("gb_s_at_least", 0.001, 1e5);
    gpu.nvlink_spread = share(*nvlink, "below_median").value_or(gpu.nvlink_spread);
    nvlink->finish();
  }
  if (auto launch = map.map_if("launch")) {
    gpu.launch_us = launch->number_if("latency_us_at_most", 0.1, 1e6);
    gpu.launch_spread = share(*launch, "above_median").value_or(gpu.launch_spread);
    launch->finish();
  }
  map.finish();
  return gpu;
}

}  // namespace mlc
