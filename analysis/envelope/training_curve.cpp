#include "analysis/envelope/training_curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct Numbers {
    std::vector<double> n, d, c, loss;
};

Numbers read_numbers(const Dataset& data, const std::map<std::string, std::string>& mapping,
                     std::vector<Warning>& warnings) {
    const bool has_d = has_column(data, "D", mapping);
    const bool has_c = has_column(data, "C", mapping);
    std::vector<std::size_t> positions{find_column(data, "N", mapping), find_column(data, "loss", mapping)};
    if (has_d || !has_c) { positions.push_back(find_column(data, "D", mapping)); }
    if (has_c) { positions.push_back(find_column(data, "C", mapping)); }
    const auto columns = positive_columns(data, positions);
    Numbers numbers{columns[0], {}, {}, columns[1]};
    if (has_d) { numbers.d = columns[2]; }
    if (has_c) { numbers.c = columns.back(); }
    if (has_d && has_c) { return numbers; }
    warnings.push_back({"assumed_6nd", has_c ? "no column D: D = C/(6N) was taken" : "no column C: C = 6ND was taken"});
    for (std::size_t i = 0; i < numbers.n.size(); ++i) {
        if (has_c) {
            numbers.d.push_back(numbers.c[i] / (6 * numbers.n[i]));
        } else {
            numbers.c.push_back(6 * numbers.n[i] * numbers.d[i]);
        }
    }
    return numbers;
}

}  // namespace

std::vector<TrainingCurve> curves_of(const Dataset& data, const std::map<std::string, std::string>& mapping,
                                     std::vector<Warning>& warnings) {
    const auto run_column = find_column(data, "run", mapping);
    const Numbers numbers = read_numbers(data, mapping, warnings);
    std::vector<TrainingCurve> curves;
    std::map<std::string, std::size_t> position;
    for (std::size_t row = 0; row < data.rows.size(); ++row) {
        const std::string& run = data.rows[row][run_column];
        const auto [found, is_new] = position.try_emplace(run, curves.size());
        if (is_new) { curves.push_back({run, numbers.n[row], {}, {}, {}}); }
        TrainingCurve& curve = curves[found->second];
        if (numbers.n[row] != curve.n) {
            throw InputError{fmt::format("{}: {}: run '{}' has N = {:g} but had {:g} before; one run has one size",
                                         data.source, data.row_names[row], run, numbers.n[row], curve.n)};
        }
        curve.compute.push_back(numbers.c[row]);
        curve.tokens.push_back(numbers.d[row]);
        curve.loss.push_back(numbers.loss[row]);
    }
    return curves;
}

SmoothCurve::SmoothCurve(const TrainingCurve& curve, double width) {
    std::vector<std::size_t> order(curve.compute.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t i, std::size_t j) { return curve.compute[i] < curve.compute[j]; });
    std::vector<double> c, d, loss;
    for (const std::size_t i : order) {
        if (!(curve.compute[i] > 0) || !(curve.tokens[i] > 0) || !(curve.loss[i] > 0)) {
            throw InputError{fmt::format("run '{}': C = {}, D = {}, loss = {} at a checkpoint; all must be positive",
                                         curve.run, curve.compute[i], curve.tokens[i], curve.loss[i])};
        }
        c.push_back(std::log(curve.compute[i]));
        d.push_back(std::log(curve.tokens[i]));
        loss.push_back(std::log(curve.loss[i]));
    }
    std::size_t begin = 0, end = 0;
    double sum_c = 0, sum_d = 0, sum_loss = 0;
    for (std::size_t i = 0; i < c.size(); ++i) {
        for (; end < c.size() && c[end] <= c[i] + width / 2; ++end) {
            sum_c += c[end];
            sum_d += d[end];
            sum_loss += loss[end];
        }
        for (; c[begin] < c[i] - width / 2; ++begin) {
            sum_c -= c[begin];
            sum_d -= d[begin];
            sum_loss -= loss[begin];
        }
        const auto count = static_cast<double>(end - begin);
        if (!ln_c_.empty() && sum_c / count <= ln_c_.back()) { continue; }  // equal windows, or one checkpoint twice
        ln_c_.push_back(sum_c / count);
        ln_d_.push_back(sum_d / count);
        ln_loss_.push_back(sum_loss / count);
    }
}

std::optional<SmoothCurve::Reading> SmoothCurve::at(double ln_c) const {
    if (ln_c_.size() < 2 || ln_c < ln_c_.front() || ln_c > ln_c_.back()) { return std::nullopt; }
    const auto above = std::upper_bound(ln_c_.begin() + 1, ln_c_.end() - 1, ln_c);
    const auto i = static_cast<std::size_t>(above - ln_c_.begin());
    const double share = (ln_c - ln_c_[i - 1]) / (ln_c_[i] - ln_c_[i - 1]);
    return Reading{ln_loss_[i - 1] + share * (ln_loss_[i] - ln_loss_[i - 1]),
                   ln_d_[i - 1] + share * (ln_d_[i] - ln_d_[i - 1])};
}

}  // namespace loglog
