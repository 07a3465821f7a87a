#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/kernels/delta_attention.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {

/// Inputs and results of one call, with q, k and v in one fused row as the model has them.
template <class T>
struct DeltaCase {
    DeltaAttentionSizes sizes;
    T scale;
    std::size_t row;  // of the fused q, k, v
    std::vector<T> qkv, beta, g, d_out;
    std::vector<std::int32_t> document_start;
    std::vector<T> out, states, final_state, d_qkv, d_beta, d_g;

    explicit DeltaCase(const DeltaAttentionSizes& s, std::uint64_t seed = 1)
        : sizes{s},
          scale{static_cast<T>(1 / std::sqrt(static_cast<double>(s.key_dim)))},
          row{s.heads * s.key_dim + s.kv_heads * (s.key_dim + s.value_dim)},
          qkv(random_values<T>(s.batch * s.time * row, seed)),
          beta(random_values<T>(s.batch * s.time * s.heads, seed + 1)),
          g(random_values<T>(s.batch * s.time * s.heads, seed + 2)),
          d_out(random_values<T>(s.batch * s.time * s.heads * s.value_dim, seed + 3)),
          out(d_out.size(), T{7}),
          final_state(s.batch * s.heads * s.key_dim * s.value_dim, T{7}),
          d_qkv(qkv.size(), T{7}),
          d_beta(beta.size(), T{7}),
          d_g(g.size(), T{7}) {
        for (T& b : beta) { b = 2 / (1 + std::exp(-b)); }
        for (T& x : g) { x = T(-0.05) * x * x; }
        set_chunk(s.chunk);
    }

    void set_chunk(std::size_t chunk) {
        sizes.chunk = chunk;
        states.assign(sizes.saved_states() * sizes.key_dim * sizes.value_dim, T{7});
    }
    /// A new document at each of these places of every sequence.
    void start_documents(const std::vector<std::int32_t>& places) {
        document_start.clear();
        for (std::size_t b = 0; b < sizes.batch; ++b) {
            std::int32_t start = 0;
            for (std::int32_t t = 0; t < static_cast<std::int32_t>(sizes.time); ++t) {
                if (std::find(places.begin(), places.end(), t) != places.end()) { start = t; }
                document_start.push_back(start);
            }
        }
    }
    std::size_t k_at() const { return sizes.heads * sizes.key_dim; }
    std::size_t v_at() const { return k_at() + sizes.kv_heads * sizes.key_dim; }
    std::size_t out_row() const { return sizes.heads * sizes.value_dim; }

    DeltaAttentionInputs<T> inputs() const {
        return {
            sizes, {qkv.data(), row}, {qkv.data() + k_at(), row}, {qkv.data() + v_at(), row}, beta, g, document_start,
            scale};
    }
    DeltaAttentionForward<T> forward() { return {inputs(), {out.data(), out_row()}, states, final_state}; }
    DeltaAttentionBackward<T> backward() {
        return {inputs(),
                states,
                {d_out.data(), out_row()},
                {d_qkv.data(), row},
                {d_qkv.data() + k_at(), row},
                {d_qkv.data() + v_at(), row},
                d_beta,
                d_g};
    }
};

/// What a call must give: the recurrence, token by token and in double, and its adjoint.
class DeltaReference {
  public:
    std::vector<double> out, final_state, d_qkv, d_beta, d_g;

    template <class T>
    explicit DeltaReference(const DeltaCase<T>& c)
        : out(c.out.size()),
          final_state(c.final_state.size()),
          d_qkv(c.d_qkv.size()),
          d_beta(c.beta.size()),
          d_g(c.beta.size()) {
        for (std::size_t b = 0; b < c.sizes.batch; ++b) {
            for (std::size_t h = 0; h < c.sizes.heads; ++h) { head(c, b, h); }
        }
    }

  private:
    using Vector = std::vector<double>;

