#include "validators/checks/rail_selection.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Indices = std::vector<std::size_t>;

bool any_like(const std::vector<std::string>& patterns, const std::string& text) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return !text.empty() && ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
  });
}

template <class T>
bool has(const std::vector<T>& all, const T& one) {
  return std::ranges::find(all, one) != all.end();
}

bool in_subnet(const RailSelector& selector, const RailCandidate& candidate) {
  for (const auto& subnet : selector.subnets)
    for (const auto& own : candidate.addresses)
      if (subnet.contains(own.address)) return true;
  for (const auto& subnet : selector.subnets6)
    for (const auto& own : candidate.addresses6)
      if (subnet.contains(own.address)) return true;
  return false;
}

// As the device plugin makes a variable of a resource's name (sriov-network-device-plugin, pkg/resources).
std::string variable_of(const std::string& resource) {
  std::string name = "PCIDEVICE_";
  for (const unsigned char c : resource)
    name += std::isalnum(c) ? static_cast<char>(std::toupper(c)) : '_';
  return name;
}

bool fits(const RailSelector& selector, const RailCandidate& candidate, bool pod_known) {
  const auto names_interface = [&] {
    return any_like(selector.interfaces, candidate.netdev) ||
           std::ranges::any_of(candidate.members,
                               [&](const auto& member) { return any_like(selector.interfaces, member); });
  };
  if (!selector.interfaces.empty() && !names_interface()) return false;
  if (!selector.devices.empty() && !any_like(selector.devices, candidate.rdma)) return false;
  if (!selector.pci.empty() && !any_like(selector.pci, candidate.pci) &&
      !any_like(selector.pci, candidate.parent))
    return false;
  if (!selector.vendors.empty() && !has(selector.vendors, candidate.vendor)) return false;
  if (!selector.models.empty() && !has(selector.models, candidate.model)) return false;
  if (!(selector.subnets.empty() && selector.subnets6.empty()) && !in_subnet(selector, candidate))
    return false;
  if (!selector.numa.empty() && !(candidate.numa && has(selector.numa, *candidate.numa))) return false;
  if (selector.near_any_gpu && candidate.gpus.empty()) return false;
  if (!selector.gpus.empty() &&
      std::ranges::none_of(candidate.gpus, [&](int gpu) { return has(selector.gpus, gpu); }))
    return false;
  if (!pod_known) return true;
  return (selector.resource.empty() || has(candidate.resources, variable_of(selector.resource))) &&
         (selector.network.empty() || has(candidate.networks, selector.network));
}

bool has_own_network(const RailCandidate& candidate, bool with_six = true) {
  return (with_six && !candidate.addresses6.empty()) ||
         std::ranges::any_of(candidate.addresses,
                             [](const IpPrefix& one) { return !one.address.link_local(); });
}

class Selecting {
 public:
  Selecting(const RailInputs& inputs, const NodeExpectation* expected)
      : all_(inputs.candidates), inputs_(inputs), expected_(expected ? *expected : NodeExpectation{}) {
    for (std::size_t i = 0; i < all_.size(); ++i)
      order_.push_back(i);
    std::ranges::sort(order_, {}, [&](std::size_t i) { return std::tie(all_[i].pci, all_[i].netdev); });
    if (expected_.rails) wanted_ = static_cast<std::size_t>(*expected_.rails);
  }

  RailSelection run() {
    result_.named = names_rails(expected_);
    if (!expected_.select.each.empty() && answerable())
      expected_.select.of_all ? by_one_selector() : by_selectors();
    else if (!expected_.sites.empty())
      by_subnet();
    else if (!by_route())
      by_inference();
    if (!result_.undecided.empty()) result_.rails.clear(), result_.missing.clear();
    std::ranges::sort(result_.rails, {}, &FoundRail::index);
    return std::move(result_);
  }

 private:
  bool answerable() {
    for (const auto& selector : expected_.select.each) {
      if (!selector.by_hardware_or_name() && !inputs_.pod_known)
        result_.unanswered = selector.resource.empty() ? "network" : "resource";
      // Without a bridge that a NIC and a GPU share (a virtual machine, or the GPUs are gone) there is no
      // "near".
      if (selector.near_gpu() && std::ranges::all_of(all_, [](const auto& one) { return one.gpus.empty(); }))
        result_.unanswered = "near_gpu";
    }
    return result_.unanswered.empty();
  }

