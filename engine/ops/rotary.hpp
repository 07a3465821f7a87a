#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

/// Turns every head by its token's position, in place (Su et al. 2021, arXiv:2104.09864).
///
/// x             heads of head_dim channels; row t has position first_position + t mod time
/// cosine, sine  [positions, head_dim / 2], positions >= first_position + time
void rotary(Tape& tape, const Heads& x, const Tensor& cosine, const Tensor& sine, std::int64_t time,
            std::int64_t first_position = 0);

}  // namespace loglog
