#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// A stretch of a page's text that no block-level element cuts: a paragraph, a table's cell.
struct TextBlock {
    std::string text;    ///< blanks folded, entities as they are
    std::string place;   ///< the nearest element with an id, and the row and column in a table: "fits row 3 column 7"
    std::string source;  ///< the number id that leads from it; empty: none
};

/// What a page says: its text, and the JSON that its charts and its check are made from.
struct PageContent {
    std::vector<TextBlock> blocks;
    std::map<std::string, std::string> json;  ///< script elements of type application/json by id
};

/// Reads a page that render_page() made, edited or not. Nothing that is malformed throws: what cannot be understood is
/// text, and differs.
PageContent read_page(std::string_view html);

/// The attribute's value in a tag's text (`a b="c"`); empty where there is none.
std::string attribute_of(std::string_view tag, std::string_view name);

}  // namespace loglog
