#include "analysis/report/page.hpp"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "analysis/report/assets.hpp"
#include "analysis/report/attention_section.hpp"
#include "analysis/report/drawing.hpp"
#include "analysis/report/headline.hpp"
#include "analysis/report/html.hpp"
#include "analysis/report/page_data.hpp"
#include "analysis/report/quantity.hpp"
#include "analysis/report/recipe.hpp"
#include "analysis/report/tables.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr int height_around = 90;  // pixels of a chart's axis, legend and buttons

void append_key_number(std::string& html, const Report& report, const char* place, const char* symbol,
                       std::string meaning) {
    const Headline lead = headline(report, place);
    const Inference* fit = lead.fit;
    const std::string value = fit == nullptr ? "not found" : fmt::format("{:.3f}", fit->estimate("alpha").value);
    const std::string interval = fit == nullptr ? "" : interval_text(fit->estimate("alpha"));
    const std::string source = number_id(report, lead.id);
    if (lead.other != nullptr) { meaning += fmt::format(", above a floor of {:.3f}", fit->estimate("E").value); }
    fmt::format_to(std::back_inserter(html),
                   "<div{}><b>{}</b><span>&alpha;<sub>{}</sub>, 95% interval {}<br>{}</span>{}</div>\n",
                   source_attribute(source), value, symbol, interval.empty() ? "not estimated" : interval, meaning,
                   source_mark(source));
}

std::string key_numbers(const Report& report) {
    std::string html = "<div class=\"key\">\n";
    append_key_number(html, report, "N-non_embedding", "N", "loss against model size");
    append_key_number(html, report, "D", "D", "loss against training tokens");
    append_key_number(html, report, "C", "C", "loss against compute");
    return html + "</div>\n";
}

/// The caveats of the fits under the default convention, by code; the table of fits names those of the others.
std::string cautions(const Report& report) {
    std::map<std::string, std::vector<std::string>> by_code;
    for (const auto& warning : report.warnings) { by_code[warning.code].push_back(warning.text); }
    for (const auto& fit : report.fits) {
        if (!fit.inference || fit.count.value_or(ParameterCount::non_embedding) != ParameterCount::non_embedding) {
            continue;
        }
        const std::string name = fit.variable == "N, D" ? fit.law : fit.law + " in " + fit.variable;
        for (const auto& warning : fit.inference->warnings) {
            if (warning.code != "mixed_runs") { by_code[warning.code].push_back(name + ": " + warning.text); }
        }
    }
    if (by_code.empty()) { return "<p>No caveat was found by the checks that every fit goes through.</p>\n"; }
    std::string html = "<ul class=\"cautions\">\n";
    for (const auto& [code, texts] : by_code) {
        html += "<li><code>" + escape_html(code) + "</code> ";
        for (const auto& text : texts) { html += escape_html(text) + (&text == &texts.back() ? "." : "; "); }
        html += "</li>\n";
    }
    return html + "</ul>\n";
}

std::string findings_section(const Report& report) {
    const std::string source = number_id(report, "page");
    std::string html = "<section id=\"findings\"" + source_attribute(source) + ">\n" + key_numbers(report);
    const Findings sentences = sorted_findings(report);
    const auto add = [&](const char* heading, const char* kind, const std::vector<std::string>& list) {
        if (list.empty()) { return; }
        html += fmt::format("<h2>{}{}</h2>\n<ul class=\"findings{}\">\n", heading, source_mark(source), kind);
        for (const auto& sentence : list) { html += "<li>" + escape_html(sentence) + "</li>\n"; }
        html += "</ul>\n";
    };
    add("What was found", "", sentences.found);
    add("What was not found", " not", sentences.not_found);
    html += "<h2>What to be careful about</h2>\n" + cautions(report);
    return html + "</section>\n";
}

/// What the numbers of a figure came from.
std::string source_of(const Report& report, const Figure& figure) {
    const bool has_curves = !figure.charts.empty() && figure.charts.front().id.starts_with("curves");
    return number_id(report, figure.section == "attention" ? "comparison" : has_curves ? "curves" : "page");
}

