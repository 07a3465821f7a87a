#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "analysis/curve/curve.hpp"
#include "analysis/curve/drop_tree.hpp"

namespace loglog {

inline constexpr std::size_t max_curve_parameters = 7;

/// A form's parameters, as reported ("natural") or as searched ("coordinates"); the first parameters().size() count.
using CurveValues = std::array<double, max_curve_parameters>;
using CurveMatrix = std::array<CurveValues, max_curve_parameters>;

/// One parameter: its reported name, and the bounds of the coordinate that stands for it in the search.
struct CurveParameter {
    std::string_view name;
    double lower;
    double upper;
};

/// What a form needs to know of the schedule up to one observation; which members are filled is the form's business.
struct Exposure {
    double ln_sum = 0;            ///< ln of the rates' sum S1, warm-up included
    double annealing = 0;         ///< annealing form: S2
    std::vector<DropTerm> drops;  ///< multi-power form
};

/// ln S1 and ln rate of a typical observation: coordinates are measured from there, which takes most of the correlation
/// out of the search.
struct CurveCentre {
    double ln_sum = 0;
    double ln_rate = 0;
};

/// A predicted loss with its derivatives by the coordinates.
struct ExpandedLoss {
    double value = 0;
    CurveValues gradient{};
    CurveMatrix hessian{};
};

/// A formula for the loss along a run: a function of the learning rates so far.
class CurveForm {
  public:
    virtual ~CurveForm() = default;

    virtual std::string_view name() const = 0;
    virtual std::string_view formula() const = 0;
    virtual std::span<const CurveParameter> parameters() const = 0;

    /// One exposure per observation of the curve.
    virtual std::vector<Exposure> exposures(const Curve& curve) const = 0;

    virtual CurveValues natural(const CurveValues& coordinates, const CurveCentre& centre) const = 0;
    virtual CurveValues coordinates(const CurveValues& natural, const CurveCentre& centre) const = 0;

    /// The grid the search starts from: coordinates in which the amplitudes are still free.
    virtual std::vector<CurveValues> shapes() const = 0;
    /// At this shape the loss is linear in three amplitudes: loss = sum of amplitude * column.
    virtual std::array<double, 3> columns(const CurveValues& shape, const Exposure& exposure,
                                          const CurveCentre& centre) const = 0;
    virtual bool is_amplitude(std::size_t parameter) const = 0;
    /// The shape with these amplitudes, all positive, in place.
    virtual CurveValues with_amplitudes(const CurveValues& shape, const std::array<double, 3>& amplitudes) const = 0;

    virtual double loss(const CurveValues& coordinates, const Exposure& exposure, const CurveCentre& centre) const = 0;
    virtual ExpandedLoss expand(const CurveValues& coordinates, const Exposure& exposure,
                                const CurveCentre& centre) const = 0;
};

/// The form of this name, "multi-power" or "annealing"; throws InputError that lists the known ones,
/// and "auto", which callers know (form_choice.hpp).
const CurveForm& find_curve_form(std::string_view name);

}  // namespace loglog
