#include "engine/ops/linear_checks.hpp"

#include <string>

#include "engine/base/error.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog::detail {
namespace {

void check_heads(const char* operation, const char* name, const Heads& heads, std::int64_t dim, std::int64_t rows) {
    const auto& shape = heads.rows.shape;
    if (shape.rows() != rows || heads.first_column < 0 || heads.first_column + heads.heads * dim > shape.back()) {
        throw ShapeError{operation, name, shape, Shape{rows, heads.first_column + heads.heads * dim},
                         "a row per token of 'q' with " + std::to_string(heads.heads) + " heads of " +
                             std::to_string(dim) + " channels from column " + std::to_string(heads.first_column) +
                             " on"};
    }
}

}  // namespace

LinearAttentionSizes linear_sizes(const char* operation, const Heads& q, const Heads& k, const Heads& v,
                                  const LinearAttentionOptions& options) {
    const auto rows = q.rows.shape.rows();
    if (options.time < 1 || rows % options.time != 0) {
        throw ShapeError{operation, "q", q.rows.shape, Shape{options.time, q.rows.shape.back()},
                         "a whole number of sequences of that many tokens"};
    }
    check_heads(operation, "q", q, options.key_dim, rows);
    check_heads(operation, "k", k, options.key_dim, rows);
    check_heads(operation, "v", v, options.value_dim, rows);
    if (k.heads < 1 || v.heads != k.heads || q.heads % k.heads != 0) {
        throw ShapeError{operation, "v", Shape{rows, v.heads}, Shape{rows, k.heads},
                         "as many heads as 'k', a number that divides the " + std::to_string(q.heads) + " of 'q'"};
    }
    if (!options.document_start.empty() && options.document_start.size() != static_cast<std::size_t>(rows)) {
        throw ShapeError{operation, "document_start", Shape{static_cast<std::int64_t>(options.document_start.size())},
                         Shape{rows}, "one place per token"};
    }
    if (options.chunk < 1) {
        throw InputError{std::string{operation} + ": 'chunk' is " + std::to_string(options.chunk) +
                         " but must be at least 1 (tokens done at once)"};
    }
    return {.batch = static_cast<std::size_t>(rows / options.time),
            .time = static_cast<std::size_t>(options.time),
            .heads = static_cast<std::size_t>(q.heads),
            .kv_heads = static_cast<std::size_t>(k.heads),
            .key_dim = static_cast<std::size_t>(options.key_dim),
            .value_dim = static_cast<std::size_t>(options.value_dim),
            .chunk = static_cast<std::size_t>(options.chunk)};
}

LinearAttentionSizes linear_step_sizes(const char* operation, const Heads& q, const Heads& k, const Heads& v,
                                       const LinearAttentionOptions& options, const Tensor& state) {
    LinearAttentionOptions one = options;
    one.time = 1;
    one.document_start = {};
    if (q.rows.shape.rows() != 1) {
        throw ShapeError{operation, "q", q.rows.shape, Shape{1, q.rows.shape.back()}, "one token of one sequence"};
    }
    check_shape(operation, "state", state, Shape{q.heads, options.key_dim, options.value_dim},
                "a row per channel of a key for each head of 'q'");
    return linear_sizes(operation, q, k, v, one);
}

}  // namespace loglog::detail
