#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/attention/comparison.hpp"

namespace loglog {
namespace {

std::string number(double value, const char* format) {
    return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "-";
}
std::string number(const std::optional<double>& value, const char* format) {
    return value ? number(*value, format) : "-";
}

std::string with_interval(const Estimate& e, const char* format) {
    if (!std::isfinite(e.value)) { return "-"; }
    const std::string value = number(e.value, format);
    if (!std::isfinite(e.low) || !std::isfinite(e.high)) { return value; }
    return value + " [" + number(e.low, format) + ", " + number(e.high, format) + "]";
}

/// Columns as wide as their widest cell; the first one is flush left.
std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()), 0);
        for (std::size_t k = 0; k < row.size(); ++k) { widths[k] = std::max(widths[k], row[k].size()); }
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line = "  ";
        for (std::size_t k = 0; k < row.size(); ++k) {
            line += k == 0 ? fmt::format("{:<{}}", row[k], widths[k]) : fmt::format("  {:>{}}", row[k], widths[k]);
        }
        text += line + "\n";
    }
    return text;
}

std::string headline_table(const Comparison& c) {
    const AxisResult& axis = c.headline();
    std::vector<std::vector<std::string>> rows{{"variant", "runs", "FLOPs/token"}};
    for (const double loss : c.options.losses) { rows[0].push_back(fmt::format("multiplier at {:.4g}", loss)); }
    rows[0].insert(rows[0].end(), {"exponent", "tuning runs", "lr"});
    for (std::size_t v = 0; v < c.variants.size(); ++v) {
        const auto& variant = c.variants[v];
        int runs = 0;
        for (const auto& size : variant.sizes) { runs += size.runs; }
        std::vector<std::string> row{variant.name + (v == 0               ? " (baseline)"
                                                     : variant.is_control ? " (control)"
                                                                          : ""),
                                     std::to_string(runs), number(variant.sizes.back().flops_ratio, "x{:.3f}")};
        for (const auto& m : axis.multipliers[v]) {
            row.push_back(v == 0 ? "1" : with_interval(m.estimate, "{:.3f}") + (m.extrapolated ? " *" : ""));
        }
        row.push_back(axis.exponents.empty() ? "-" : with_interval(axis.exponents[v], "{:.4f}"));
        row.push_back(std::to_string(variant.tuning.runs));
        row.push_back(number(variant.tuning.chosen, "{:g}"));
        rows.push_back(std::move(row));
    }
    return table(rows);
}

std::string sizes_table(const Comparison& c) {
    std::vector<std::vector<std::string>> rows{{"size", "variant", "seeds", "parameters", "of baseline", "FLOPs/token",
                                                "loss", "difference, 95%", "recall loss", "tokens/s", "memory, MiB"}};
    for (std::size_t s = 0; s < c.sizes.size(); ++s) {
        for (const auto& variant : c.variants) {
            for (const auto& r : variant.sizes) {
                if (r.size != static_cast<int>(s)) { continue; }
                const bool is_baseline = &variant == &c.variants.front();
                rows.push_back({c.sizes[s].name(), variant.name, std::to_string(r.runs), number(r.parameters, "{:.0f}"),
                                number(100 * r.parameter_ratio, "{:.2f}%"), number(r.flops_per_token, "{:.4g}"),
                                number(r.loss, "{:.4f}"), is_baseline ? "-" : with_interval(r.difference, "{:+.4f}"),
                                number(r.recall_loss, "{:.4f}"), number(r.tokens_per_second, "{:.0f}"),
                                r.peak_memory_bytes ? number(*r.peak_memory_bytes / (1 << 20), "{:.1f}") : "-"});
            }
        }
    }
    return table(rows);
}

std::string axes_table(const Comparison& c) {
    std::vector<std::vector<std::string>> rows{{"variant"}};
    for (const auto& axis : c.axes) {
        if (axis.failure.empty()) { rows[0].push_back(to_text(axis.axis)); }
    }
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        std::vector<std::string> row{c.variants[v].name};
        for (const auto& axis : c.axes) {
            if (axis.failure.empty()) { row.push_back(with_interval(axis.multipliers[v].back().estimate, "{:.3f}")); }
        }
        rows.push_back(std::move(row));
    }
    return table(rows);
}

