#include "kernels/host_pattern.hpp"

#include <algorithm>

#include "kernels/expected_sum.hpp"
#include "kernels/host_clones.hpp"

namespace mlc {

namespace {

using pattern::Op;

template <class F, Op op>
MLC_HOST_CLONES void fill_blocks(typename F::Bits* data, std::uint64_t blocks,
                                 const pattern::Plan<F, op>& plan, std::uint32_t rank,
                                 std::uint64_t first_block) {
  for (std::uint64_t b = 0; b < blocks; ++b, data += pattern::elements_per_block<F>)
    pattern::contribution<F, op, pattern::words_per_block>(plan, rank, first_block + b, 0, data);
}

// Expected values are made a few blocks ahead of the comparison: compared at once, each vector would wait for
// the narrower stores that just wrote it.
template <class F, Op op>
MLC_HOST_CLONES std::uint64_t count_wrong(const typename F::Bits* data, std::uint64_t blocks,
                                          const pattern::Plan<F, op>& plan, std::uint32_t source,
                                          std::uint64_t first_block, std::uint64_t tolerance) {
  constexpr std::uint64_t n = pattern::elements_per_block<F>, batch = 16;
  using Bits = typename F::Bits;
  alignas(64) Bits expected[n * batch];
  std::uint64_t wrong = 0;
  for (std::uint64_t done = 0; done < blocks; done += batch) {
    const std::uint64_t now = std::min(batch, blocks - done);
    for (std::uint64_t b = 0; b < now; ++b)
      pattern::expected_values<F, op, pattern::words_per_block>(plan, source, first_block + done + b, 0,
                                                                expected + b * n);
    Bits differs = 0;
    for (std::uint64_t i = 0; i < now * n; ++i)
      differs |= static_cast<Bits>(expected[i] ^ data[done * n + i]);
    if (differs == 0) continue;
    for (std::uint64_t i = 0; i < now * n; ++i)
      wrong += pattern::distance<F>(expected[i], data[done * n + i]) > tolerance ? 1 : 0;
  }
  return wrong;
}

// Splits a stretch into a head and a tail inside a block, done element by element, and whole blocks between.
struct Split {
  std::uint64_t head, blocks, first_block;
};

template <class F>
Split split(std::uint64_t index, std::uint64_t count) {
  constexpr std::uint64_t n = pattern::elements_per_block<F>;
  const std::uint64_t head = std::min(count, (n - index % n) % n);
  return {head, (count - head) / n, (index + head) / n};
}

template <class F, Op op>
void find_first(const typename F::Bits* data, std::uint64_t count, const DataSpec& spec,
                std::uint64_t tolerance, VerifyResult& result) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto expected = pattern::expectation_at<F, op>(spec.recipe, spec.source, spec.index + i);
    if (pattern::distance<F>(expected, data[i]) <= tolerance) continue;
    result.first = i, result.expected = expected, result.actual = data[i];
    return;
  }
}

}  // namespace

void fill(void* data, std::uint64_t count, const DataSpec& spec) {
  with_format_and_op(spec.dtype, spec.op, [&]<class F, Op op>() {
    auto* out = static_cast<typename F::Bits*>(data);
    const auto [head, blocks, first_block] = split<F>(spec.index, count);
    const auto one_by_one = [&](std::uint64_t from, std::uint64_t to) {
      for (std::uint64_t i = from; i < to; ++i)
        out[i] = pattern::contribution_at<F, op>(spec.recipe, spec.source, spec.index + i);
    };
    one_by_one(0, head);
    fill_blocks<F, op>(out + head, blocks, pattern::Plan<F, op>(spec.recipe), spec.source, first_block);
    one_by_one(head + blocks * pattern::elements_per_block<F>, count);
  });
}

VerifyResult verify(const void* data, std::uint64_t count, const DataSpec& spec) {
  return with_format_and_op(spec.dtype, spec.op, [&]<class F, Op op>() {
    const auto* in = static_cast<const typename F::Bits*>(data);
    const auto [head, blocks, first_block] = split<F>(spec.index, count);
    const std::uint64_t tolerance = pattern::tolerance<F, op>(spec.recipe.ranks);
    VerifyResult result;
    const auto one_by_one = [&](std::uint64_t from, std::uint64_t to) {
      for (std::uint64_t i = from; i < to; ++i)
        result.wrong +=
            pattern::distance<F>(pattern::expectation_at<F, op>(spec.recipe, spec.source, spec.index + i),
                                 in[i]) > tolerance
                ? 1
                : 0;
    };
    one_by_one(0, head);
    result.wrong += count_wrong<F, op>(in + head, blocks, pattern::Plan<F, op>(spec.recipe), spec.source,
                                       first_block, tolerance);
    one_by_one(head + blocks * pattern::elements_per_block<F>, count);
    if (result.wrong > 0) find_first<F, op>(in, count, spec, tolerance, result);
    return result;
  });
}

}  // namespace mlc
