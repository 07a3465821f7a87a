#include <algorithm>

#include "engine/kernels/linear_attention.hpp"

namespace loglog {
namespace {

struct Counts {
    double token_heads;  // tokens times query heads
    double chunk;
    double key_dim;
    double value_dim;
    double query_elements;  // of q, k and v each
    double key_elements;
    double value_elements;
    double out_elements;

    explicit Counts(const LinearAttentionSizes& s)
        : token_heads{static_cast<double>(s.batch * s.time * s.heads)},
          chunk{static_cast<double>(std::min(s.chunk, s.time))},
          key_dim{static_cast<double>(s.key_dim)},
          value_dim{static_cast<double>(s.value_dim)},
          query_elements{token_heads * key_dim},
          key_elements{static_cast<double>(s.batch * s.time * s.kv_heads) * key_dim},
          value_elements{static_cast<double>(s.batch * s.time * s.kv_heads) * value_dim},
          out_elements{token_heads * value_dim} {}

    double model_flops(bool normalized) const {
        return token_heads *
               (4 * key_dim * value_dim + (chunk + 1) * (key_dim + value_dim) + (normalized ? 4 * key_dim : 0));
    }
    /// Multiply-adds of a product with a triangular chunk, 2 each: register blocks of 6 rows reach past the diagonal.
    double triangle_flops(double dim) const { return (chunk + 7) * dim; }
};

// A feature of a query or key: an exponential counted as one, its selection and scale.
constexpr double feature_flops = 3;

}  // namespace

template <class T>
Cost cost(const LinearAttentionForward<T>& k) {
    const Counts c{k.in.sizes};
    const bool normalized = !k.normalizers.values.empty();
    // Two products with the state and two triangles; decays between tokens and their use; features.
    const double products = 4 * c.key_dim * c.value_dim + c.triangle_flops(c.key_dim + c.value_dim);
    const double rest = 2 * c.chunk + 3 * c.key_dim + 2 * c.value_dim + feature_flops * 2 * c.key_dim +
                        (normalized ? 4 * c.key_dim + c.chunk : 0);
    return {.model_flops = c.model_flops(normalized),
            .hardware_flops = c.token_heads * (products + rest),
            .bytes_read = sizeof(T) * (c.query_elements + c.key_elements + c.value_elements +
                                       (k.in.g.values != nullptr ? c.token_heads : 0)),
            .bytes_written = sizeof(T) * (c.out_elements + (normalized ? c.token_heads : 0))};
}

template <class T>
Cost cost(const LinearAttentionBackward<T>& k) {
    const Counts c{k.in.sizes};
    const bool normalized = !k.normalizers.values.empty();
    const bool decaying = !k.dg.empty();
    const double values = c.value_dim + (normalized ? 1 : 0);
    // Five products with states, one of them the states' again, and five triangles, one of them the scores' again.
    const double products = 10 * c.key_dim * values + c.triangle_flops(3 * c.key_dim + values + c.value_dim);
    const double rest = 3 * c.chunk + 6 * c.key_dim + 4 * c.value_dim + feature_flops * 3 * c.key_dim +
                        (normalized ? 3 * c.value_dim : 0) + (decaying ? 4 * c.key_dim : 0);
    return {.model_flops = 2 * c.model_flops(normalized),
            .hardware_flops = c.token_heads * (products + rest),
            .bytes_read = sizeof(T) * (c.query_elements + 2 * c.key_elements + 2 * c.value_elements + c.out_elements +
                                       (normalized ? c.out_elements + c.token_heads : 0) +
                                       (k.in.g.values != nullptr ? c.token_heads : 0)),
            .bytes_written =
                sizeof(T) * (c.query_elements + c.key_elements + c.value_elements + (decaying ? c.token_heads : 0))};
}

template <class T>
Cost cost(const LinearAttentionStep<T>& k) {
    const Counts c{k.in.sizes};
    const bool normalized = !k.normalizer.empty();
    const double products = c.token_heads * (4 * c.key_dim * c.value_dim + (normalized ? 4 * c.key_dim : 0));
    const double state = c.token_heads * c.key_dim * (c.value_dim + (normalized ? 1 : 0));
    return {.model_flops = products,
            .hardware_flops = products + state + c.token_heads * (feature_flops * 2 * c.key_dim + c.value_dim),
            .bytes_read = sizeof(T) * (state + c.query_elements + c.key_elements + c.value_elements),
            .bytes_written = sizeof(T) * (state + c.out_elements)};
}

template Cost cost(const LinearAttentionForward<float>&);
template Cost cost(const LinearAttentionForward<double>&);
template Cost cost(const LinearAttentionBackward<float>&);
template Cost cost(const LinearAttentionBackward<double>&);
template Cost cost(const LinearAttentionStep<float>&);
template Cost cost(const LinearAttentionStep<double>&);

}  // namespace loglog