  // A VF is no rail where a PF that fits as well is in sight.
  Indices without_vfs(Indices some) const {
    if (std::ranges::any_of(some, [&](std::size_t i) { return !all_[i].vf; }))
      std::erase_if(some, [&](std::size_t i) { return all_[i].vf; });
    return some;
  }
  Indices those(const std::function<bool(const RailCandidate&)>& fit) const {
    Indices some;
    for (const std::size_t i : order_)
      if (fit(all_[i])) some.push_back(i);
    return without_vfs(std::move(some));
  }
  bool in_sight(const std::string& pci) const {
    return std::ranges::any_of(all_, [&](const RailCandidate& one) { return one.pci == pci; });
  }
  bool taken(std::size_t i) const { return has_candidate(result_.rails, i); }
  static bool has_candidate(const std::vector<FoundRail>& rails, std::size_t i) {
    return std::ranges::find(rails, i, &FoundRail::candidate) != rails.end();
  }
  bool taken_index(int index) const {
    return std::ranges::find(result_.rails, index, &FoundRail::index) != result_.rails.end();
  }
  void found(std::size_t candidate, int index, RailSource source, bool numbered = true) {
    result_.rails.push_back({index, candidate, source, numbered});
  }
  int free_index() const {
    int index = 0;
    while (taken_index(index))
      ++index;
    return index;
  }
  void others(const Indices& from, NoRail why) {
    for (const std::size_t i : from)
      if (!taken(i) && std::ranges::find(result_.others, i, &OtherDevice::candidate) == result_.others.end())
        result_.others.push_back({i, all_[i].netdev == inputs_.default_device && !all_[i].netdev.empty()
                                         ? NoRail::default_route
                                         : why});
  }
  Indices pool() const {
    return those([](const RailCandidate&) { return true; });
  }
  // Its addresses are none of the policy's. Those of another family than the policy's say nothing: any router
  // gives IPv6 addresses.
  bool is_of_another_network(const RailCandidate& one) const {
    const bool six = std::ranges::any_of(expected_.sites, [](const RailExpectation& site) {
      return site.prefix.address.family == IpFamily::v6;
    });
    return !expected_.sites.empty() && has_own_network(one, six) && !in_any_site(one);
  }
  // Keeps what `fit` says, if that leaves just as many as there are rails.
  void narrow(Indices& some, NoRail why, const std::function<bool(const RailCandidate&)>& fit) {
    Indices kept;
    std::ranges::copy_if(some, std::back_inserter(kept), [&](std::size_t i) { return fit(all_[i]); });
    if (kept.size() == some.size() || kept.empty() || (wanted_ > 0 && kept.size() != wanted_)) return;
    for (const std::size_t i : some)
      if (!has(kept, i)) result_.others.push_back({i, why});
    some = std::move(kept);
  }
  // In a dead rail's place there may be a storage NIC: where most of these sit beside a GPU, one that does
  // not is no rail.
  void without_those_far_from_gpus(Indices& some) {
    const auto far = [&](std::size_t i) { return all_[i].gpus.empty(); };
    const auto near = some.size() - static_cast<std::size_t>(std::ranges::count_if(some, far));
    if (near < 2 || 2 * near <= some.size()) return;
    for (const std::size_t i : some)
      if (far(i)) result_.others.push_back({i, NoRail::far_from_gpus});
    std::erase_if(some, far);
  }
  // In a dead rail's place there may be a storage NIC beside another rail's GPUs: what has no address of the
  // policy's is none where the GPUs beside it have as many rails as any, and others have fewer.
  void without_seconds(Indices& some) {
    std::map<int, std::size_t> rails_of;  // of each GPU, by address
    for (int gpu = 0; gpu < expected_.gpus.value_or(0); ++gpu)
      rails_of[gpu] = 0;
    for (const std::size_t i : some)
      for (const int gpu : all_[i].gpus)
        rails_of[gpu] += in_any_site(all_[i]) ? 1 : 0;
    std::size_t most = 0, least = some.size();
    for (const auto& [gpu, rails] : rails_of)
      most = std::max(most, rails), least = std::min(least, rails);
    if (least == most) return;
    const auto second = [&](std::size_t i) {
      return !in_any_site(all_[i]) &&
             std::ranges::all_of(all_[i].gpus, [&](int gpu) { return rails_of[gpu] == most; });
    };
    for (const std::size_t i : some)
      if (second(i)) result_.others.push_back({i, NoRail::gpus_have_theirs});
    std::erase_if(some, second);
  }
  bool in_site(const RailCandidate& candidate, std::size_t site) const {
    const auto inside = [&](const IpPrefix& own) {
      return expected_.sites[site].prefix.contains(own.address);
    };
    return std::ranges::any_of(candidate.addresses, inside) ||
           std::ranges::any_of(candidate.addresses6, inside);
  }
  bool in_any_site(const RailCandidate& candidate) const {
    for (std::size_t site = 0; site < expected_.sites.size(); ++site)
      if (in_site(candidate, site)) return true;
    return false;
  }

