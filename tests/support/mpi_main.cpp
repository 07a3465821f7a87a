#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <memory>

#include "distributed/mpi/session.hpp"

namespace {

/// Rank 0 prints as usual; the others only what fails, with their rank.
class FailurePrinter final : public testing::EmptyTestEventListener {
  public:
    explicit FailurePrinter(int rank) : rank_{rank} {}
    void OnTestPartResult(const testing::TestPartResult& result) override {
        if (result.failed()) {
            std::fprintf(stderr, "rank %d: %s:%d: %s\n", rank_, result.file_name(), result.line_number(),
                         result.summary());
        }
    }

  private:
    int rank_;
};

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const loglog::MpiSession session;
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank != 0) {
        auto& listeners = testing::UnitTest::GetInstance()->listeners();
        delete listeners.Release(listeners.default_result_printer());
        listeners.Append(new FailurePrinter{rank});
    }
    const int mine = RUN_ALL_TESTS();
    int worst = 0;
    MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return worst;
}
