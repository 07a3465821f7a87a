#include "analysis/report/formats.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/report/figures.hpp"
#include "analysis/report/tables.hpp"
#include "db/files/publish.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;

constexpr ReportFormat all_formats[] = {ReportFormat::html, ReportFormat::md,  ReportFormat::json, ReportFormat::csv,
                                        ReportFormat::png,  ReportFormat::svg, ReportFormat::pdf};

std::string number_text(double value) { return std::isfinite(value) ? fmt::format("{}", value) : std::string{}; }

}  // namespace

const char* to_text(ReportFormat format) noexcept {
    switch (format) {
        case ReportFormat::html:
            return "html";
        case ReportFormat::md:
            return "md";
        case ReportFormat::json:
            return "json";
        case ReportFormat::csv:
            return "csv";
        case ReportFormat::png:
            return "png";
        case ReportFormat::svg:
            return "svg";
        case ReportFormat::pdf:
            return "pdf";
    }
    return "html";
}

ReportFormat report_format(std::string_view name, const fs::path& out) {
    const std::string extension = out.extension().string();
    const std::string wanted = !name.empty() ? std::string{name} : extension.empty() ? "html" : extension.substr(1);
    for (const auto format : all_formats) {
        if (wanted == to_text(format) || (name.empty() && wanted == "htm")) { return format; }
    }
    const char* source = name.empty() ? "the extension of --out" : "--format";
    throw InputError{fmt::format("report: {} is '{}', it must be html, md, json, csv, png, svg or pdf{}", source,
                                 wanted, name.empty() ? "; or say --format" : "")};
}

void require_report_file(const fs::path& out, ReportFormat format) {
    std::error_code ignored;
    if (out == "-") {
        throw InputError{"report: --out - is no file, and a report is several; --json prints all numbers"};
    }
    if (!out.has_filename() || fs::is_directory(out, ignored)) {
        throw InputError{fmt::format("report: --out {} is a folder: name a file, such as {}", out.string(),
                                     (out / fmt::format("report.{}", to_text(format))).string())};
    }
    const std::string extension = out.extension().string();
    for (const auto other : all_formats) {
        if (other != format && extension == fmt::format(".{}", to_text(other))) {
            throw InputError{fmt::format("report: --out {} is named like {}, but --format is {}: change one of them",
                                         out.string(), to_text(other), to_text(format))};
        }
    }
}

std::string fits_csv(const Report& report) {
    std::string csv = "fit,number_id,law,variable,count,kind,name,value,se,low,high\n";
    for (const auto& fit : report.fits) {
        if (!fit.inference) { continue; }
        const auto add = [&](const char* kind, const std::vector<NamedEstimate>& list) {
            for (const auto& [name, e] : list) {
                csv += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", fit.id, number_id(report, fit.id), fit.law,
                                   fit.variable == "N, D" ? "ND" : fit.variable, fit.count ? to_text(*fit.count) : "",
                                   kind, name, number_text(e.value), number_text(e.se), number_text(e.low),
                                   number_text(e.high));
            }
        };
        add("parameter", fit.inference->parameters);
        add("derived", fit.inference->derived);
    }
    return csv;
}

std::string excluded_csv(const Report& report) {
    std::string csv = "run,reason\n";
    for (const auto& [id, reason] : report.excluded) { csv += csv_cell(id) + "," + csv_cell(reason) + "\n"; }
    return csv;
}

void make_folder_of(const fs::path& out) {
    std::error_code failure;
    if (out.has_parent_path()) { fs::create_directories(out.parent_path(), failure); }
    if (failure) { throw Error{"cannot create " + out.parent_path().string() + ": " + failure.message()}; }
}

std::vector<fs::path> write_tables(const Report& report, ReportFormat format, const fs::path& out) {
    make_folder_of(out);
    std::vector<fs::path> files;
    const auto write = [&](const fs::path& file, const std::string& text) {
        write_file(file, text, Durability::process);
        files.push_back(file);
    };
    if (format == ReportFormat::csv) {
        fs::path stem = out;
        stem.replace_extension();
        write(stem.string() + "-fits.csv", fits_csv(report));
        write(stem.string() + "-excluded.csv", excluded_csv(report));
        write(stem.string() + "-runs.csv", runs_csv(report));
        write(stem.string() + "-curves.csv", curves_csv(curve_columns(report)));
    } else {
        write(out, format == ReportFormat::md ? to_markdown(report) : to_json(report));
    }
    return files;
}

}  // namespace loglog
