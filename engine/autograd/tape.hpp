#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>

#include "engine/kernels/context.hpp"
#include "engine/tensor/arena.hpp"
#include "engine/tensor/tensor.hpp"

namespace loglog {

/// Whether ops remember how to compute gradients.
enum class Mode : std::uint8_t { train, evaluate };

/// Whether buffers that the backward pass is done with are handed out again at once.
enum class Recycling : std::uint8_t { on, off };

/// Where an op's backward pass writes: `accumulate` says to add to what is there instead of overwriting it.
template <class T>
struct GradientTarget {
    std::span<T> values;
    bool accumulate;
};

/// Records what ops did to one micro-batch and runs it backwards (reverse-mode automatic differentiation).
///
/// Values, gradients and saved statistics come from `activations`; the records come from a small arena of the tape's
/// own, since the activations of a counting run must not be touched. After the first micro-batch of a shape nothing
/// allocates from the heap or the system. A tape is used again after `reset`; a pipeline stage keeps one tape and one
/// arena per micro-batch in flight.
class Tape {
    struct Node {
        Node* next;  // to run
        void (*run)(Node&, Tape&);
    };

  public:
    Tape(Context& context, Arena& activations, Mode mode, Recycling recycling = Recycling::on);
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;

    Context& context() const noexcept { return *context_; }
    bool recording() const noexcept { return mode_ == Mode::train; }
    bool counting() const noexcept { return is_counting(*context_); }

    /// Uninitialised values that live until `retire`, `discard` or `reset`; with a place for its gradient when
    /// recording.
    Tensor empty(const Shape& shape, DType dtype);
    /// The same without a gradient, for statistics that a backward pass reads.
    Tensor saved(const Shape& shape, DType dtype);

    /// Keeps `backward`, called as backward(tape), for the backward pass; does nothing when not recording. Closures
    /// live in an arena and are never destroyed.
    template <class Closure>
    void record(const Closure& backward) {
        if (recording()) { newest_ = keep(backward, newest_); }
    }

    /// Runs the records, newest first, and forgets them. Ops whose gradients were seeded in the forward pass (losses)
    /// need no argument; otherwise d objective / d loss = 1 for the scalar `loss`.
    void backward();
    void backward(const Tensor& loss);

    /// For backward passes: where to put a contribution to x's gradient. The first contribution overwrites. Call only
    /// if x.needs_gradient().
    template <class T>
    GradientTarget<T> gradient_of(const Tensor& x) {
        auto& gradient = provide_gradient(x);
        const bool accumulate = gradient.written;
        gradient.written = true;
        return {{reinterpret_cast<T*>(gradient.data), x.elements()}, accumulate};
    }
    /// The same for ops that overwrite some columns of x's gradient only; every column must have exactly one consumer.
    template <class T>
    T* gradient_columns_of(const Tensor& x) {
        auto& gradient = provide_gradient(x);
        gradient.written = true;
        return reinterpret_cast<T*>(gradient.data);
    }
    /// The gradient that later records collected for y; zeros if there were none.
    template <class T>
    std::span<T> collected(const Tensor& y) {
        return {reinterpret_cast<T*>(collected_bytes(y)), y.elements()};
    }
    /// For backward passes: work that only parameters' gradients wait for. It runs at once, or, between backward_inputs
    /// and backward_weights, when those are due: what the closure reads must then still be there, so buffers are not
    /// recycled in between, and passed gradients are copied instead of changing hands. The closure asks for the
    /// parameter's gradient itself, as whether it is the first to contribute is known only when it runs.
    template <class Closure>
    void weight_gradient(const Closure& work) {
        if (!is_split_) {
            work(*this);
            return;
        }
        Node* const node = keep(work, nullptr);
        (last_weight_ == nullptr ? first_weight_ : last_weight_->next) = node;
        last_weight_ = node;
    }
    /// backward() in two steps, for pipeline schedules that delay the second (Qi et al. 2024, Zero Bubble,
    /// arXiv:2401.10241): gradients of activations first, those of parameters later, in the same order and bits. All
    /// memory is kept from the first step until `reset`.
    void backward_inputs();
    void backward_weights();
    /// Adds y's gradient, which is then no longer needed, to x's; the buffer changes hands where x has none yet.
    void pass_gradient(const Tensor& y, const Tensor& x);

    /// For backward passes: y's values and gradient are dead, their memory may be handed out again.
    void retire(const Tensor& y) noexcept;
    /// Frees values from `saved` that only one op's own forward or backward pass used, during that pass.
    void release(const Tensor& temporary) noexcept;
    /// For forward passes: retires y once everything recorded after this call has run backwards.
    void retire_in_backward(const Tensor& y) {
        record([y](Tape& tape) { tape.retire(y); });
    }
    /// For forward passes: x is not read again by anything but a backward pass, so its memory is free when not
    /// recording.
    void discard(const Tensor& x) noexcept;

    /// Forgets everything, including all tensors: call between micro-batches.
    void reset();

  private:
    template <class Closure>
    Node* keep(const Closure& closure, Node* next) {
        static_assert(std::is_trivially_copyable_v<Closure> && std::is_trivially_destructible_v<Closure>);
        struct Record : Node {
            Closure closure;
        };
        const auto call = [](Node& node, Tape& tape) { static_cast<Record&>(node).closure(tape); };
        return new (records_.allocate(sizeof(Record))) Record{{next, call}, closure};
    }
    void run(Node*& first);
    Gradient& provide_gradient(const Tensor& x);
    std::byte* collected_bytes(const Tensor& y);

    Context* context_;
    Arena* activations_;
    Arena records_;
    Node* newest_ = nullptr;
    Node* first_weight_ = nullptr;  // delayed work, oldest first
    Node* last_weight_ = nullptr;
    bool is_split_ = false;
    Mode mode_;
    Recycling recycling_;
};

}  // namespace loglog
