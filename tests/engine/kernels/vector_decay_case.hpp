#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/kernels/vector_decay_attention.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {

/// What gated linear attention reads, in double, apart for each of q, k, v, g and the gradient of its result.
struct VectorDecayValues {
    LinearAttentionSizes sizes;
    double scale = 1;
    std::vector<double> q, k, v, g, d_out;
    std::vector<std::int32_t> document_start;

    std::size_t rows() const { return sizes.batch * sizes.time; }
    std::size_t kv_head(std::size_t head) const { return head / (sizes.heads / sizes.kv_heads); }
    double query(std::size_t row, std::size_t head, std::size_t c) const {
        return scale * q[(row * sizes.heads + head) * sizes.key_dim + c];
    }
    double key(std::size_t row, std::size_t head, std::size_t c) const {
        return k[(row * sizes.kv_heads + kv_head(head)) * sizes.key_dim + c];
    }
    double value(std::size_t row, std::size_t head, std::size_t c) const {
        return v[(row * sizes.kv_heads + kv_head(head)) * sizes.value_dim + c];
    }
    double decay(std::size_t row, std::size_t head, std::size_t c) const {
        return g[(row * sizes.heads + head) * sizes.key_dim + c];
    }
    double d_output(std::size_t row, std::size_t head, std::size_t c) const {
        return d_out[(row * sizes.heads + head) * sizes.value_dim + c];
    }
    /// Whether the state before this row is forgotten.
    bool resets(std::size_t row) const {
        const std::size_t place = row % sizes.time;
        return place == 0 || (!document_start.empty() && static_cast<std::size_t>(document_start[row]) == place);
    }
};

/// Normal values; decays of -|normal| * strength; documents that start at each of `starts` in every sequence.
inline VectorDecayValues random_vector_decay(const LinearAttentionSizes& s, double strength,
                                             const std::vector<std::size_t>& starts = {}) {
    const std::size_t rows = s.batch * s.time;
    VectorDecayValues values{.sizes = s,
                             .scale = 1 / std::sqrt(static_cast<double>(s.key_dim)),
                             .q = random_values<double>(rows * s.heads * s.key_dim, 1),
                             .k = random_values<double>(rows * s.kv_heads * s.key_dim, 2),
                             .v = random_values<double>(rows * s.kv_heads * s.value_dim, 3),
                             .g = random_values<double>(rows * s.heads * s.key_dim, 4),
                             .d_out = random_values<double>(rows * s.heads * s.value_dim, 5),
                             .document_start = {}};
    for (double& g : values.g) { g = -strength * std::abs(g); }
    if (!starts.empty()) {
        for (std::size_t row = 0; row < rows; ++row) {
            std::size_t start = 0;
            for (const std::size_t s0 : starts) { start = s0 <= row % s.time ? std::max(start, s0) : start; }
            values.document_start.push_back(static_cast<std::int32_t>(start));
        }
    }
    return values;
}

/// Values as a kernel of type T sees them, so that an oracle in double is given the same numbers.
template <class T>
VectorDecayValues rounded_to(VectorDecayValues values) {
    for (auto* x : {&values.q, &values.k, &values.v, &values.g, &values.d_out}) {
        for (double& value : *x) { value = static_cast<double>(static_cast<T>(value)); }
    }
    values.scale = static_cast<double>(static_cast<T>(values.scale));
    return values;
}

/// The same with absolute values: what sums' terms amount to, by which rounding errors are judged.
inline VectorDecayValues magnitudes_of(VectorDecayValues values) {
    for (auto* x : {&values.q, &values.k, &values.v, &values.d_out}) {
        for (double& value : *x) { value = std::abs(value); }
    }
    return values;
}

