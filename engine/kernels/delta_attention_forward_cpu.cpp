#include "engine/kernels/delta_attention.hpp"
#include "engine/kernels/delta_attention_workspace.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/delta_attention_forward_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/delta_attention_chunk-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {
namespace delta {

// out = a Q S + ((Q K^T) D) u
template <class T>
void output(const DeltaAttentionForward<T>& k, const DeltaChunk<T>& c, const DeltaChunkWorkspace<T>& w) {
    const auto& s = c.inputs->sizes;
    const auto& e = w.extents;
    RowProduct<T> product{
        .left = w.weighted, .right = w.state, .result = w.out, .rows = c.rows, .steps = s.key_dim, .dim = e.values};
    if (c.reads_state()) {
        scale_rows(w.queries, w.from_state, T{1}, c.rows, e.keys, w.weighted);
        row_product<Onto::nothing>(product, e.keys, 1);
    }
    product.left = w.scores;
    product.right = w.writes;
    product.steps = c.rows;
    product.reach = 0;
    if (c.reads_state()) {
        row_product<Onto::itself>(product, e.columns, 1);
    } else {
        row_product<Onto::nothing>(product, e.columns, 1);
    }
    T* out = k.out.data + c.token(0) * k.out.token_stride + c.head * s.value_dim;
    store_rows(w.out, e.values, c.rows, s.value_dim, out, k.out.token_stride);
}

// S becomes its share that is left, plus what is left of the chunk's writes.
template <class T>
void advance(const DeltaChunk<T>& c, const DeltaChunkWorkspace<T>& w) {
    const auto& e = w.extents;
    scale_rows(w.keys, w.to_state, T{1}, c.rows, e.keys, w.weighted);
    const RowProduct<T> product{.left = w.weighted,
                                .right = w.writes,
                                .result = w.state,
                                .factor = w.kept,
                                .rows = c.inputs->sizes.key_dim,
                                .steps = c.rows,
                                .dim = e.values};
    if (c.keeps_state()) {
        row_product<Onto::rescaled>(product, 1, e.keys);
    } else {
        row_product<Onto::nothing>(product, 1, e.keys);
    }
}

template <class T>
void forward_head(const DeltaAttentionForward<T>& k, const DeltaChunkWorkspace<T>& w, std::size_t sequence,
                  std::size_t head) {
    const auto& s = k.inputs.sizes;
    const std::size_t state_size = s.key_dim * s.value_dim;
    const std::size_t index = sequence * s.heads + head;
    for (std::size_t chunk = 0; chunk < s.chunks(); ++chunk) {
        const std::size_t first = chunk * s.chunk;
        const DeltaChunk<T> c{&k.inputs, sequence, head, first, std::min(s.chunk, s.time - first)};
        prepare_chunk(c, w);
        output(k, c, w);
        const bool last = chunk + 1 == s.chunks();
        if (last && k.final_state.empty()) { break; }
        advance(c, w);
        if (last) {
            store_rows(w.state, w.extents.values, s.key_dim, s.value_dim, k.final_state.data() + index * state_size,
                       s.value_dim);
        } else if (!k.states.empty()) {
            store_rows(w.state, w.extents.values, s.key_dim, s.value_dim,
                       k.states.data() + (index * (s.chunks() - 1) + chunk) * state_size, s.value_dim);
        }
    }
}

template <class T>
void forward_piece(const DeltaAttentionForward<T>& k, T* scratch, std::size_t begin, std::size_t end) {
    Carver<T> carver{scratch};
    const DeltaChunkWorkspace<T> w{carver, k.inputs.sizes};
    for (std::size_t piece = begin; piece < end; ++piece) {
        forward_head(k, w, piece / k.inputs.sizes.heads, piece % k.inputs.sizes.heads);
    }
}

}  // namespace delta

ChunkPieces<DeltaAttentionForward> delta_attention_forward() {
    return {delta::forward_piece<float>, delta::forward_piece<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(delta_attention_forward);

template <class T>
void run(CpuContext& cpu, const DeltaAttentionForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(delta_attention_forward)();
    const auto& s = k.inputs.sizes;
    const std::size_t scratch = delta_scratch<DeltaChunkWorkspace, T>(s);
    cpu.for_each(s.batch * s.heads, [&](std::size_t index) { piece(k, cpu.scratch_of<T>(scratch), index, index + 1); });
}

template void run(CpuContext&, const DeltaAttentionForward<float>&);
template void run(CpuContext&, const DeltaAttentionForward<double>&);

}  // namespace loglog
#endif