    template <class T>
    static Vector unit(const T* x, std::size_t width) {
        double square = 1e-6;
        for (std::size_t i = 0; i < width; ++i) { square += static_cast<double>(x[i]) * static_cast<double>(x[i]); }
        Vector y(x, x + width);
        for (double& value : y) { value /= std::sqrt(square); }
        return y;
    }
    template <class T>
    static void add_unit_gradient(const T* x, const Vector& y, const Vector& dy, double* dx) {
        double square = 1e-6, along = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            square += static_cast<double>(x[i]) * static_cast<double>(x[i]);
            along += y[i] * dy[i];
        }
        for (std::size_t i = 0; i < y.size(); ++i) { dx[i] += (dy[i] - y[i] * along) / std::sqrt(square); }
    }

    template <class T>
    void head(const DeltaCase<T>& c, std::size_t b, std::size_t h) {
        const auto& s = c.sizes;
        const std::size_t n = s.key_dim, m = s.value_dim, kv = h / (s.heads / s.kv_heads);
        const double scale = static_cast<double>(c.scale);
        std::vector<Vector> q(s.time), k(s.time), before(s.time), after(s.time), error(s.time);
        Vector state(n * m, 0.0);
        const auto at = [&](std::size_t t) { return (b * s.time + t) * c.row; };
        const auto gate = [&](std::size_t t) { return (b * s.time + t) * s.heads + h; };
        const auto decay = [&](std::size_t t) {
            const std::size_t start =
                c.document_start.empty() ? 0 : static_cast<std::size_t>(c.document_start[b * s.time + t]);
            if (start == t) { return 0.0; }
            return c.g.empty() ? 1.0 : std::exp(static_cast<double>(c.g[gate(t)]));
        };
        for (std::size_t t = 0; t < s.time; ++t) {
            q[t] = unit(c.qkv.data() + at(t) + h * n, n);
            k[t] = unit(c.qkv.data() + at(t) + c.k_at() + kv * n, n);
            for (double& value : state) { value *= decay(t); }
            before[t] = state;
            error[t].resize(m);
            for (std::size_t j = 0; j < m; ++j) {
                double predicted = 0;
                for (std::size_t i = 0; i < n; ++i) { predicted += state[i * m + j] * k[t][i]; }
                error[t][j] = static_cast<double>(c.qkv[at(t) + c.v_at() + kv * m + j]) - predicted;
            }
            double* const y = out.data() + (b * s.time + t) * c.out_row() + h * m;
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < m; ++j) {
                    state[i * m + j] += k[t][i] * static_cast<double>(c.beta[gate(t)]) * error[t][j];
                    y[j] += scale * state[i * m + j] * q[t][i];
                }
            }
            after[t] = state;
        }
        std::copy(state.begin(), state.end(),
                  final_state.begin() + static_cast<std::ptrdiff_t>((b * s.heads + h) * n * m));
        Vector d_state(n * m, 0.0);
        for (std::size_t t = s.time; t-- > 0;) {
            const double beta = static_cast<double>(c.beta[gate(t)]);
            const T* dy = c.d_out.data() + (b * s.time + t) * c.out_row() + h * m;
            Vector dq(n), dk(n), du(m);
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < m; ++j) {
                    d_state[i * m + j] += scale * q[t][i] * static_cast<double>(dy[j]);
                    dq[i] += scale * after[t][i * m + j] * static_cast<double>(dy[j]);
                    du[j] += d_state[i * m + j] * k[t][i];
                }
            }
            for (std::size_t j = 0; j < m; ++j) {
                d_beta[gate(t)] += du[j] * error[t][j];
                d_qkv[at(t) + c.v_at() + kv * m + j] += beta * du[j];
            }
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < m; ++j) {
                    dk[i] += d_state[i * m + j] * beta * error[t][j] - before[t][i * m + j] * beta * du[j];
                    d_state[i * m + j] -= beta * k[t][i] * du[j];
                    d_g[gate(t)] += d_state[i * m + j] * before[t][i * m + j];
                    d_state[i * m + j] *= decay(t);
                }
            }
            add_unit_gradient(c.qkv.data() + at(t) + h * n, q[t], dq, d_qkv.data() + at(t) + h * n);
            add_unit_gradient(c.qkv.data() + at(t) + c.k_at() + kv * n, k[t], dk,
                              d_qkv.data() + at(t) + c.k_at() + kv * n);
        }
    }
};

}  // namespace loglog
