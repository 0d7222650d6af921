// A fact or the reason why it is not known. "It is not there" and "it could not be read" lead to different
// findings: a missing rail is a failure, an unreadable one is unknown.
#pragma once

#include <string>
#include <utility>

namespace mlc {

// other_version: it is there, and does not go with another part of the machine (NVML and the loaded module).
enum class Absence { none, missing, unreadable, not_captured, other_version };

template <class T>
struct Read {
  T value{};
  Absence absence = Absence::none;
  std::string why;  // for people, when there is no value: "permission denied"

  explicit operator bool() const { return absence == Absence::none; }
  bool missing() const { return absence == Absence::missing; }
  bool other_version() const { return absence == Absence::other_version; }
  bool not_captured() const { return absence == Absence::not_captured; }
  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }

  static Read of(T value) { return {std::move(value), Absence::none, {}}; }
  static Read not_there(std::string why) { return {{}, Absence::missing, std::move(why)}; }
  static Read unreadable(std::string why) { return {{}, Absence::unreadable, std::move(why)}; }
  // Of a captured machine, which was not asked this then.
  static Read never_asked(std::string why) { return {{}, Absence::not_captured, std::move(why)}; }
  // The same reason for a value of another type.
  template <class U>
  static Read no(const Read<U>& other) {
    return {{}, other.absence, other.why};
  }
};

}  // namespace mlc
