#include "validators/host/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace mlc {

namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(std::string_view bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string text() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "sha256:";
    for (unsigned i = 0; i < size; ++i)
      text += {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    return text;
  }

 private:
  static void require(bool done) {
    if (!done) throw std::runtime_error("libcrypto refuses SHA-256");
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string digest_of(std::string_view content) {
  Sha256 sha;
  sha.add(content);
  return sha.text();
}

const std::string& own_digest() {
  static const std::string digest = [] {
    std::ifstream program("/proc/self/exe", std::ios::binary);
    Sha256 sha;
    std::array<char, 1 << 16> part{};
    while (program.read(part.data(), part.size()) || program.gcount() > 0)
      sha.add({part.data(), static_cast<std::size_t>(program.gcount())});
    if (!program.eof()) throw std::system_error(errno, std::generic_category(), "cannot read /proc/self/exe");
    return sha.text();
  }();
  return digest;
}

}  // namespace mlc