std::string models_table(const AxisResult& axis) {
    std::vector<std::vector<std::string>> rows{{"laws", "numbers", "residual sd", "AICc"}};
    for (const auto& s : axis.scores) {
        rows.push_back({std::string{to_text(s.sharing)} + (s.sharing == axis.fit.sharing ? " (used)" : ""),
                        std::to_string(s.parameters), number(s.residual_sd, "{:.2e}"), number(s.aicc, "{:.1f}")});
    }
    std::string text = table(rows);
    for (const auto& t : axis.tests) {
        text += fmt::format("  {}: {} against {}: F = {}, p = {} (likelihood ratio {}, {} degrees)\n", t.question,
                            to_text(t.null), to_text(t.alternative), number(t.f, "{:.3g}"), number(t.p, "{:.2g}"),
                            number(t.statistic, "{:.3g}"), t.degrees);
    }
    return text;
}

std::string tuning_text(const Comparison& c) {
    std::string text;
    for (const auto& variant : c.variants) {
        for (const auto& [curves, what] :
             {std::pair{&variant.tuning.search, "search"}, std::pair{&variant.tuning.recheck, "re-check"}}) {
            for (const auto& curve : *curves) {
                text += fmt::format("  {} {} at {}:", variant.name, what, curve.size);
                for (const auto& point : curve.points) {
                    text += fmt::format(" {:g}{} {}", point.lr, curve.best && *curve.best == point.lr ? "*" : "",
                                        point.loss         ? fmt::format("{:.4f}", *point.loss)
                                        : point.failed > 0 ? std::string{"failed"}
                                                           : std::string{"-"});
                    text += &point == &curve.points.back() ? "" : ",";
                }
                text += "\n";
            }
        }
    }
    return text;
}

std::string bench_table(const std::vector<BenchKind>& kinds) {
    std::vector<std::vector<std::string>> rows{
        {"kind", "contexts", "seconds at the longest", "grows as T^", "faster from"}};
    for (const auto& kind : kinds) {
        std::string contexts = "-", longest = "-";
        if (!kind.points.empty()) {
            contexts = fmt::format("{:.0f} to {:.0f}", kind.points.front().time, kind.points.back().time);
            longest = fmt::format("{:.3g}", kind.points.back().seconds);
        }
        rows.push_back({kind.kind, contexts, longest, number(kind.growth_exponent, "{:.2f}"),
                        number(kind.crossover_with_dense, "{:.0f}")});
    }
    return table(rows);
}

}  // namespace

std::string to_text(const Comparison& c) {
    const AxisResult& axis = c.headline();
    std::string text =
        fmt::format("Attention against {}, by {} ({} runs; {} resamples of (size, seed) pairs, seed {})\n\n",
                    c.variants.front().name, to_text(axis.axis), c.compared, c.options.bootstrap.resamples,
                    static_cast<std::uint64_t>(c.options.bootstrap.seed));
    text += headline_table(c);
    for (const auto& list : axis.multipliers) {
        if (std::any_of(list.begin(), list.end(), [](const Multiplier& m) { return m.extrapolated; })) {
            text += "  * extrapolated beyond the runs\n";
            break;
        }
    }
    text += "\nBy size (means over seeds; differences are seed-paired, Student's interval)\n" + sizes_table(c);
    text += fmt::format("\nMultipliers at a loss of {:.4g}, by what is counted as cost\n", c.options.losses.back()) +
            axes_table(c);
    text += "\nLaws\n" + models_table(axis);
    if (const std::string rates = tuning_text(c); !rates.empty()) {
        text += "\nLearning rates and losses (* the best)\n" + rates;
    }
    if (!c.options.bench.empty()) { text += "\nMeasured by bench attention\n" + bench_table(c.options.bench); }
    text += "\nFindings\n";
    for (const auto& sentence : findings(c)) { text += "  " + sentence + "\n"; }
    if (!c.failures.empty()) { text += "\nRuns that did not end well\n"; }
    for (const auto& [id, reason] : c.failures) { text += "  " + id + "  " + reason + "\n"; }
    if (!c.warnings.empty()) { text += "\nWarnings\n"; }
    for (const auto& [code, words] : c.warnings) { text += "  " + code + ": " + words + "\n"; }
    return text;
}

}  // namespace loglog
