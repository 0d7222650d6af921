// The arithmetic of rates. Pure. Gbit/s is 1e9 bits per second of payload.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/rdma/plan.hpp"
#include "bench/stats/judging.hpp"

namespace mlc::rdma {

// What the wire can carry as payload at that RDMA path MTU: RoCE v2 over IPv4 adds 82 bytes to each packet
// (preamble and gap 20, Ethernet 14, IPv4 20, UDP 8, BTH 12, ICRC 4, FCS 4), so 196.07 of 200 Gbit/s at MTU
// 4096. Messages shorter than the MTU are a packet each. The first packet of a write has 16 bytes more
// (RETH); over 64 KiB that is 0.02 %, left out.
double ceiling_gbit_s(double rail_gbit_s, int mtu, std::uint64_t message_bytes);

double gbit_s(std::uint64_t bytes, double seconds);

// Rates of one lane, window after window, and whether enough is known. A window lasts at least window_s and
// ends with a completion, so that what is counted and the time it took belong together.
class RateMeter {
 public:
  RateMeter(double window_s, double precision, const std::optional<RailQuestion>& question);

  void start(double now);  // the warm-up is over; before that nothing is kept but its windows
  void add(std::uint64_t bytes, double now);  // bytes that completed by `now` (seconds)
  bool started() const { return started_; }
  bool decided() const;    // the question is answered, or without one the median is known
  bool exhausted() const;  // the question's windows are used up
  bool asked() const { return judging_.has_value(); }
  Ruling ruling() const;  // of the question, when no more will come
  double observed_s() const { return judging_ ? judging_->observed_s() : 0; }

  std::uint64_t windows() const { return rates_.size(); }
  // Of the timed phase; 0 without windows.
  double median_gbit_s() const;
  double mean_gbit_s() const;  // all bytes over all of the time
  std::array<double, 2> interval_gbit_s() const;

 private:
  void close_window(double now);
  void look();

  double window_s_, precision_;
  std::optional<RailQuestion> question_;
  std::optional<Judging> judging_;
  std::uint64_t next_look_ = 1, blocks_ = 0;  // a look costs more the more windows there are
  Ruling ruling_;
  std::vector<double> rates_;
  bool started_ = false, opened_ = false;
  double window_start_ = 0, timed_start_ = 0, last_ = 0;
  std::uint64_t window_bytes_ = 0, timed_bytes_ = 0;
};

// Each value over the median of the others; empty where it is alone.
std::vector<std::optional<double>> over_siblings(std::span<const double> values);

}  // namespace mlc::rdma