/// The buttons that choose one of a figure's charts; nothing where all are shown.
std::string switch_of(const Figure& figure, int number) {
    if (figure.switch_title.empty() || figure.charts.size() < 2) { return {}; }
    std::string html = "<fieldset class=\"switch\"><legend>" + escape_html(figure.switch_title) + "</legend>";
    for (const auto& chart : figure.charts) {
        html += fmt::format("<label><input type=\"radio\" name=\"switch-{}\" value=\"{}\"{}> {}</label>", number,
                            chart.id, &chart == &figure.charts.front() ? " checked" : "", escape_html(chart.label));
    }
    return html + "</fieldset>\n";
}

/// Where a figure's charts will be drawn, as high as they will be, so that nothing moves when they are.
std::string places_of(const Figure& figure) {
    std::string html;
    for (const auto& chart : figure.charts) {
        const int height = Json::parse(chart.spec).value("height", 200) + height_around;
        const bool is_hidden = !figure.switch_title.empty() && &chart != &figure.charts.front();
        html += fmt::format(
            "<div class=\"chart{}\" id=\"{}\" style=\"min-height:{}px\"{}><div class=\"drawing\"></div></div>\n",
            figure.switch_title.empty() && &chart != &figure.charts.front() ? " below" : "", chart.id, height,
            is_hidden ? " hidden" : "");
    }
    return html;
}

/// The figures of a section; `number` counts through the page.
std::string figures_of(const Report& report, const std::vector<Figure>& list, std::string_view section, int& number) {
    std::string html;
    for (const auto& figure : list) {
        if (figure.section != section) { continue; }
        const std::string source = source_of(report, figure);
        html += "<figure" + source_attribute(source) + ">\n";
        ++number;
        html += switch_of(figure, number) + places_of(figure);
        html += fmt::format("<figcaption><b>Figure {}. {}.</b> {}{}</figcaption>\n</figure>\n", number,
                            escape_html(figure.title), escape_html(figure.caption), source_mark(source));
    }
    return html;
}

/// The comparison of kinds of attention, or why there is none; nothing where there is one kind.
std::string attention_part(const Report& report, const std::vector<Figure>& list, int& number) {
    if (report.fitted_attention.empty()) { return {}; }
    const std::string source = number_id(report, "comparison");
    std::string html = "<section id=\"attention\"" + source_attribute(source) + ">\n<h2>Attention compared" +
                       source_mark(source) + "</h2>\n";
    if (report.comparison) {
        html += attention_summary(*report.comparison) + figures_of(report, list, "attention", number) +
                attention_details(*report.comparison);
    } else {
        html += "<p>Not compared: " + escape_html(report.comparison_failure) + ".</p>\n";
    }
    return html + "</section>\n";
}

std::string figures_section(const Report& report, const std::vector<Figure>& list, int& number) {
    return "<section id=\"figures\">\n<h2>Figures</h2>\n" + figures_of(report, list, "figures", number) +
           "</section>\n";
}

std::string fits_section(const Report& report) {
    const auto& o = report.options.objective;
    const std::string objective =
        o.penalty == Objective::Penalty::huber ? fmt::format("{} (delta {:g})", to_string(o), o.delta) : to_string(o);
    return fmt::format(
               "<section id=\"fits-section\">\n<h2>Fits</h2>\n<p>Objective {}; every law is searched from a stated "
               "grid of "
               "starts (the column says how many ended at the optimum) and polished with exact second derivatives. "
               "Intervals: "
               "95% percentiles of {} case resamples, seed {}. N is counted without embedding and head tables, with "
               "the head, and in total; C is exact model FLOPs.</p>\n",
               objective, report.options.bootstrap.resamples,
               static_cast<std::uint64_t>(report.options.bootstrap.seed)) +
           fits_table(report) + "</section>\n";
}

std::string runs_section(const Report& report) {
    const std::string source = number_id(report, "runs");
    std::string html = "<section id=\"runs-section\"" + source_attribute(source) + ">\n<h2>Runs" + source_mark(source) +
                       "</h2>\n<p class=\"note\">A click on a heading sorts, a click on a run shows its specification "
                       "and curve.</p>\n" +
                       runs_table(report);
    if (!report.excluded.empty()) { html += "<h3>Left out of the fits</h3>\n" + excluded_table(report); }
    return html + "</section>\n";
}

