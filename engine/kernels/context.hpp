#pragma once

#include <omp.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace loglog {

/// What a kernel does, in the units that planning and reports use.
struct Cost {
    double model_flops = 0;     ///< multiply-adds of matrix products and token mixing, 2 each; causal half only
    double hardware_flops = 0;  ///< everything executed: recomputation, both halves of diagonal tiles, elementwise work
    double bytes_read = 0;
    double bytes_written = 0;

    Cost& operator+=(const Cost& other) noexcept {
        model_flops += other.model_flops;
        hardware_flops += other.hardware_flops;
        bytes_read += other.bytes_read;
        bytes_written += other.bytes_written;
        return *this;
    }
    friend bool operator==(const Cost&, const Cost&) = default;
};

/// Runs kernels on this process's cores. Work is cut into pieces that do not depend on the number of threads, and a
/// piece is done by one thread from start to end, so results are bitwise equal for any number of threads.
class CpuContext {
  public:
    explicit CpuContext(int threads = 1);

    int threads() const noexcept { return threads_; }

    /// Calls `body(index)` for every index in [0, count), on this context's threads, in no particular order.
    template <class Body>
    void for_each(std::size_t count, Body&& body) {
        if (threads_ == 1 || count <= 1) {
            for (std::size_t index = 0; index < count; ++index) { body(index); }
            return;
        }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads_)
        for (std::size_t index = 0; index < count; ++index) { body(index); }
    }

    /// Calls `body(begin, end)` on consecutive pieces of [0, count) of `piece` items (the last may be shorter).
    template <class Body>
    void for_each_range(std::size_t count, std::size_t piece, Body&& body) {
        for_each((count + piece - 1) / piece, [&](std::size_t index) {
            const std::size_t begin = index * piece;
            body(begin, begin + piece < count ? begin + piece : count);
        });
    }

    /// 64-byte aligned scratch of the calling thread, at least `bytes` long, contents undefined; it grows to the most
    /// ever asked for and is then reused, so a later call from the same thread may return the same memory. `slot`
    /// tells apart buffers that must be live at once.
    std::byte* scratch(std::size_t bytes, std::size_t slot = 0);

    template <class T>
    T* scratch_of(std::size_t count, std::size_t slot = 0) {
        return reinterpret_cast<T*>(scratch(count * sizeof(T), slot));
    }

  private:
    static constexpr std::size_t slots = 8;
    struct Free {
        void operator()(std::byte* p) const noexcept;
    };
    struct Buffer {
        std::unique_ptr<std::byte[], Free> data;
        std::size_t size = 0;
    };

    int threads_;
    std::vector<Buffer> buffers_;  // [threads][slots]
};

/// Adds up what kernels would cost instead of running them.
class CountingContext {
  public:
    void add(const Cost& cost) noexcept { total_ += cost; }
    const Cost& total() const noexcept { return total_; }

  private:
    Cost total_;
};

/// Every kernel states its cost; counting needs nothing else, so a new kernel needs no code here.
template <class Kernel>
void run(CountingContext& counting, const Kernel& kernel) {
    counting.add(cost(kernel));
}

using Context = std::variant<CpuContext, CountingContext>;

template <class Kernel>
void launch(Context& context, const Kernel& kernel) {
    std::visit([&](auto& backend) { run(backend, kernel); }, context);
}

inline bool is_counting(const Context& context) noexcept { return std::holds_alternative<CountingContext>(context); }

}  // namespace loglog
