#include "engine/tensor/storage.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {

Storage::Storage(Backing backing, std::size_t bytes) : bytes_{bytes} {
    if (bytes == 0) { return; }
    const bool real = backing == Backing::memory;
    void* data = mmap(nullptr, bytes, real ? PROT_READ | PROT_WRITE : PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | (real ? 0 : MAP_NORESERVE), -1, 0);
    if (data == MAP_FAILED) {
        throw Error{"cannot get " + std::to_string(bytes >> 20) + " MiB for parameters: " + std::strerror(errno) +
                    " (a smaller model needs less)"};
    }
    constexpr std::size_t huge_page = std::size_t{2} << 20;
    if (real && bytes >= huge_page) { madvise(data, bytes, MADV_HUGEPAGE); }  // a hint: failure costs speed only
    data_ = static_cast<std::byte*>(data);
}

Storage::~Storage() {
    if (data_ != nullptr) { munmap(data_, bytes_); }
}

}  // namespace loglog
