#include "engine/tokenizer/bpe_model.hpp"

#include <bit>

namespace loglog {

namespace {

constexpr std::uint64_t key_of(std::int32_t left, std::int32_t right) noexcept {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

void MergeTable::reserve(std::size_t merges) { slots_.assign(std::bit_ceil(2 * merges + 2), Slot{}); }

std::size_t MergeTable::slot_of(std::uint64_t pair) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = static_cast<std::size_t>((pair * 0x9e3779b97f4a7c15u) >> 32) & mask;
    while (slots_[slot].pair != pair && slots_[slot].pair != empty) { slot = (slot + 1) & mask; }
    return slot;
}

void MergeTable::insert(std::int32_t left, std::int32_t right, Merged merged) {
    Slot& slot = slots_[slot_of(key_of(left, right))];
    if (slot.pair == empty) { slot = {key_of(left, right), merged}; }
}

Merged MergeTable::find(std::int32_t left, std::int32_t right) const noexcept {
    return slots_[slot_of(key_of(left, right))].merged;
}

void index_merges(BpeModel& model) {
    model.merge_table.reserve(model.merges.size());
    std::int32_t rank = 0;
    for (const Merge& merge : model.merges) {
        model.merge_table.insert(merge.left, merge.right, {rank++, merge.result});
    }
}

BpeModel make_bpe_model(const std::vector<std::pair<std::int32_t, std::int32_t>>& merges) {
    BpeModel model;
    for (int byte = 0; byte < 256; ++byte) {
        model.byte_tokens[static_cast<std::size_t>(byte)] = byte;
        model.tokens.emplace_back(1, static_cast<char>(byte));
    }
    for (const auto& [left, right] : merges) {
        model.merges.push_back({left, right, static_cast<std::int32_t>(model.tokens.size())});
        model.tokens.push_back(model.tokens.at(static_cast<std::size_t>(left)) +
                               model.tokens.at(static_cast<std::size_t>(right)));
    }
    model.end_of_document = static_cast<std::int32_t>(model.tokens.size());
    model.tokens.emplace_back(end_of_document_text);
    model.special_tokens.push_back({model.end_of_document, end_of_document_text});
    index_merges(model);
    return model;
}

}  // namespace loglog
