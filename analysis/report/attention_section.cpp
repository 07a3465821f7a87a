#include "analysis/report/attention_section.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "analysis/report/html.hpp"
#include "analysis/report/quantity.hpp"

namespace loglog {
namespace {

using enum Column::Kind;

bool has_interval(const Estimate& e) { return std::isfinite(e.low) && std::isfinite(e.high); }

Cell estimate_cell(const Estimate& e, const char* format) {
    if (!std::isfinite(e.value)) { return {"-"}; }
    const auto text = [&](double value) { return fmt::format(fmt::runtime(format), value); };
    const std::string interval = has_interval(e) ? fmt::format(" [{}, {}]", text(e.low), text(e.high)) : "";
    return {text(e.value) + interval, fmt::format("{}", e.value)};
}

Cell number_cell(const std::optional<double>& value, const char* format) {
    if (!value || !std::isfinite(*value)) { return {"-"}; }
    return {fmt::format(fmt::runtime(format), *value), fmt::format("{}", *value)};
}

std::string label_of(const Comparison& comparison, const VariantResult& variant) {
    if (&variant == &comparison.variants.front()) { return variant.name + " (baseline)"; }
    return variant.name + (variant.is_control ? " (control)" : "");
}

std::string key_numbers(const Comparison& c) {
    std::string html = "<div class=\"key\">\n";
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        if (c.headline().multipliers[v].empty()) { continue; }
        const Multiplier& m = c.headline().multipliers[v].back();
        html += fmt::format(
            "<div><b>{}</b><span>{}, compute multiplier over {} at a loss of {:.3f}<br>95% interval {}</span></div>\n",
            std::isfinite(m.estimate.value) ? fmt::format("{:.2f}", m.estimate.value) : "-",
            escape_html(label_of(c, c.variants[v])), escape_html(c.variants.front().name), m.loss,
            interval_text(m.estimate));
    }
    return html + "</div>\n";
}

std::string variants_table(const Comparison& c) {
    const AxisResult& axis = c.headline();
    std::vector<Column> columns{{"attention", text}, {"runs", number}, {"parameters", number}, {"FLOPs/token", number}};
    for (const double loss : c.options.losses) { columns.push_back({fmt::format("multiplier at {:.3f}", loss)}); }
    columns.insert(columns.end(), {{"exponent", number}, {"tuning runs", number}});
    std::vector<std::vector<Cell>> rows;
    for (std::size_t v = 0; v < c.variants.size(); ++v) {
        const auto& variant = c.variants[v];
        const auto& largest = variant.sizes.back();
        int runs = 0;
        for (const auto& size : variant.sizes) { runs += size.runs; }
        std::vector<Cell> row{{label_of(c, variant)},
                              {std::to_string(runs)},
                              {fmt::format("{:.2f}%", 100 * largest.parameter_ratio)},
                              number_cell(largest.flops_ratio, "\u00d7{:.3f}")};
        for (const auto& m : axis.multipliers[v]) {
            row.push_back(v == 0 ? Cell{"1"} : estimate_cell(m.estimate, "{:.3f}"));
            if (m.extrapolated) { row.back().text += " *"; }
        }
        row.push_back(axis.exponents.empty() ? Cell{"-"} : estimate_cell(axis.exponents[v], "{:.4f}"));
        row.push_back({std::to_string(variant.tuning.runs)});
        rows.push_back(std::move(row));
    }
    return html_table(columns, rows, "id=\"attention-variants\" class=\"sortable\" aria-label=\"variants\"");
}

std::string sizes_table(const Comparison& c) {
    const std::vector<Column> columns{{"size", text},          {"attention", text},     {"seeds", number},
                                      {"N", number},           {"loss", number},        {"difference", number},
                                      {"recall loss", number}, {"FLOPs/token", number}, {"tokens/s", number},
                                      {"seconds", number},     {"memory, MiB", number}};
    std::vector<std::vector<Cell>> rows;
    for (std::size_t s = 0; s < c.sizes.size(); ++s) {
        for (const auto& variant : c.variants) {
            for (const auto& r : variant.sizes) {
                if (r.size != static_cast<int>(s)) { continue; }
                std::optional<double> memory;
                if (r.peak_memory_bytes) { memory = *r.peak_memory_bytes / (1 << 20); }
                const bool is_baseline = &variant == &c.variants.front();
                rows.push_back({{c.sizes[s].name(), std::to_string(s)},
                                {variant.name},
                                {std::to_string(r.runs)},
                                {with_prefix(r.parameters), fmt::format("{}", r.parameters)},
                                number_cell(r.loss, "{:.4f}"),
                                is_baseline ? Cell{"-"} : estimate_cell(r.difference, "{:+.4f}"),
                                number_cell(r.recall_loss, "{:.4f}"),
                                number_cell(r.flops_per_token, "{:.4g}"),
                                number_cell(r.tokens_per_second, "{:.0f}"),
                                number_cell(r.seconds, "{:.1f}"),
                                number_cell(memory, "{:.1f}")});
            }
        }
    }
    return html_table(columns, rows, "id=\"attention-sizes\" class=\"sortable\" aria-label=\"sizes\"");
}

std::string models_table(const AxisResult& axis) {
    std::vector<std::vector<Cell>> rows;
    for (const auto& s : axis.scores) {
        rows.push_back({{std::string{to_text(s.sharing)} + (s.sharing == axis.fit.sharing ? " (used)" : "")},
                        {std::to_string(s.parameters)},
                        number_cell(s.residual_sd, "{:.2e}"),
                        number_cell(s.aicc, "{:.1f}")});
    }
    return html_table({{"laws", text}, {"numbers", number}, {"residual sd", number}, {"AICc", number}}, rows);
}

std::string tests_table(const AxisResult& axis) {
    std::vector<std::vector<Cell>> rows;
    for (const auto& t : axis.tests) {
        rows.push_back({{t.question},
                        {std::string{to_text(t.null)}},
                        {std::string{to_text(t.alternative)}},
                        number_cell(t.statistic, "{:.3g}"),
                        {std::to_string(t.degrees)},
                        number_cell(t.f, "{:.3g}"),
                        number_cell(t.p, "{:.2g}")});
    }
    return html_table({{"may be shared", text},
                       {"null", text},
                       {"against", text},
                       {"likelihood ratio", number},
                       {"degrees", number},
                       {"F", number},
                       {"p", number}},
                      rows);
}

std::string axes_table(const Comparison& c) {
    std::vector<Column> columns{{"attention", text}};
    for (const auto& axis : c.axes) {
        if (axis.failure.empty()) { columns.push_back({to_text(axis.axis)}); }
    }
    std::vector<std::vector<Cell>> rows;
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        std::vector<Cell> row{{label_of(c, c.variants[v])}};
        for (const auto& axis : c.axes) {
            if (axis.failure.empty()) { row.push_back(estimate_cell(axis.multipliers[v].back().estimate, "{:.3f}")); }
        }
        rows.push_back(std::move(row));
    }
    return html_table(columns, rows);
}

