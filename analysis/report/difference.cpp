#include "analysis/report/difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr int most_digits = 6;  // of a number that is compared as printed

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_wordy(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// The end of the number that begins at `at`, or `at` where none does.
std::size_t end_of_number(std::string_view text, std::size_t at) {
    std::size_t end = at;
    const auto skip_digits = [&] {
        const std::size_t before = end;
        while (end < text.size() && is_digit(text[end])) { ++end; }
        return end > before;
    };
    if (end < text.size() && (text[end] == '-' || text[end] == '+')) { ++end; }
    if (!skip_digits()) { return at; }
    const std::size_t whole = end;
    if (end < text.size() && text[end] == '.') {
        ++end;
        if (!skip_digits()) { end = whole; }  // a full stop after a whole number
    }
    const std::size_t mantissa = end;
    if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
        ++end;
        if (end < text.size() && (text[end] == '-' || text[end] == '+')) { ++end; }
        if (!skip_digits()) { end = mantissa; }
    }
    return end < text.size() && is_wordy(text[end]) ? at : end;
}

/// One unit of the last digit written, of the sixth where more are.
double unit_of_last_digit(std::string_view number) {
    const std::size_t exponent_at = number.find_first_of("eE");
    const std::string_view mantissa = number.substr(0, exponent_at);
    const std::size_t point = mantissa.find('.');
    const double decimals = point == std::string_view::npos ? 0 : static_cast<double>(mantissa.size() - point - 1);
    const double exponent = exponent_at == std::string_view::npos
                                ? 0
                                : std::strtod(std::string{number.substr(exponent_at + 1)}.c_str(), nullptr);
    const double value = std::abs(std::strtod(std::string{number}.c_str(), nullptr));
    const double finest = value > 0 ? std::floor(std::log10(value)) + 1 - most_digits : -INFINITY;
    return std::pow(10, std::max(exponent - decimals, finest));
}

/// The ids that a page gives its numbers; another version of the code gives others to the same numbers.
std::set<std::string> ids_of(const PageContent& page) {
    std::set<std::string> ids;
    const auto found = page.json.find("report-numbers");
    if (found == page.json.end()) { return ids; }
    const Json numbers = Json::parse(found->second, nullptr, /*allow_exceptions=*/false);
    if (!numbers.is_object() || !numbers.contains("number_sources")) { return ids; }
    for (const auto& source : numbers["number_sources"]) {
        if (source.is_object()) { ids.insert(source.value("id", "")); }
    }
    return ids;
}

class PageComparer {
  public:
    PageComparer(Closeness closeness, Wording wording) : closeness_{closeness}, wording_{wording} {}

    /// Texts in which these stand for one another are the same.
    void forget_ids(std::set<std::string> ids) { ids_.merge(ids); }

    void compare_blocks(const std::vector<TextBlock>& page, const std::vector<TextBlock>& again) {
        const auto by_place = [](const std::vector<TextBlock>& blocks) {
            std::map<std::pair<std::string, int>, const TextBlock*> map;
            std::map<std::string, int> ordinals;
            for (const auto& block : blocks) { map[{block.place, ordinals[block.place]++}] = &block; }
            return map;
        };
        const auto were = by_place(page);
        const auto are = by_place(again);
        for (const auto& [place, was] : were) {
            const auto is = are.find(place);
            if (is == are.end()) {
                one_sided(was->source, was->place, was->text, "(nothing)");
            } else {
                compare_text(was->source, was->place, was->text, is->second->text, agreement_.shown);
            }
        }
        for (const auto& [place, is] : are) {
            if (!were.contains(place)) { one_sided(is->source, is->place, "(nothing)", is->text); }
        }
    }

    void compare_elements(const PageContent& page, const PageContent& again) {
        for (const auto& [name, text] : again.json) {
            if (name == "report-recipe") { continue; }
            const auto found = page.json.find(name);
            if (found == page.json.end()) {
                one_sided({}, name, "(no such element)", "JSON");
                continue;
            }
            const Json was = Json::parse(found->second, nullptr, /*allow_exceptions=*/false);
            if (was.is_discarded()) {
                agreement_.differences.push_back({{}, name, "no JSON", "JSON"});
            } else {
                compare_json({}, name + ":", was, Json::parse(text));
            }
        }
    }

    PageAgreement take() && { return std::move(agreement_); }

  private:
    /// Something that stands on one of the pages alone, or is worded otherwise.
    void one_sided(const std::string& id, const std::string& where, const std::string& was, const std::string& is) {
        if (wording_ == Wording::same) {
            agreement_.differences.push_back({id, where, was, is});
        } else {
            ++agreement_.uncompared;
        }
    }

