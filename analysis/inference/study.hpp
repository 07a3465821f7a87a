#pragma once

#include <map>
#include <string>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"

namespace loglog {

/// Which runs a law of one variable is fitted to.
enum class PointChoice {
    frontier,  ///< L(N): the longest-trained run(s) of each size; L(D): the largest model(s); L(C): the lower envelope
    all,
};

/// What is asked of a data set: everything `fit` can be told.
struct Question {
    std::string law;
    std::string x;     ///< "N", "D" or "C" for laws of one variable; empty: the only one there is, else N
    std::string loss;  ///< column of the loss; empty: the usual names
    std::map<std::string, std::string> mapping;  ///< quantity -> column
    PointChoice points = PointChoice::frontier;
    InferenceOptions inference;
    int hold_out = 0;  ///< so many largest values are predicted from the rest; 0: none
};

/// Takes the columns, chooses the points, fits and examines. Throws InputError for missing columns and bad cells, all
/// at once, and for sets from which the law cannot be identified.
Inference answer(const Dataset& data, Question question);

}  // namespace loglog
