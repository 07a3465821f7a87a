#include "analysis/report/tables.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <set>

#include "analysis/report/column_text.hpp"
#include "analysis/report/html.hpp"
#include "analysis/report/quantity.hpp"

namespace loglog {
namespace {

using enum Column::Kind;

Cell count_cell(const std::optional<std::int64_t>& value) {
    if (!value) { return {""}; }
    return {with_prefix(static_cast<double>(*value)), std::to_string(*value)};
}

Cell real_cell(const std::optional<double>& value, const char* format) {
    if (!value) { return {""}; }
    return {fmt::format(fmt::runtime(format), *value), fmt::format("{}", *value)};
}

Cell integer_cell(const std::optional<std::int64_t>& value) { return {value ? std::to_string(*value) : ""}; }

/// A run's id that opens the run's panel.
Cell run_cell(const std::string& id) {
    return {id, "", "<button type=\"button\" class=\"run\">" + escape_html(id) + "</button>"};
}

std::string parameter_text(const NamedEstimate& named) {
    const Estimate& e = named.estimate;
    const bool small = std::abs(e.value) < 1000 && std::abs(e.value) >= 0.001;
    const auto text = [&](double value) { return small ? fmt::format("{:.4g}", value) : fmt::format("{:.3e}", value); };
    if (!std::isfinite(e.low) || !std::isfinite(e.high)) { return fmt::format("{} = {}", named.name, text(e.value)); }
    return fmt::format("{} = {} [{}, {}]", named.name, text(e.value), text(e.low), text(e.high));
}

}  // namespace

std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) { return text; }
    std::string quoted = "\"";
    for (const char c : text) { quoted += c == '"' ? std::string{"\"\""} : std::string{c}; }
    return quoted + '"';
}

std::string fits_table(const Report& report) {
    const std::vector<Column> columns{{"law", text},
                                      {"of", text},
                                      {"N counted", text},
                                      {"points", number},
                                      {"objective", number},
                                      {"starts", number},
                                      {"parameters, with 95% intervals", wrapped},
                                      {"caveats", wrapped},
                                      {"id", text}};
    std::vector<std::vector<Cell>> rows;
    for (const auto& fit : report.fits) {
        std::vector<Cell> row{{fit.law}, {fit.variable}, {fit.count ? to_text(*fit.count) : ""}};
        if (fit.inference) {
            const Inference& inference = *fit.inference;
            std::vector<std::string> parameters;
            for (const auto* family : {&inference.parameters, &inference.derived}) {
                for (const auto& named : *family) { parameters.push_back(parameter_text(named)); }
            }
            std::set<std::string> codes;
            for (const auto& warning : inference.warnings) { codes.insert(warning.code); }
            row.push_back({std::to_string(inference.points.size())});
            row.push_back({short_number(inference.optimum.best.value)});
            row.push_back({fmt::format("{}/{}", inference.optimum.agreeing, inference.optimum.starts)});
            row.push_back({fmt::format("{}", fmt::join(parameters, "; "))});
            row.push_back({codes.empty() ? "none" : fmt::format("{}", fmt::join(codes, ", "))});
        } else {
            row.insert(row.end(), {{""}, {""}, {""}, {"not fitted: " + fit.failure}, {""}});
        }
        row.push_back({number_id(report, fit.id)});
        rows.push_back(std::move(row));
    }
    return html_table(columns, rows, "id=\"fits\" class=\"sortable\" aria-label=\"fits\"");
}

std::string runs_table(const Report& report) {
    const std::vector<Column> columns{
        {"run", text},         {"name", text},      {"state", text},     {"attention", text},    {"layers", number},
        {"width", number},     {"heads", number},   {"N", number},       {"N total", number},    {"D", number},
        {"C, FLOPs", number},  {"lr", number},      {"seed", number},    {"train loss", number}, {"val loss", number},
        {"bits/byte", number}, {"seconds", number}, {"tokens/s", number}};
    std::vector<std::vector<Cell>> rows;
    for (const auto& run : report.input.runs) {
        const RunRecord& r = run.record;
        rows.push_back({run_cell(r.id),
                        {r.name},
                        {to_text(r.state)},
                        {r.attention},
                        integer_cell(r.layers),
                        integer_cell(r.width),
                        integer_cell(r.heads),
                        count_cell(r.non_embedding_params),
                        count_cell(r.total_params),
                        count_cell(r.tokens),
                        real_cell(r.flops, "{:.3e}"),
                        real_cell(r.lr, "{:.3g}"),
                        integer_cell(r.seed),
                        real_cell(r.final_train_loss, "{:.4f}"),
                        real_cell(r.final_val_loss, "{:.4f}"),
                        real_cell(r.bits_per_byte, "{:.4f}"),
                        real_cell(r.seconds, "{:.1f}"),
                        real_cell(r.tokens_per_second, "{:.0f}")});
    }
    return html_table(columns, rows, "id=\"runs\" class=\"sortable\" aria-label=\"runs\"");
}

std::string sources_table(const Report& report) {
    std::vector<std::vector<Cell>> rows;
    for (const auto& source : report.sources) {
        std::string options;
        for (const auto& [name, value] : source.options) {
            options += (options.empty() ? "" : ", ") + name + " " + value;
        }
        rows.push_back({{source.id}, {source.of}, {std::to_string(source.runs.size())}, {options}});
    }
    return html_table({{"id", text}, {"of", text}, {"runs", number}, {"options", wrapped}}, rows, "id=\"number-ids\"");
}

std::string excluded_table(const Report& report) {
    std::vector<std::vector<Cell>> rows;
    for (const auto& [id, reason] : report.excluded) { rows.push_back({run_cell(id), {reason}}); }
    return html_table({{"run", text}, {"why it enters no fit", wrapped}}, rows,
                      "id=\"excluded\" class=\"sortable\" aria-label=\"runs left out\"");
}

std::string runs_csv(const Report& report) {
    std::string csv;
    const auto add_line = [&](const RunRecord& record, const auto& cell_of) {
        std::string line;
        visit_columns(record, [&](std::string_view name, const auto& member) {
            if (name == "spec") { return; }
            line += (line.empty() ? "" : ",") + csv_cell(cell_of(name, member));
        });
        csv += line + '\n';
    };
    add_line(RunRecord{}, [](std::string_view name, const auto&) { return std::string{name}; });
    for (const auto& run : report.input.runs) {
        add_line(run.record, [](std::string_view, const auto& member) { return column_text(member); });
    }
    return csv;
}

}  // namespace loglog
