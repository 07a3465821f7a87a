#pragma once

#include <cstddef>
#include <string_view>

namespace loglog {

/// Where the pre-token that begins at `text[begin]` ends; begin < text.size(). Merges never cross pre-tokens. The rules
/// are GPT-2's (Radford et al. 2019, the released encoder.py), first match wins:
///   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t pre_token_end(std::string_view text, std::size_t begin) noexcept;

}  // namespace loglog
