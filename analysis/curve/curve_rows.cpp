#include "analysis/curve/curve_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::size_t most_problems_listed = 20;
constexpr double most_steps = 1e8;  // 800 MB of rates

/// NaN for what is no finite number.
double number(const std::string& text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    const bool good = parsed.ec == std::errc{} && parsed.ptr == end && std::isfinite(value);
    return good ? value : std::numeric_limits<double>::quiet_NaN();
}

/// The column that tells one run's rows from another's; none where the table is one run.
std::optional<std::size_t> naming_column(const Dataset& data, const std::map<std::string, std::string>& mapping) {
    for (const char* quantity : {"schedule", "run"}) {
        if (mapping.contains(quantity)) { return find_column(data, quantity, mapping); }
    }
    for (const char* quantity : {"schedule", "run", "run_id", "id"}) {
        if (has_column(data, quantity, mapping)) { return find_column(data, quantity, mapping); }
    }
    return std::nullopt;
}

struct Reader {
    const Dataset& data;
    std::size_t step, rate, loss;
    std::vector<std::string> problems;

    void complain(std::size_t row, std::size_t column, const char* wanted) {
        problems.push_back(fmt::format("{}: column '{}' holds '{}' but must be {}", data.row_names[row],
                                       data.columns[column], data.rows[row][column], wanted));
    }

    void read(std::size_t row, bool train, LoggedCurve& curve) {
        const auto& cells = data.rows[row];
        const double at = number(cells[step]);
        const double lr = number(cells[rate]);
        const bool measured = !cells[loss].empty();
        const double nats = measured ? number(cells[loss]) : 0;
        const bool good_step = at >= 0 && at <= most_steps && std::floor(at) == at;
        const bool good_loss = !measured || nats > 0;
        if (!good_step) { complain(row, step, "a whole number of optimizer steps"); }
        if (!(lr > 0)) {
            complain(row, rate, "a positive learning rate (leave out the rows of step 0, before any update)");
        }
        if (!good_loss) { complain(row, loss, "a positive number, or empty"); }
        if (!good_step || !(lr > 0) || !good_loss) { return; }
        const auto position = static_cast<std::size_t>(at);
        if (!curve.rates.empty() && position <= curve.rates.back().step) {
            problems.push_back(
                fmt::format("{}: step {} of '{}' follows step {}, but steps must increase (rows of several runs under "
                            "one name? choose one by --where, or name another column by --map run=COLUMN)",
                            data.row_names[row], position, curve.name, curve.rates.back().step));
            return;
        }
        curve.rates.push_back({position, lr});
        if (measured) { curve.losses.push_back({position, nats, train}); }
    }

    void throw_if_any() const {
        if (problems.empty()) { return; }
        std::string text =
            fmt::format("{}: {} problem{}", data.source, problems.size(), problems.size() == 1 ? "" : "s");
        for (std::size_t i = 0; i < std::min(problems.size(), most_problems_listed); ++i) {
            text += "\n  " + problems[i];
        }
        if (problems.size() > most_problems_listed) {
            text += fmt::format("\n  and {} more", problems.size() - most_problems_listed);
        }
        throw InputError{text};
    }
};

}  // namespace

std::vector<LoggedCurve> logged_curves(const Dataset& data, const CurveRowOptions& options) {
    const auto name = naming_column(data, options.mapping);
    Reader reader{data,
                  find_column(data, "step", options.mapping),
                  find_column(data, "lr", options.mapping),
                  find_column(data, "loss", options.mapping),
                  {}};
    std::set<std::string> train;
    if (!options.train.empty()) {
        const Dataset chosen = filter(data, options.train, "--train");
        train.insert(chosen.row_names.begin(), chosen.row_names.end());
    }
    std::vector<LoggedCurve> curves;
    std::map<std::string, std::size_t> known;
    for (std::size_t row = 0; row < data.rows.size(); ++row) {
        const std::string label = name ? data.rows[row][*name] : data.source;
        const auto [entry, is_new] = known.emplace(label, curves.size());
        if (is_new) { curves.push_back({label, {}, {}}); }
        reader.read(row, options.train.empty() || train.contains(data.row_names[row]), curves[entry->second]);
    }
    reader.throw_if_any();
    return curves;
}

CurveSet curve_set(std::span<const LoggedCurve> logs, std::size_t warmup_steps) {
    CurveSet set;
    std::size_t assumed = 0;
    for (const LoggedCurve& log : logs) {
        Curve all;
        all.name = log.name;
        all.rates = rate_steps(log.rates, warmup_steps);
        if (log.losses.empty()) {
            for (const auto& [step, rate] : log.rates) { all.steps.push_back(step); }
            set.unmeasured.push_back(std::move(all));
            continue;
        }
        if (warmup_steps == 0 && log.rates.front().step > 1) { ++assumed; }
        const std::size_t warm = end_of_warmup(all.rates);
        Curve train = all;
        Curve test = std::move(all);
        std::size_t early = 0;
        for (const auto& [step, loss, is_train] : log.losses) {
            if (step < warm) {
                ++early;
                continue;
            }
            Curve& into = is_train ? train : test;
            into.steps.push_back(step);
            into.losses.push_back(loss);
        }
        if (early > 0) {
            set.excluded.push_back({log.name, fmt::format("{} losses of the warm-up, before step {}", early, warm)});
        }
        if (!train.steps.empty()) { set.train.push_back(std::move(train)); }
        if (!test.steps.empty()) { set.test.push_back(std::move(test)); }
    }
    if (assumed > 0) {
        set.warnings.push_back(
            {"warmup_assumed",
             fmt::format("{} log{} after step 1: the rate is taken to have risen linearly up to the first logged step; "
                         "say how long the warm-up was by --warmup STEPS",
                         assumed, assumed == 1 ? " begins" : "s begin")});
    }
    return set;
}

}  // namespace loglog
