#include "validators/host/netlink_message.hpp"

#include <arpa/inet.h>
#include <linux/dcbnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>

#include <cstring>

#include "validators/host/netlink_reading.hpp"

namespace mlc {

namespace {

using netlink::number, netlink::read_as, netlink::split, netlink::text;

std::optional<Ipv4> ipv4(std::string_view bytes) {
  if (bytes.size() != 4) return std::nullopt;
  return Ipv4{ntohl(*read_as<std::uint32_t>(bytes))};
}

std::string mac(std::string_view bytes) {
  std::string spelled;
  for (const char byte : bytes.substr(0, 6))
    spelled += (spelled.empty() ? "" : ":") + hex({&byte, 1});
  return spelled;
}

Vf parse_vf(std::string_view attributes) {
  Vf vf;
  for_each_attribute(attributes, [&vf](std::uint16_t type, std::string_view value) {
    // The plain IFLA_VF_* open with the index; the nested ones (IFLA_VF_VLAN_LIST, IFLA_VF_STATS) do not.
    if (type == IFLA_VF_MAC && value.size() >= 10) {
      vf.index = read_as<std::uint32_t>(value).value_or(0);
      vf.mac = mac(value.substr(4));
    }
    if (type == IFLA_VF_VLAN)
      if (const auto info = read_as<ifla_vf_vlan>(value)) vf.vlan = info->vlan, vf.qos = info->qos;
    if (type == IFLA_VF_RATE)
      if (const auto info = read_as<ifla_vf_rate>(value))
        vf.min_rate = info->min_tx_rate, vf.max_rate = info->max_tx_rate;
    if (type == IFLA_VF_SPOOFCHK)
      if (const auto info = read_as<ifla_vf_spoofchk>(value); info && info->setting <= 1)
        vf.spoof_check = info->setting == 1;
    if (type == IFLA_VF_TRUST)
      if (const auto info = read_as<ifla_vf_trust>(value); info && info->setting <= 1)
        vf.trust = info->setting == 1;
    if (type == IFLA_VF_LINK_STATE)
      if (const auto info = read_as<ifla_vf_link_state>(value)) vf.link_state = info->link_state;
  });
  return vf;
}

constexpr std::uint32_t vf_filter =
    RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS;  // statistics overflow u16 lengths

}  // namespace

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes)
    text += digits[byte >> 4], text += digits[byte & 15];
  return text;
}

std::optional<std::string> unhex(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::string NetlinkRequest::key() const {
  return protocol + " " + std::to_string(type) + " " + std::to_string(flags) + " " + hex(payload);
}

std::optional<NetlinkRequest> NetlinkRequest::from_key(std::string_view key) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= key.size() && words.size() < 5;) {
    const auto end = std::min(key.find(' ', at), key.size());
    words.emplace_back(key.substr(at, end - at));
    at = end + 1;
  }
  if (words.size() != 4) return std::nullopt;
  const auto payload = unhex(words[3]);
  if (!payload) return std::nullopt;
  return NetlinkRequest{words[0], static_cast<std::uint16_t>(std::strtoul(words[1].c_str(), nullptr, 10)),
                        static_cast<std::uint16_t>(std::strtoul(words[2].c_str(), nullptr, 10)), *payload};
}

NetlinkPayload& NetlinkPayload::put(std::uint16_t type, std::string_view value) {
  const nlattr header{static_cast<std::uint16_t>(NLA_HDRLEN + value.size()), type};
  bytes_.resize(NLA_ALIGN(bytes_.size()));
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes_.append(value);
  bytes_.resize(NLA_ALIGN(bytes_.size()));
  return *this;
}

NetlinkPayload& NetlinkPayload::put_u8(std::uint16_t type, std::uint8_t value) {
  return put(type, {reinterpret_cast<const char*>(&value), 1});
}
NetlinkPayload& NetlinkPayload::put_u32(std::uint16_t type, std::uint32_t value) {
  return put(type, {reinterpret_cast<const char*>(&value), 4});
}
NetlinkPayload& NetlinkPayload::put_ipv4(std::uint16_t type, Ipv4 value) {
  return put_u32(type, htonl(value.bits));
}
NetlinkPayload& NetlinkPayload::put_text(std::uint16_t type, std::string_view value) {
  return put(type, std::string(value) + '\0');
}
NetlinkPayload& NetlinkPayload::nest(std::uint16_t type, const NetlinkPayload& inner) {
  return put(type | NLA_F_NESTED, inner.bytes());
}

