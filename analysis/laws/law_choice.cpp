#include "analysis/laws/law_choice.hpp"

#include <cmath>

#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {

const Law& chinchilla_gamma_law();
const Law& lr_law_of_one();

namespace {

const Law& variant(std::string_view name, const LawChoice& choice) {
    const Law& law = find_law(name);
    if (choice.gamma && law.name() != "chinchilla") {
        throw InputError{"--gamma is an option of the law chinchilla; '" + std::string{name} + "' has no gamma"};
    }
    if (choice.gamma) { return chinchilla_gamma_law(); }
    if (choice.one_variable && law.name() == "lr") { return lr_law_of_one(); }
    return law;
}

int position(const Law& law, const std::string& parameter, const std::string& option) {
    const auto specs = law.parameters();
    std::vector<std::string> names;
    for (const auto& spec : specs) {
        if (spec.name == parameter) { return static_cast<int>(names.size()); }
        names.emplace_back(spec.name);
    }
    std::string known;
    for (const auto& name : names) { known += (known.empty() ? "" : ", ") + name; }
    throw InputError{option + ": the law '" + std::string{law.name()} + "' has no parameter '" + parameter + "'" +
                     did_you_mean(parameter, names) + "; it has " + known};
}

/// Whether the reported value lies where the search could find it.
void check_value(const ParameterSpec& spec, double value, const std::string& option) {
    const auto refuse = [&](const std::string& wanted) { throw InputError{option + ": the value must be " + wanted}; };
    if (!std::isfinite(value)) { refuse("a finite number"); }
    if (spec.link.kind == Link::Kind::value) {
        if (value < spec.lower || value > spec.upper) {
            refuse("between " + std::to_string(spec.lower) + " and " + std::to_string(spec.upper));
        }
    } else if (!(value > 0)) {
        refuse("positive");
    }
}

void fix(const Law& law, const LawChoice& choice, std::vector<Hold>& holds) {
    for (const auto& [name, value] : choice.fixed) {
        const std::string option = "--fix " + name;
        const int k = position(law, name, option);
        check_value(law.parameters()[k], value, option);
        holds[k] = {Hold::Kind::fixed, value, -1};
    }
}

void tie(const Law& law, const LawChoice& choice, std::vector<Hold>& holds) {
    for (const auto& [name, to] : choice.tied) {
        const std::string option = "--tie " + name + "=" + to;
        const int k = position(law, name, option);
        const int source = position(law, to, option);
        if (k == source || choice.tied.contains(to)) {
            throw InputError{option + ": a parameter can be tied to another one that is not tied itself"};
        }
        if (holds[k].kind == Hold::Kind::fixed) {
            throw InputError{option + ": '" + name + "' is fixed too; fix '" + to + "' and tie '" + name + "' to it"};
        }
        for (const int one : {k, source}) {
            const auto& spec = law.parameters()[one];
            if (spec.link.kind != Link::Kind::value) {
                throw InputError{option + ": '" + std::string{spec.name} +
                                 "' cannot be tied, since it is not searched as it is reported; parameters such as "
                                 "exponents can"};
            }
        }
        holds[k] = {Hold::Kind::tied, 0, source};
    }
}

}  // namespace

std::shared_ptr<const Law> choose_law(std::string_view name, const LawChoice& choice) {
    const Law& law = variant(name, choice);
    if (choice.fixed.empty() && choice.tied.empty()) { return {std::shared_ptr<void>{}, &law}; }
    std::vector<Hold> holds(law.parameters().size());
    fix(law, choice, holds);
    tie(law, choice, holds);
    auto chosen = law.held(holds);
    if (free_parameters(*chosen) == 0) {
        throw InputError{"--fix: every parameter of the law '" + std::string{name} +
                         "' is held: nothing is left to fit"};
    }
    return chosen;
}

}  // namespace loglog
