// Golden output: what a face wrote when a person last looked at it. MLC_UPDATE_GOLDEN=1 writes it anew.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace mlc::test {

inline void expect_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(MLC_SOURCE_DIR) / "tests/reports/golden" / name;
  if (const char* update = std::getenv("MLC_UPDATE_GOLDEN");
      update != nullptr && std::string(update) == "1") {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << "no golden file " << name << ": write it with MLC_UPDATE_GOLDEN=1 and look at it";
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, expected)
      << name << " has changed; if it should, run with MLC_UPDATE_GOLDEN=1 and look at the difference";
}

}  // namespace mlc::test
