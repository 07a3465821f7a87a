#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// Numbers distinct short texts 0, 1, 2, ... in order of first appearance. Texts lie in one string, so that a look-up
/// touches one slot and the text: the speed of counting and encoding pre-tokens is that of this table.
class TextTable {
  public:
    struct Found {
        std::uint32_t index;
        bool is_new;
    };
    Found find_or_insert(std::string_view text);

    std::size_t size() const noexcept { return ends_.size(); }
    /// Valid until the next insertion.
    std::string_view text(std::size_t index) const noexcept;
    void clear() noexcept;

  private:
    struct Slot {
        std::uint32_t tag = 0;           // upper half of the hash
        std::uint32_t index_plus_1 = 0;  // 0: free
    };
    void grow();

    std::string texts_;
    std::vector<std::size_t> ends_;  // end of each text in texts_
    std::vector<std::uint64_t> hashes_;
    std::vector<Slot> slots_ = std::vector<Slot>(1024);
};

}  // namespace loglog