void for_each_attribute(std::string_view attributes,
                        const std::function<void(std::uint16_t, std::string_view)>& each) {
  while (attributes.size() >= NLA_HDRLEN) {
    const auto header = *read_as<nlattr>(attributes);
    if (header.nla_len < NLA_HDRLEN || header.nla_len > attributes.size()) return;
    each(header.nla_type & NLA_TYPE_MASK, attributes.substr(NLA_HDRLEN, header.nla_len - NLA_HDRLEN));
    attributes.remove_prefix(std::min<std::size_t>(NLA_ALIGN(header.nla_len), attributes.size()));
  }
}

bool Link::up() const { return (flags & IFF_UP) != 0; }
bool Link::loopback() const { return (flags & IFF_LOOPBACK) != 0; }

NetlinkRequest links_request() {
  const ifinfomsg header{};
  return {"route", RTM_GETLINK, NLM_F_DUMP,
          NetlinkPayload(header).put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).bytes()};
}

NetlinkRequest link_request(int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  return {"route", RTM_GETLINK, 0, NetlinkPayload(header).put_u32(IFLA_EXT_MASK, vf_filter).bytes()};
}

NetlinkRequest family_dump(std::uint16_t type, unsigned char family) {
  rtgenmsg header{};
  header.rtgen_family = family;
  // Strict checking (NETLINK_GET_STRICT_CHK) is off, so one byte of header is enough for every dump but
  // links and next hops.
  NetlinkPayload payload(header);
  return {"route", type, NLM_F_DUMP, std::string(payload.bytes()) + std::string(3, '\0')};
}

NetlinkRequest addresses_request() { return family_dump(RTM_GETADDR, AF_INET); }
NetlinkRequest neighbours_request() { return family_dump(RTM_GETNEIGH, AF_INET); }

NetlinkRequest dcb_request(const std::string& device) {
  dcbmsg header{};
  header.cmd = DCB_CMD_IEEE_GET;
  return {"route", RTM_GETDCB, 0, NetlinkPayload(header).put_text(DCB_ATTR_IFNAME, device).bytes()};
}

NetlinkRequest eswitch_request(const std::string& pci) {
  genlmsghdr header{};
  header.cmd = DEVLINK_CMD_ESWITCH_GET;
  header.version = DEVLINK_GENL_VERSION;
  return {"devlink", DEVLINK_CMD_ESWITCH_GET, 0,
          NetlinkPayload(header)
              .put_text(DEVLINK_ATTR_BUS_NAME, "pci")
              .put_text(DEVLINK_ATTR_DEV_NAME, pci)
              .bytes()};
}

NetlinkRequest rdma_system_request() {
  return {"rdma", RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_SYS_GET), 0, {}};
}

std::optional<Link> parse_link(const NetlinkMessage& message) {
  if (message.type != RTM_NEWLINK) return std::nullopt;
  const auto parts = split<ifinfomsg>(message);
  if (!parts) return std::nullopt;
  Link link;
  link.index = parts->first.ifi_index;
  link.flags = parts->first.ifi_flags;
  std::string bus, parent;
  std::string_view data;  // its meaning depends on the kind, which may come after it
  for_each_attribute(parts->second, [&](std::uint16_t type, std::string_view value) {
    switch (type) {
      case IFLA_IFNAME:
        link.name = text(value);
        break;
      case IFLA_ADDRESS:
        link.mac = mac(value);
        break;
      case IFLA_PERM_ADDRESS:
        link.permanent_mac = mac(value);
        break;
      case IFLA_MTU:
        link.mtu = number(value).value_or(0);
        break;
      case IFLA_OPERSTATE:
        link.operstate = number(value);
        break;
      case IFLA_CARRIER:
        link.carrier = number(value);
        break;
      case IFLA_CARRIER_DOWN_COUNT:
        link.carrier_down_count = number(value);
        break;
      case IFLA_NUM_VF:
        link.vf_count = number(value);
        break;
      case IFLA_PARENT_DEV_NAME:
        parent = text(value);
        break;
      case IFLA_PARENT_DEV_BUS_NAME:
        bus = text(value);
        break;
      case IFLA_LINKINFO:
        for_each_attribute(value, [&](std::uint16_t inner, std::string_view content) {
          if (inner == IFLA_INFO_KIND) link.kind = text(content);
          if (inner == IFLA_INFO_DATA) data = content;
        });
        break;
      case IFLA_MASTER:
        link.master = static_cast<int>(number(value).value_or(0));
        break;
      case IFLA_VFINFO_LIST:
        for_each_attribute(value, [&link](std::uint16_t inner, std::string_view vf) {
          if (inner == IFLA_VF_INFO) link.vfs.push_back(parse_vf(vf));
        });
        break;
      default:
        break;
    }
  });
  if (bus == "pci") link.pci = parent;
  if (link.kind == "vrf")
    for_each_attribute(data, [&link](std::uint16_t type, std::string_view value) {
      if (type == IFLA_VRF_TABLE) link.vrf_table = number(value);
    });
  if (link.name.empty()) return std::nullopt;
  return link;
}

