// The tiles as the host computes them.
#include <array>
#include <bit>
#include <vector>

#include "kernels/tile.hpp"

namespace mlc::tile {

namespace {

std::uint64_t element_index(int row, int column) {
  return static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(columns) +
         static_cast<std::uint64_t>(column);
}

// A tile of lines of `depth` elements, whose inputs begin at these lines of A and B; each goes through
// `input`.
template <class Input>
Digest digest_of_product(const Spec& spec, int first_row, int first_column, int depth, int times,
                         Input&& input) {
  const auto width = static_cast<std::size_t>(depth);
  std::vector<std::int16_t> a(rows * width), b(columns * width);
  for (int line = 0; line < rows; ++line)
    for (int k = 0; k < depth; ++k) {
      const std::size_t at = static_cast<std::size_t>(line) * width + static_cast<std::size_t>(k);
      a[at] = static_cast<std::int16_t>(input(input_a(spec, first_row + line, k)));
      b[at] = static_cast<std::int16_t>(input(input_b(spec, first_column + line, k)));
    }
  Digest digest;
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      const std::int16_t* const x = a.data() + static_cast<std::size_t>(row) * width;
      const std::int16_t* const y = b.data() + static_cast<std::size_t>(column) * width;
      int sum = 0;
      for (std::size_t k = 0; k < width; ++k)
        sum += x[k] * y[k];
      digest.add(element_index(row, column), std::bit_cast<std::uint32_t>(static_cast<float>(sum * times)));
    }
  return digest;
}

}  // namespace

Digest golden(Engine engine, const Spec& spec, int kind) {
  const auto as_it_is = [](int value) { return value; };
  const Spec mine = spec_of(spec, kind);
  Digest digest;
  switch (engine) {
    case Engine::tensor:
    case Engine::fma:
      return digest_of_product(mine, 0, 0, depth, mine.rounds, as_it_is);
    case Engine::fp8:
      return digest_of_product(mine, 0, 0, depth, mine.rounds, fp8_input);
    case Engine::product:
      return digest_of_product(spec, kind / product_kinds * rows, kind % product_kinds * columns,
                               spec.product.depth, 1, as_it_is);
    case Engine::integer:
      for (int i = 0; i < integer_elements; ++i)
        digest.add(static_cast<std::uint64_t>(i), integer_element(mine, i));
      break;
    case Engine::shared:
      for (int i = 0; i < shared_words; ++i)
        digest.add(static_cast<std::uint64_t>(i), shared_element(mine, i));
      break;
  }
  return digest;
}

}  // namespace mlc::tile
