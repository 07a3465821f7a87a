#include "analysis/report/page_content.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace loglog {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

template <std::size_t n>
bool is_one_of(std::string_view name, const std::array<std::string_view, n>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Elements within a line of text; every other tag ends a block.
bool is_inline(std::string_view name) {
    return is_one_of(name, std::to_array<std::string_view>(
                               {"a", "b", "br", "code", "em", "i", "small", "span", "strong", "sub", "sup"}));
}

/// Elements without an end tag.
bool is_void(std::string_view name) {
    return is_one_of(name, std::to_array<std::string_view>({"br", "hr", "img", "input", "link", "meta", "!doctype"}));
}

struct OpenElement {
    std::string name;
    std::string id;
    std::string source;
    int rows = 0;   // of a table, so far
    int cells = 0;  // of a row, so far
};

class Reader {
  public:
    explicit Reader(std::string_view html) : html_{html} {}

    PageContent read() && {
        while (at_ < html_.size()) {
            if (html_[at_] == '<') {
                read_tag();
            } else {
                append(html_[at_++]);
            }
        }
        end_block();
        return std::move(content_);
    }

  private:
    void append(char c) {
        if (!is_blank(c)) {
            text_ += c;
        } else if (!text_.empty() && text_.back() != ' ') {
            text_ += ' ';
        }
    }

    void end_block() {
        if (!text_.empty() && text_.back() == ' ') { text_.pop_back(); }
        if (!text_.empty()) { content_.blocks.push_back({text_, place(), source()}); }
        text_.clear();
    }

    std::string place() const {
        std::string place = "page";
        for (const auto& element : open_) {
            if (!element.id.empty()) { place = element.id; }
            if (element.name == "table" && element.rows > 0) { place += fmt::format(" row {}", element.rows); }
            if (element.name == "tr" && element.cells > 0) { place += fmt::format(" column {}", element.cells); }
        }
        return place;
    }

    std::string source() const {
        const auto found = std::find_if(open_.rbegin(), open_.rend(), [](const auto& e) { return !e.source.empty(); });
        return found == open_.rend() ? std::string{} : found->source;
    }

    void read_tag() {
        const std::size_t end = html_.find('>', at_);
        if (end == std::string_view::npos) {
            append(html_[at_++]);
            return;
        }
        std::string_view tag = html_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        const bool closes = tag.starts_with('/');
        if (closes) { tag.remove_prefix(1); }
        const std::string_view name = tag.substr(0, tag.find_first_of(" \n\t/"));
        if (!is_inline(name)) { end_block(); }
        if (name == "br") { append(' '); }
        if (closes) {
            close(name);
        } else if (!is_void(name)) {
            open(std::string{name}, tag);
        }
    }

    void open(std::string name, std::string_view tag) {
        count_in_table(name);
        open_.push_back({std::move(name), attribute_of(tag, "id"), attribute_of(tag, "data-source")});
        const std::string& opened = open_.back().name;
        if (opened == "script" || opened == "style") { return read_script(tag); }
        // What a cell is sorted by is a number too, at full precision.
        if (const std::string key = attribute_of(tag, "data-value"); !key.empty()) {
            content_.blocks.push_back({key, place() + " (sorted by)", source()});
        }
    }

    void count_in_table(const std::string& name) {
        const bool is_row = name == "tr";
        if (!is_row && name != "td" && name != "th") { return; }
        const char* owner = is_row ? "table" : "tr";
        const auto found = std::find_if(open_.rbegin(), open_.rend(), [&](const auto& e) { return e.name == owner; });
        if (found != open_.rend()) { ++(is_row ? found->rows : found->cells); }
    }

    /// The content of a script or style element, up to its end tag.
    void read_script(std::string_view tag) {
        const std::string end_tag = "</" + open_.back().name;
        const std::size_t end = std::min(html_.find(end_tag, at_), html_.size());
        if (attribute_of(tag, "type") == "application/json") {
            content_.json[open_.back().id] = std::string{html_.substr(at_, end - at_)};
        }
        at_ = end;
    }

    void close(std::string_view name) {
        const auto found = std::find_if(open_.rbegin(), open_.rend(), [&](const auto& e) { return e.name == name; });
        if (found != open_.rend()) { open_.erase(std::prev(found.base()), open_.end()); }
    }

    std::string_view html_;
    std::size_t at_ = 0;
    std::string text_;
    std::vector<OpenElement> open_;
    PageContent content_;
};

}  // namespace

PageContent read_page(std::string_view html) { return Reader{html}.read(); }

std::string attribute_of(std::string_view tag, std::string_view name) {
    const std::string before = std::string{" "}.append(name).append("=\"");
    const std::size_t start = tag.find(before);
    if (start == std::string_view::npos) { return {}; }
    const std::size_t value = start + before.size();
    const std::size_t end = tag.find('"', value);
    return std::string{tag.substr(value, end == std::string_view::npos ? end : end - value)};
}

}  // namespace loglog
