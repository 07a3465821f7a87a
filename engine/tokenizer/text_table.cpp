#include "engine/tokenizer/text_table.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace loglog {

TextTable::Found TextTable::find_or_insert(std::string_view text) {
    const std::uint64_t hash = XXH3_64bits(text.data(), text.size());
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    while (slots_[slot].index_plus_1 != 0) {
        const std::uint32_t index = slots_[slot].index_plus_1 - 1;
        if (slots_[slot].tag == tag && this->text(index) == text) { return {index, false}; }
        slot = (slot + 1) & mask;
    }
    const auto index = static_cast<std::uint32_t>(ends_.size());
    slots_[slot] = {tag, index + 1};
    texts_.append(text);
    ends_.push_back(texts_.size());
    hashes_.push_back(hash);
    if (2 * ends_.size() > slots_.size()) { grow(); }
    return {index, true};
}

std::string_view TextTable::text(std::size_t index) const noexcept {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view{texts_}.substr(begin, ends_[index] - begin);
}

void TextTable::clear() noexcept {
    texts_.clear();
    ends_.clear();
    hashes_.clear();
    slots_.assign(slots_.size(), Slot{});
}

void TextTable::grow() {
    slots_.assign(2 * slots_.size(), Slot{});
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t index = 0; index < hashes_.size(); ++index) {
        std::size_t slot = hashes_[index] & mask;
        while (slots_[slot].index_plus_1 != 0) { slot = (slot + 1) & mask; }
        slots_[slot] = {static_cast<std::uint32_t>(hashes_[index] >> 32), static_cast<std::uint32_t>(index + 1)};
    }
}

}  // namespace loglog
