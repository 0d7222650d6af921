// How a face shows a report: colour, where the terminal wants it, and which of its tables.
#pragma once

#include <string>
#include <string_view>

namespace mlc {

struct Style {
  bool colour = false;
  std::string table = {};  // of a face that has several (csv.hpp); empty: what the run is about
  std::string red(std::string_view text) const { return paint("31", text); }
  std::string green(std::string_view text) const { return paint("32", text); }
  std::string yellow(std::string_view text) const { return paint("33", text); }
  std::string bold(std::string_view text) const { return paint("1", text); }
  std::string dim(std::string_view text) const { return paint("2", text); }

 private:
  std::string paint(const char* code, std::string_view text) const {
    return colour ? "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m" : std::string(text);
  }
};

}  // namespace mlc
