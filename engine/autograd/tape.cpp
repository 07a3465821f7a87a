#include "engine/autograd/tape.hpp"

#include <utility>

#include "engine/kernels/elementwise.hpp"

namespace loglog {
namespace {

void fill(Context& context, const Tensor& shape_of, std::byte* data, double value) {
    with_dtype(shape_of.dtype, [&]<class T>(T) {
        launch(context, Fill<T>{{reinterpret_cast<T*>(data), shape_of.elements()}, static_cast<T>(value)});
    });
}

}  // namespace

Tape::Tape(Context& context, Arena& activations, Mode mode, Recycling recycling)
    : context_{&context}, activations_{&activations}, mode_{mode}, recycling_{recycling} {}

Tensor Tape::empty(const Shape& shape, DType dtype) {
    Tensor tensor = saved(shape, dtype);
    if (recording()) { tensor.gradient = new (records_.allocate(sizeof(Gradient))) Gradient{}; }
    return tensor;
}

Tensor Tape::saved(const Shape& shape, DType dtype) {
    Tensor tensor{nullptr, shape, dtype, nullptr};
    tensor.data = activations_->allocate(tensor.bytes());
    return tensor;
}

void Tape::run(Node*& first) {
    while (first != nullptr) {
        Node& node = *std::exchange(first, first->next);
        node.run(node, *this);
    }
}

void Tape::backward() { run(newest_); }

void Tape::backward(const Tensor& loss) {
    if (loss.elements() != 1 || !loss.needs_gradient()) {
        throw ShapeError{"backward", "loss", loss.shape, Shape{1}, "one recorded value"};
    }
    fill(*context_, loss, provide_gradient(loss).data, 1);
    loss.gradient->written = true;
    backward();
}

void Tape::backward_inputs() {
    is_split_ = true;
    run(newest_);
}

void Tape::backward_weights() {
    run(first_weight_);
    last_weight_ = nullptr;
}

Gradient& Tape::provide_gradient(const Tensor& x) {
    LOGLOG_ASSERT(x.needs_gradient());
    if (x.gradient->data == nullptr) { x.gradient->data = activations_->allocate(x.bytes()); }
    return *x.gradient;
}

std::byte* Tape::collected_bytes(const Tensor& y) {
    auto& gradient = provide_gradient(y);
    if (!gradient.written) {
        fill(*context_, y, gradient.data, 0);
        gradient.written = true;
    }
    return gradient.data;
}

void Tape::pass_gradient(const Tensor& y, const Tensor& x) {
    if (!x.needs_gradient()) { return; }
    std::byte* source = collected_bytes(y);
    if (x.gradient->data == nullptr && !is_split_) {
        *x.gradient = std::exchange(*y.gradient, Gradient{});
        return;
    }
    with_dtype(x.dtype, [&]<class T>(T) {
        const auto target = gradient_of<T>(x);
        launch(*context_,
               Scale<T>{{reinterpret_cast<const T*>(source), y.elements()}, target.values, T{1}, target.accumulate});
    });
}

void Tape::release(const Tensor& temporary) noexcept {
    if (recycling_ == Recycling::on) { activations_->release(temporary.data, temporary.bytes()); }
}

void Tape::retire(const Tensor& y) noexcept {
    if (recycling_ == Recycling::off || is_split_) { return; }
    activations_->release(y.data, y.bytes());
    if (y.gradient != nullptr && y.gradient->data != nullptr) {
        activations_->release(y.gradient->data, y.bytes());
        *y.gradient = Gradient{};
    }
}

void Tape::discard(const Tensor& x) noexcept {
    if (!recording()) { retire(x); }
}

void Tape::reset() {
    newest_ = nullptr;
    first_weight_ = nullptr;
    last_weight_ = nullptr;
    is_split_ = false;
    records_.reset();
    activations_->reset();
}

}  // namespace loglog
