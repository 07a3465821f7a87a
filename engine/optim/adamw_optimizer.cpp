#include "engine/optim/adamw_optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/kernels/adamw.hpp"
#include "engine/kernels/elementwise.hpp"
#include "engine/optim/gradient_tiles.hpp"

namespace loglog {
namespace {

struct Update {
    const AdamWSettings& settings;
    double lr;
    double correction1;
    double correction2;
    double gradient_scale;
};

Update update_of(const AdamWSettings& settings, double lr, std::int64_t step, const StepReport& report) {
    const double steps = static_cast<double>(step);
    return {settings, lr, 1 - std::pow(settings.beta1, steps), 1 - std::pow(settings.beta2, steps),
            report.clip_coefficient};
}

template <class T>
void launch_adamw(Context& context, const Update& update, const OptimizerMultipliers& factors, std::span<T> value,
                  std::span<const T> gradient, std::span<T> first_moment, std::span<T> second_moment) {
    const auto& settings = update.settings;
    launch(context, AdamW<T>{.value = value,
                             .gradient = gradient,
                             .first_moment = first_moment,
                             .second_moment = second_moment,
                             .lr = static_cast<T>(update.lr * factors.lr),
                             .weight_decay = static_cast<T>(settings.weight_decay * factors.weight_decay),
                             .beta1 = static_cast<T>(settings.beta1),
                             .beta2 = static_cast<T>(settings.beta2),
                             .epsilon = static_cast<T>(settings.epsilon * factors.epsilon),
                             .correction1 = static_cast<T>(update.correction1),
                             .correction2 = static_cast<T>(update.correction2),
                             .gradient_scale = static_cast<T>(update.gradient_scale)});
}

StepReport report_of(const AdamWSettings& settings, double norm) {
    StepReport report{.gradient_norm = norm, .clip_coefficient = 1, .applied = std::isfinite(norm)};
    if (report.applied && settings.clip > 0) { report.clip_coefficient = std::min(1.0, settings.clip / (norm + 1e-6)); }
    return report;
}

}  // namespace

double gradient_norm(Context& context, Parameters& parameters) {
    std::vector<double> entries;
    with_dtype(parameters.dtype(), [&]<class T>(T) {
        if (is_counting(context)) {  // of models for whose tiles there may be no memory
            for (std::size_t index = 0; index < parameters.size(); ++index) {
                launch(context, SumOfSquares<T>{parameters.gradient<T>(static_cast<ParameterId>(index)), nullptr});
            }
            return;
        }
        const GradientTiles tiles{parameters};
        std::vector<SquaresTile<T>> squares;
        for (const auto& tile : tiles.all()) {
            if (!tile.owned) { continue; }
            append_squares<T>(squares, std::span{&tile, 1}, parameters.gradient<T>(tile.parameter));
        }
        entries.resize(tiles.entries());
        launch(context, TileSquares<T>{squares, entries});
    });
    return norm_of(entries);
}

StepReport adamw_step(Context& context, Parameters& parameters, const AdamWSettings& settings, double lr,
                      std::int64_t step) {
    return adamw_step(context, parameters, settings, lr, step, gradient_norm(context, parameters));
}

StepReport adamw_step(Context& context, Parameters& parameters, const AdamWSettings& settings, double lr,
                      std::int64_t step, double norm) {
    const auto report = report_of(settings, norm);
    if (!report.applied) { return report; }
    const auto update = update_of(settings, lr, step, report);
    with_dtype(parameters.dtype(), [&]<class T>(T) {
        for (std::size_t index = 0; index < parameters.size(); ++index) {
            const auto id = static_cast<ParameterId>(index);
            launch_adamw<T>(context, update, parameters.spec(id).multipliers, parameters.values<T>(id),
                            parameters.gradient<T>(id), parameters.first_moment<T>(id),
                            parameters.second_moment<T>(id));
        }
    });
    return report;
}

StepReport adamw_step(Context& context, const Parameters& parameters, std::span<const StatePiece> pieces,
                      const AdamWSettings& settings, double lr, std::int64_t step, double norm) {
    const auto report = report_of(settings, norm);
    if (!report.applied) { return report; }
    const auto update = update_of(settings, lr, step, report);
    for (const auto& piece : pieces) {
        launch_adamw<float>(context, update, parameters.spec(piece.parameter).multipliers, piece.values, piece.gradient,
                            piece.first_moment, piece.second_moment);
    }
    return report;
}

}  // namespace loglog
