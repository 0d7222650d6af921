#include "tests/stats/simulation.hpp"

#include <algorithm>
#include <cmath>

#include "bench/engine/verdict_of_cell.hpp"

namespace mlc::simulation {

namespace {

constexpr double sd = 0.01;            // of an iteration
constexpr double iteration_s = 0.022;  // one batch, the least favourable: nothing is averaged

class Plain : public Machine {
 public:
  explicit Plain(Random& random) : random_(random) {}
  double deviation(double) override { return sd * normal(); }

 protected:
  double normal() { return normal_(random_); }
  double uniform(double from, double to) { return std::uniform_real_distribution<double>(from, to)(random_); }
  double exponential(double mean) { return std::exponential_distribution<double>(1 / mean)(random_); }
  Random& random_;

 private:
  std::normal_distribution<double> normal_{0, 1};
};

class Correlated final : public Plain {
 public:
  Correlated(Random& random, double time_s) : Plain(random), kept_(std::exp(-iteration_s / time_s)) {}
  void launch() override { now_ = normal(); }
  double deviation(double) override {
    now_ = kept_ * now_ + std::sqrt(1 - kept_ * kept_) * normal();
    return sd * now_;
  }

 private:
  double kept_, now_ = 0;
};

class Offset final : public Plain {
 public:
  Offset(Random& random, double offset_sd) : Plain(random), offset_sd_(offset_sd) {}
  void launch() override { offset_ = offset_sd_ * normal(); }
  double deviation(double at_s) override { return offset_ + Plain::deviation(at_s); }

 private:
  double offset_sd_, offset_ = 0;
};

// Student's t with three degrees of freedom, of that variance.
class HeavyTails final : public Plain {
 public:
  using Plain::Plain;
  double deviation(double) override {
    return std::max(-0.9, sd / std::sqrt(3.0) * std::student_t_distribution<double>(3)(random_));
  }
};

class SlowIterations final : public Plain {
 public:
  using Plain::Plain;
  double deviation(double at_s) override {
    return Plain::deviation(at_s) - (uniform(0, 1) < 0.05 ? 0.15 : 0);
  }
};

// Two levels a standard deviation either side; `dwell_s` 0: drawn for each iteration.
class Bimodal final : public Plain {
 public:
  Bimodal(Random& random, double dwell_s) : Plain(random), dwell_s_(dwell_s) {}
  void launch() override { high_ = uniform(0, 1) < 0.5; }
  double deviation(double at_s) override {
    if (dwell_s_ == 0 ? uniform(0, 1) < 0.5 : uniform(0, 1) < iteration_s / dwell_s_) high_ = !high_;
    return (high_ ? sd : -sd) + 0.3 * Plain::deviation(at_s);
  }

 private:
  double dwell_s_;
  bool high_ = false;
};

// Six standard deviations above its level until `from_s`, then down to it, within `over_s`.
class Throttling final : public Plain {
 public:
  Throttling(Random& random, double from_s, double over_s)
      : Plain(random), from_s_(from_s), over_s_(over_s) {}
  double deviation(double at_s) override {
    const double done = over_s_ > 0      ? std::clamp((at_s - from_s_) / over_s_, 0.0, 1.0)
                        : at_s < from_s_ ? 0
                                         : 1;
    return 6 * sd * (1 - done) + Plain::deviation(at_s);
  }

 private:
  double from_s_, over_s_;
};

// One rank stalls for four fifths of the time; what does not stall is six standard deviations above the
// level.
class Stalling final : public Plain {
 public:
  enum class Where { in_iterations, between, once };
  Stalling(Random& random, Where where) : Plain(random), where_(where) {}
  void launch() override { left_ = static_cast<int>(uniform(0, 5 / iteration_s)); }
  double deviation(double at_s) override { return 6 * sd + Plain::deviation(at_s); }
  Iteration shown(double, double true_s) override {
    switch (where_) {
      case Where::in_iterations:
        return {uniform(0, 1) < 0.1 ? 41 * true_s : true_s, 0};
      case Where::between:
        return {true_s, 4 * true_s};
      case Where::once:
        return {left_-- == 0 ? 24 : true_s, 0};
    }
    return {};
  }

 private:
  Where where_;
  int left_ = 0;
};

// Every five seconds or so the clock jumps, or stands still for a while.
class WrongClock final : public Plain {
 public:
  enum class How { back, forward, frozen };
  WrongClock(Random& random, How how) : Plain(random), how_(how) {}
  Iteration shown(double at_s, double true_s) override {
    if (at_s >= next_) {
      if (how_ != How::frozen) {
        next_ = at_s + exponential(5);
        return {true_s + (how_ == How::back ? -1 : 1) * uniform(0.1, 2), 0};
      }
      frozen_until_ = at_s + uniform(0.1, 0.5), next_ = frozen_until_ + exponential(5);
    }
    return {at_s < frozen_until_ ? std::max(0.0, at_s + true_s - frozen_until_) : true_s, 0};
  }

