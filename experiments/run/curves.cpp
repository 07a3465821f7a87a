#include "experiments/run/curves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "db/hdf5/hdf5_file.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// Appends a line, which takes the place of any of the same or a later step.
template <class Line>
void supersede(std::vector<Line>& lines, const Line& line) {
    while (!lines.empty() && lines.back().step >= line.step) { lines.pop_back(); }
    lines.push_back(line);
}

template <class Line>
void forget_after(std::vector<Line>& lines, std::int64_t step) {
    while (!lines.empty() && lines.back().step > step) { lines.pop_back(); }
}

struct CurveBuilder {
    Curves curves;

    void operator()(const StepLine& line) { supersede(curves.train, line); }
    void operator()(const EvalLine& line) { supersede(curves.eval, line); }
    void operator()(const ResumedLine& line) {
        forget_after(curves.train, line.step);
        forget_after(curves.eval, line.step);
    }
    void operator()(const OpenedLine&) {}
    void operator()(const CheckpointLine&) {}
    void operator()(const ClosedLine&) {}
};

/// Calls visit(dataset, unit, member pointer) for every dataset with one value a step.
template <class Visit>
void visit_train(Visit&& visit) {
    visit("/train/step", "optimizer steps", &StepLine::step);
    visit("/train/loss", "nats per token", &StepLine::loss);
    visit("/train/lr", "1", &StepLine::lr);
    visit("/train/grad_norm", "nats per token per unit of parameter", &StepLine::grad_norm);
    visit("/train/tokens", "tokens", &StepLine::tokens);
    visit("/train/flops", "model FLOPs", &StepLine::flops);
    visit("/train/seconds", "s", &StepLine::seconds);
    visit("/train/tokens_per_second", "tokens/s", &StepLine::tokens_per_second);
    visit("/train/share_of_peak", "1", &StepLine::share_of_peak);
    visit("/train/clipped", "0 or 1", &StepLine::clipped);
}

/// Only where it was measured.
template <class Visit>
void visit_noise(Visit&& visit) {
    visit("/train/noise_scale", "tokens", &StepLine::noise_scale);
}

template <class Visit>
void visit_eval(Visit&& visit) {
    visit("/eval/step", "optimizer steps", &EvalLine::step);
    visit("/eval/tokens", "tokens", &EvalLine::tokens);
    visit("/eval/val_loss", "nats per token", &EvalLine::val_loss);
    visit("/eval/bits_per_byte", "bits per byte", &EvalLine::bits_per_byte);
    visit("/eval/perplexity", "1", &EvalLine::perplexity);
}

/// Only where one of the evaluations has it; NaN where others lack it.
template <class Visit>
void visit_optional_eval(Visit&& visit) {
    visit("/eval/accuracy", "1", &EvalLine::accuracy);
    visit("/eval/string_accuracy", "1", &EvalLine::string_accuracy);
    visit("/eval/recall_loss", "nats per token", &EvalLine::recall_loss);
    visit("/eval/recall_share", "1", &EvalLine::recall_share);
}

/// The type a member is stored as: bool as an integer.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, double>, double, std::int64_t>;

template <class Line>
auto writer(Hdf5File& file, const std::vector<Line>& lines) {
    return [&]<class T>(const char* dataset, const char* unit, T Line::*member) {
        std::vector<Stored<T>> values(lines.size());
        std::transform(lines.begin(), lines.end(), values.begin(), [&](const Line& line) { return line.*member; });
        file.write(dataset, std::span<const Stored<T>>{values});
        file.write_attribute(dataset, "units", unit);
    };
}

template <class Line>
auto reader(const Hdf5File& file, std::vector<Line>& lines) {
    return [&]<class T>(const char* dataset, const char*, T Line::*member) {
        const auto array = file.read<Stored<T>>(dataset);
        if (lines.empty()) { lines.resize(array.values.size()); }
        if (lines.size() != array.values.size()) { throw Error{std::string{dataset} + " differs in length"}; }
        for (std::size_t i = 0; i < lines.size(); ++i) { lines[i].*member = static_cast<T>(array.values[i]); }
    };
}

auto optional_writer(Hdf5File& file, const std::vector<EvalLine>& lines) {
    return [&](const char* dataset, const char* unit, std::optional<double> EvalLine::*member) {
        const auto has_it = [&](const EvalLine& line) { return (line.*member).has_value(); };
        if (std::none_of(lines.begin(), lines.end(), has_it)) { return; }
        std::vector<double> values;
        for (const EvalLine& line : lines) {
            values.push_back((line.*member).value_or(std::numeric_limits<double>::quiet_NaN()));
        }
        file.write(dataset, std::span<const double>{values});
        file.write_attribute(dataset, "units", unit);
    };
}

auto optional_reader(const Hdf5File& file, std::vector<EvalLine>& lines) {
    return [&](const char* dataset, const char*, std::optional<double> EvalLine::*member) {
        if (!file.contains(dataset)) { return; }
        const auto array = file.read<double>(dataset);
        if (lines.size() != array.values.size()) { throw Error{std::string{dataset} + " differs in length"}; }
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (!std::isnan(array.values[i])) { lines[i].*member = array.values[i]; }
        }
    };
}

constexpr const char* length_scores = "/eval/by_length";