std::string fact_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string environment_section(const Report& report) {
    std::map<std::string, std::set<std::string>> common;
    for (const auto& run : report.input.runs) {
        const RunRecord& r = run.record;
        common["code version"].insert(r.code_version);
        common["data"].insert(r.data_hash);
        common["host"].insert(r.host);
    }
    std::string html = "<section id=\"environment\">\n<h2>Environment</h2>\n<dl class=\"facts\">\n";
    const auto add = [&](const std::string& name, const std::string& value) {
        if (!value.empty()) { html += "<dt>" + escape_html(name) + "</dt><dd>" + escape_html(value) + "</dd>\n"; }
    };
    for (const auto& [name, values] : common) {
        std::string joined;
        for (const auto& value : values) { joined += (joined.empty() ? "" : ", ") + value; }
        add(name, joined);
    }
    const Json environment = Json::parse(report.input.environment, nullptr, /*allow_exceptions=*/false);
    if (environment.is_object()) {
        for (const auto& [name, value] : environment.items()) { add(name, fact_text(value)); }
    }
    add("page made by", "loglog " + report.input.program_version);
    return html + "</dl>\n</section>\n";
}

/// What each id beside a number stands for.
std::string sources_part(const Report& report) {
    if (report.sources.empty()) { return {}; }
    return "<h3>Ids of numbers</h3>\n<p>Each id is a hash of the runs (their specification, results and curves), the "
           "data, the version of the analysis and the options that the numbers beside it came from.</p>\n" +
           sources_table(report);
}

std::string recompute_section(const Report& report) {
    std::string html =
        "<section id=\"recompute\">\n<h2>How to recompute</h2>\n<p>The same registry gives the same numbers; "
        "they are also in the JSON and CSV files beside this page.</p>\n<pre>";
    for (const auto& command : report.input.commands) { html += escape_html(command) + "\n"; }
    return html + "</pre>\n" + sources_part(report) + "</section>\n";
}

/// The template with every {{marker}} replaced; unknown markers stay, so that a test sees them.
std::string fill(std::string_view page, const std::map<std::string_view, std::string>& values) {
    std::string filled;
    while (!page.empty()) {
        const auto open = page.find("{{");
        const auto close = open == std::string_view::npos ? open : page.find("}}", open);
        if (close == std::string_view::npos) { break; }
        const auto value = values.find(page.substr(open + 2, close - open - 2));
        filled += page.substr(0, value == values.end() ? open + 2 : open);
        if (value != values.end()) { filled += value->second; }
        page.remove_prefix(value == values.end() ? open + 2 : close + 2);
    }
    return filled + std::string{page};
}

}  // namespace

std::string render_page(const Report& report) { return render_page(report, draw(report)); }

std::string render_page(const Report& report, const Drawing& drawing) {
    const auto& list = drawing.figures;

    int figure = 0;
    const std::string compared = attention_part(report, list, figure);
    const std::string content = findings_section(report) + compared + figures_section(report, list, figure) +
                                fits_section(report) + runs_section(report) + environment_section(report) +
                                recompute_section(report) + recipe_elements(report);
    const std::string byline =
        fmt::format("{} runs, {} of them finished and fitted &middot; chosen by <code>{}</code> &middot; {}",
                    report.input.runs.size(), report.input.runs.size() - report.excluded.size(),
                    escape_html(report.input.selection), escape_html(report.input.created_at));
    return sealed(fill(page_template(),
                       {{"title", escape_html(report.input.title)},
                        {"version", escape_html(report.input.program_version)},
                        {"byline", byline},
                        {"navigation", std::string{"<a href=\"#findings\">Findings</a>"} +
                                           (compared.empty() ? "" : "<a href=\"#attention\">Attention</a>") +
                                           "<a href=\"#figures\">Figures</a><a href=\"#fits-section\">Fits</a>"
                                           "<a href=\"#runs-section\">Runs</a><a href=\"#environment\">Environment</a>"
                                           "<a href=\"#recompute\">How to recompute</a>"},
                        {"content", content},
                        {"data", escape_json_for_script(page_data(report, drawing))},
                        {"style", std::string{page_style()}},
                        {"scripts", page_scripts()},
                        {"libraries", std::string{chart_libraries()}}}));
}

}  // namespace loglog
