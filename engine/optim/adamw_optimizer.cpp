#include "engine/optim/adamw_optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "engine/kernels/adamw.hpp"
#include "engine/kernels/elementwise.hpp"

namespace loglog {
namespace {

template <class T>
void update_all(Context& context, Parameters& parameters, const AdamWSettings& settings, double lr, std::int64_t step,
                double gradient_scale) {
    const double steps = static_cast<double>(step);
    const T correction1 = static_cast<T>(1 - std::pow(settings.beta1, steps));
    const T correction2 = static_cast<T>(1 - std::pow(settings.beta2, steps));
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto& factors = parameters.spec(id).multipliers;
        launch(context, AdamW<T>{.value = parameters.values<T>(id),
                                 .gradient = parameters.gradient<T>(id),
                                 .first_moment = parameters.first_moment<T>(id),
                                 .second_moment = parameters.second_moment<T>(id),
                                 .lr = static_cast<T>(lr * factors.lr),
                                 .weight_decay = static_cast<T>(settings.weight_decay * factors.weight_decay),
                                 .beta1 = static_cast<T>(settings.beta1),
                                 .beta2 = static_cast<T>(settings.beta2),
                                 .epsilon = static_cast<T>(settings.epsilon * factors.epsilon),
                                 .correction1 = correction1,
                                 .correction2 = correction2,
                                 .gradient_scale = static_cast<T>(gradient_scale)});
    }
}

}  // namespace

double gradient_norm(Context& context, Parameters& parameters) {
    double total = 0;
    with_dtype(parameters.dtype(), [&]<class T>(T) {
        for (std::size_t index = 0; index < parameters.size(); ++index) {
            double square = 0;
            launch(context, SumOfSquares<T>{parameters.gradient<T>(static_cast<ParameterId>(index)), &square});
            total += square;
        }
    });
    return std::sqrt(total);
}

StepReport adamw_step(Context& context, Parameters& parameters, const AdamWSettings& settings, double lr,
                      std::int64_t step) {
    return adamw_step(context, parameters, settings, lr, step, gradient_norm(context, parameters));
}

StepReport adamw_step(Context& context, Parameters& parameters, const AdamWSettings& settings, double lr,
                      std::int64_t step, double norm) {
    StepReport report{.gradient_norm = norm, .clip_coefficient = 1, .applied = std::isfinite(norm)};
    if (!report.applied) { return report; }
    if (settings.clip > 0) { report.clip_coefficient = std::min(1.0, settings.clip / (norm + 1e-6)); }
    with_dtype(parameters.dtype(),
               [&]<class T>(T) { update_all<T>(context, parameters, settings, lr, step, report.clip_coefficient); });
    return report;
}

}  // namespace loglog