/// [evaluations, lengths, 3]: length, accuracy and string accuracy. Nothing where no evaluation has any.
void write_length_scores(Hdf5File& file, const std::vector<EvalLine>& lines) {
    std::size_t lengths = 0;
    for (const EvalLine& line : lines) { lengths = std::max(lengths, line.by_length.size()); }
    if (lengths == 0) { return; }
    std::vector<double> values(lines.size() * lengths * 3, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        auto to = values.begin() + static_cast<std::ptrdiff_t>(i * lengths * 3);
        for (const LengthScore& score : lines[i].by_length) {
            *to++ = static_cast<double>(score.length);
            *to++ = score.accuracy;
            *to++ = score.string_accuracy;
        }
    }
    const std::int64_t extents[] = {static_cast<std::int64_t>(lines.size()), static_cast<std::int64_t>(lengths), 3};
    file.write(length_scores, std::span<const double>{values}, std::span<const std::int64_t>{extents});
    file.write_attribute(length_scores, "units", "targets, 1, 1");
}

void read_length_scores(const Hdf5File& file, std::vector<EvalLine>& lines) {
    if (!file.contains(length_scores)) { return; }
    const auto array = file.read<double>(length_scores);
    if (array.extents.size() != 3 || array.extents[0] != static_cast<std::int64_t>(lines.size()) ||
        array.extents[2] != 3) {
        throw Error{std::string{length_scores} + " is not [evaluations, lengths, 3]"};
    }
    auto value = array.values.begin();
    for (EvalLine& line : lines) {
        for (std::int64_t i = 0; i < array.extents[1]; ++i, value += 3) {
            if (std::isnan(value[0])) { continue; }
            line.by_length.push_back({static_cast<std::int64_t>(value[0]), value[1], value[2]});
        }
    }
}

constexpr const char* positions = "/eval/loss_by_position";

void write_positions(Hdf5File& file, const std::vector<EvalLine>& lines) {
    std::size_t buckets = 0;
    for (const EvalLine& line : lines) { buckets = std::max(buckets, line.loss_by_position.size()); }
    std::vector<double> values(lines.size() * buckets, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::copy(lines[i].loss_by_position.begin(), lines[i].loss_by_position.end(),
                  values.begin() + static_cast<std::ptrdiff_t>(i * buckets));
    }
    const std::int64_t extents[] = {static_cast<std::int64_t>(lines.size()), static_cast<std::int64_t>(buckets)};
    file.write(positions, std::span<const double>{values}, std::span<const std::int64_t>{extents});
    file.write_attribute(positions, "units", "nats per token");
}

void read_positions(const Hdf5File& file, std::vector<EvalLine>& lines) {
    const auto array = file.read<double>(positions);
    if (array.extents.size() != 2 || array.extents[0] != static_cast<std::int64_t>(lines.size())) {
        throw Error{std::string{positions} + " is not [evaluations, buckets]"};
    }
    const auto buckets = static_cast<std::ptrdiff_t>(array.extents[1]);
    auto row = array.values.begin();
    for (EvalLine& line : lines) {
        line.loss_by_position.assign(row, row + buckets);
        row += buckets;
    }
}

}  // namespace

Curves curves_from(const Journal& journal) {
    CurveBuilder builder;
    for (const JournalLine& line : journal.lines) { std::visit(builder, line); }
    return std::move(builder.curves);
}

void write_curves(const std::filesystem::path& path, const Curves& curves, const CurvesLabel& label) {
    Hdf5File file = Hdf5File::create(path);
    visit_train(writer(file, curves.train));
    const auto knows_noise = [](const StepLine& line) { return line.noise_scale != 0; };
    if (std::any_of(curves.train.begin(), curves.train.end(), knows_noise)) { visit_noise(writer(file, curves.train)); }
    visit_eval(writer(file, curves.eval));
    visit_optional_eval(optional_writer(file, curves.eval));
    write_positions(file, curves.eval);
    write_length_scores(file, curves.eval);
    file.write_attribute("/", "format", "loglog curves 1");
    file.write_attribute("/", "id", label.id);
    file.write_attribute("/", "state", label.state);
    file.write_attribute("/", "spec", label.spec);
    file.publish(Durability::process);  // the journal holds the same, and is on the disk by then
}

Curves read_curves_file(const std::filesystem::path& path) {
    const Hdf5File file = Hdf5File::open(path);
    Curves curves;
    try {
        visit_train(reader(file, curves.train));
        if (file.contains("/train/noise_scale")) { visit_noise(reader(file, curves.train)); }
        visit_eval(reader(file, curves.eval));
        visit_optional_eval(optional_reader(file, curves.eval));
        read_positions(file, curves.eval);
        read_length_scores(file, curves.eval);
    } catch (const InputError&) { throw; } catch (const Error& error) {
        throw Error{path.string() + ": " + error.what()};
    }
    return curves;
}

Curves read_curves(const std::filesystem::path& run_folder) {
    std::error_code none;
    const auto file = run_folder / "curves.h5";  // removed when a closed run is resumed
    if (std::filesystem::exists(file, none)) { return read_curves_file(file); }
    const auto journal = run_folder / "journal.jsonl";
    return std::filesystem::exists(journal, none) ? curves_from(read_journal(journal)) : Curves{};
}

}  // namespace loglog
