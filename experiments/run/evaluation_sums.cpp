#include "experiments/run/evaluation_sums.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace loglog {

EvaluationSums::EvaluationSums(std::size_t windows, std::size_t context, std::size_t buckets)
    : windows_{windows},
      context_{context},
      buckets_{std::min(buckets, context)},
      values_(quantities * windows_ * buckets_) {}

std::size_t EvaluationSums::place(Quantity quantity, std::size_t window, std::size_t bucket) const noexcept {
    return (quantity * windows_ + window) * buckets_ + bucket;
}

void EvaluationSums::add(std::size_t first, const Found& found) {
    for (std::size_t i = 0; i < found.targets.size(); ++i) {
        if (found.targets[i] == -1) { continue; }
        const std::size_t window = (first + i) / context_;
        const std::size_t bucket = (first + i) % context_ * buckets_ / context_;
        const auto add_to = [&](Quantity quantity, double value) { values_[place(quantity, window, bucket)] += value; };
        add_to(loss, found.losses[i]);
        add_to(labels, 1);
        add_to(correct, found.correct[i]);
        if (found.marked.empty() || found.marked[i] == 0) { continue; }
        add_to(marked_loss, found.losses[i]);
        add_to(marked_labels, 1);
    }
}

double EvaluationSums::total(Quantity quantity) const {
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(place(quantity, 0, 0));
    return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(windows_ * buckets_), 0.0);
}

double EvaluationSums::of_bucket(Quantity quantity, std::size_t bucket) const {
    double sum = 0;
    for (std::size_t window = 0; window < windows_; ++window) { sum += values_[place(quantity, window, bucket)]; }
    return sum;
}

double EvaluationSums::of_window(Quantity quantity, std::size_t window) const {
    const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(place(quantity, window, 0));
    return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(buckets_), 0.0);
}

void EvaluationSums::add_accuracies(Evaluation& evaluation) const {
    struct OfLength {
        double windows = 0;
        double correct = 0;
        double whole = 0;
    };
    std::map<std::int64_t, OfLength> lengths;
    double whole = 0;
    for (std::size_t window = 0; window < windows_; ++window) {
        const double asked = of_window(labels, window);
        const double right = of_window(correct, window);
        auto& of_length = lengths[static_cast<std::int64_t>(asked)];
        ++of_length.windows;
        of_length.correct += right;
        of_length.whole += right == asked ? 1 : 0;
        whole += right == asked ? 1 : 0;
    }
    evaluation.accuracy = total(correct) / total(labels);
    evaluation.string_accuracy = whole / static_cast<double>(windows_);
    for (const auto& [length, found] : lengths) {
        evaluation.by_length.push_back(
            {length, found.correct / (found.windows * static_cast<double>(length)), found.whole / found.windows});
    }
}

Evaluation EvaluationSums::evaluation(const Wanted& wanted) const {
    Evaluation evaluation;
    evaluation.loss = total(loss) / total(labels);
    for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
        evaluation.loss_by_position.push_back(of_bucket(loss, bucket) / of_bucket(labels, bucket));
    }
    if (wanted.labelled) { add_accuracies(evaluation); }
    if (wanted.marked) {
        evaluation.recall_share = total(marked_labels) / total(labels);
        if (evaluation.recall_share > 0) { evaluation.recall_loss = total(marked_loss) / total(marked_labels); }
    }
    return evaluation;
}

}  // namespace loglog
