#include "validators/host/netlink_socket.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "validators/host/file_descriptor.hpp"

namespace mlc {

namespace {

Answer failed(int error, const std::string& what) {
  return {error, what + ": " + std::strerror(error), nullptr};
}

Answer exchange(int fd, std::uint16_t type, std::uint16_t flags, const std::string& payload) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + payload.size());
  header.nlmsg_type = type;
  // An answer that dumps ends with NLMSG_DONE; one that does not ends with the acknowledgement asked for
  // here.
  header.nlmsg_flags =
      static_cast<std::uint16_t>(NLM_F_REQUEST | flags | (flags & NLM_F_DUMP ? 0 : NLM_F_ACK));
  header.nlmsg_seq = 1;
  std::string request(reinterpret_cast<const char*>(&header), sizeof header);
  request += payload;
  if (::send(fd, request.data(), request.size(), 0) < 0) return failed(errno, "netlink send");

  std::vector<NetlinkMessage> messages;
  std::string buffer(1 << 20, '\0');  // a link with 512 VFs is about 100 KiB
  for (;;) {
    iovec part{buffer.data(), buffer.size()};
    msghdr envelope{};
    envelope.msg_iov = &part;
    envelope.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(fd, &envelope, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno, "netlink receive");
    if ((envelope.msg_flags & MSG_TRUNC) != 0) return failed(EMSGSIZE, "netlink answer");
    std::string_view left(buffer.data(), static_cast<std::size_t>(got));
    while (left.size() >= sizeof(nlmsghdr)) {
      nlmsghdr answer;
      std::memcpy(&answer, left.data(), sizeof answer);
      if (answer.nlmsg_len < NLMSG_HDRLEN || answer.nlmsg_len > left.size())
        return failed(EBADMSG, "netlink answer");
      const std::string_view body = left.substr(NLMSG_HDRLEN, answer.nlmsg_len - NLMSG_HDRLEN);
      // A dump that was interrupted by a change may lack entries: an incomplete answer is no answer. Its last
      // message may be the first to say so.
      if ((answer.nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        return failed(EINTR, "netlink dump changed while it was read");
      if (answer.nlmsg_type == NLMSG_ERROR || answer.nlmsg_type == NLMSG_DONE) {
        int error = 0;
        if (body.size() >= sizeof error) std::memcpy(&error, body.data(), sizeof error);
        if (error < 0) return failed(-error, "netlink");
        return {0, {}, messages_json(messages)};
      }
      messages.push_back({answer.nlmsg_type, std::string(body)});
      left.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(answer.nlmsg_len), left.size()));
    }
  }
}

Answer ask_once(const NetlinkRequest& request) {
  const int protocol = request.protocol == "route"  ? NETLINK_ROUTE
                       : request.protocol == "rdma" ? NETLINK_RDMA
                                                    : NETLINK_GENERIC;
  const FileDescriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket) return failed(errno, "netlink socket");
  const timeval patience{
      2, 0};  // the kernel answers at once; RDMA netlink says nothing at all to what it does not know
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (protocol != NETLINK_GENERIC)
    return exchange(socket.get(), request.type, request.flags, request.payload);

  genlmsghdr header{};
  header.cmd = CTRL_CMD_GETFAMILY;
  header.version = 1;
  const Answer family =
      exchange(socket.get(), GENL_ID_CTRL, 0,
               NetlinkPayload(header).put_text(CTRL_ATTR_FAMILY_NAME, request.protocol).bytes());
  if (family.error != 0)
    return {family.error, "generic netlink family " + request.protocol + ": " + std::strerror(family.error),
            nullptr};
  std::uint16_t id = 0;
  for (const auto& message : messages_from(family.value)) {
    if (message.payload.size() < sizeof(genlmsghdr)) continue;
    for_each_attribute(std::string_view(message.payload).substr(sizeof(genlmsghdr)),
                       [&id](std::uint16_t type, std::string_view value) {
                         if (type == CTRL_ATTR_FAMILY_ID && value.size() >= 2)
                           std::memcpy(&id, value.data(), sizeof id);
                       });
  }
  if (id == 0) return failed(ENOENT, "generic netlink family " + request.protocol);
  return exchange(socket.get(), id, request.flags, request.payload);
}

}  // namespace

Answer ask_kernel(const NetlinkRequest& request) {
  // Routes come and go with Pods: a list that changed while it was read is read again.
  constexpr int attempts = 5;
  Answer answer = ask_once(request);
  for (int i = 1; i < attempts && answer.error == EINTR; ++i)
    answer = ask_once(request);
  return answer;
}

nlohmann::json messages_json(const std::vector<NetlinkMessage>& messages) {
  auto value = nlohmann::json::array();
  for (const auto& message : messages)
    value.push_back({message.type, hex(message.payload)});
  return value;
}

std::vector<NetlinkMessage> messages_from(const nlohmann::json& value) {
  std::vector<NetlinkMessage> messages;
  if (!value.is_array()) return messages;
  for (const auto& entry : value) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_number_unsigned() || !entry[1].is_string())
      continue;
    if (auto payload = unhex(entry[1].get_ref<const std::string&>()))
      messages.push_back({entry[0].get<std::uint16_t>(), std::move(*payload)});
  }
  return messages;
}

}  // namespace mlc
