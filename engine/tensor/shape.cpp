#include "engine/tensor/shape.hpp"

namespace loglog {

std::string to_string(const Shape& shape) {
    std::string text = "[";
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
        text += (axis == 0 ? "" : ", ") + std::to_string(shape[axis]);
    }
    return text + "]";
}

ShapeError::ShapeError(const std::string& operation, const std::string& argument, const Shape& actual,
                       const Shape& wanted, const std::string& reason)
    : InputError{operation + ": '" + argument + "' is " + to_string(actual) + " but must be " + to_string(wanted) +
                 " (" + reason + ")"},
      actual_{actual},
      wanted_{wanted} {}

}  // namespace loglog
