// Two processes of one job over TCP, where MPI would end all of them with the first that dies. Whoever speaks
// has the job's key: each message carries a code made with it (SHA-256, nested as HMAC does it), with both
// ends' random numbers, its direction and its place in the order, so that nothing can be made up, changed,
// left out or sent twice. What is said is no secret, and is not hidden.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "validators/host/file_descriptor.hpp"

namespace mlc {

// The other end is gone, or is none of ours. what() says which.
struct LinkError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class SignedLink {
 public:
  // `peer`: its address, for messages.
  SignedLink(FileDescriptor socket, std::string key, bool leads, std::string peer);

  // Never waits for long: what the other end does not take within seconds ends the link. Throws LinkError.
  void send(const nlohmann::json& message);
  // The next message that is there as a whole. Throws LinkError.
  std::optional<nlohmann::json> receive();
  bool wait(double seconds) const;  // until something came, or the time is over

  int descriptor() const { return socket_.get(); }
  const std::string& peer() const { return peer_; }
  bool spoke() const { return !theirs_.empty() || !buffer_.empty(); }  // said anything at all
  bool proven() const { return received_ > 0; }                        // has said something with the key

 private:
  std::string code_of(bool by_leader, std::uint64_t number, const std::string& text) const;
  void put(const std::string& payload);
  std::optional<std::string> frame();

  FileDescriptor socket_;
  std::string key_, peer_, mine_, theirs_, buffer_;
  bool leads_;
  std::uint64_t sent_ = 0, received_ = 0;
  std::vector<std::string> waiting_;  // to be sent when the other end's random number is there
};

// Throws LinkError.
FileDescriptor listen_on(int port);
std::optional<SignedLink> accept_on(const FileDescriptor& listener, const std::string& key);
// Empty where nobody answers there yet; `why` then says what happened.
std::optional<SignedLink> connect_to(const std::string& host, int port, const std::string& key,
                                     std::string& why);

}  // namespace mlc
