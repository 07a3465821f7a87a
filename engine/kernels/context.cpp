#include "engine/kernels/context.hpp"

#include <cstdlib>
#include <new>

namespace loglog {

void CpuContext::Free::operator()(std::byte* p) const noexcept { std::free(p); }

CpuContext::CpuContext(int threads)
    : threads_{threads < 1 ? 1 : threads}, buffers_(static_cast<std::size_t>(threads_) * slots) {}

std::byte* CpuContext::scratch(std::size_t bytes, std::size_t slot) {
    auto& buffer = buffers_[static_cast<std::size_t>(omp_get_thread_num()) * slots + slot];
    if (buffer.size < bytes) {
        const std::size_t rounded = (bytes + 4095) / 4096 * 4096;
        void* p = std::aligned_alloc(4096, rounded);
        if (p == nullptr) { throw std::bad_alloc{}; }
        buffer.data.reset(static_cast<std::byte*>(p));
        buffer.size = rounded;
    }
    return buffer.data.get();
}

}  // namespace loglog
