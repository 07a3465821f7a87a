#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "distributed/collectives/operation_log.hpp"
#include "engine/parallel/group.hpp"

namespace loglog {

/// A collective or message under way.
class Operation {
  public:
    struct Description {
        const char* what;   ///< a string literal: "all-reduce"
        const char* group;  ///< a string literal: "tensor"
        std::int64_t bytes;
    };

    explicit Operation(const Description& description) : description_{description} {}
    virtual ~Operation() = default;

    const Description& description() const noexcept { return description_; }
    /// Does what can be done without waiting. True once it ended; never called again then.
    virtual bool advance() = 0;

  private:
    Description description_;
};

/// What one rank has under way, over all its groups. They share it because a rank that waits in one group must go on
/// with the others: their members may be what the first one's members wait for.
class Transfers {
  public:
    /// `log` may be null; it is told of every wait.
    explicit Transfers(OperationLog* log) : log_{log} {}

    OperationLog* log() const noexcept { return log_; }

    Transfer add(std::unique_ptr<Operation> operation);
    /// Returns once the operation ended; at once for one that ended before. Spins shortly, then leaves the core to
    /// others.
    void wait(Transfer transfer);
    void progress();

  private:
    struct UnderWay {
        Transfer transfer;
        std::unique_ptr<Operation> operation;
        std::int64_t number;  // in the log
    };

    OperationLog* log_;
    std::vector<UnderWay> under_way_;
    std::int64_t last_ = 0;
};

}  // namespace loglog
