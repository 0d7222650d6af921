// Packets of our own: ICMP echo and ARP. Sent only where a policy asks for them, bound to one device.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <sstream>

#include "validators/host/file_descriptor.hpp"
#include "validators/host/ipv4.hpp"
#include "validators/host/live_sources.hpp"
#include "validators/host/netlink_message.hpp"

namespace mlc {

namespace {

using Clock = std::chrono::steady_clock;

Answer failed(int error, const std::string& what) {
  return {error, what + ": " + std::strerror(error), nullptr};
}

// Waits for something to read until `end`; false when the time is over.
bool readable(int fd, Clock::time_point end) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd waiting{fd, POLLIN, 0};
    const int rc = ::poll(&waiting, 1, static_cast<int>(std::max<long long>(left, 0)));
    if (rc > 0) return true;
    if (rc == 0 || errno != EINTR) return false;
  }
}

std::uint16_t checksum(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    std::uint16_t word = static_cast<unsigned char>(bytes[i]);
    if (i + 1 < bytes.size())
      word = static_cast<std::uint16_t>(word | static_cast<unsigned char>(bytes[i + 1]) << 8);
    sum += word;
  }
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

constexpr auto patience =
    std::chrono::milliseconds(400);  // a rail answers within microseconds; ARP may be asked first
constexpr int attempts = 2;

}  // namespace

Answer probe_icmp(const std::string& key) {
  std::istringstream words(key);
  std::string device, source_text, destination_text;
  std::size_t size = 0;  // of the IP packet
  words >> device >> source_text >> destination_text >> size;
  const auto source = parse_ipv4(source_text), destination = parse_ipv4(destination_text);
  if (!source || !destination || size < 28 || size > 65535) return failed(EINVAL, "icmp probe");
  // A raw socket needs CAP_NET_RAW, a ping socket only net.ipv4.ping_group_range.
  FileDescriptor socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  const bool raw = static_cast<bool>(socket);
  if (!raw) socket = FileDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP));
  if (!socket) return failed(errno, "icmp socket (needs CAP_NET_RAW or net.ipv4.ping_group_range)");
  // Bound to the device: an unbound ping would leave by whatever route is there and prove nothing about the
  // rail.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                   static_cast<socklen_t>(device.size() + 1)) != 0)
    return failed(errno, "binding to " + device);
  const int probe = IP_PMTUDISC_PROBE;  // sets DF and ignores what the kernel learned about the path
  ::setsockopt(socket.get(), IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
  sockaddr_in from{}, to{};
  from.sin_family = to.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(source->bits);
  to.sin_addr.s_addr = htonl(destination->bits);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0)
    return failed(errno, "binding to " + source_text);

  static std::atomic<std::uint16_t> serial{0};
  const std::uint16_t id = static_cast<std::uint16_t>(::getpid() & 0xffff);
  for (int attempt = 0; attempt < attempts; ++attempt) {
    icmphdr header{};
    header.type = ICMP_ECHO;
    header.un.echo.id = htons(id);
    header.un.echo.sequence = htons(++serial);
    std::string packet(size - 20, 'm');
    std::memcpy(packet.data(), &header, sizeof header);
    header.checksum = checksum(packet);
    std::memcpy(packet.data(), &header, sizeof header);
    if (::sendto(socket.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                 sizeof to) < 0) {
      if (errno == EMSGSIZE || errno == EHOSTUNREACH || errno == ENETUNREACH || errno == ENETDOWN ||
          errno == EACCES || errno == EINVAL)
        return {0, {}, {{"replied", false}, {"local_error", std::strerror(errno)}}};
      return failed(errno, "icmp send");
    }
    const auto end = Clock::now() + patience;
    std::string answer(70'000, '\0');
    while (readable(socket.get(), end)) {
      const ssize_t got = ::recv(socket.get(), answer.data(), answer.size(), 0);
      if (got < 0 && (errno == EHOSTUNREACH || errno == ECONNREFUSED))
        return {0, {}, {{"replied", false}, {"local_error", std::strerror(errno)}}};
      if (got < 0) continue;
      std::string_view body(answer.data(), static_cast<std::size_t>(got));
      if (raw) {
        if (body.size() < sizeof(iphdr)) continue;
        iphdr ip;
        std::memcpy(&ip, body.data(), sizeof ip);
        if (ntohl(ip.saddr) != destination->bits) continue;
        body.remove_prefix(std::min<std::size_t>(ip.ihl * 4u, body.size()));
      }
      icmphdr reply;
      if (body.size() < sizeof reply) continue;
      std::memcpy(&reply, body.data(), sizeof reply);
      // A ping socket has its own id; the kernel hands it only its own replies.
      if (reply.type == ICMP_ECHOREPLY && reply.un.echo.sequence == header.un.echo.sequence &&
          (!raw || reply.un.echo.id == header.un.echo.id))
        return {0, {}, {{"replied", true}, {"local_error", ""}}};
    }
  }
  return {0, {}, {{"replied", false}, {"local_error", ""}}};
}