 private:
  How how_;
  double next_ = exponential(5), frozen_until_ = 0;
};

template <class M, class... Arguments>
Noise noise(std::string name, double deviation, bool only_bad, Arguments... arguments) {
  return {
      std::move(name), deviation,
      [=](Random& random) -> std::unique_ptr<Machine> { return std::make_unique<M>(random, arguments...); },
      only_bad};
}

std::string number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  return text.back() == '.' ? text.substr(0, text.size() - 1) : text;
}

}  // namespace

std::vector<Noise> all_noises() {
  std::vector<Noise> noises{noise<Plain>("independent", sd, false)};
  for (const double time_s : {0.1, 0.5, 1.0, 2.0})
    noises.push_back(
        noise<Correlated>("AR(1), correlation time " + number(time_s) + " s", sd, false, time_s));
  for (const double offset : {0.01, 0.03, 0.1})
    noises.push_back(noise<Offset>("launches differ by " + number(100 * offset) + " %",
                                   std::hypot(offset, sd), false, offset));
  noises.push_back(noise<HeavyTails>("heavy tails (Student's t, 3)", sd, false));
  noises.push_back(noise<SlowIterations>("1 iteration in 20 is 15 % slow", sd, false));
  noises.push_back(noise<Bimodal>("bimodal, by iteration", std::sqrt(1.09) * sd, false, 0.0));
  noises.push_back(noise<Bimodal>("bimodal, levels last 1 s", std::sqrt(1.09) * sd, false, 1.0));
  for (const double from_s : {1.0, 10.0, 25.0, 60.0, 100.0})
    noises.push_back(noise<Throttling>("step down after " + number(from_s) + " s", sd, false, from_s, 0.0));
  for (const double from_s : {1.0, 10.0, 25.0, 60.0, 100.0})
    noises.push_back(
        noise<Throttling>("ramp down after " + number(from_s) + " s, over 20 s", sd, false, from_s, 20.0));
  using Where = Stalling::Where;
  noises.push_back(
      noise<Stalling>("a rank stalls 80 % of the time, in iterations", sd, true, Where::in_iterations));
  noises.push_back(noise<Stalling>("a rank stalls 80 % of the time, between them", sd, true, Where::between));
  noises.push_back(noise<Stalling>("a rank stalls once, for 24 s", sd, true, Where::once));
  using How = WrongClock::How;
  noises.push_back(noise<WrongClock>("clock jumps back", sd, false, How::back));
  noises.push_back(noise<WrongClock>("clock jumps forward", sd, false, How::forward));
  noises.push_back(noise<WrongClock>("clock stands still now and then", sd, false, How::frozen));
  return noises;
}

Procedure quick() { return {"quick", 0, 1}; }
Procedure one_launch() { return {"30 s", 30, 1}; }
Procedure admission() { return {"3 x 30 s", 30, 3}; }

namespace {

// One cell of one launch, as the runner drives it.
Conclusion launch(Machine& machine, const Procedure& procedure, double level, double& load_s) {
  CellJudge judge({.bound = 1, .observe_s = procedure.observe_s}, iteration_s * 1e9, true);
  const double most_s = procedure.observe_s > 0 ? 3 * procedure.observe_s : 20;
  const int in_window = procedure.observe_s > 0 ? 25 : 5;
  const double began = load_s;
  machine.launch();
  std::vector<double> window(static_cast<std::size_t>(in_window));
  while (!judge.decided() && !judge.exhausted() && load_s - began < most_s) {
    double wall_s = 0;
    for (double& seconds : window) {
      const double true_s = iteration_s / (level * std::max(0.05, 1 + machine.deviation(load_s)));
      const Iteration shown = machine.shown(load_s, true_s);
      seconds = shown.seconds, wall_s += shown.seconds + shown.wait_s;
      load_s += std::max(true_s, shown.seconds + shown.wait_s);
    }
    judge.add(window, wall_s);
  }
  judge.end();
  return judge.ruling().conclusion;
}

}  // namespace

Rates simulate(const Noise& noise, const Procedure& procedure, double margin, int nodes, std::uint64_t seed) {
  Rates rates{.nodes = nodes};
  for (int node = 0; node < nodes; ++node) {
    std::seed_seq mixed{seed, static_cast<std::uint64_t>(node)};
    Random random(mixed);
    const auto machine = noise.make(random);
    double load_s = 0;
    std::vector<Conclusion> conclusions;
    for (int i = 0; i < procedure.launches; ++i) {
      conclusions.push_back(launch(*machine, procedure, 1 + margin * noise.sd, load_s));
      if (conclusions.back() == Conclusion::undecided) break;  // as a burn-in's stage ends there
    }
    const Conclusion conclusion = over_launches(conclusions);
    rates.passed += conclusion == Conclusion::at_least, rates.failed += conclusion == Conclusion::below;
    rates.seconds += load_s / nodes;
  }
  return rates;
}

}  // namespace mlc::simulation
