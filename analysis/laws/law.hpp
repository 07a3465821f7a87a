#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/laws/objective.hpp"
#include "analysis/laws/parameter.hpp"
#include "analysis/laws/points.hpp"

namespace loglog {

inline constexpr std::size_t max_parameters = 8;

/// A law's parameters, either as reported ("natural") or as searched ("coordinates"); the first parameters().size()
/// entries count. From entry max_parameters on, coordinates hold the centre of the points they belong to.
using Values = std::array<double, max_parameters + max_variables>;

/// A number that follows from the parameters, such as the exponent a of N_opt ~ C^a.
struct NamedValue {
    std::string_view name;
    double value;
};

/// The objective at one place: value, gradient, Hessian, and the positive metric sum of w |psi(r)/r| g g^T (what
/// Gauss-Newton with reweighting would use), which stays usable where the Hessian is not positive.
struct Expansion {
    double value = 0;
    std::array<double, max_parameters> gradient{};
    std::array<std::array<double, max_parameters>, max_parameters> hessian{};
    std::array<std::array<double, max_parameters>, max_parameters> metric{};
};

/// A scaling law: how the loss is predicted, in which coordinates it is searched, and from where.
///
/// A law is written as one .cpp file (see power.cpp) that states a formula templated on its scalar type; derivatives
/// come from Ceres' Jets (form.hpp). All fitting, intervals and reports work through this interface.
class Law {
  public:
    virtual ~Law() = default;

    virtual std::string_view name() const = 0;
    virtual std::string_view formula() const = 0;
    /// What the law is a function of: {"N", "D"}, or {"X"} for whichever column the caller chose.
    virtual std::span<const std::string_view> variables() const = 0;
    virtual std::span<const ParameterSpec> parameters() const = 0;
    /// What the law predicts: "loss", or another measured quantity, whose column the caller must then name.
    virtual std::string_view measured() const { return "loss"; }
    /// So many of the first variables must take more than one value for the law to be identified.
    virtual std::size_t varying() const { return variables().size(); }
    /// This law with parameters fixed or tied, one entry of `holds` a parameter. Throws InputError where it cannot.
    virtual std::shared_ptr<const Law> held(std::span<const Hold> holds) const = 0;

    /// Coordinates -> reported parameters; `centre` is that of the points fitted.
    virtual Values natural(const Values& coordinates, std::span<const double> centre) const = 0;
    /// The stated grid that the search starts from.
    virtual std::vector<Values> starts(const Points& points) const = 0;
    /// Numbers that follow from the reported parameters.
    virtual std::vector<NamedValue> derived(const Values& natural) const = 0;
    /// What the law says of a training budget of C = 6ND FLOPs (laws of N and D) or of X = `budget` (laws of one X).
    virtual std::vector<NamedValue> predict(const Values& natural, double budget) const = 0;

    /// ln of the predicted loss at one centred row of Points::ln_x.
    virtual double log_loss(const Values& coordinates, std::span<const double> ln_x) const = 0;
    /// Objective alone, with Huber's threshold `delta` in place of the objective's own.
    virtual double value(const Values& coordinates, const Points& points, const Objective& objective,
                         double delta) const = 0;
    /// Objective with its derivatives.
    virtual Expansion expand(const Values& coordinates, const Points& points, const Objective& objective,
                             double delta) const = 0;
    /// Ceres' Levenberg-Marquardt from `start`, without bounds; may return coordinates outside them.
    virtual Values descend(const Values& start, const Points& points, const Objective& objective,
                           double delta) const = 0;
};

/// The law of this name; throws InputError that names the nearest and lists the known ones.
const Law& find_law(std::string_view name);
std::vector<const Law*> all_laws();

/// How many parameters the data must determine: those neither fixed nor tied.
std::size_t free_parameters(const Law& law);

/// Search coordinates of reported parameters, for points of this centre.
Values coordinates_of(const Law& law, const Values& natural, std::span<const double> centre);

/// What the law predicts at one place, `x` holding a positive value per variable.
double predict_at(const Law& law, const Values& natural, std::span<const double> x);

}  // namespace loglog