std::string caveats(const Comparison& c) {
    std::map<std::string, std::vector<std::string>> by_code;
    for (const auto& warning : c.warnings) { by_code[warning.code].push_back(warning.text); }
    if (by_code.empty()) { return "<p>No unfairness was found by the checks.</p>\n"; }
    std::string html = "<ul class=\"cautions\">\n";
    for (const auto& [code, texts] : by_code) {
        html += "<li><code>" + escape_html(code) + "</code> ";
        for (const auto& words : texts) { html += escape_html(words) + (&words == &texts.back() ? "." : "; "); }
        html += "</li>\n";
    }
    return html + "</ul>\n";
}

}  // namespace

std::string attention_summary(const Comparison& comparison) {
    std::string html = key_numbers(comparison) + "<ul>\n";
    for (const auto& sentence : findings(comparison)) { html += "<li>" + escape_html(sentence) + "</li>\n"; }
    return html + "</ul>\n<h3>How fair the comparison is</h3>\n" + caveats(comparison) + "<h3>Variants</h3>\n" +
           variants_table(comparison);
}

std::string attention_details(const Comparison& c) {
    std::string html = "<h3>Every size</h3>\n<p class=\"note\">Means over seeds, speed as the median; differences to " +
                       escape_html(c.variants.front().name) + " are seed-paired, with Student's 95% interval.</p>\n" +
                       sizes_table(c);
    html +=
        fmt::format("<h3>Multipliers at a loss of {:.3f}, by what is counted as cost</h3>\n", c.options.losses.back()) +
        axes_table(c);
    html += fmt::format(
        "<h3>The laws behind the multipliers</h3>\n<p class=\"note\">L = E + (C/C<sub>v</sub>)<sup>-&alpha;</sup> for "
        "all variants at once; what they share is tested by F, with the likelihood ratio beside it. Intervals: {} "
        "resamples of (size, seed) pairs, the same for all variants, {:.1f} degrees of freedom.</p>\n",
        c.options.bootstrap.resamples, c.headline().degrees);
    html += models_table(c.headline()) + tests_table(c.headline());
    if (!c.failures.empty()) {
        std::vector<std::vector<Cell>> rows;
        for (const auto& [id, reason] : c.failures) { rows.push_back({{id}, {reason}}); }
        html += "<h3>Runs that did not end well</h3>\n" + html_table({{"run", text}, {"what happened", wrapped}}, rows);
    }
    return html;
}

}  // namespace loglog
