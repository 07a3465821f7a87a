#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analysis/report/check.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t longest_shown = 160;  // bytes of a text that differs

const char* rule(Closeness closeness) {
    return closeness == Closeness::exact
               ? "exactly (same program, same processor)"
               : "to one unit of the last digit printed, of the sixth where there are more (another program or "
                 "processor); whole numbers exactly";
}

std::string shortened(const std::string& text) {
    if (text.size() <= longest_shown) { return text; }
    std::size_t end = longest_shown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) { --end; }  // not within a character
    return text.substr(0, end) + "...";
}

std::string difference_lines(const std::vector<Difference>& list, const char* what, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < std::min(list.size(), most); ++i) {
        const auto& [id, where, was, is] = list[i];
        text +=
            fmt::format("{} {} {}: was {}, is {}\n", what, id.empty() ? "-" : id, where, shortened(was), shortened(is));
    }
    if (list.size() > most) { text += fmt::format("... and {} more (all of them: --json)\n", list.size() - most); }
    return text;
}

Json rows(const std::vector<Difference>& list) {
    Json array = Json::array();
    for (const auto& [id, where, was, is] : list) {
        array.push_back({{"id", id.empty() ? Json(nullptr) : Json(id)}, {"where", where}, {"was", was}, {"is", is}});
    }
    return array;
}

}  // namespace

std::string to_text(const CheckResult& result, std::size_t most) {
    const Recipe& recipe = result.recipe;
    std::string text = fmt::format("{}: made {} by loglog {}, {} runs chosen by {}\n", result.file, recipe.created_at,
                                   recipe.analysis_version, recipe.runs.size(), recipe.selection);
    for (const auto& note : result.notes) { text += "note: " + note + "\n"; }
    text += difference_lines(result.runs, "run", most) + difference_lines(result.differences, "number", most);
    if (!result.is_recomputed) { return text + "failed: runs are missing, so the numbers were not recomputed\n"; }
    const std::size_t checked = result.shown + result.data;
    text += fmt::format("{} numbers checked ({} in the text, {} in the data), {}\n", checked, result.shown, result.data,
                        rule(result.closeness));
    if (result.passed()) { return text + "passed: every number is recomputed\n"; }
    return text +
           fmt::format("failed: {} runs changed, {} places differ\n", result.runs.size(), result.differences.size());
}

std::string to_json(const CheckResult& result) {
    const Json root = {{"page", result.file},
                       {"passed", result.passed()},
                       {"recomputed", result.is_recomputed},
                       {"checked", {{"shown", result.shown}, {"data", result.data}}},
                       {"compared", result.closeness == Closeness::exact ? "exact" : "printed"},
                       {"notes", result.notes},
                       {"runs", rows(result.runs)},
                       {"differences", rows(result.differences)}};
    return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace loglog