  void by_selectors() {
    for (std::size_t rail = 0; rail < expected_.select.each.size(); ++rail) {
      const auto& selector = expected_.select.each[rail];
      const Indices fit =
          those([&](const RailCandidate& one) { return fits(selector, one, inputs_.pod_known); });
      if (fit.size() > 1)
        result_.undecided.insert(result_.undecided.end(), fit.begin(), fit.end());
      else if (fit.size() == 1 && !taken(fit.front()))
        found(fit.front(), static_cast<int>(rail), RailSource::selector);
      else
        result_.missing.push_back({static_cast<int>(rail), selector.names()});
    }
    others(pool(), NoRail::not_named);
  }

  void by_one_selector() {
    const auto& selector = expected_.select.each.front();
    Indices fit = those([&](const RailCandidate& one) { return fits(selector, one, inputs_.pod_known); });
    // What only its maker, its model or the GPU beside it tells of may be a storage NIC in a dead rail's
    // place; what the policy names outright is the rail with another's network. Where only VFs have the
    // policy's addresses, those of a PF beside a GPU say nothing.
    if (!expected_.sites.empty() && selector.pci.empty()) {
      const bool of_vfs = !expected_.host_addresses.value_or(true) && selector.near_gpu();
      const auto foreign = [&](std::size_t i) {
        return is_of_another_network(all_[i]) && (all_[i].vf || !of_vfs);
      };
      Indices storage;
      std::ranges::copy_if(fit, std::back_inserter(storage), foreign);
      std::erase_if(fit, foreign);
      others(storage, NoRail::other_network);
    }
    if (wanted_ > 0 && fit.size() <= wanted_ && expected_.sites.empty() && selector.pci.empty() &&
        selector.interfaces.empty())
      without_those_far_from_gpus(fit);
    const bool addressed = expected_.host_addresses.value_or(true) ||
                           std::ranges::all_of(fit, [&](std::size_t i) { return all_[i].vf; });
    if (!expected_.sites.empty() && selector.pci.empty() && selector.near_gpu() && addressed)
      without_seconds(fit);
    if (wanted_ > 0 && fit.size() > wanted_ && !expected_.sites.empty())
      narrow(fit, NoRail::other_network, [&](const RailCandidate& one) { return in_any_site(one); });
    if (wanted_ > 0 && fit.size() > wanted_) {
      result_.undecided = fit;
      return;
    }
    place(fit, RailSource::selector);
    missing_sites(selector.names());
    if (!result_.missing.empty()) {
      others(those([&](const RailCandidate& one) { return in_any_site(one); }), NoRail::not_selected_here);
      RailSelector without_gpus = selector;
      without_gpus.near_any_gpu = false, without_gpus.gpus.clear();
      if (selector.near_gpu())
        others(those([&](const RailCandidate& one) {
                 return one.gpus.empty() && !(one.vf && in_sight(one.parent)) &&
                        fits(without_gpus, one, inputs_.pod_known) && !is_of_another_network(one);
               }),
               NoRail::gpu_gone);
    }
    others(pool(), NoRail::not_named);
  }

