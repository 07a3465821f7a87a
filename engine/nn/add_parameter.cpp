#include "engine/nn/add_parameter.hpp"

#include <utility>

namespace loglog {
namespace {

ParameterId append(std::vector<ParameterSpec>& specs, ParameterSpec spec) {
    specs.push_back(std::move(spec));
    return static_cast<ParameterId>(specs.size() - 1);
}

}  // namespace

ParameterId add_constant(std::vector<ParameterSpec>& specs, std::string name, const Shape& shape, ParameterClass kind,
                         double value, const ParameterizationRule& rule, Cut cut) {
    return append(specs, {.name = std::move(name),
                          .shape = shape,
                          .kind = kind,
                          .init_mean = value,
                          .init_std = 0,
                          .multipliers = rule.multipliers(kind),
                          .cut = std::move(cut)});
}

ParameterId add_normal(std::vector<ParameterSpec>& specs, std::string name, const Shape& shape, ParameterClass kind,
                       double std, const ParameterizationRule& rule, Cut cut) {
    return append(specs, {.name = std::move(name),
                          .shape = shape,
                          .kind = kind,
                          .init_mean = 0,
                          .init_std = std,
                          .multipliers = rule.multipliers(kind),
                          .cut = std::move(cut)});
}

ParameterId add_between(std::vector<ParameterSpec>& specs, std::string name, const Shape& shape, ParameterClass kind,
                        InitialValues initial, double low, double high, const ParameterizationRule& rule, Cut cut) {
    const auto id = add_constant(specs, std::move(name), shape, kind, 0, rule, std::move(cut));
    specs.back().initial = initial;
    specs.back().init_low = low;
    specs.back().init_high = high;
    return id;
}

}  // namespace loglog
