// A C library loaded while the program runs: the program starts and works where it is absent.
#pragma once

#include <dlfcn.h>

#include <memory>
#include <string>

namespace mlc {

class SharedLibrary {
 public:
  explicit SharedLibrary(const char* name) : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) {
      const char* reason = ::dlerror();
      why_ = reason ? reason : "not found";
    }
  }
  explicit operator bool() const { return handle_ != nullptr; }
  const std::string& why() const { return why_; }

  // Null where this version of the library has no such symbol.
  template <class Function>
  Function* find(const char* symbol) const {
    return handle_ ? reinterpret_cast<Function*>(::dlsym(handle_.get(), symbol)) : nullptr;
  }

 private:
  struct Close {
    void operator()(void* handle) const noexcept { ::dlclose(handle); }
  };
  std::unique_ptr<void, Close> handle_;
  std::string why_;
};

}  // namespace mlc
