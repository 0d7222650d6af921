#include "bench/fleet/localisation/components.hpp"

#include <array>

namespace mlc::fleet {

std::string_view to_string(Kind kind) {
  constexpr std::array<std::string_view, 7> names{"node", "rail",      "rail-tx",    "rail-rx",
                                                  "leaf", "uplink-up", "uplink-down"};
  return names[static_cast<std::size_t>(kind)];
}

Component Components::of(ComponentId id) const {
  int at = static_cast<int>(id);
  if (at < nodes_) return {.kind = Kind::node, .node = at};
  at -= nodes_;
  if (const int ends = nodes_ * rails_; at < 3 * ends) {
    constexpr std::array<Kind, 3> kinds{Kind::end, Kind::tx, Kind::rx};
    return {
        .kind = kinds[static_cast<std::size_t>(at / ends)], .node = at % ends / rails_, .rail = at % rails_};
  } else {
    at -= 3 * ends;
  }
  if (at < leaves_) return {.kind = Kind::leaf, .leaf = at};
  at -= leaves_;
  const int ways = leaves_ * uplinks_;
  return {.kind = at < ways ? Kind::up : Kind::down, .leaf = at % ways / uplinks_, .uplink = at % uplinks_};
}

ComponentId Components::id_of(const Component& component) const {
  const auto& [kind, of_node, rail, of_leaf, uplink] = component;
  switch (kind) {
    case Kind::node:
      return node(of_node);
    case Kind::end:
      return end(of_node, rail);
    case Kind::tx:
      return tx(of_node, rail);
    case Kind::rx:
      return rx(of_node, rail);
    case Kind::leaf:
      return leaf(of_leaf);
    case Kind::up:
      return up(of_leaf, uplink);
    case Kind::down:
      return down(of_leaf, uplink);
  }
  return 0;
}

}  // namespace mlc::fleet
