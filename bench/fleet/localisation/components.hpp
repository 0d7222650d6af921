// What may be at fault, numbered: the decoder knows components by number alone. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace mlc::fleet {

// An end is one rail of one node with all that is plugged into it: NIC, cable, optics, switch port; tx and rx
// are its two directions. A leaf is what all ends of one group and rail share. An uplink has two directions:
// up, from the leaf, and down, to it.
enum class Kind : std::uint8_t { node, end, tx, rx, leaf, up, down };
std::string_view to_string(
    Kind kind);  // "node", "rail", "rail-tx", "rail-rx", "leaf", "uplink-up", "uplink-down"

using ComponentId = std::uint32_t;

struct Component {
  Kind kind = Kind::node;
  int node = -1, rail = -1;    // of a node, and of an end and its directions
  int leaf = -1, uplink = -1;  // leaf: its number in the topology, which has the rail in it
  bool of_host() const { return node >= 0; }
  bool operator==(const Component&) const = default;
};

// One number for each component of a fleet: nodes, ends, tx, rx, leaves, uplinks up, uplinks down.
class Components {
 public:
  Components() = default;
  Components(int nodes, int rails, int leaves, int uplinks)
      : nodes_(nodes), rails_(rails), leaves_(leaves), uplinks_(uplinks) {}

  ComponentId node(int node) const { return static_cast<ComponentId>(node); }
  ComponentId end(int node, int rail) const { return of_rail(0, node, rail); }
  ComponentId tx(int node, int rail) const { return of_rail(1, node, rail); }
  ComponentId rx(int node, int rail) const { return of_rail(2, node, rail); }
  ComponentId leaf(int leaf) const { return static_cast<ComponentId>(before_leaves() + leaf); }
  ComponentId up(int leaf, int uplink) const { return of_uplink(0, leaf, uplink); }
  ComponentId down(int leaf, int uplink) const { return of_uplink(1, leaf, uplink); }

  std::size_t count() const { return static_cast<std::size_t>(down(leaves_, 0)); }
  Component of(ComponentId id) const;
  ComponentId id_of(const Component& component) const;

 private:
  int before_leaves() const { return nodes_ * (1 + 3 * rails_); }
  ComponentId of_rail(int which, int node, int rail) const {
    return static_cast<ComponentId>(nodes_ + (which * nodes_ + node) * rails_ + rail);
  }
  ComponentId of_uplink(int which, int leaf, int uplink) const {
    return static_cast<ComponentId>(before_leaves() + leaves_ + (which * leaves_ + leaf) * uplinks_ + uplink);
  }

  int nodes_ = 0, rails_ = 0, leaves_ = 0, uplinks_ = 0;
};

}  // namespace mlc::fleet
