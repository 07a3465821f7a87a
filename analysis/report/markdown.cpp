#include <fmt/format.h>

#include <cmath>
#include <map>

#include "analysis/report/formats.hpp"
#include "analysis/report/quantity.hpp"

namespace loglog {
namespace {

using Row = std::vector<std::string>;

/// Text as a cell of a table, or as prose, shows it literally.
std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '\n' || c == '\r') {
            result += ' ';
            continue;
        }
        if (std::string_view{"\\`*_[]<>|#"}.find(c) != std::string_view::npos) { result += '\\'; }
        result += c;
    }
    return result;
}

std::string table(const Row& titles, const std::vector<Row>& rows) {
    const auto line = [](const Row& cells) {
        std::string text = "|";
        for (const auto& cell : cells) { text += " " + escaped(cell) + " |"; }
        return text + "\n";
    };
    std::string text = line(titles) + "|";
    for (std::size_t k = 0; k < titles.size(); ++k) { text += "---|"; }
    text += "\n";
    for (const auto& row : rows) { text += line(row); }
    return text + "\n";
}

std::string estimate_text(const Estimate& e) {
    if (!std::isfinite(e.value)) { return "-"; }
    if (!std::isfinite(e.low) || !std::isfinite(e.high)) { return fmt::format("{:.4g}", e.value); }
    return fmt::format("{:.4g} [{:.4g}, {:.4g}]", e.value, e.low, e.high);
}

std::string fits_part(const Report& report) {
    std::vector<Row> rows;
    std::string failures;
    for (const auto& fit : report.fits) {
        if (!fit.inference) {
            failures += "- " + escaped(fit.id) + ": not fitted: " + escaped(fit.failure) + "\n";
            continue;
        }
        std::string codes;
        for (const auto& warning : fit.inference->warnings) {
            if (codes.find(warning.code) == std::string::npos) { codes += (codes.empty() ? "" : ", ") + warning.code; }
        }
        const auto add = [&](const std::vector<NamedEstimate>& list) {
            for (const auto& [name, estimate] : list) {
                rows.push_back({fit.id, std::to_string(fit.inference->points.size()), name, estimate_text(estimate),
                                codes.empty() ? "none" : codes, number_id(report, fit.id)});
            }
        };
        add(fit.inference->parameters);
        add(fit.inference->derived);
    }
    return "## Fits\n\n" + table({"fit", "points", "number", "value, 95% interval", "caveats", "id"}, rows) +
           (failures.empty() ? "" : failures + "\n");
}

std::string cautions(const Report& report) {
    std::map<std::string, std::string> texts;  // code and text -> the fits it holds for
    std::string list;
    for (const auto& [code, text] : report.warnings) { list += "- `" + code + "` " + escaped(text) + "\n"; }
    for (const auto& fit : report.fits) {
        if (!fit.inference) { continue; }
        for (const auto& [code, text] : fit.inference->warnings) {
            std::string& fits = texts["`" + code + "` " + escaped(text)];
            fits += (fits.empty() ? "" : ", ") + fit.id;
        }
    }
    for (const auto& [text, fits] : texts) { list += "- " + text + " (" + escaped(fits) + ")\n"; }
    return "## What to be careful about\n\n" + (list.empty() ? "No caveat was found.\n" : list) + "\n";
}

std::string comparison_part(const Report& report) {
    if (report.fitted_attention.empty()) { return {}; }
    std::string text = "## Attention compared\n\n";
    if (!report.comparison) { return text + "Not compared: " + escaped(report.comparison_failure) + ".\n\n"; }
    const Comparison& comparison = *report.comparison;
    for (const auto& sentence : findings(comparison)) { text += "- " + escaped(sentence) + "\n"; }
    std::vector<Row> rows;
    for (std::size_t v = 1; v < comparison.variants.size(); ++v) {
        for (const auto& multiplier : comparison.headline().multipliers[v]) {
            rows.push_back({comparison.variants[v].name, fmt::format("{:.4f}", multiplier.loss),
                            estimate_text(multiplier.estimate), multiplier.extrapolated ? "yes" : "no",
                            number_id(report, "comparison")});
        }
    }
    return text + "\n" + table({"attention", "at a loss of", "multiplier, 95% interval", "extrapolated", "id"}, rows);
}

std::string runs_part(const Report& report) {
    const auto whole = [](const std::optional<std::int64_t>& value) { return value ? std::to_string(*value) : ""; };
    const auto real = [](const std::optional<double>& value, const char* format) {
        return value ? fmt::format(fmt::runtime(format), *value) : std::string{};
    };
    std::map<std::string, std::string> reasons;
    for (const auto& [id, reason] : report.excluded) { reasons.emplace(id, reason); }
    std::vector<Row> rows;
    for (const auto& run : report.input.runs) {
        const RunRecord& r = run.record;
        rows.push_back({r.id, r.name, to_text(r.state), r.attention, whole(r.non_embedding_params),
                        whole(r.total_params), whole(r.tokens), real(r.flops, "{:.4e}"), whole(r.seed),
                        real(r.lr, "{:.4g}"), real(r.final_val_loss, "{:.5f}"),
                        reasons.contains(r.id) ? reasons[r.id] : ""});
    }
    return "## Runs\n\nId of these numbers: " + number_id(report, "runs") + "\n\n" +
           table({"run", "name", "state", "attention", "N", "N total", "D", "C, FLOPs", "seed", "lr", "val loss",
                  "why it enters no fit"},
                 rows);
}

std::string sources_part(const Report& report) {
    std::vector<Row> rows;
    for (const auto& source : report.sources) {
        std::string options;
        for (const auto& [name, value] : source.options) {
            options += (options.empty() ? "" : ", ") + name + " " + value;
        }
        rows.push_back({source.id, source.of, std::to_string(source.runs.size()), options});
    }
    return "## Ids of numbers\n\n" + table({"id", "of", "runs", "options"}, rows);
}

}  // namespace

std::string to_markdown(const Report& report) {
    std::string text = fmt::format("# {}\n\n{} runs, chosen by `{}`; loglog {}, {}. Id of the findings: {}\n\n",
                                   escaped(report.input.title), report.input.runs.size(), report.input.selection,
                                   report.input.program_version, report.input.created_at, number_id(report, "page"));
    text += "## Findings\n\n";
    for (const auto& sentence : findings(report)) { text += "- " + escaped(sentence) + "\n"; }
    text += "\n" + cautions(report) + comparison_part(report) + fits_part(report) + runs_part(report) +
            sources_part(report) + "## How to recompute\n\n```\n";
    for (const auto& command : report.input.commands) { text += command + "\n"; }
    return text + "```\n";
}

}  // namespace loglog