/// Token by token: S_t = diag(exp g_t) S_{t-1} + k_t v_t^T, out_t = q_t^T S_t.
inline std::vector<double> recurrent_outputs(const VectorDecayValues& x) {
    const auto& s = x.sizes;
    std::vector<double> out(x.rows() * s.heads * s.value_dim);
    for (std::size_t head = 0; head < s.heads; ++head) {
        std::vector<double> state(s.key_dim * s.value_dim);
        for (std::size_t row = 0; row < x.rows(); ++row) {
            for (std::size_t c = 0; c < s.key_dim; ++c) {
                const double factor = x.resets(row) ? 0 : std::exp(x.decay(row, head, c));
                for (std::size_t j = 0; j < s.value_dim; ++j) {
                    double& entry = state[c * s.value_dim + j];
                    entry = factor * entry + x.key(row, head, c) * x.value(row, head, j);
                    out[(row * s.heads + head) * s.value_dim + j] += x.query(row, head, c) * entry;
                }
            }
        }
    }
    return out;
}

/// All pairs: out_i = sum_{j <= i} sum_c q_ic k_jc exp(G_ic - G_jc) v_j inside a document, G the sum of g.
inline std::vector<double> quadratic_outputs(const VectorDecayValues& x) {
    const auto& s = x.sizes;
    std::vector<double> out(x.rows() * s.heads * s.value_dim);
    for (std::size_t head = 0; head < s.heads; ++head) {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            std::vector<double> since(s.key_dim);  // G_i - G_j
            for (std::size_t j = i;; --j) {
                double score = 0;
                for (std::size_t c = 0; c < s.key_dim; ++c) {
                    score += x.query(i, head, c) * x.key(j, head, c) * std::exp(since[c]);
                    since[c] += x.decay(j, head, c);
                }
                for (std::size_t c = 0; c < s.value_dim; ++c) {
                    out[(i * s.heads + head) * s.value_dim + c] += score * x.value(j, head, c);
                }
                if (x.resets(j)) { break; }
            }
        }
    }
    return out;
}

struct VectorDecayGradients {
    std::vector<double> dq, dk, dv, dg;
};

/// Backwards through the recurrence: with D_t the gradient of S_t, dq_t = scale S_t do_t, dk_t = D_t v_t,
/// dv_t = D_t^T k_t and dg_t = exp(g_t) * rowsum(S_{t-1} * D_t).
inline VectorDecayGradients recurrent_gradients(const VectorDecayValues& x) {
    const auto& s = x.sizes;
    const std::size_t size = s.key_dim * s.value_dim;
    VectorDecayGradients d{std::vector<double>(x.q.size()), std::vector<double>(x.k.size()),
                           std::vector<double>(x.v.size()), std::vector<double>(x.g.size())};
    for (std::size_t head = 0; head < s.heads; ++head) {
        std::vector<double> states((x.rows() + 1) * size);  // before each row
        std::vector<double> d_state(size);
        for (std::size_t row = 0; row < x.rows(); ++row) {
            for (std::size_t e = 0; e < size; ++e) {
                const std::size_t c = e / s.value_dim;
                const double factor = x.resets(row) ? 0 : std::exp(x.decay(row, head, c));
                states[(row + 1) * size + e] =
                    factor * states[row * size + e] + x.key(row, head, c) * x.value(row, head, e % s.value_dim);
            }
        }
        for (std::size_t row = x.rows(); row-- > 0;) {
            for (std::size_t e = 0; e < size; ++e) {
                const std::size_t c = e / s.value_dim, j = e % s.value_dim;
                const double factor = x.resets(row) ? 0 : std::exp(x.decay(row, head, c));
                d_state[e] += x.query(row, head, c) * x.d_output(row, head, j);
                const std::size_t at_q = (row * s.heads + head) * s.key_dim + c;
                d.dq[at_q] += x.scale * states[(row + 1) * size + e] * x.d_output(row, head, j);
                d.dg[at_q] += factor * states[row * size + e] * d_state[e];
                d.dk[(row * s.kv_heads + x.kv_head(head)) * s.key_dim + c] += d_state[e] * x.value(row, head, j);
                d.dv[(row * s.kv_heads + x.kv_head(head)) * s.value_dim + j] += d_state[e] * x.key(row, head, c);
                d_state[e] *= factor;
            }
        }
    }
    return d;
}

