#pragma once

#include <map>
#include <string>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"
#include "analysis/inference/resampling_units.hpp"
#include "analysis/laws/law_choice.hpp"

namespace loglog {

/// Which runs a law of one variable is fitted to.
enum class PointChoice {
    frontier,  ///< L(N): the longest-trained run(s) of each size; L(D): the largest model(s); L(C): the lower envelope
    all,
};

/// What is asked of a data set: everything `fit` can be told.
struct Question {
    std::string law;
    LawChoice choice;  ///< parameters held, and variants of the law
    std::string x;     ///< "N", "D", "C" or a column, for laws of one variable; empty: the only one there is, else N
    std::string loss;  ///< column of the loss; empty: the usual names
    std::map<std::string, std::string> mapping;  ///< quantity -> column
    PointChoice points = PointChoice::frontier;
    InferenceOptions inference;
    OnsetRule onset;   ///< laws of one variable: from which X on they are fitted
    int hold_out = 0;  ///< so many largest values are predicted from the rest; 0: none
    ExaminationOptions examine;
    UnitOptions units;  ///< which points are resampled together
};

/// The points that a law is fitted to, and what is said about how they were chosen.
struct Prepared {
    Points points;
    InferenceOptions options;
};

/// Takes the columns and chooses the points. Throws InputError for missing columns and bad cells, all at once.
Prepared prepare(const Dataset& data, const Question& question, const Law& law);

/// Asks what `question.examine` asks of a finished fit of `data`, and adds the caveats found to its warnings.
void examine(Inference& inference, const Dataset& data, const Question& question);

/// Prepares, fits and examines. With an onset, only points from there on are fitted; a hold-out then finds its own
/// among the points that are not held out. Throws InputError as prepare() and find_onset() do, and for sets from which
/// the law cannot be identified.
Inference answer(const Dataset& data, Question question);

}  // namespace loglog
