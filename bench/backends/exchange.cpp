#include "bench/backends/exchange.hpp"

#include <cstring>
#include <vector>

namespace mlc {

namespace {

class Exchange final : public Communicator {
 public:
  Exchange(std::string_view backend, std::unique_ptr<Control> control, std::unique_ptr<Memory> memory,
           std::unique_ptr<Meeting> meeting)
      : backend_(backend),
        control_(std::move(control)),
        memory_(std::move(memory)),
        meeting_(std::move(meeting)) {}
  std::string_view backend() const override { return backend_; }
  Control& control() override { return *control_; }
  Memory& memory() override { return *memory_; }
  std::string unsupported(Dtype, Redop) const override { return {}; }

  void all_reduce(const Call& call) override {
    exchange(call, call.count, [&] { reduce_range(0); });
  }
  void reduce(const Call& call) override {
    exchange(call, control_->rank() == call.root ? call.count : 0, [&] { reduce_range(0); });
  }
  void reduce_scatter(const Call& call) override {
    exchange(call, call.count, [&] { reduce_range(call.count * control_->rank()); });
  }
  void all_gather(const Call& call) override {
    exchange(call, call.count * control_->size(), [&] { take_all(0); });
  }
  void gather(const Call& call) override {
    exchange(call, control_->rank() == call.root ? call.count * control_->size() : 0, [&] { take_all(0); });
  }
  void all_to_all(const Call& call) override {
    exchange(call, call.count * control_->size(), [&] { take_all(call.count * control_->rank()); });
  }
  void broadcast(const Call& call) override {
    exchange(call, call.count, [&] { take(call.root, 0, 0); });
  }
  void scatter(const Call& call) override {
    exchange(call, call.count, [&] { take(call.root, call.count * control_->rank(), 0); });
  }
  void send_recv(const Call& call) override {
    exchange(call, call.count,
             [&] { take((control_->rank() + control_->size() - 1) % control_->size(), 0, 0); });
  }

 private:
  // Shows this rank's call to the others, builds the result from theirs in scratch memory, and stores it once
  // nobody reads any more: so in place needs no case of its own.
  template <class Build>
  void exchange(const Call& call, std::uint64_t result_count, Build&& build) {
    call_ = call, width_ = static_cast<std::uint64_t>(width_of(call.dtype));
    meeting_->show(call);
    control_->barrier();
    scratch_.resize(result_count * width_);
    if (result_count > 0) build();
    control_->barrier();
    if (result_count > 0) std::memcpy(call.recv, scratch_.data(), scratch_.size());
  }

  const std::byte* sent_by(int rank, std::uint64_t element) const {
    return meeting_->sent_by(rank) + element * width_;
  }
  // One chunk of call_.count elements of `rank`, from `element` of its send buffer, to chunk `at` of the
  // result.
  void take(int rank, std::uint64_t element, std::uint64_t at) {
    std::memcpy(scratch_.data() + at * call_.count * width_, sent_by(rank, element), call_.count * width_);
  }
  void take_all(std::uint64_t element) {
    for (int rank = 0; rank < control_->size(); ++rank)
      take(rank, element, static_cast<std::uint64_t>(rank));
  }
  void reduce_range(std::uint64_t element) {
    take(0, element, 0);
    for (int rank = 1; rank < control_->size(); ++rank)
      reduce_into(scratch_.data(), sent_by(rank, element), call_.count, call_.dtype, call_.redop);
    if (call_.redop == Redop::avg) divide(scratch_.data(), call_.count, call_.dtype, control_->size());
  }

  std::string backend_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<Meeting> meeting_;
  Call call_;
  std::uint64_t width_ = 1;
  std::vector<std::byte> scratch_;
};

}  // namespace

std::unique_ptr<Communicator> make_exchange(std::string_view backend, std::unique_ptr<Control> control,
                                            std::unique_ptr<Memory> memory,
                                            std::unique_ptr<Meeting> meeting) {
  return std::make_unique<Exchange>(backend, std::move(control), std::move(memory), std::move(meeting));
}

}  // namespace mlc
