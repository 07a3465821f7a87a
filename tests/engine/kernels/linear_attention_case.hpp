#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/kernels/linear_attention.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {

/// How a case differs from plain sums of products.
struct LinearVariant {
    FeatureMap map = FeatureMap::identity;
    double scale = 1;
    bool decays = false;           // a random g per token and head
    bool constant_decays = false;  // a g per head
    bool normalized = false;
    double epsilon = 1e-6;
    bool clamp = false;
};

/// Inputs and results of one call, with q, k and v in one fused row as the model has them.
template <class T>
struct LinearAttentionCase {
    LinearAttentionSizes sizes;
    LinearVariant variant;
    std::size_t row;  // of the fused q, k, v
    std::vector<T> qkv, d_out, out, normalizers, d_qkv, g, dg;
    std::vector<std::int32_t> document_start;

    LinearAttentionCase(const LinearAttentionSizes& s, const LinearVariant& v, std::uint64_t seed = 1)
        : sizes{s},
          variant{v},
          row{(s.heads + s.kv_heads) * s.key_dim + s.kv_heads * s.value_dim},
          qkv(random_values<T>(s.batch * s.time * row, seed)),
          d_out(random_values<T>(s.batch * s.time * s.heads * s.value_dim, seed + 1)),
          out(d_out.size(), T{7}),
          normalizers(v.normalized ? s.batch * s.heads * s.time : 0, T{7}),
          d_qkv(qkv.size(), T{7}) {
        if (v.decays) { g = random_values<T>(s.batch * s.time * s.heads, seed + 2); }
        if (v.constant_decays) { g = random_values<T>(s.heads, seed + 2); }
        for (T& value : g) { value = -std::abs(value) / T{8}; }
        dg.assign(v.decays ? g.size() : 0, T{7});
    }

    std::size_t tokens() const { return sizes.batch * sizes.time; }
    std::size_t width() const { return sizes.heads * sizes.value_dim; }
    std::size_t k_at() const { return sizes.heads * sizes.key_dim; }
    std::size_t v_at() const { return k_at() + sizes.kv_heads * sizes.key_dim; }
    /// Which of g's values head h of a token row has.
    std::size_t g_at(std::size_t token, std::size_t h) const { return variant.decays ? token * sizes.heads + h : h; }

    LinearAttentionInputs<T> inputs() const {
        return {.sizes = sizes,
                .q = {qkv.data(), row},
                .k = {qkv.data() + k_at(), row},
                .v = {qkv.data() + v_at(), row},
                .map = variant.map,
                .scale = variant.scale,
                .g = {g.empty() ? nullptr : g.data(), variant.decays ? sizes.heads : 0},
                .document_start = document_start};
    }
    LinearAttentionForward<T> forward() {
        return {inputs(), {out.data(), width()}, {normalizers, variant.epsilon, variant.clamp}};
    }
    LinearAttentionBackward<T> backward() {
        return {.in = inputs(),
                .out = {out.data(), width()},
                .normalizers = {normalizers, variant.epsilon, variant.clamp},
                .d_out = {d_out.data(), width()},
                .dq = {d_qkv.data(), row},
                .dk = {d_qkv.data() + k_at(), row},
                .dv = {d_qkv.data() + v_at(), row},
                .dg = dg};
    }
};

inline double feature(FeatureMap map, double x) {
    switch (map) {
        case FeatureMap::elu_plus_one:
            return x > 0 ? x + 1 : std::exp(x);
        case FeatureMap::relu:
            return x > 0 ? x : 0;
        default:
            return x;
    }
}
inline double feature_derivative(FeatureMap map, double x) {
    switch (map) {
        case FeatureMap::elu_plus_one:
            return x > 0 ? 1 : std::exp(x);
        case FeatureMap::relu:
            return x > 0 ? 1 : 0;
        default:
            return 1;
    }
}

/// One head of a case in double: features, values and decays, token by token.
struct PlainHead {
    std::size_t time, key_dim, value_dim;
    std::vector<double> q, k, v, d_out;  // q and k: features, q's scaled
    std::vector<double> q_slope, k_slope;
    std::vector<double> factor;  // by which the past decays; 0 where a document starts
    bool normalized, clamp;
    double epsilon;

    template <class T>
    PlainHead(const LinearAttentionCase<T>& c, std::size_t b, std::size_t h)
        : time{c.sizes.time},
          key_dim{c.sizes.key_dim},
          value_dim{c.sizes.value_dim},
          normalized{c.variant.normalized},
          clamp{c.variant.clamp},
          epsilon{c.variant.epsilon} {
        const std::size_t kv = h / (c.sizes.heads / c.sizes.kv_heads);
        for (std::size_t t = 0; t < time; ++t) {
            const std::size_t token = b * time + t;
            const T* row = c.qkv.data() + token * c.row;
            for (std::size_t i = 0; i < key_dim; ++i) {
                const double x = row[h * key_dim + i];
                const double y = row[c.k_at() + kv * key_dim + i];
                q.push_back(c.variant.scale * feature(c.variant.map, x));
                q_slope.push_back(c.variant.scale * feature_derivative(c.variant.map, x));
                k.push_back(feature(c.variant.map, y));
                k_slope.push_back(feature_derivative(c.variant.map, y));
            }
            for (std::size_t i = 0; i < value_dim; ++i) {
                v.push_back(row[c.v_at() + kv * value_dim + i]);
                d_out.push_back(c.d_out[token * c.width() + h * value_dim + i]);
            }
            const bool starts = !c.document_start.empty() && static_cast<std::size_t>(c.document_start[token]) == t;
            factor.push_back(starts ? 0 : c.g.empty() ? 1 : std::exp(static_cast<double>(c.g[c.g_at(token, h)])));
        }
    }

