#include <cmath>
#include <limits>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/checks.hpp"
#include "analysis/inference/study.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// Refits the law to points that are prepared anew, as another column or table gives them.
Refit refit_to(const Dataset& data, const Question& question, const Inference& base, const std::string& choice) {
    try {
        const Prepared other = prepare(data, question, *base.law);
        return refit(choice, *base.law, other.points, base.objective, endings(base.optimum));
    } catch (const InputError& error) {
        Refit failed;
        failed.choice = choice;
        failed.failure = error.what();
        return failed;
    }
}

/// The question with the variable of a law of one stated, so that another mapping cannot change it.
Question settled(const Question& question, const Inference& base) {
    Question same = question;
    if (base.law->variables().size() == 1) { same.x = base.variable; }
    return same;
}

/// The variables among N, D and C that the law was fitted to and that have more than one usual count.
std::vector<std::string> counted_quantities(const Inference& base) {
    std::vector<std::string> quantities;
    bool has_unique = false;
    for (std::size_t variable = 0; variable < base.points.variables; ++variable) {
        const std::string name = variable_name(base, variable);
        if (name == "U") { has_unique = true; }
        if (name == "N" || name == "D" || name == "C") { quantities.push_back(name); }
    }
    if (has_unique) { std::erase(quantities, "D"); }  // such a law counts both
    return quantities;
}

std::vector<ConventionFit> fit_conventions(const Dataset& given, const Question& question, const Inference& base) {
    const Dataset data = with_6nd(given, question.mapping);
    std::vector<ConventionFit> fits;
    for (const auto& quantity : counted_quantities(base)) {
        for (const Convention& one : conventions_of(data, quantity, question.mapping)) {
            fits.push_back({one, {}});
            if (!one.same_as.empty()) { continue; }
            Question counted = settled(question, base);
            counted.mapping[quantity] = one.column;
            fits.back().fit = refit_to(data, counted, base, quantity + " = " + one.convention);
        }
    }
    return fits;
}

Sensitivity vary(const Dataset& data, const Question& question, const Inference& base) {
    Sensitivity result;
    result.refits = vary_choices(*base.law, base.points, base.objective, base.optimum, base.outliers,
                                 variable_name(base, 0), question.inference.bootstrap.threads);
    for (const ConventionFit& one : base.examination.conventions) {
        if (one.convention.same_as.empty() && !one.convention.is_used) { result.refits.push_back(one.fit); }
    }
    if (question.examine.all_rows) {
        const Dataset& all = *question.examine.all_rows;
        result.refits.push_back(refit_to(all, settled(question, base), base,
                                         "all " + std::to_string(all.rows.size()) + " rows, without --where"));
    }
    if (question.examine.approaches) {
        for (Refit& one : question.examine.approaches(data, question, *base.law)) {
            result.refits.push_back(std::move(one));
        }
    }
    result.ranges = ranges_of(result.refits);
    return result;
}

}  // namespace

void examine(Inference& inference, const Dataset& data, const Question& question) {
    const ExaminationOptions& options = question.examine;
    const Law& law = *inference.law;
    const int threads = question.inference.bootstrap.threads;
    Examination& found = inference.examination;
    if (options.laws) {
        auto rivals = natural_rivals(law);
        for (const auto& name : options.against) {
            Rival rival = rival_named(law, name);
            std::erase_if(rivals, [&](const Rival& known) { return known.name == rival.name; });
            rivals.push_back(std::move(rival));
        }
        found.laws = choose_model(law, inference.points, inference.objective, inference.optimum, rivals, threads);
    }
    if (options.conventions || options.sensitivity) { found.conventions = fit_conventions(data, question, inference); }
    if (options.sensitivity) { found.sensitivity = vary(data, question, inference); }
    if (options.cross_validation) {
        found.cross_validation = leave_one_size_out(law, inference.points, inference.objective, inference.optimum,
                                                    variable_name(inference, 0), threads);
    }
    check_examination(inference, inference.warnings);
}

}  // namespace loglog
