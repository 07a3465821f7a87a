#pragma once

#include "engine/parallel/group.hpp"

namespace loglog {

/// A group that counts what its rank sends.
class MeteredGroup : public Group {
  public:
    /// Payload so far; for collectives that the library runs, what a ring would send.
    virtual double bytes_sent() const noexcept = 0;
};

}  // namespace loglog