    void compare_text(const std::string& id, const std::string& where, const std::string& was, const std::string& is,
                      std::size_t& counter) {
        if (was == is) {
            counter += numbers_in(was).numbers.size();
            return;
        }
        if (ids_.contains(was) && ids_.contains(is)) { return; }
        const NumbersInText before = numbers_in(without_ids(was));
        const NumbersInText now = numbers_in(without_ids(is));
        if (before.words != now.words || before.numbers.size() != now.numbers.size()) {
            one_sided(id, where, was, is);
            return;
        }
        counter += now.numbers.size();
        bool is_same = true;
        for (std::size_t i = 0; i < now.numbers.size(); ++i) {
            is_same = is_same && is_same_number(before.numbers[i], now.numbers[i], closeness_);
        }
        if (!is_same) { agreement_.differences.push_back({id, where, was, is}); }
    }

    std::string without_ids(std::string text) const {
        for (const auto& id : ids_) {
            for (auto at = text.find(id); at != std::string::npos; at = text.find(id, at)) {
                text.replace(at, id.size(), "ID");
            }
        }
        return text;
    }

    void compare_json(std::string id, const std::string& where, const Json& was, const Json& is) {
        if (was.is_number() && is.is_number()) {
            ++agreement_.data;
            if (was != is && !is_same_number(was.dump(), is.dump(), closeness_) && !is_left_alone(where)) {
                agreement_.differences.push_back({std::move(id), where, was.dump(), is.dump()});
            }
        } else if (was.is_object() && is.is_object()) {
            compare_objects(std::move(id), where, was, is);
        } else if (was.is_array() && is.is_array()) {
            compare_arrays(id, where, was, is);
        } else if (was.is_string() && is.is_string()) {
            compare_text(id, where, was.get<std::string>(), is.get<std::string>(), agreement_.data);
        } else if (was != is) {
            one_sided(id, where, was.dump(), is.dump());
        }
    }

    void compare_objects(std::string id, const std::string& where, const Json& was, const Json& is) {
        if (was.contains("number_id") && was["number_id"].is_string()) { id = was["number_id"].get<std::string>(); }
        for (const auto& [key, value] : is.items()) {
            const std::string path = where + (where.ends_with(':') ? " " : ".") + key;
            if (was.contains(key)) {
                compare_json(id, path, was[key], value);
            } else {
                one_sided(id, path, "(nothing)", value.dump());
            }
        }
        for (const auto& [key, value] : was.items()) {
            if (!is.contains(key)) { one_sided(id, where + "." + key, value.dump(), "(nothing)"); }
        }
    }

    void compare_arrays(const std::string& id, const std::string& where, const Json& was, const Json& is) {
        if (was.size() != is.size()) {
            one_sided(id, where, fmt::format("{} entries", was.size()), fmt::format("{} entries", is.size()));
            return;
        }
        for (std::size_t i = 0; i < is.size(); ++i) { compare_json(id, where + entry_name(is[i], i), was[i], is[i]); }
    }

    static std::string entry_name(const Json& entry, std::size_t index) {
        if (entry.is_object()) {
            for (const char* key : {"id", "run", "name", "of", "variant", "axis"}) {
                if (entry.contains(key) && entry[key].is_string()) { return "[" + entry[key].get<std::string>() + "]"; }
            }
        }
        return fmt::format("[{}]", index);
    }

    /// How far from zero the search's last gradient was is rounding error: another processor has another.
    bool is_left_alone(const std::string& where) const {
        return closeness_ == Closeness::printed && where.ends_with(".gradient_norm");
    }

    Closeness closeness_;
    Wording wording_;
    std::set<std::string> ids_;
    PageAgreement agreement_;
};

}  // namespace

NumbersInText numbers_in(std::string_view text) {
    NumbersInText found;
    for (std::size_t at = 0; at < text.size();) {
        const bool touches_word = at > 0 && (is_wordy(text[at - 1]) || text[at - 1] == '.');
        const std::size_t end = touches_word ? at : end_of_number(text, at);
        if (end > at) {
            found.words += '#';
            found.numbers.emplace_back(text.substr(at, end - at));
            at = end;
        } else {
            found.words += text[at++];
        }
    }
    return found;
}

bool is_same_number(std::string_view was, std::string_view is, Closeness closeness) {
    if (was == is) { return true; }
    const auto is_whole = [](std::string_view text) { return text.find_first_of(".eE") == std::string_view::npos; };
    if (closeness == Closeness::exact || (is_whole(was) && is_whole(is))) { return false; }
    const double difference =
        std::strtod(std::string{was}.c_str(), nullptr) - std::strtod(std::string{is}.c_str(), nullptr);
    constexpr double rounding = 1 + 1e-9;  // of the decimal texts to binary
    return std::abs(difference) <= rounding * std::min(unit_of_last_digit(was), unit_of_last_digit(is));
}

PageAgreement compare_pages(const PageContent& page, const PageContent& again, Closeness closeness, Wording wording,
                            Ids ids) {
    PageComparer comparer{closeness, wording};
    if (ids == Ids::may_differ) {
        comparer.forget_ids(ids_of(page));
        comparer.forget_ids(ids_of(again));
    }
    comparer.compare_blocks(page.blocks, again.blocks);
    comparer.compare_elements(page, again);
    return std::move(comparer).take();
}

}  // namespace loglog