  // Devices that are rails get their index by the site's prefixes, else a free one, in PCI order.
  void place(const Indices& some, RailSource source) {
    for (const std::size_t i : some)
      for (std::size_t site = 0; site < expected_.sites.size() && !taken(i); ++site)
        if (in_site(all_[i], site) && !taken_index(static_cast<int>(site)))
          found(i, static_cast<int>(site), source);
    // With one gone, what has no address of its own may be any of those that are left.
    const bool told = expected_.sites.empty() || some.size() >= std::max(wanted_, expected_.sites.size());
    for (const std::size_t i : some)
      if (!taken(i)) found(i, free_index(), told ? source : RailSource::inferred, told);
  }

  void missing_sites(const std::vector<std::string>& names) {
    const std::size_t rails = std::max(wanted_, expected_.sites.size());
    if (!expected_.sites.empty() &&
        !std::ranges::all_of(result_.rails, [](const FoundRail& rail) { return rail.numbered; }))
      return one_of_those_left(rails);
    if (expected_.sites.empty())
      for (std::size_t n = result_.rails.size(); n < rails; ++n)
        result_.missing.push_back({std::nullopt, names});
    else
      for (std::size_t i = 0; i < rails; ++i)
        if (!taken_index(static_cast<int>(i)))
          result_.missing.push_back(
              {static_cast<int>(i),
               i < expected_.sites.size() ? std::vector{to_string(expected_.sites[i].prefix)} : names});
  }

  void one_of_those_left(std::size_t rails) {
    std::vector<std::string> left;
    for (std::size_t site = 0; site < expected_.sites.size(); ++site)
      if (std::ranges::none_of(result_.rails, [&](const FoundRail& rail) {
            return rail.numbered && rail.index == static_cast<int>(site);
          }))
        left.push_back(to_string(expected_.sites[site].prefix));
    for (std::size_t n = result_.rails.size(); n < rails; ++n)
      result_.missing.push_back({std::nullopt, left});
  }

  void by_subnet() {
    const Indices some = pool();
    for (std::size_t site = 0; site < expected_.sites.size(); ++site)
      for (const std::size_t i : some)
        if (!taken(i) && !taken_index(static_cast<int>(site)) && in_site(all_[i], site))
          found(i, static_cast<int>(site), RailSource::subnet);
    // One without an address of its own may be the rail that lost it; one of another network never is.
    Indices left;
    for (const std::size_t i : some)
      if (!taken(i) && all_[i].netdev != inputs_.default_device && !is_of_another_network(all_[i]))
        left.push_back(i);
    const bool told = result_.rails.size() + left.size() >= expected_.sites.size();
    for (const std::size_t i : left)
      if (free_index() < static_cast<int>(expected_.sites.size()))
        found(i, free_index(), RailSource::inferred, told);
    missing_sites({});
    others(some, NoRail::other_network);
  }

  // Of the longest prefix that holds `to`. A default route leads everywhere and names no rail.
  std::string device_to(Ipv4 to) const {
    const RouteTo* best = nullptr;
    for (const auto& route : inputs_.routes)
      if (route.destination.contains(to) && (!best || route.destination.length > best->destination.length))
        best = &route;
    return best ? best->netdev : std::string();
  }

  bool by_route() {
    const Indices some = pool();
    std::size_t rails = 0;
    for (const auto& peer : expected_.peers) {
      rails = std::max(rails, peer.size());
      for (std::size_t rail = 0; rail < peer.size(); ++rail) {
        const std::string device = device_to(peer[rail]);
        for (const std::size_t i : some)
          if (!device.empty() && all_[i].netdev == device && !taken(i) &&
              !taken_index(static_cast<int>(rail)))
            found(i, static_cast<int>(rail), RailSource::route);
      }
    }
    if (result_.rails.empty()) return false;
    // A rail whose route is gone is what is left, where just as much is left as is missing.
    Indices left;
    std::ranges::copy_if(some, std::back_inserter(left), [&](std::size_t i) {
      return !taken(i) && all_[i].netdev != inputs_.default_device;
    });
    rails = std::max(rails, wanted_);
    if (result_.rails.size() + left.size() == rails)
      for (const std::size_t i : left)
        found(i, free_index(), RailSource::inferred);
    for (std::size_t rail = 0; rail < rails; ++rail)
      if (!taken_index(static_cast<int>(rail))) result_.missing.push_back({static_cast<int>(rail), {}});
    others(some, NoRail::no_route_to_peers);
    return true;
  }