Answer probe_arp(const std::string& key) {
  std::istringstream words(key);
  std::string device, target_text;
  words >> device >> target_text;
  const auto target = parse_ipv4(target_text);
  const unsigned index = ::if_nametoindex(device.c_str());
  if (!target) return failed(EINVAL, "arp probe");
  if (index == 0) return failed(errno, device);
  const FileDescriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP)));
  if (!socket) return failed(errno, "packet socket (needs CAP_NET_RAW)");
  sockaddr_ll here{};
  here.sll_family = AF_PACKET;
  here.sll_protocol = htons(ETH_P_ARP);
  here.sll_ifindex = static_cast<int>(index);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0)
    return failed(errno, "binding to " + device);
  socklen_t length = sizeof here;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&here), &length) != 0)
    return failed(errno, device);
  if (here.sll_hatype != ARPHRD_ETHER) return failed(EOPNOTSUPP, device + " is no Ethernet");

  struct [[gnu::packed]] Arp {
    std::uint16_t hardware, protocol;
    std::uint8_t hardware_length, protocol_length;
    std::uint16_t operation;
    std::uint8_t sender_mac[6];
    std::uint32_t sender_ip;
    std::uint8_t target_mac[6];
    std::uint32_t target_ip;
  };
  Arp arp{};
  arp.hardware = htons(ARPHRD_ETHER);
  arp.protocol = htons(ETH_P_IP);
  arp.hardware_length = 6;
  arp.protocol_length = 4;
  arp.operation = htons(ARPOP_REQUEST);
  std::memcpy(arp.sender_mac, here.sll_addr, 6);
  // RFC 5227: a probe has the sender address 0.0.0.0, so it changes nobody's ARP cache.
  arp.target_ip = htonl(target->bits);
  sockaddr_ll everyone = here;
  everyone.sll_halen = 6;
  std::memset(everyone.sll_addr, 0xff, 6);
  std::set<std::string> macs;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (::sendto(socket.get(), &arp, sizeof arp, 0, reinterpret_cast<const sockaddr*>(&everyone),
                 sizeof everyone) < 0)
      return failed(errno, "arp send");
    const auto end = Clock::now() + patience / 2;
    while (readable(socket.get(), end)) {
      Arp reply{};
      sockaddr_ll sender{};
      socklen_t sender_length = sizeof sender;
      const ssize_t got = ::recvfrom(socket.get(), &reply, sizeof reply, 0,
                                     reinterpret_cast<sockaddr*>(&sender), &sender_length);
      if (got < static_cast<ssize_t>(sizeof reply) || sender.sll_pkttype == PACKET_OUTGOING) continue;
      if (reply.sender_ip != htonl(target->bits)) continue;
      std::string mac;
      for (const std::uint8_t byte : reply.sender_mac) {
        const char c = static_cast<char>(byte);
        mac += (mac.empty() ? "" : ":") + hex({&c, 1});
      }
      macs.insert(mac);
    }
  }
  return {0, {}, {{"macs", macs}}};
}

}  // namespace mlc
