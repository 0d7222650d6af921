// How ranks agree: small messages outside every timed region. Blocking; the watchdog covers a peer that never
// comes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace mlc {

class Control {
 public:
  virtual ~Control() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual void barrier() = 0;
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;  // in place, equal lengths
  virtual void all_gather(std::span<const std::byte> mine,
                          std::span<std::byte> all) = 0;  // all = size() x mine
  virtual void maximum(std::span<double> values) = 0;     // element-wise, in place
};

// Rank 0's value, on every rank.
template <class T>
T agree(Control& control, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  control.broadcast(std::as_writable_bytes(std::span(&value, 1)), 0);
  return value;
}

// Every rank's value, in rank order, on every rank.
template <class T>
std::vector<T> gather(Control& control, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> all(static_cast<std::size_t>(control.size()));
  control.all_gather(std::as_bytes(std::span(&value, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

std::vector<std::string> gather_text(Control& control, const std::string& text);
std::string agree_text(Control& control, std::string text);

}  // namespace mlc
