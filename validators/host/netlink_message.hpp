// Netlink messages as values: building requests and reading answers. Pure; the socket is in
// netlink_socket.cpp. Answers are untrusted input: every length is checked, what does not fit is left out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validators/host/ipv4.hpp"
#include "validators/host/route.hpp"

namespace mlc {

struct NetlinkRequest {
  std::string protocol;     // "route", "rdma", or the name of a generic netlink family: "devlink"
  std::uint16_t type = 0;   // for a generic family: its command
  std::uint16_t flags = 0;  // NLM_F_DUMP or 0; NLM_F_REQUEST and NLM_F_ACK are the socket's business
  std::string payload;      // family header and attributes
  std::string key() const;  // "route 26 0 0200...": what a captured answer is found by
  static std::optional<NetlinkRequest> from_key(std::string_view key);
};

struct NetlinkMessage {
  std::uint16_t type = 0;
  std::string payload;
};

std::string hex(std::string_view bytes);
std::optional<std::string> unhex(std::string_view text);

// Builds a payload: a kernel header, then attributes.
class NetlinkPayload {
 public:
  template <class Header>
  explicit NetlinkPayload(const Header& header)
      : bytes_(reinterpret_cast<const char*>(&header), sizeof header) {}
  NetlinkPayload() = default;
  NetlinkPayload& put(std::uint16_t type, std::string_view value);
  NetlinkPayload& put_u8(std::uint16_t type, std::uint8_t value);
  NetlinkPayload& put_u32(std::uint16_t type, std::uint32_t value);
  NetlinkPayload& put_ipv4(std::uint16_t type, Ipv4 value);
  NetlinkPayload& put_text(std::uint16_t type, std::string_view value);  // with its terminating zero
  NetlinkPayload& nest(std::uint16_t type, const NetlinkPayload& inner);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Calls `each(type, value)` for every attribute that fits; stops at the first that does not.
void for_each_attribute(std::string_view attributes,
                        const std::function<void(std::uint16_t, std::string_view)>& each);

struct Vf {
  unsigned index = 0;
  std::string mac;  // the admin MAC; "00:00:00:00:00:00" is "not set by the PF"
  unsigned vlan = 0, qos = 0;
  unsigned min_rate = 0, max_rate = 0;     // Mbit/s, 0: unlimited
  std::optional<unsigned> link_state;      // 0 auto, 1 enable, 2 disable
  std::optional<bool> spoof_check, trust;  // empty: the driver did not report it (0xffffffff)
  bool operator==(const Vf&) const = default;
};

struct Link {
  int index = 0;
  std::string name, kind;  // kind: "vxlan", "veth"; empty for hardware
  std::string pci;         // IFLA_PARENT_DEV_NAME, if its bus is PCI
  std::string mac, permanent_mac;
  unsigned flags = 0, mtu = 0;
  std::optional<unsigned> operstate, carrier, carrier_down_count;
  std::optional<unsigned> vf_count;
  int master = 0;                     // the bond, bridge or VRF that it is in; 0: none
  std::optional<unsigned> vrf_table;  // of a VRF
  std::vector<Vf> vfs;
  bool up() const;  // IFF_UP
  bool loopback() const;
  bool operator==(const Link&) const = default;
};

struct Address {
  int index = 0;  // of its link
  Prefix prefix;  // with host bits: 10.10.0.21/16
  bool operator==(const Address&) const = default;
};

struct Neighbour {
  int index = 0;
  Ipv4 address;
  std::string mac;
  unsigned state = 0;  // NUD_*
  bool operator==(const Neighbour&) const = default;
};

struct Dcb {
  std::optional<unsigned> pfc_enabled;                           // a bit per priority
  std::optional<std::map<unsigned, unsigned>> dscp_to_priority;  // APP table, selector 5
  bool operator==(const Dcb&) const = default;
};

NetlinkRequest links_request();          // with the VFs of every PF
NetlinkRequest link_request(int index);  // one link with its VFs
NetlinkRequest addresses_request();
NetlinkRequest routes_request(IpFamily family = IpFamily::v4);  // of all tables
NetlinkRequest rules_request(IpFamily family = IpFamily::v4);
NetlinkRequest nexthops_request();  // Linux 5.3
NetlinkRequest neighbours_request();
// "Which FIB entry sends DESTINATION from SOURCE out of this device?" RTM_F_FIB_MATCH makes the kernel name
// the entry or fail; without it a lookup bound to a device invents an on-link route when there is none.
NetlinkRequest route_lookup_request(const IpAddress& destination, const std::optional<IpAddress>& source,
                                    std::optional<int> oif, unsigned mark = 0, unsigned tos = 0);
NetlinkRequest family_dump(std::uint16_t type, unsigned char family);  // AF_INET, AF_INET6
NetlinkRequest dcb_request(const std::string& device);
NetlinkRequest eswitch_request(const std::string& pci);
NetlinkRequest rdma_system_request();

std::optional<Link> parse_link(const NetlinkMessage& message);
std::optional<Address> parse_address(const NetlinkMessage& message);
std::optional<Route> parse_route(const NetlinkMessage& message);
std::optional<Rule> parse_rule(const NetlinkMessage& message);
std::optional<Nexthop> parse_nexthop(const NetlinkMessage& message);
std::optional<Neighbour> parse_neighbour(const NetlinkMessage& message);
std::optional<Dcb> parse_dcb(const NetlinkMessage& message);
std::optional<unsigned> parse_eswitch_mode(const NetlinkMessage& message);  // 0 legacy, 1 switchdev
std::optional<bool> parse_rdma_exclusive(const NetlinkMessage& message);    // netns mode

}  // namespace mlc
