// Compares with a file in tests/golden; MLC_UPDATE_GOLDEN=1 writes it anew.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace mlc {

inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(MLC_SOURCE_DIR) + "/tests/golden/" + name;
  if (std::getenv("MLC_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_TRUE(file) << path << " is missing; MLC_UPDATE_GOLDEN=1 makes it";
  EXPECT_EQ(actual, expected.str()) << "differs from " << path;
}

}  // namespace mlc
