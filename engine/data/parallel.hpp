#pragma once

#include <cstddef>
#include <functional>

namespace loglog {

/// Calls work(thread, index) for every index below `count`, on `threads` threads, each index once, in no promised
/// order. An exception stops the rest and is rethrown here (of several, that of the smallest index).
void parallel_for(std::size_t count, unsigned threads, const std::function<void(unsigned, std::size_t)>& work);

}  // namespace loglog