  void by_inference() {
    Indices some = pool();
    // The device of the ordinary network is no rail. But where a policy counts rails and there are no more
    // than that, a rail with the default route is a fault to be found, not a device to be left out.
    if (wanted_ == 0 || some.size() > wanted_)
      std::erase_if(some, [&](std::size_t i) {
        const bool ordinary = !all_[i].netdev.empty() && all_[i].netdev == inputs_.default_device;
        if (ordinary) result_.others.push_back({i, NoRail::default_route});
        return ordinary;
      });
    if (wanted_ == 0 || some.size() > wanted_) {
      narrow(some, NoRail::far_from_gpus, [](const RailCandidate& one) { return !one.gpus.empty(); });
      narrow_to_one_model(some);
    } else {
      without_those_far_from_gpus(some);
    }
    if (wanted_ > 0 && some.size() > wanted_) {
      result_.undecided = some;
      return;
    }
    for (const std::size_t i : some)
      found(i, free_index(), RailSource::inferred);
    for (std::size_t n = some.size(); n < wanted_; ++n)
      result_.missing.push_back({std::nullopt, {}});
  }

  // Rails are alike: of several models the one that most devices are, unless GPUs told already.
  void narrow_to_one_model(Indices& some) {
    if (std::ranges::all_of(some, [&](std::size_t i) { return !all_[i].gpus.empty(); })) return;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> models;
    for (const std::size_t i : some)
      ++models[{all_[i].vendor, all_[i].model}];
    const auto most = std::ranges::max_element(models, {}, [](const auto& one) { return one.second; });
    if (most == models.end() || most->second < 2) return;
    if (std::ranges::count(models, most->second, [](const auto& one) { return one.second; }) > 1) return;
    narrow(some, NoRail::other_model,
           [&](const RailCandidate& one) { return std::pair(one.vendor, one.model) == most->first; });
  }

  const std::vector<RailCandidate>& all_;
  const RailInputs& inputs_;
  const NodeExpectation expected_;
  Indices order_;
  std::size_t wanted_ = 0;  // 0: the policy does not count
  RailSelection result_;
};

}  // namespace

std::string RailCandidate::name() const { return netdev.empty() ? rdma : rdma + " (" + netdev + ")"; }

std::string MissingRail::text() const {
  const std::string rail = index ? "rail " + std::to_string(*index) : "a rail";
  return names.empty() ? rail : rail + " (" + join(names, index ? ", " : " or ") + ")";
}

RailSelection select_rails(const RailInputs& inputs, const NodeExpectation* expected) {
  return Selecting(inputs, expected).run();
}

std::string to_text(NoRail why) {
  switch (why) {
    case NoRail::default_route:
      return "carries the default route";
    case NoRail::not_named:
      return "is not what the policy names (node.rails.select)";
    case NoRail::other_network:
      return "has an address of another network";
    case NoRail::no_route_to_peers:
      return "has no route to a peer";
    case NoRail::far_from_gpus:
      return "is near no GPU, as the others are";
    case NoRail::not_selected_here:
      return "has an address of the rails, and is not what the policy selects (node.rails.select)";
    case NoRail::other_model:
      return "is another model than most";
    case NoRail::gpus_have_theirs:
      return "has no address of the rails, and the GPUs beside it have their rail";
    case NoRail::gpu_gone:
      return "is what the policy selects, but for a GPU beside it";
  }
  return {};
}

std::string to_text(RailSource source) {
  switch (source) {
    case RailSource::selector:
      return "the policy's selector";
    case RailSource::subnet:
      return "the policy's prefixes";
    case RailSource::route:
      return "the routes to the peers";
    case RailSource::inferred:
      return "inference";
  }
  return {};
}

}  // namespace mlc