std::optional<Address> parse_address(const NetlinkMessage& message) {
  if (message.type != RTM_NEWADDR) return std::nullopt;
  const auto parts = split<ifaddrmsg>(message);
  if (!parts || parts->first.ifa_family != AF_INET || parts->first.ifa_prefixlen > 32) return std::nullopt;
  std::optional<Ipv4> local, address;
  for_each_attribute(parts->second, [&](std::uint16_t type, std::string_view value) {
    if (type == IFA_LOCAL) local = ipv4(value);
    if (type == IFA_ADDRESS) address = ipv4(value);
  });
  if (!local) local = address;  // IFA_ADDRESS is the peer on a point-to-point link
  if (!local) return std::nullopt;
  return Address{static_cast<int>(parts->first.ifa_index), {*local, parts->first.ifa_prefixlen}};
}

std::optional<Neighbour> parse_neighbour(const NetlinkMessage& message) {
  if (message.type != RTM_NEWNEIGH) return std::nullopt;
  const auto parts = split<ndmsg>(message);
  if (!parts || parts->first.ndm_family != AF_INET) return std::nullopt;
  Neighbour neighbour{parts->first.ndm_ifindex, {}, {}, parts->first.ndm_state};
  bool addressed = false;
  for_each_attribute(parts->second, [&](std::uint16_t type, std::string_view value) {
    if (type == NDA_DST)
      if (const auto address = ipv4(value)) neighbour.address = *address, addressed = true;
    if (type == NDA_LLADDR) neighbour.mac = mac(value);
  });
  if (!addressed) return std::nullopt;
  return neighbour;
}

std::optional<Dcb> parse_dcb(const NetlinkMessage& message) {
  const auto parts = split<dcbmsg>(message);
  if (!parts) return std::nullopt;
  Dcb dcb;
  for_each_attribute(parts->second, [&dcb](std::uint16_t type, std::string_view value) {
    if (type != DCB_ATTR_IEEE) return;
    for_each_attribute(value, [&dcb](std::uint16_t inner, std::string_view content) {
      if (inner == DCB_ATTR_IEEE_PFC)
        if (const auto pfc = read_as<ieee_pfc>(content)) dcb.pfc_enabled = pfc->pfc_en;
      if (inner == DCB_ATTR_IEEE_APP_TABLE) {
        dcb.dscp_to_priority.emplace();
        for_each_attribute(content, [&dcb](std::uint16_t entry, std::string_view app) {
          if (entry != DCB_ATTR_IEEE_APP) return;
          if (const auto row = read_as<dcb_app>(app); row && row->selector == IEEE_8021QAZ_APP_SEL_DSCP)
            (*dcb.dscp_to_priority)[row->protocol] = row->priority;
        });
      }
    });
  });
  return dcb;
}

std::optional<unsigned> parse_eswitch_mode(const NetlinkMessage& message) {
  const auto parts = split<genlmsghdr>(message);
  if (!parts) return std::nullopt;
  std::optional<unsigned> mode;
  for_each_attribute(parts->second, [&mode](std::uint16_t type, std::string_view value) {
    if (type == DEVLINK_ATTR_ESWITCH_MODE) mode = number(value);
  });
  return mode;
}

std::optional<bool> parse_rdma_exclusive(const NetlinkMessage& message) {
  std::optional<bool> exclusive;
  for_each_attribute(message.payload, [&exclusive](std::uint16_t type, std::string_view value) {
    if (type == RDMA_NLDEV_SYS_ATTR_NETNS_MODE && value.size() == 1)
      exclusive = value[0] == 0;  // 1 is shared
  });
  return exclusive;
}

}  // namespace mlc
