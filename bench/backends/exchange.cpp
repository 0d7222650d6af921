#include "bench/backends/exchange.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace mlc {

namespace {

class Exchange final : public Communicator {
 public:
  Exchange(std::string_view backend, std::unique_ptr<Control> control, std::unique_ptr<Memory> memory,
           std::unique_ptr<SharedMemory> shared)
      : backend_(backend),
        control_(std::move(control)),
        memory_(std::move(memory)),
        shared_(std::move(shared)) {}
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
  void broadcast(const Call& call) override {
    exchange(call, call.count, [&] { take(call.root, 0, 0); });
  }

  void group(Dtype dtype, std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    const auto width = static_cast<std::uint64_t>(width_of(dtype));
    const auto ranks = static_cast<std::size_t>(control_->size());
    const auto counts = mlc::gather(*control_, sends.size());
    const std::size_t most = *std::ranges::max_element(counts);
    std::vector<Shown> mine(most), all(most * ranks);
    for (std::size_t i = 0; i < sends.size(); ++i)
      mine[i] = {shared_->place_of(sends[i].at), sends[i].count, sends[i].peer};
    control_->all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
    std::vector<std::size_t> next(ranks);
    for (const Transfer& receive : receives) {
      const auto peer = static_cast<std::size_t>(receive.peer);
      const Shown* found = nullptr;
      while (found == nullptr && next[peer] < counts[peer]) {
        const Shown& sent = all[peer * most + next[peer]++];
        if (sent.peer == control_->rank()) found = &sent;
      }
      if (found == nullptr || found->count != receive.count)
        throw BackendError(backend_ + ": rank " + std::to_string(receive.peer) + " does not send rank " +
                           std::to_string(control_->rank()) + " " + std::to_string(receive.count) +
                           " elements");
      const std::byte* const from = shared_->at(found->place);
      if (from != receive.at) std::memcpy(receive.at, from, receive.count * width);
    }
    control_->barrier();
  }

 private:
  // A send as the others see it.
  struct Shown {
    std::uint64_t place = 0, count = 0;
    int peer = -1;
  };

  // Shows this rank's call to the others, builds the result from theirs in scratch memory, and stores it once
  // nobody reads any more: so in place needs no case of its own.
  template <class Build>
  void exchange(const Call& call, std::uint64_t result_count, Build&& build) {
    call_ = call, width_ = static_cast<std::uint64_t>(width_of(call.dtype));
    shown_ = mlc::gather(*control_, shared_->place_of(call.send));
    scratch_.resize(result_count * width_);
    if (result_count > 0) build();
    control_->barrier();
    if (result_count > 0) std::memcpy(call.recv, scratch_.data(), scratch_.size());
  }

  const std::byte* sent_by(int rank, std::uint64_t element) const {
    return shared_->at(shown_[static_cast<std::size_t>(rank)]) + element * width_;
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
    if (call_.redop == Redop::avg) average(scratch_.data(), call_.count, call_.dtype, control_->size());
  }

  std::string backend_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Memory> memory_;
  std::unique_ptr<SharedMemory> shared_;
  Call call_;
  std::uint64_t width_ = 1;
  std::vector<std::uint64_t> shown_;  // every rank's send buffer
  std::vector<std::byte> scratch_;
};

}  // namespace

std::unique_ptr<Communicator> make_exchange(std::string_view backend, std::unique_ptr<Control> control,
                                            std::unique_ptr<Memory> memory,
                                            std::unique_ptr<SharedMemory> shared) {
  return std::make_unique<Exchange>(backend, std::move(control), std::move(memory), std::move(shared));
}

}  // namespace mlc