/// The kernels' arguments: q, k and v side by side in one row with something between that must not change.
template <class T>
class VectorDecayRun {
  public:
    explicit VectorDecayRun(const VectorDecayValues& x)
        : x_{&x},
          row_{x.sizes.heads * x.sizes.key_dim + x.sizes.kv_heads * (x.sizes.key_dim + x.sizes.value_dim) + 3},
          qkv_(x.rows() * row_, T{9}),
          g_(x.g.begin(), x.g.end()),
          d_out_(x.d_out.begin(), x.d_out.end()),
          out_(x.d_out.size()),
          d_qkv_(qkv_.size(), T{9}),
          dg_(x.g.size(), T{9}) {
        for (std::size_t r = 0; r < x.rows(); ++r) {
            copy_row(x.q, r, q_columns(), qkv_.data() + r * row_);
            copy_row(x.k, r, k_columns(), qkv_.data() + r * row_ + k_at());
            copy_row(x.v, r, v_columns(), qkv_.data() + r * row_ + v_at());
        }
    }

    void forward(CpuContext& cpu) {
        run(cpu, VectorDecayForward<T>{inputs(), {out_.data(), x_->sizes.heads * x_->sizes.value_dim}});
    }
    void backward(CpuContext& cpu, bool accumulate_dg = false) {
        run(cpu, VectorDecayBackward<T>{inputs(),
                                        {d_out_.data(), x_->sizes.heads * x_->sizes.value_dim},
                                        {d_qkv_.data(), row_},
                                        {d_qkv_.data() + k_at(), row_},
                                        {d_qkv_.data() + v_at(), row_},
                                        dg_.data(),
                                        accumulate_dg});
    }

    const std::vector<T>& out() const { return out_; }
    const std::vector<T>& all_gradients() const { return d_qkv_; }
    std::vector<T> dq() const { return columns(0, q_columns()); }
    std::vector<T> dk() const { return columns(k_at(), k_columns()); }
    std::vector<T> dv() const { return columns(v_at(), v_columns()); }
    std::vector<T> dg() const { return dg_; }
    std::vector<T> between() const { return columns(v_at() + v_columns(), row_ - v_at() - v_columns()); }
    VectorDecayInputs<T> inputs() const {
        return {x_->sizes, {qkv_.data(), row_}, {qkv_.data() + k_at(), row_}, {qkv_.data() + v_at(), row_}, g_.data(),
                x_->scale, x_->document_start};
    }

  private:
    std::size_t q_columns() const { return x_->sizes.heads * x_->sizes.key_dim; }
    std::size_t k_columns() const { return x_->sizes.kv_heads * x_->sizes.key_dim; }
    std::size_t v_columns() const { return x_->sizes.kv_heads * x_->sizes.value_dim; }
    std::size_t k_at() const { return q_columns() + 1; }
    std::size_t v_at() const { return k_at() + k_columns(); }
    static void copy_row(const std::vector<double>& from, std::size_t row, std::size_t width, T* to) {
        for (std::size_t i = 0; i < width; ++i) { to[i] = static_cast<T>(from[row * width + i]); }
    }
    std::vector<T> columns(std::size_t first, std::size_t width) const {
        std::vector<T> result;
        for (std::size_t r = 0; r < x_->rows(); ++r) {
            const auto start = d_qkv_.begin() + static_cast<std::ptrdiff_t>(r * row_ + first);
            result.insert(result.end(), start, start + static_cast<std::ptrdiff_t>(width));
        }
        return result;
    }

    const VectorDecayValues* x_;
    std::size_t row_;
    std::vector<T> qkv_, g_, d_out_, out_, d_qkv_, dg_;
};

}  // namespace loglog
