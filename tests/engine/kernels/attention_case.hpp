#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/dropout_numbers.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {

/// Inputs and results of one attention call, with q, k and v in one fused row as the model has them.
template <class T>
struct AttentionCase {
    AttentionSizes sizes;
    T scale;
    AttentionDropout dropout = {};
    AttentionVisibility visible = {};
    std::size_t row = 0;  // of the fused q, k, v
    std::vector<T> qkv, d_out, out, lse, d_qkv;

    explicit AttentionCase(const AttentionSizes& s, std::uint64_t seed = 1)
        : sizes{s},
          scale{static_cast<T>(1 / std::sqrt(static_cast<double>(s.head_dim)))},
          row{(s.heads + 2 * s.kv_heads) * s.head_dim},
          qkv(random_values<T>(s.batch * s.time * row, seed)),
          d_out(random_values<T>(s.batch * s.time * s.heads * s.head_dim, seed + 1)),
          out(d_out.size(), T{7}),
          lse(s.batch * s.heads * s.time, T{7}),
          d_qkv(qkv.size(), T{7}) {}

    std::size_t width() const { return sizes.heads * sizes.head_dim; }
    std::size_t kv_width() const { return sizes.kv_heads * sizes.head_dim; }

    AttentionForward<T> forward() {
        return {sizes,
                {qkv.data(), row},
                {qkv.data() + width(), row},
                {qkv.data() + width() + kv_width(), row},
                {out.data(), width()},
                lse,
                scale,
                dropout,
                visible};
    }
    AttentionBackward<T> backward() {
        return {sizes,
                {qkv.data(), row},
                {qkv.data() + width(), row},
                {qkv.data() + width() + kv_width(), row},
                {out.data(), width()},
                {d_out.data(), width()},
                lse,
                {d_qkv.data(), row},
                {d_qkv.data() + width(), row},
                {d_qkv.data() + width() + kv_width(), row},
                scale,
                dropout,
                visible};
    }
};

/// Whether a query sees a key, from the definition.
inline bool is_visible(const AttentionSizes& s, const AttentionVisibility& v, std::size_t sequence, std::size_t head,
                       std::size_t query, std::size_t key) {
    if (key > query || (v.mask != nullptr && !v.mask->sees(head, query, key))) { return false; }
    const std::size_t start =
        v.document_start.empty() ? 0 : static_cast<std::size_t>(v.document_start[sequence * s.time + query]);
    if (key < start) { return false; }
    if (v.selection.top_k == 0) { return true; }
    const auto chosen = v.selection.blocks.subspan(((sequence * s.time + query) * s.heads + head) * v.selection.top_k,
                                                   v.selection.top_k);
    const auto block = static_cast<std::int32_t>((key - start) / v.selection.block);
    return std::find(chosen.begin(), chosen.end(), block) != chosen.end();
}

/// What an attention call must give, from the definition: the whole matrix of probabilities, row by row, in double.
struct AttentionReference {
    std::vector<double> out, lse, d_qkv;

    template <class T>
    explicit AttentionReference(const AttentionCase<T>& c)
        : out(c.out.size()), lse(c.lse.size()), d_qkv(c.d_qkv.size()) {
        for (std::size_t b = 0; b < c.sizes.batch; ++b) {
            for (std::size_t h = 0; h < c.sizes.heads; ++h) { head(c, b, h); }
        }
    }

  private:
    template <class T>
    void head(const AttentionCase<T>& c, std::size_t b, std::size_t h) {
        const auto& s = c.sizes;
        const std::size_t dim = s.head_dim;
        const std::size_t kv = h / (s.heads / s.kv_heads) * dim;
        const std::size_t k_at = c.width() + kv;
        const std::size_t v_at = k_at + c.kv_width();
        const DropoutNumbers numbers = dropout_numbers(c.dropout, h);
        for (std::size_t i = 0; i < s.time; ++i) {
            const std::size_t at = (b * s.time + i) * c.row;
            const std::size_t out_at = (b * s.time + i) * c.width() + h * dim;
            std::vector<double> p(i + 1), keep(i + 1, 1.0);
            double largest = -std::numeric_limits<double>::infinity();
            for (std::size_t j = 0; j <= i; ++j) {
                if (!is_visible(s, c.visible, b, h, i, j)) {
                    p[j] = -std::numeric_limits<double>::infinity();
                    continue;
                }
                const std::size_t other = (b * s.time + j) * c.row;
                for (std::size_t e = 0; e < dim; ++e) {
                    p[j] += static_cast<double>(c.scale) * c.qkv[at + h * dim + e] * c.qkv[other + k_at + e];
                }
                largest = std::fmax(largest, p[j]);
                if (c.dropout.probability > 0) {
                    keep[j] = numbers.factors<double>(j / 4, i, c.dropout.first_sequence + b,
                                                      1 / (1 - static_cast<double>(c.dropout.probability)))[j % 4];
                }
            }
            lse[(b * s.heads + h) * s.time + i] = largest;
            if (largest == -std::numeric_limits<double>::infinity()) { continue; }
            double sum = 0;
            for (double& value : p) { sum += value = std::exp(value - largest); }
            for (double& value : p) { value /= sum; }
            lse[(b * s.heads + h) * s.time + i] += std::log(sum);
            double delta = 0;
            for (std::size_t j = 0; j <= i; ++j) {
                for (std::size_t e = 0; e < dim; ++e) {
                    const double term = p[j] * keep[j] * c.qkv[(b * s.time + j) * c.row + v_at + e];
                    out[out_at + e] += term;
                    delta += term * c.d_out[out_at + e];
                }
            }
            for (std::size_t j = 0; j <= i; ++j) {
                const std::size_t other = (b * s.time + j) * c.row;
                double dp = 0;
                for (std::size_t e = 0; e < dim; ++e) { dp += keep[j] * c.d_out[out_at + e] * c.qkv[other + v_at + e]; }
                const double ds = static_cast<double>(c.scale) * p[j] * (dp - delta);
                for (std::size_t e = 0; e < dim; ++e) {
                    d_qkv[other + v_at + e] += p[j] * keep[j] * c.d_out[out_at + e];
                    d_qkv[other + k_at + e] += ds * c.qkv[at + h * dim + e];
                    d_qkv[at + h * dim + e] += ds * c.qkv[other + k_at + e];
                }
            }
        }
    }
};

}  // namespace loglog