    double positive(double n) const {
        if (!normalized) { return 1; }
        return clamp ? std::fmax(n, epsilon) : n + epsilon;
    }
};

/// What a head must give by the quadratic form: sums over all pairs of tokens.
inline std::vector<double> quadratic_form(const PlainHead& p) {
    std::vector<double> out(p.time * p.value_dim);
    for (std::size_t i = 0; i < p.time; ++i) {
        double decay = 1;
        double n = 0;
        for (std::size_t j = i + 1; j-- > 0;) {
            double score = 0;
            for (std::size_t c = 0; c < p.key_dim; ++c) { score += p.q[i * p.key_dim + c] * p.k[j * p.key_dim + c]; }
            n += decay * score;
            for (std::size_t e = 0; e < p.value_dim; ++e) {
                out[i * p.value_dim + e] += decay * score * p.v[j * p.value_dim + e];
            }
            decay *= p.factor[j];
        }
        for (std::size_t e = 0; e < p.value_dim; ++e) { out[i * p.value_dim + e] /= p.positive(n); }
    }
    return out;
}

/// What it must give, and its gradients, by the recurrence and its reverse. A value has a channel more, 1, whose sum is
/// the normalizer. The gradients of q and k are those of the channels before the feature map.
struct RecurrentForm {
    std::vector<double> out, dq, dk, dv, dg, last_state;

    explicit RecurrentForm(const PlainHead& p)
        : out(p.time * p.value_dim),
          dq(p.time * p.key_dim),
          dk(p.time * p.key_dim),
          dv(p.time * p.value_dim),
          dg(p.time) {
        const std::size_t wide = p.value_dim + 1;
        const std::size_t size = p.key_dim * wide;
        std::vector<double> states((p.time + 1) * size), d_wide(p.time * wide);
        const auto value = [&](std::size_t t, std::size_t e) { return e < p.value_dim ? p.v[t * p.value_dim + e] : 1; };
        for (std::size_t t = 0; t < p.time; ++t) {
            const double* before = states.data() + t * size;
            double* after = states.data() + (t + 1) * size;
            std::vector<double> sums(wide);
            for (std::size_t c = 0; c < p.key_dim; ++c) {
                for (std::size_t e = 0; e < wide; ++e) {
                    after[c * wide + e] = p.factor[t] * before[c * wide + e] + p.k[t * p.key_dim + c] * value(t, e);
                    sums[e] += p.q[t * p.key_dim + c] * after[c * wide + e];
                }
            }
            const double n = p.positive(sums[p.value_dim]);
            double d_n = 0;
            for (std::size_t e = 0; e < p.value_dim; ++e) {
                const std::size_t at = t * p.value_dim + e;
                out[at] = sums[e] / n;
                d_wide[t * wide + e] = p.d_out[at] / n;
                d_n -= p.d_out[at] * out[at] / n;
            }
            const bool held = !p.normalized || (p.clamp && sums[p.value_dim] <= p.epsilon);
            d_wide[t * wide + p.value_dim] = held ? 0 : d_n;
        }
        for (std::size_t c = 0; c < p.key_dim; ++c) {
            for (std::size_t e = 0; e < p.value_dim; ++e) {
                last_state.push_back(states[p.time * size + c * wide + e]);
            }
        }
        std::vector<double> d_state(size);
        for (std::size_t t = p.time; t-- > 0;) {
            for (std::size_t c = 0; c < p.key_dim; ++c) {
                for (std::size_t e = 0; e < wide; ++e) {
                    const double d = d_wide[t * wide + e];
                    double& ds = d_state[c * wide + e];
                    ds += p.q[t * p.key_dim + c] * d;
                    dq[t * p.key_dim + c] += p.q_slope[t * p.key_dim + c] * states[(t + 1) * size + c * wide + e] * d;
                    dk[t * p.key_dim + c] += p.k_slope[t * p.key_dim + c] * ds * value(t, e);
                    if (e < p.value_dim) { dv[t * p.value_dim + e] += ds * p.k[t * p.key_dim + c]; }
                    dg[t] += p.factor[t] * states[t * size + c * wide + e] * ds;
                    ds *= p.factor[t];
                }
            }
        }
    }
};

/// What a whole case must give, laid out like its results.
struct LinearAttentionReference {
    std::vector<double> out, d_qkv, dg;

    template <class T>
    explicit LinearAttentionReference(const LinearAttentionCase<T>& c)
        : out(c.out.size()), d_qkv(c.d_qkv.size()), dg(c.dg.size()) {
        const auto& s = c.sizes;
        for (std::size_t b = 0; b < s.batch; ++b) {
            for (std::size_t h = 0; h < s.heads; ++h) {
                const RecurrentForm r{PlainHead{c, b, h}};
                const std::size_t kv = h / (s.heads / s.kv_heads);
                for (std::size_t t = 0; t < s.time; ++t) {
                    const std::size_t token = b * s.time + t;
                    double* d_row = d_qkv.data() + token * c.row;
                    for (std::size_t i = 0; i < s.key_dim; ++i) {
                        d_row[h * s.key_dim + i] = r.dq[t * s.key_dim + i];
                        d_row[c.k_at() + kv * s.key_dim + i] += r.dk[t * s.key_dim + i];
                    }
                    for (std::size_t e = 0; e < s.value_dim; ++e) {
                        out[token * c.width() + h * s.value_dim + e] = r.out[t * s.value_dim + e];
                        d_row[c.v_at() + kv * s.value_dim + e] += r.dv[t * s.value_dim + e];
                    }
                    if (!dg.empty()) { dg[token * s.heads + h] = r.dg[t]; }
                }
            }
        }
    }
};

}  // namespace loglog
