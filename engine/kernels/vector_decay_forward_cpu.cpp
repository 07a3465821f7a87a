#include "engine/kernels/pieces.hpp"
#include "engine/kernels/vector_decay_attention.hpp"
#include "engine/kernels/vector_decay_workspace.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/vector_decay_forward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_decay_blocks-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// out = decayed_queries state + scores values
template <class T>
void block_outputs(const VectorDecayForwardWorkspace<T>& w, const LinearAttentionSizes& s) {
    const auto& b = w.rows;
    chunk_product<Left::rows, Into::result>(ChunkProduct<T>{.left = b.decayed_queries,
                                                            .left_stride = b.key_stride,
                                                            .right = w.state,
                                                            .right_stride = b.value_stride,
                                                            .result = w.out,
                                                            .result_stride = b.value_stride,
                                                            .rows = decay_block,
                                                            .steps = s.key_dim,
                                                            .columns = b.value_stride});
    chunk_product<Left::rows, Into::sum, Part::steps_to_row>(ChunkProduct<T>{.left = b.scores,
                                                                             .left_stride = decay_block,
                                                                             .right = b.values,
                                                                             .right_stride = b.value_stride,
                                                                             .result = w.out,
                                                                             .result_stride = b.value_stride,
                                                                             .rows = decay_block,
                                                                             .steps = decay_block,
                                                                             .columns = b.value_stride,
                                                                             .earlier = w.out});
}

template <class T>
void forward_head(const VectorDecayForward<T>& k, T* scratch, std::size_t sequence, std::size_t head) {
    const auto& s = k.in.sizes;
    Carver<T> carver{scratch};
    const VectorDecayForwardWorkspace<T> w{carver, s};
    const auto& b = w.rows;
    std::fill_n(w.state, s.key_dim * b.value_stride, T{0});
    const DecayBlocks blocks{s};
    for (std::size_t index = 0; index < blocks.count(); ++index) {
        const std::size_t begin = blocks.begin(index);
        const DecayBlockPlace at{sequence * s.time + begin, begin, blocks.end(index) - begin, head};
        pack_inputs(k.in, at, b);
        fill_scores(b, s.key_dim);
        block_outputs(w, s);
        carry_state(b, s, w.state, w.state);
        unpack_block(w.out, b.value_stride, head, s.value_dim, at, T{1}, k.out, false);
    }
}

// state = exp(g) * state + k v^T, out = scale q state, over one vector of value channels at a time.
template <class T>
void step_head(const VectorDecayStep<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto& s = k.in.sizes;
    for (std::size_t head = begin; head < end; ++head) {
        const std::size_t kv_head = head / (s.heads / s.kv_heads);
        const T* query = k.in.q.data + head * s.key_dim;
        const T* key = k.in.k.data + kv_head * s.key_dim;
        const T* value = k.in.v.data + kv_head * s.value_dim;
        const T* g = k.in.g + head * s.key_dim;
        T* state = k.state.data() + head * s.key_dim * s.value_dim;
        T* out = k.out.data + head * s.value_dim;
        for (std::size_t i = 0; i < s.value_dim; i += hn::Lanes(d)) {
            const std::size_t count = s.value_dim - i;
            const auto v = load_first(d, value + i, count);
            auto sum = hn::Zero(d);
            for (std::size_t c = 0; c < s.key_dim; ++c) {
                T* row = state + c * s.value_dim + i;
                const auto kept = hn::Mul(vector_exp(d, hn::Set(d, g[c])), load_first(d, row, count));
                const auto now = hn::MulAdd(hn::Set(d, key[c]), v, kept);
                store_first(now, d, row, count);
                sum = hn::MulAdd(hn::Set(d, static_cast<T>(k.in.scale) * query[c]), now, sum);
            }
            store_first(sum, d, out + i, count);
        }
    }
}

HeadPieces<VectorDecayForward> vector_decay_forward() { return {forward_head<float>, forward_head<double>}; }
Pieces<VectorDecayStep> vector_decay_step() { return {step_head<float>, step_head<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(vector_decay_forward);
HWY_EXPORT(vector_decay_step);

template <class T>
void run(CpuContext& cpu, const VectorDecayForward<T>& k) {
    const auto& s = k.in.sizes;
    const auto piece = HWY_DYNAMIC_DISPATCH(vector_decay_forward)();
    const std::size_t scratch = decay_workspace_size<VectorDecayForwardWorkspace<T>, T>(s);
    cpu.for_each(s.batch * s.heads,
                 [&](std::size_t index) { piece(k, cpu.scratch_of<T>(scratch), index / s.heads, index % s.heads); });
}

template <class T>
void run(CpuContext& cpu, const VectorDecayStep<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(vector_decay_step)();
    cpu.for_each_range(k.in.sizes.heads, 1, [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template void run(CpuContext&, const VectorDecayForward<float>&);
template void run(CpuContext&, const VectorDecayForward<double>&);
template void run(CpuContext&, const VectorDecayStep<float>&);
template void run(CpuContext&, const VectorDecayStep<double>&);

}  // namespace loglog
#endif
