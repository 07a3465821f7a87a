#include "analysis/report/identity.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <set>
#include <span>

#include "analysis/report/column_text.hpp"
#include "analysis/report/report.hpp"

namespace loglog {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

constexpr int id_characters = 8;

/// Columns that people change without changing a number: labels, and where the files lie.
bool changes_no_number(std::string_view column) { return column == "tags" || column == "folder"; }

void append_measurements(std::string& bytes, std::span<const double> values) {
    const std::size_t count = values.size();
    bytes.append(reinterpret_cast<const char*>(&count), sizeof count);  // tells where one vector ends
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

Options common_options(const ReportOptions& options) {
    return {{"objective", to_string(options.objective)},
            {"delta", fmt::format("{}", options.objective.delta)},
            {"bootstrap", std::to_string(options.bootstrap.resamples)},
            {"seed", std::to_string(static_cast<std::uint64_t>(options.bootstrap.seed))}};
}

Options fit_options(const Report& report, const ReportFit& fit) {
    Options options{{"law", fit.law}, {"of", fit.variable}};
    if (fit.count) { options.emplace_back("count", to_text(*fit.count)); }
    for (auto& option : common_options(report.options)) { options.push_back(std::move(option)); }
    return options;
}

std::set<std::string> ids_of(const std::vector<Exclusion>& excluded) {
    std::set<std::string> ids;
    for (const auto& exclusion : excluded) { ids.insert(exclusion.id); }
    return ids;
}

/// Builds sources over one report, whose runs it fingerprints once.
class SourceMaker {
  public:
    explicit SourceMaker(const Report& report) : report_{report} {
        for (const auto& run : report.input.runs) { prints_.push_back(fingerprint(run)); }
    }

    /// `out` and `also_out` name runs that the numbers do not come from.
    NumberSource make(std::string of, Options options, const std::set<std::string>& out = {},
                      const std::set<std::string>& also_out = {}) const {
        NumberSource source{{}, std::move(of), {}, {}, analysis_version(), std::move(options)};
        std::string text = source.of + '\n' + source.code + '\n';
        for (const auto& [name, value] : source.options) { text += name + '=' + value + '\n'; }
        for (std::size_t i = 0; i < prints_.size(); ++i) {
            const RunRecord& record = report_.input.runs[i].record;
            if (out.contains(record.id) || also_out.contains(record.id)) { continue; }
            source.runs.push_back(record.id);
            if (std::find(source.data.begin(), source.data.end(), record.data_hash) == source.data.end()) {
                source.data.push_back(record.data_hash);
            }
            text += record.id + ' ' + record.data_hash + ' ' + prints_[i].record + ' ' + prints_[i].curve + '\n';
        }
        source.id = short_hash(text);
        return source;
    }

  private:
    const Report& report_;
    std::vector<RunFingerprint> prints_;
};

}  // namespace

std::string short_hash(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base 32
    const std::uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
    std::string text;
    for (int i = 0; i < id_characters; ++i) { text += digits[(hash >> (59 - 5 * i)) & 31]; }
    return text;
}

RunFingerprint fingerprint(const ReportRun& run) {
    std::string columns;
    visit_columns(run.record, [&](std::string_view name, const auto& member) {
        if (changes_no_number(name)) { return; }
        columns.append(name).append("=").append(column_text(member)).append("\n");
    });
    const RunCurve& curve = run.curve;
    if (curve.tokens.empty() && curve.val_tokens.empty()) { return {short_hash(columns), {}}; }
    std::string measured;
    for (const auto* values :
         {&curve.tokens, &curve.train_loss, &curve.val_tokens, &curve.val_loss, &curve.loss_by_position}) {
        append_measurements(measured, *values);
    }
    return {short_hash(columns), short_hash(measured)};
}

std::vector<NumberSource> number_sources(const Report& report) {
    const SourceMaker maker{report};
    Options everything = common_options(report.options);
    everything.insert(everything.begin(), {"baseline", report.options.baseline});
    std::vector<NumberSource> sources;
    sources.push_back(maker.make("page", everything));
    sources.push_back(maker.make("runs", {}));
    sources.push_back(maker.make("curves", {}));
    if (report.comparison) { sources.push_back(maker.make("comparison", everything)); }
    const auto outside = ids_of(report.excluded);
    for (const auto& fit : report.fits) {
        const auto unused = fit.inference ? ids_of(fit.inference->excluded) : std::set<std::string>{};
        sources.push_back(maker.make(fit.id, fit_options(report, fit), outside, unused));
    }
    return sources;
}

std::string number_id(const Report& report, std::string_view of) {
    const auto& sources = report.sources;
    const auto found =
        std::find_if(sources.begin(), sources.end(), [&](const auto& source) { return source.of == of; });
    if (found != sources.end()) { return found->id; }
    return of == "page" ? std::string{} : number_id(report, "page");
}

}  // namespace loglog
